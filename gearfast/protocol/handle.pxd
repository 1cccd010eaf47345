# HANDLE   the name of a job: "<prefix>:<number>". Numbers are never used twice.

from libc.stdint cimport uint64_t

from gearfast.ground.slice cimport Slice

cdef enum:
    HANDLE_ROOM = 64      # bytes that any handle fits into

cdef class Handles:
    cdef readonly bytes prefix
    cdef char text[HANDLE_ROOM]           # "<prefix>:", and the digits of the number spelled last
    cdef size_t start_size, size
    cdef uint64_t spelled
    cdef uint64_t last                    # given out
    cdef uint64_t ceiling                 # none above it may be; all bits set while there is no store

    # The handle of a number; the text holds until the next one is spelled.
    cdef Slice spell(self, uint64_t number) noexcept nogil
    # The number a handle stands for; 0 if it is none of ours.
    cdef uint64_t parse(self, const char* handle, size_t size) noexcept nogil
