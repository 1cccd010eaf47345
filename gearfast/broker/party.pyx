"""The broker's side of a peer, and the clients that wait for a job."""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from gearfast.ground.index cimport Node, index_add, index_chain, index_remove, keyed_number
from gearfast.broker.lost cimport lost_close, lost_open
from gearfast.ground.pool cimport pool_give, pool_take
from gearfast.ground.ring cimport Ring, ring_append, ring_empty, ring_leave, ring_open
from gearfast.broker.functions cimport abilities_free, worker_free


cdef Party* party_new(void* peer, Party** known_as) noexcept nogil:
    cdef Party* party = <Party*>calloc(1, sizeof(Party))
    if party != NULL:
        party.peer = peer
        party.known_as = known_as
        ring_open(&party.waits, NULL)
        ring_open(&party.given_up, NULL)
        ring_open(&party.among, party)
        lost_open(&party.lost)
    return party


cdef void party_free(Party* party) noexcept nogil:
    abilities_free(&party.given_up)
    if party.worker != NULL:
        worker_free(party.worker)
    lost_close(&party.lost)
    free(party)


cdef void parties_free(Ring* parties) noexcept nogil:
    cdef Party* party
    while not ring_empty(parties):
        party = <Party*>parties.next.owner
        ring_leave(&party.among)
        if party.peer != NULL:
            party.known_as[0] = NULL
        party_free(party)


cdef inline uint64_t waiter_hash(const Job* job, const Party* client) noexcept nogil:
    return keyed_number(<size_t>job ^ keyed_number(<size_t>client))


cdef Waiter* find(const Index* waiters, const Job* job, const Party* client) noexcept nogil:
    """The one of a client that waits for the job already, or NULL; somebody does."""
    cdef Node* node
    if job.waiters.client == client:
        return job.waiters
    node = index_chain(waiters, waiter_hash(job, client))
    while node != NULL and not ((<Waiter*>node).job == job and (<Waiter*>node).client == client):
        node = node.next
    return <Waiter*>node


cdef bint attach(Index* waiters, Job* job, Party* client) noexcept nogil:
    cdef Waiter* first = job.waiters
    cdef Waiter* waiter = NULL if first == NULL else find(waiters, job, client)
    if waiter != NULL:
        if waiter.count < <uint32_t>-1:
            waiter.count += 1
            job.waiting += 1
        return True
    waiter = <Waiter*>pool_take(sizeof(Waiter))
    if waiter == NULL:
        return False
    waiter.job = job
    waiter.client = client
    waiter.count = 1
    job.waiting += 1
    ring_open(&waiter.of_client, waiter)
    ring_append(&client.waits, &waiter.of_client)
    waiter.prev = first
    waiter.next = NULL
    waiter.indexed = first != NULL
    if first == NULL:
        job.waiters = waiter
    else:
        put_behind(waiters, first, waiter)
    return True


cdef void put_behind(Index* waiters, Waiter* first, Waiter* waiter) noexcept nogil:
    waiter.next = first.next
    first.next = waiter
    if waiter.next != NULL:
        waiter.next.prev = waiter
    index_add(waiters, &waiter.node, waiter_hash(waiter.job, <Party*>waiter.client))


cdef void detach(Index* waiters, Waiter* waiter) noexcept nogil:
    ring_leave(&waiter.of_client)
    waiter.job.waiting -= waiter.count
    if waiter.indexed:
        index_remove(waiters, &waiter.node)
    if waiter.prev == NULL:
        waiter.job.waiters = waiter.next
    else:
        waiter.prev.next = waiter.next
    if waiter.next != NULL:
        waiter.next.prev = waiter.prev
    pool_give(waiter, sizeof(Waiter))
