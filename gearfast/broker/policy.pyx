"""What is asked of jobs, kept once for all that ask the same."""

from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from gearfast.ground.index cimport (
    index_add, index_chain, index_close, index_open, index_remove, index_unlink_all, keyed_hash,
)
from gearfast.ground.slice cimport same_bytes
from gearfast.protocol.parameters cimport FOR_JOB, Mistake, parameters_read


cdef bint policies_open(Policies* policies) noexcept nogil:
    return index_open(&policies.texts)


cdef void policies_close(Policies* policies) noexcept nogil:
    cdef Node* node = index_unlink_all(&policies.texts)
    cdef Node* next
    while node != NULL:
        next = node.next
        free(node)
        node = next
    index_close(&policies.texts)


cdef Policy* find(const Policies* policies, Slice text, uint64_t hash) noexcept nogil:
    cdef Node* node = index_chain(&policies.texts, hash)
    while node != NULL and not (node.hash == hash and same_bytes((<Policy*>node).text, text)):
        node = node.next
    return <Policy*>node


cdef Policy* policy_take(Policies* policies, Slice text) noexcept nogil:
    cdef uint64_t hash = keyed_hash(text.data, text.size)
    cdef Policy* policy = find(policies, text, hash)
    cdef Mistake mistake
    if policy == NULL:
        policy = <Policy*>malloc(sizeof(Policy) + text.size)
        if policy == NULL:
            return NULL
        memcpy(policy + 1, text.data, text.size)
        policy.text = Slice(<char*>(policy + 1), text.size)
        policy.jobs = 0
        parameters_read(policy.text, FOR_JOB, &policy.asked, &mistake)       # a store may have had it of a later version
        index_add(&policies.texts, &policy.node, hash)
    policy.jobs += 1
    return policy


cdef void policy_give(Policies* policies, Policy* policy) noexcept nogil:
    policy.jobs -= 1
    if policy.jobs == 0:
        index_remove(&policies.texts, &policy.node)
        free(policy)
