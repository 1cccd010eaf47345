"""What a job has been through. There is nothing here for Python."""

from libc.string cimport memcpy

from gearfast.ground.pool cimport pool_give, pool_take


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


cdef Slice last_error(const Job* job) noexcept nogil:
    if not job.flags & HAS_PAST:
        return Slice(NULL, 0)
    return Slice(<const char*>(job.history.past + 1), job.history.past.error_size)
