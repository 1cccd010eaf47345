"""What is taken back from a peer that leaves, and from a worker that gives something up (protocol section 3.6)."""

from gearfast.broker.functions cimport (
    Ability, Function, Worker, ability_free, functions_cant_do, functions_rouse, is_place, worker_free,
)
from gearfast.broker.job cimport Job, Run
from gearfast.broker.estate cimport BATCH
from gearfast.broker.keeping cimport is_background
from gearfast.broker.party cimport detach, party_free
from gearfast.broker.past cimport GONE, HANDED_BACK
from gearfast.ground.ring cimport ring_append, ring_append_all, ring_empty, ring_leave


cdef class Leaving(Life):
    cdef void disconnect(self, Peer peer, double now) noexcept nogil:
        cdef Party* party = peer.party
        if party == NULL:
            return
        peer.party = NULL
        party.peer = NULL
        self.take_back(party, now)

    cdef void discard_worker(self, Party* party, double now) noexcept nogil:
        """All that it can do is given up; another sleeper answers for what it was woken for."""
        cdef Worker* worker = party.worker
        cdef Function* woken_for = functions_rouse(&self.functions, worker)
        party.worker = NULL
        ring_append_all(&party.given_up, &worker.abilities)
        worker.discarded = True
        if worker.rotation.count == 0:
            worker_free(worker)
        self.take_back(party, now)
        if woken_for != NULL:
            self.wake_for(woken_for, 1, now)

    cdef void take_back(self, Party* party, double now) noexcept nogil:
        """Much of what it has given up or left behind; if that is not all, ticks go on with it."""
        cdef int step
        if party.peer == NULL and party.worker != NULL:
            self.discard_worker(party, now)
            return
        for step in range(BATCH):
            self.steps += 1
            if party.peer == NULL and not ring_empty(&party.waits):      # first: some it may have submitted itself
                self.stop_waiting(<Waiter*>party.waits.next.owner)
            elif not ring_empty(&party.given_up):
                self.take_one_back(party, party.given_up.next, now)
            else:
                self.taken_back(party)
                return
        ring_leave(&party.among)
        ring_append(&self.leaving, &party.among)

    cdef void taken_back(self, Party* party) noexcept nogil:
        ring_leave(&party.among)
        if party.peer == NULL:
            party_free(party)
        else:
            ring_append(&self.parties, &party.among)

    cdef void stop_waiting(self, Waiter* waiter) noexcept nogil:
        cdef Job* job = waiter.job
        detach(&self.waiters, waiter)
        if job.waiters == NULL and not is_background(job):
            self.abandon(job)

    cdef void take_one_back(self, const Party* party, Ring* link, double now) noexcept nogil:
        """An ability, step by step: given up, then job by job, newest first, then for good."""
        cdef Ability* ability
        if is_place(link):
            ring_leave(link)
            return
        ability = <Ability*>link.owner
        if ability.worker != NULL:
            functions_cant_do(&self.functions, ability)
            ability.handed_back = party.peer != NULL
        elif not ring_empty(&ability.runs):
            self.requeue(<Run*>ability.runs.next.owner, HANDED_BACK if ability.handed_back else GONE, now)
        else:
            ability_free(ability)
