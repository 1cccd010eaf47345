"""Answers that wait for the store, oldest first."""

from libc.stdlib cimport free, realloc
from libc.string cimport memmove


cdef int fences_add(Fences* fences, Fence fence) except -1:
    cdef Fence* larger
    if fences.first + fences.count == fences.room and fences.first > fences.count:
        memmove(fences.fence, fences.fence + fences.first, fences.count * sizeof(Fence))
        fences.first = 0
    if fences.first + fences.count == fences.room:
        larger = <Fence*>realloc(fences.fence, (<size_t>fences.room * 2 + 4) * sizeof(Fence))
        if larger == NULL:
            raise MemoryError("no memory for another answer that waits for the store")
        fences.fence = larger
        fences.room = fences.room * 2 + 4
    fences.fence[fences.first + fences.count] = fence
    fences.count += 1
    return 0


cdef void fences_close(Fences* fences) noexcept:
    free(fences.fence)
    fences.fence = NULL
    fences.first = fences.count = fences.room = 0


cdef void fences_pass(Fences* fences) noexcept:
    fences.first += 1
    fences.count -= 1
