# CLOCK   the time, for those who pass it on: the broker never asks.
#
# Sessions and turns ask a clock that they were given, so a test can give them one that it sets itself.

from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

cdef inline double seconds_of(int which) noexcept nogil:
    cdef timespec at
    clock_gettime(which, &at)
    return at.tv_sec + at.tv_nsec * 1e-9

# Seconds that only go forward.
cdef inline double monotonic_time() noexcept nogil:
    return seconds_of(CLOCK_MONOTONIC)

# Seconds since 1970.
cdef inline double wall_time() noexcept nogil:
    return seconds_of(CLOCK_REALTIME)

cdef struct Clock:
    double (*monotonic)() noexcept nogil
    double (*wall)() noexcept nogil
