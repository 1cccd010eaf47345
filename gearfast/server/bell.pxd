# BELL   by which one thread wakes another one that sleeps in the system: a descriptor that is readable once it was rung.

from libc.stdint cimport uint64_t
from posix.unistd cimport read, write

cdef extern from *:
    """
    #include <errno.h>
    #if defined(__linux__)
    #include <sys/eventfd.h>
    #else                                     /* there is none elsewhere: to make one fails */
    enum { EFD_NONBLOCK = 0, EFD_CLOEXEC = 0 };
    static int eventfd(unsigned int count, int flags) { (void)count; (void)flags; errno = ENOSYS; return -1; }
    #endif
    """
    int EFD_NONBLOCK, EFD_CLOEXEC
    int eventfd(unsigned int, int) nogil

cdef inline int bell_open() noexcept nogil:                  # -1: errno says why there is none
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)

cdef inline void bell_ring(int bell) noexcept nogil:
    cdef uint64_t one = 1
    write(bell, &one, sizeof(one))

cdef inline void bell_heard(int bell) noexcept nogil:        # it is silent, until it is rung again
    cdef uint64_t calls
    read(bell, &calls, sizeof(calls))
