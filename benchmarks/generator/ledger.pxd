# LEDGER   every job that was ever submitted by one Load, and whether it was worked: exactly once, whole, in order.
#
# A job's number says who submitted it (its origin: one client connection, or all callers) and as its how-many-eth.
# The first eight bytes of the payload carry it; the rest of any payload is the start of one pattern.

from libc.stdint cimport uint32_t, uint64_t

from benchmarks.generator.bitmap cimport Bitmap
from benchmarks.generator.trail cimport Trail

cdef enum:
    SEQUENCE_BITS = 40

cdef inline uint64_t sequence_of(uint64_t number) noexcept nogil:
    return number & ((<uint64_t>1 << SEQUENCE_BITS) - 1)

cdef struct Name:
    char text[16]           # of a function: "work0"
    size_t size

cdef struct Origin:
    uint64_t submitted      # so many jobs it has sent
    size_t payload
    uint32_t functions
    bint ordered            # one connection, so its jobs leave in their order
    Bitmap worked

cdef class Ledger:
    cdef Origin** origins
    cdef size_t count
    cdef size_t room
    cdef Name* names
    cdef bytes stem                     # what their names begin with
    cdef readonly int named             # functions that have a name
    cdef char* pattern
    cdef readonly size_t longest        # bytes of the pattern there are
    cdef bint short_sizes[8]            # payload sizes in use that have no room for a number
    cdef Bitmap handles                 # of those: told apart by their handles
    cdef readonly uint64_t submitted    # jobs, of all origins
    cdef readonly uint64_t worked

    cdef int open_origin(self, size_t payload, int functions, bint ordered) except -1
    cdef int provide(self, size_t payload, int functions) except -1
    # The number of the next job of an origin.
    cdef uint64_t next_number(self, uint32_t origin) noexcept nogil
    # A worker was given this job; -1 with WrongAnswer if it must not have been.
    cdef int assigned(self, Trail* trail, int functions, uint64_t handle, const char* function, size_t function_size,
                      const char* payload, size_t size) except -1 nogil
    # A client was told this result of its job; `result`: the size that workers give, -1 the payload itself.
    cdef int completed(self, uint32_t origin, uint64_t sequence, ssize_t result, const char* body,
                       size_t size) except -1 nogil

    cdef int check_function(self, uint64_t number, int index, int functions, const char* function,
                            size_t size) except -1 nogil
    cdef int worked_once(self, Trail* trail, Origin* origin, uint64_t number, int index) except -1 nogil
    cdef int assigned_short(self, int functions, uint64_t handle, const char* function, size_t function_size,
                            const char* payload, size_t size) except -1 nogil
