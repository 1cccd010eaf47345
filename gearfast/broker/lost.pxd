# LOST   jobs that a worker held and lost, and whose results may still come.
#
# A worker is not told when a job is taken from it; what it then sends is no mistake of its own.

from libc.stdint cimport uint64_t

cdef struct LostJob:
    uint64_t number
    bint failed                   # by WORK_EXCEPTION: only the WORK_FAIL behind it is expected

cdef struct LostJobs:
    LostJob* jobs                    # oldest first
    int count
    int room

cdef void lost_open(LostJobs* lost) noexcept nogil
cdef void lost_close(LostJobs* lost) noexcept nogil
# Of more than `most` the oldest is forgotten. Without memory the newest is.
cdef void lost_remember(LostJobs* lost, uint64_t number, bint failed, int most) noexcept nogil
# Whether it held the job and lost it, other than by an exception of its own.
cdef bint lost_has(const LostJobs* lost, uint64_t number) noexcept nogil
# Whether a result for `number` was to be expected; one that ends the job is expected once.
cdef bint lost_expects(LostJobs* lost, uint64_t number, bint is_fail, bint ends) noexcept nogil
