"""Answers that wait for the store, oldest first."""

from libc.stdlib cimport free, realloc
from libc.string cimport memmove


cdef bint fences_add(Fences* fences, Fence fence) noexcept nogil:
    cdef Fence* larger
    if fences.first + fences.count == fences.room and fences.first > fences.count:
        memmove(fences.fence, fences.fence + fences.first, fences.count * sizeof(Fence))
        fences.first = 0
    if fences.first + fences.count == fences.room:
        larger = <Fence*>realloc(fences.fence, (<size_t>fences.room * 2 + 4) * sizeof(Fence))
        if larger == NULL:
            return False
        fences.fence = larger
        fences.room = fences.room * 2 + 4
    fences.fence[fences.first + fences.count] = fence
    fences.count += 1
    return True


cdef void fences_close(Fences* fences) noexcept nogil:
    free(fences.fence)
    fences.fence = NULL
    fences.first = fences.count = fences.room = 0


cdef void fences_pass(Fences* fences) noexcept nogil:
    fences.first += 1
    fences.count -= 1
