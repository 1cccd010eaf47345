# LATE   jobs that a worker held and lost, and whose results may still come.
#
# A worker is not told when a job is taken from it; what it then sends is no mistake of its own.

from libc.stdint cimport uint64_t

cdef struct Lost:
    uint64_t number
    bint failed                   # by WORK_EXCEPTION: only the WORK_FAIL behind it is expected

cdef struct Late:
    Lost* lost                    # oldest first
    int count
    int room

cdef void late_open(Late* late) noexcept nogil
cdef void late_close(Late* late) noexcept nogil
# Of more than `most` the oldest is forgotten. Without memory the newest is.
cdef void late_remember(Late* late, uint64_t number, bint failed, int most) noexcept nogil
# Whether it held the job and lost it, other than by an exception of its own.
cdef bint late_has(const Late* late, uint64_t number) noexcept nogil
# Whether a result for `number` was to be expected; one that ends the job is expected once.
cdef bint late_expects(Late* late, uint64_t number, bint is_fail, bint ends) noexcept nogil
