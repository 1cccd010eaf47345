# VALUES   numbers, durations and moments, as people write them. False: it is written in another way, or beyond what may be.

from libc.stdint cimport uint64_t

from gearfast.ground.slice cimport Slice

cdef bint is_word(Slice text, const char* word) noexcept nogil
cdef bint begins_with(Slice* text, const char* word) noexcept nogil           # and take it off the beginning
cdef bint read_count(Slice text, uint64_t most, uint64_t* count) noexcept nogil         # decimal digits, up to fifteen
cdef bint read_duration(Slice text, double* seconds) noexcept nogil           # 1h30m
cdef bint read_moment(Slice text, double* moment) noexcept nogil              # seconds since 1970, or ISO 8601 with a zone
