"""Whoever takes part in the life of jobs."""

from gearfast.broker.listing cimport Abilities
from gearfast.broker.job cimport Waiter
from gearfast.broker.party cimport detach
from gearfast.broker.functions cimport Ability, Worker, worker_ability
from gearfast.ground.lock cimport lock_enter, lock_enter_walk, lock_leave, lock_leave_walk


cdef class Peer:
    def __dealloc__(self):
        self.forgotten = True
        lock_enter()
        if self.party != NULL:                     # nobody has said that it leaves: its broker must not call it
            self.party.peer = NULL
        lock_leave()

    cdef void wake(self) noexcept nogil:
        pass

    cdef bint notify(self, Report kind, uint64_t number, const char* body, size_t size, uint32_t count) noexcept nogil:
        return True

    def abilities(self):
        cdef uint32_t at = 0
        cdef list names = []
        cdef bint collects = lock_enter_walk()
        cdef Worker* worker = NULL if self.party == NULL else self.party.worker
        cdef Ability* ability = NULL if worker == NULL else worker_ability(worker, &at)
        try:
            while ability != NULL:
                names.append(ability.function.name.data[:ability.function.name.size])
                ability = worker_ability(worker, &at)
        finally:
            lock_leave_walk(collects)
        return names

    def each_ability(self):
        cdef Abilities abilities = Abilities()
        lock_enter()
        abilities.begin(NULL if self.party == NULL else self.party.worker)
        lock_leave()
        return abilities


cdef size_t tell(Index* waiters, Job* job, Report kind, const char* body, size_t size) noexcept nogil:
    cdef Waiter* waiter = job.waiters
    cdef Waiter* next
    cdef void* client
    cdef size_t told = 0
    while waiter != NULL:
        next = waiter.next
        client = (<Party*>waiter.client).peer
        if client == NULL or not (<Peer>client).notify(kind, job.number, body, size, waiter.count):
            detach(waiters, waiter)
        told += 1
        waiter = next
    return told
