# POISON   bytes that nobody may look at; without AddressSanitizer anybody may.

cdef extern from *:
    """
    #include <stddef.h>
    extern void __asan_poison_memory_region(void const volatile *, size_t) __attribute__((weak));
    extern void __asan_unpoison_memory_region(void const volatile *, size_t) __attribute__((weak));
    extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));
    static inline void poison(const void *at, size_t size) {
        if (__asan_poison_memory_region) __asan_poison_memory_region(at, size);
    }
    static inline void unpoison(const void *at, size_t size) {
        if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(at, size);
    }
    static inline size_t allocated_bytes(void) {
        return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : 0;
    }
    """
    void poison(const void* at, size_t size) noexcept nogil
    void unpoison(const void* at, size_t size) noexcept nogil
    size_t allocated_bytes() noexcept nogil
