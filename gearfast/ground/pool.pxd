# POOL   memory for jobs: blocks of like size side by side in chunks.
#
# The allocator of the C library spends as much on a job as all our bookkeeping, and twelve bytes
# of its own. Here a block costs a few instructions and nothing beside it, and memory goes back to
# the system a chunk at a time, as soon as all blocks of a chunk are free.

cdef enum:
    CHUNK_SIZE = 65536

cdef void* pool_take(size_t size) noexcept nogil                  # aligned to 8 bytes; NULL: there is no memory
cdef void pool_give(void* block, size_t size) noexcept nogil      # `size` as it was taken
# Bytes that are here and in no use; of very many chunks it looks at some, and takes the others to be like them.
cdef size_t pool_free() noexcept nogil
# Keep this many bytes of empty chunks for what comes next.
cdef void pool_keep(size_t most) noexcept nogil
