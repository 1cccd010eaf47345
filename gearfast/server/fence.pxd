# FENCE   answers that may not be sent before the store has written what they speak of.
#
# A fence stands before a JOB_CREATED in the stream of a session's answers. What lies behind it
# waits as well, since clients match answers by their order.

from libc.stdint cimport uint32_t, uint64_t

cdef struct Fence:
    uint64_t number               # of the job
    uint64_t place                # in the stream

cdef struct Fences:               # oldest first
    Fence* fence
    uint32_t first, count, room

cdef bint fences_add(Fences* fences, Fence fence) noexcept nogil      # False: there is no memory
cdef void fences_close(Fences* fences) noexcept nogil
cdef void fences_pass(Fences* fences) noexcept nogil            # the first one falls
