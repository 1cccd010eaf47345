"""Whoever takes part in the life of jobs, and the clients that wait for one."""

from gearfast.collector cimport hold_collector, release_collector
from gearfast.late cimport late_close, late_open
from gearfast.pool cimport pool_give, pool_take
from gearfast.ring cimport ring_append, ring_leave, ring_open
from gearfast.roster cimport Ability, worker_ability, worker_close, worker_open


cdef class Peer:
    def __cinit__(self):
        worker_open(&self.worker, <void*>self)
        ring_open(&self.runs, NULL)
        ring_open(&self.waits, NULL)
        late_open(&self.late)

    def __dealloc__(self):
        worker_close(&self.worker)
        late_close(&self.late)

    cdef void wake(self) noexcept:
        pass

    cdef void report(self, Report kind, uint64_t number, const char* body, size_t size) noexcept:
        pass

    def abilities(self) -> list:
        """The names of its functions, newest first."""
        cdef uint32_t at = 0
        cdef Ability* ability = worker_ability(&self.worker, &at)
        names = []
        while ability != NULL:
            names.append(ability.function.name.data[:ability.function.name.size])
            ability = worker_ability(&self.worker, &at)
        return names


cdef int attach(Job* job, Peer client) except -1:
    cdef Waiter* waiter = <Waiter*>pool_take(sizeof(Waiter))
    if waiter == NULL:
        raise MemoryError("no memory for another waiting client")
    waiter.job = job
    waiter.client = <void*>client
    waiter.prev = NULL
    waiter.next = job.waiters
    if waiter.next != NULL:
        waiter.next.prev = waiter
    job.waiters = waiter
    job.waiting += 1
    ring_open(&waiter.of_client, waiter)
    ring_append(&client.waits, &waiter.of_client)
    return 0


cdef void detach(Waiter* waiter) noexcept:
    ring_leave(&waiter.of_client)
    waiter.job.waiting -= 1
    if waiter.prev == NULL:
        waiter.job.waiters = waiter.next
    else:
        waiter.prev.next = waiter.next
    if waiter.next != NULL:
        waiter.next.prev = waiter.prev
    pool_give(waiter, sizeof(Waiter))


cdef void tell(Job* job, Report kind, const char* body, size_t size) noexcept:
    cdef Waiter* waiter = job.waiters
    cdef bint collects = hold_collector()
    while waiter != NULL:
        (<Peer>waiter.client).report(kind, job.number, body, size)
        waiter = waiter.next
    release_collector(collects)
