"""How much free memory the process keeps."""

from gearfast.ground.pool cimport pool_keep

cdef extern from *:
    """
    #include <limits.h>
    #include <stdlib.h>
    #if defined(__GLIBC__)
    #include <malloc.h>
    #define gearfast_give_memory_back() malloc_trim(0)
    #define gearfast_keep_memory(bytes) do { \
        int most = (bytes) < INT_MAX ? (int)(bytes) : INT_MAX; \
        mallopt(M_TRIM_THRESHOLD, most); \
        mallopt(M_MMAP_THRESHOLD, most / 4 < 128 * 1024 ? 128 * 1024 : most / 4); \
    } while (0)
    #else
    #define gearfast_give_memory_back()
    #define gearfast_keep_memory(bytes) (void)(bytes)
    #endif
    """
    void gearfast_give_memory_back() nogil
    void gearfast_keep_memory(size_t) nogil


cdef void keep_memory(size_t most) noexcept nogil:
    pool_keep(most)
    gearfast_keep_memory(most)


cdef void give_memory_back() noexcept nogil:
    gearfast_give_memory_back()
