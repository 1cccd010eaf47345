# LOOKOUT   who is often read from by the loop's thread, and when somebody is to look at how much the threads have to do.

from gearfast.server.session cimport Service

cdef struct Reads:                        # of one member
    unsigned int sample
    unsigned int count                    # how often the loop's thread has read from it in that sample

cdef class Lookout:
    cdef public object threads            # who decides which thread serves whom (threads.py); None: there are no others
    cdef Service service
    cdef list busy                        # whom it has often read from, and who may be read from by another one
    cdef bint found
    cdef unsigned int often               # so many times is often
    cdef unsigned int sample              # a new number begins a new count of that; 0: nobody counts
    cdef double next                      # when the load is to be looked at, monotonic seconds

    cdef inline bint has_news(self, double now) noexcept nogil:
        return self.found or self.next <= now
    cdef int tell(self) except -1                              # without the lock
    cdef int was_read(self, object member, Reads* reads) except -1
