# HANDLE   the name of a job: "<prefix>:<number>". Numbers are never used twice.

from libc.stdint cimport uint64_t

cdef enum:
    HANDLE_ROOM = 64      # bytes that any handle fits into

cdef class Handles:
    cdef readonly bytes prefix
    cdef char start[HANDLE_ROOM]          # "<prefix>:"
    cdef size_t start_size
    cdef uint64_t last

    cdef uint64_t take(self) noexcept
    cdef size_t write(self, uint64_t number, char* out) noexcept nogil
    # The number a handle stands for; 0 if it is none of ours.
    cdef uint64_t parse(self, const char* handle, size_t size) noexcept nogil
