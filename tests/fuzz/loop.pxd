# LOOP   the event loop, as far as a server needs one; and the clock, which goes forward only when the script says so.

from gearfast.ground.clock cimport Clock

cdef enum:
    FIRST_DESCRIPTOR = 100        # of the first player

cdef double now                   # monotonic seconds
cdef double wall                  # seconds since 1970
cdef double look                  # seconds that each look at the clock takes
cdef Clock clock

cdef void begin_anew() noexcept

cdef class Timer:
    cdef double when
    cdef object callback

cdef class Watched:               # a descriptor
    cdef object reader, writer    # None: the server does not want to know

cdef class Loop:
    cdef list descriptors         # Watched, from FIRST_DESCRIPTOR on
    cdef list soon, timers

    cdef int run_soon(self) except -1
    cdef int run_timers(self) except -1
    cdef bint rests(self) noexcept
    cdef Watched watched(self, int descriptor)
