# ENDINGS   jobs that were given up, for the log: noted while the broker works, told when it rests.

from libc.stdint cimport uint64_t

from gearfast.broker.job cimport Job
from gearfast.ground.slice cimport Slice

cpdef enum Reason:
    LOST = 0                      # by as many workers as may lose it
    TIMED_OUT = 1                 # taken from its worker, and queued again unless LOST follows
    FAILED = 2                    # by WORK_FAIL; a background job, as the others below: nobody else would hear of it
    RAISED = 3                    # by WORK_EXCEPTION
    CANCELLED = 4

cdef class Endings:
    cdef public bint on           # somebody wants to know
    cdef char* notes
    cdef size_t size, room        # bytes of notes
    cdef size_t missed            # for which there was no room

    cdef void note(self, const Job* job, Slice function, Reason reason) noexcept nogil
    cdef bint make_room(self, size_t more) noexcept nogil
    cdef void put(self, const void* data, size_t size) noexcept nogil
