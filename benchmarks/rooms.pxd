# ROOMS   what every benchmark inside this process is.

from libc.stdint cimport uint32_t

from gearfast.ground.slice cimport Slice

cdef enum:
    BATCH = 100                   # operations come in multiples of this

cdef class Benchmark:
    """One operation. `play` returns how many nanoseconds n of them took."""
    cdef int prepare(self, int n) except -1       # neither timed nor counted
    cdef int operate(self, int n) except -1
    cdef int finish(self) except -1               # neither timed nor counted

cdef bytes packed(uint32_t type, bytes body)
