"""The record of a job, and the three lanes in which jobs of one function wait."""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from gearfast.ground.pool cimport pool_give, pool_take

from gearfast import config

cdef size_t LARGE = config.LARGE_BODY

cdef enum:
    MOST_AHEAD = sizeof(Claim) + sizeof(Policy*) + sizeof(size_t)

cdef int readers          # of payloads, without the lock
cdef Job* freed           # by others meanwhile

readers = 0
freed = NULL

cdef inline char* behind_claim(const Job* job) noexcept nogil:
    return <char*>(job + 1) + (sizeof(Claim) if job.unique_size > 0 else 0)


cdef Job* job_new(Slice unique, Slice reducer, Slice payload, Policy* policy, bint expires, char* room) noexcept nogil:
    cdef size_t ahead = ((sizeof(Claim) if unique.size > 0 else 0) + (sizeof(Policy*) if policy != NULL else 0)
                         + (sizeof(size_t) if expires else 0))
    cdef Job* job = <Job*>room
    cdef char* at
    if room != NULL:
        ahead = MOST_AHEAD
    else:
        job = <Job*>pool_take(sizeof(Job) + ahead + unique.size + reducer.size + payload.size)
    if job == NULL:
        return NULL
    memset(job, 0, sizeof(Job))
    job.unique_size = <uint8_t>unique.size
    if ahead > 0:
        job.flags = <uint8_t>(ahead >> 1)
        put_ahead(job, policy, expires)
    job.reducer_size = <uint8_t>reducer.size
    job.payload_size = <uint32_t>payload.size
    at = text_of(job)
    if unique.size > 0:
        memcpy(at, unique.data, unique.size)
        at += unique.size
    if reducer.size > 0:
        memcpy(at, reducer.data, reducer.size)
        at += reducer.size
    if payload.size > 0 and room == NULL:
        memcpy(at, payload.data, payload.size)
    return job


cdef char* job_room(Slice unique, Slice reducer, Slice payload) noexcept nogil:
    cdef size_t ahead = sizeof(Job) + MOST_AHEAD + unique.size + reducer.size
    cdef char* room = <char*>malloc(ahead + payload.size)
    if room != NULL:
        memcpy(room + ahead, payload.data, payload.size)
    return room


cdef void put_ahead(Job* job, Policy* policy, bint expires) noexcept nogil:
    memset(job + 1, 0, (job.flags & AHEAD) << 1)
    if policy != NULL:
        job.flags |= HAS_POLICY
        memcpy(behind_claim(job), &policy, sizeof(Policy*))
    if expires:
        job.flags |= EXPIRES
        job_expiry(job)[0] = NOT_THERE


cdef void job_free(Job* job) noexcept nogil:
    if job.flags & HAS_PAST:
        pool_give(job.history.past, sizeof(Past) + job.history.past.error_size)
    if readers > 0 and job.payload_size >= LARGE:
        push(job)
    else:
        pool_give(job, job_size(job))


cdef inline void push(Job* job) noexcept nogil:
    global freed
    job.place.lane.next = freed
    freed = job


cdef void jobs_stay(int more) noexcept nogil:
    global readers, freed
    cdef Job* job
    readers += more
    while readers == 0 and freed != NULL:
        job = freed
        freed = job.place.lane.next
        pool_give(job, job_size(job))


cdef void job_dispose(Job* job) noexcept nogil:
    cdef Waiter* waiter
    while job.waiters != NULL:
        waiter = job.waiters
        job.waiters = waiter.next
        pool_give(waiter, sizeof(Waiter))
    if job.state == RUNNING:
        pool_give(job.place.run, sizeof(Run))
    elif job.state == SCHEDULED:
        free(job.place.schedule)
    job_free(job)


cdef Claim* job_claim(const Job* job) noexcept nogil:
    return <Claim*>(job + 1)


cdef Job* job_of_claim(const Claim* claim) noexcept nogil:
    return <Job*>claim - 1


cdef Slice job_unique(const Job* job) noexcept nogil:
    return Slice(text_of(job), job.unique_size)


cdef Slice job_reducer(const Job* job) noexcept nogil:
    return Slice(text_of(job) + job.unique_size, job.reducer_size)


cdef Slice job_payload(const Job* job) noexcept nogil:
    return Slice(text_of(job) + job.unique_size + job.reducer_size, job.payload_size)


cdef size_t* job_expiry(const Job* job) noexcept nogil:
    return <size_t*>(behind_claim(job) + (sizeof(Policy*) if job.flags & HAS_POLICY else 0))


cdef Policy* job_policy(const Job* job) noexcept nogil:
    cdef Policy* policy = NULL
    if job.flags & HAS_POLICY:
        memcpy(&policy, behind_claim(job), sizeof(Policy*))
    return policy
