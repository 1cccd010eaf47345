"""What a job has been through. There is nothing here for Python."""

from libc.string cimport memchr, memcpy, strlen

from gearfast.broker.job cimport job_size
from gearfast.ground.pool cimport pool_give, pool_take

ctypedef const char* Words

cdef Words[3] LOSSES = [                           # of each Loss
    b"its worker went away", b"its worker handed it back", b"its worker did not do it in time",
]
cdef Words[2] REPORTS = [b"its worker said WORK_FAIL", b"its worker said WORK_EXCEPTION, and nothing more"]


cdef void past_note(Job* job, double started, double failed, Slice error) noexcept nogil:
    cdef size_t size = min(error.size, <size_t>MAX_ERROR)
    cdef Past* past = <Past*>pool_take(sizeof(Past) + size)
    if past == NULL:
        return
    past[0] = Past(submitted_at(job), past_of(job).started or started, failed, size)
    if size > 0:
        memcpy(past + 1, error.data, size)
    if job.flags & HAS_PAST:
        pool_give(job.history.past, sizeof(Past) + job.history.past.error_size)
    job.flags |= HAS_PAST
    job.history.past = past


cdef Slice words_of_loss(Loss loss) noexcept nogil:
    return Slice(LOSSES[<int>loss], strlen(LOSSES[<int>loss]))


cdef Slice words_of_report(bint raised, const char* body, size_t size) noexcept nogil:
    cdef const char* nul = <const char*>memchr(body, 0, size) if raised and size > 0 else NULL
    if nul == NULL or nul + 1 == body + size:
        return Slice(REPORTS[raised], strlen(REPORTS[raised]))
    return Slice(nul + 1, size - (nul + 1 - body))


cdef Slice last_error(const Job* job) noexcept nogil:
    if not job.flags & HAS_PAST:
        return Slice(NULL, 0)
    return Slice(<const char*>(job.history.past + 1), job.history.past.error_size)


cdef size_t dead_size(const Job* job) noexcept nogil:
    return job_size(job) + (sizeof(Past) + job.history.past.error_size if job.flags & HAS_PAST else 0)
