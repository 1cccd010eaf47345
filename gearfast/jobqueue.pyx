"""The record of a job, and the three lanes in which jobs of one function wait."""

from libc.math cimport INFINITY
from libc.string cimport memcpy, memset

from gearfast.heap cimport heap_close, heap_open, heap_pop_due, heap_push, heap_soonest
from gearfast.pool cimport pool_give, pool_keep, pool_take

cdef extern from *:
    """
    #include <limits.h>
    #include <stdlib.h>
    #if defined(__GLIBC__)
    #include <malloc.h>
    #define gearfast_give_memory_back() malloc_trim(0)
    #define gearfast_keep_memory(bytes) do { \
        int most = (bytes) < INT_MAX ? (int)(bytes) : INT_MAX; \
        mallopt(M_TRIM_THRESHOLD, most); \
        mallopt(M_MMAP_THRESHOLD, most / 4 < 128 * 1024 ? 128 * 1024 : most / 4); \
    } while (0)
    #else
    #define gearfast_give_memory_back()
    #define gearfast_keep_memory(bytes) (void)(bytes)
    #endif
    """
    void gearfast_give_memory_back()
    void gearfast_keep_memory(size_t)


cdef inline char* text_of(const Job* job) noexcept nogil:
    """What follows the record: [claim and] unique, reducer, payload."""
    return <char*>(job + 1) + (sizeof(Claim) if job.unique_size > 0 else 0)


cdef Job* job_new(Slice unique, Slice reducer, Slice payload) except NULL:
    cdef size_t claim = sizeof(Claim) if unique.size > 0 else 0
    if payload.size > <uint32_t>-1:
        raise ValueError(f"a payload has less than 4 GiB, not {payload.size} bytes")
    cdef Job* job = <Job*>pool_take(sizeof(Job) + claim + unique.size + reducer.size + payload.size)
    cdef char* at
    if job == NULL:
        raise MemoryError("no memory for another job")
    memset(job, 0, sizeof(Job))
    if claim > 0:
        memset(job + 1, 0, claim)
    job.unique_size = <uint8_t>unique.size
    job.reducer_size = <uint8_t>reducer.size
    job.payload_size = <uint32_t>payload.size
    at = text_of(job)
    if unique.size > 0:
        memcpy(at, unique.data, unique.size)
        at += unique.size
    if reducer.size > 0:
        memcpy(at, reducer.data, reducer.size)
        at += reducer.size
    if payload.size > 0:
        memcpy(at, payload.data, payload.size)
    return job


cdef void job_free(Job* job) noexcept:
    pool_give(job, job_size(job))


cdef void job_bury(Job* job) noexcept:
    cdef Waiter* waiter
    while job.waiters != NULL:
        waiter = job.waiters
        job.waiters = waiter.next
        pool_give(waiter, sizeof(Waiter))
    if job.state == RUNNING:
        pool_give(job.place.run, sizeof(Run))
    job_free(job)


cdef size_t job_size(const Job* job) noexcept nogil:
    return text_of(job) - <const char*>job + job.unique_size + job.reducer_size + job.payload_size


cdef void keep_memory(size_t most) noexcept:
    pool_keep(most)
    gearfast_keep_memory(most)


cdef void give_memory_back() noexcept:
    gearfast_give_memory_back()


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


cdef bint lane_push(Lanes* lanes, Job* job) noexcept nogil:
    cdef Lane* lane = &lanes.lane[job.priority]
    job.state = QUEUED
    job.place.lane.next = NULL
    job.place.lane.prev = lane.tail
    if lane.tail == NULL:
        lane.head = job
    else:
        lane.tail.place.lane.next = job
    lane.tail = job
    lane.count += 1
    return lane.count == 1


cdef bint lane_remove(Lanes* lanes, Job* job) noexcept nogil:
    cdef Lane* lane = &lanes.lane[job.priority]
    cdef Job* next = job.place.lane.next
    cdef Job* prev = job.place.lane.prev
    if prev == NULL:
        lane.head = next
    else:
        prev.place.lane.next = next
    if next == NULL:
        lane.tail = prev
    else:
        next.place.lane.prev = prev
    lane.count -= 1
    return lane.count == 0


cdef class JobQueue:
    def __cinit__(self):
        memset(&self.lanes, 0, sizeof(Lanes))
        heap_open(&self.delayed)
        self.count = 0
        self.pushed = 0

    def __dealloc__(self):
        cdef int priority
        cdef Job* job
        while heap_soonest(&self.delayed) != INFINITY:
            job_free(<Job*>heap_pop_due(&self.delayed, INFINITY))
        heap_close(&self.delayed)
        for priority in range(PRIORITIES):
            while self.lanes.lane[priority].head != NULL:
                job = self.lanes.lane[priority].head
                lane_remove(&self.lanes, job)
                job_free(job)

    def __len__(self):
        return self.count

    def push(self, bytes payload not None, int priority=NORMAL, double due=0.0):
        if not <int>HIGH <= priority <= <int>LOW:
            raise ValueError(f"a priority is 0 (high), 1 (normal) or 2 (low), not {priority}")
        if due == INFINITY or due != due:
            raise ValueError("a job is due at some moment, not at infinity or nan")
        cdef Slice nothing = Slice(NULL, 0)
        cdef Job* job = job_new(nothing, nothing, Slice(<const char*>payload, len(payload)))
        job.priority = <uint8_t>priority
        job.number = self.pushed
        if due > 0:
            try:
                heap_push(&self.delayed, due, job.number, job, &job.place.due)
            except MemoryError:
                job_free(job)
                raise
            job.state = DELAYED
        else:
            lane_push(&self.lanes, job)
        self.pushed += 1
        self.count += 1

    def pop(self, double now=0.0):
        cdef Job* job = <Job*>heap_pop_due(&self.delayed, now)
        cdef int priority
        cdef Slice payload
        while job != NULL:
            lane_push(&self.lanes, job)
            job = <Job*>heap_pop_due(&self.delayed, now)
        for priority in range(PRIORITIES):
            job = self.lanes.lane[priority].head
            if job != NULL:
                lane_remove(&self.lanes, job)
                self.count -= 1
                payload = job_payload(job)
                try:
                    return payload.data[:payload.size]
                finally:
                    job_free(job)
        return None

    @property
    def soonest(self) -> float:
        return heap_soonest(&self.delayed)
