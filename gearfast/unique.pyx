"""Coalescing: the index of unique ids."""

from libc.stdint cimport uint64_t

from gearfast.index cimport Node, index_add, index_chain, index_remove, index_scan, keyed_hash
from gearfast.jobqueue cimport job_of_unique_node, job_payload, job_unique, job_unique_node
from gearfast.roster cimport function_of_node
from gearfast.slice cimport same_bytes


cdef inline bint is_dash(Slice unique) noexcept nogil:
    return unique.size == 1 and unique.data[0] == c"-"


cdef Slice unique_key(Slice unique, Slice payload) noexcept nogil:
    return payload if is_dash(unique) else unique


cdef uint32_t unique_hash(const Function* function, Slice key) noexcept nogil:
    return keyed_hash(key.data, key.size, <uint64_t><size_t>function)


cdef Job* unique_find(const Index* uniques, const Function* function, Slice unique, Slice payload,
                      uint32_t hash) noexcept nogil:
    cdef Node* node = index_chain(uniques, hash)
    cdef Job* job
    cdef Slice theirs
    while node != NULL:
        job = job_of_unique_node(node)
        if node.hash == hash and job.home == &function.lanes:
            theirs = job_unique(job)
            if is_dash(unique):
                # one that was submitted under the payload's own text counts as well
                if same_bytes(job_payload(job), payload) and (is_dash(theirs) or same_bytes(theirs, payload)):
                    return job
            elif same_bytes(theirs, unique):
                return job
        node = node.next
    return NULL


cdef Job* unique_find_anywhere(const Index* uniques, const Roster* roster, Slice unique) noexcept:
    cdef Node* found[64]
    cdef uint64_t cursor = 0
    cdef const Function* function
    cdef Job* job
    cdef int count, at
    if unique.size == 0 or is_dash(unique):
        return NULL
    while True:
        count = index_scan(&roster.functions, &cursor, found, 64)
        for at in range(count):
            function = function_of_node(found[at])
            job = unique_find(uniques, function, unique, unique, unique_hash(function, unique))
            if job != NULL:
                return job
        if cursor == 0:
            return NULL


cdef int unique_take(Index* uniques, Job* job, uint32_t hash) except -1:
    index_add(uniques, job_unique_node(job), hash)
    job.owns_unique = True
    return 0


cdef void unique_give_up(Index* uniques, Job* job) noexcept:
    if job.owns_unique:
        index_remove(uniques, job_unique_node(job))
        job.owns_unique = False
