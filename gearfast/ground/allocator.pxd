# ALLOCATOR   how much free memory the process keeps: the pool's, and the C library's.
#
# It is the process's, whoever asks: of several servers in one process the last one's wish holds.

# So much free memory is kept: else every large payload is a walk to the system and back.
cdef void keep_memory(size_t most) noexcept nogil
# Hand free memory back to the system; the allocator would keep what is not at its end for good.
cdef void give_memory_back() noexcept nogil
