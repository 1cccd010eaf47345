# POOL   memory for jobs: blocks of like size side by side in chunks.
#
# The allocator of the C library spends as much on a job as all our bookkeeping, and twelve bytes
# of its own. Here a block costs a few instructions and nothing beside it, and memory goes back to
# the system a chunk at a time, as soon as all blocks of a chunk are free.

from libc.stdint cimport uint32_t

cdef enum:
    CHUNK_SIZE = 65536

cdef struct Block:        # one that is free
    Block* next

cdef struct Chunk:        # at the start of its CHUNK_SIZE bytes, which are aligned to as much
    Chunk* next           # among the chunks of this size with room, or the spare ones
    Chunk* prev
    Block* given          # free blocks that had been taken before
    uint32_t fresh        # where the blocks begin that were never taken
    uint32_t used         # blocks taken
    uint32_t size         # of a block, in steps of 8 bytes

cdef void* pool_take(size_t size) noexcept nogil                  # aligned to 8 bytes; NULL: there is no memory
cdef void pool_give(void* block, size_t size) noexcept nogil      # `size` as it was taken
# What is seldom left to do of both. It stands here, and is called last, so that they themselves save no registers: a
# compiler that sees one caller only makes both one function.
cdef void* pool_take_from_new(uint32_t steps) noexcept nogil
cdef void pool_end_chunk(Chunk* chunk) noexcept nogil
# Bytes that are here and in no use; of very many chunks it looks at some, and takes the others to be like them.
cdef size_t pool_free() noexcept nogil
# Keep this many bytes of empty chunks for what comes next.
cdef void pool_keep(size_t most) noexcept nogil
