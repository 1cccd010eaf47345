# SLICE   a run of bytes that somebody else owns.

from libc.string cimport memchr, memcmp, strlen

cdef struct Slice:
    const char* data
    size_t size

cdef inline Slice slice_of(bytes data):
    return Slice(<const char*>data, len(data))

cdef inline Slice slice_of_text(const char* text) noexcept nogil:
    return Slice(text, strlen(text))

cdef inline Slice cut_at_nul(Slice slice) noexcept nogil:
    cdef const char* nul = <const char*>memchr(slice.data, 0, slice.size) if slice.size > 0 else NULL
    return slice if nul == NULL else Slice(slice.data, nul - slice.data)

cdef inline bint same_bytes(Slice a, Slice b) noexcept nogil:
    return a.size == b.size and (a.size == 0 or memcmp(a.data, b.data, a.size) == 0)
