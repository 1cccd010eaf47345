# SLICE   a run of bytes that somebody else owns.

from libc.string cimport memcmp

cdef struct Slice:
    const char* data
    size_t size

cdef inline Slice slice_of(bytes data):
    return Slice(<const char*>data, len(data))

cdef inline bint same_bytes(Slice a, Slice b) noexcept nogil:
    return a.size == b.size and (a.size == 0 or memcmp(a.data, b.data, a.size) == 0)
