"""Coalescing: the indexes of unique ids."""

from gearfast.ground.index cimport Node, index_add, index_chain, index_close, index_open, index_remove, keyed_hash
from gearfast.broker.job cimport OWNS_UNIQUE, Claim, Lanes, job_claim, job_of_claim, job_payload, job_unique
from gearfast.ground.slice cimport same_bytes


cdef bint uniques_open(Uniques* uniques) noexcept nogil:
    return index_open(&uniques.keys) and index_open(&uniques.texts)


cdef void uniques_close(Uniques* uniques) noexcept nogil:
    index_close(&uniques.keys)
    index_close(&uniques.texts)


cdef uint64_t unique_hash(Slice key) noexcept nogil:
    return keyed_hash(key.data, key.size)


cdef inline uint64_t hash_in(const Lanes* home, uint64_t hash) noexcept nogil:
    """Of a key in one function: both parts are secret, so nobody can choose collisions."""
    hash = (hash ^ <size_t>home) * 0x9E3779B97F4A7C15u
    return hash ^ (hash >> 32)


cdef Job* unique_find(const Uniques* uniques, const Function* function, Slice unique, Slice payload,
                      uint64_t hash) noexcept nogil:
    cdef uint64_t here = hash_in(&function.lanes, hash)
    cdef Node* node = index_chain(&uniques.keys, here)
    cdef Job* job
    cdef Slice theirs
    while node != NULL:
        job = job_of_claim(<Claim*>node)
        if node.hash == here and job.home == &function.lanes:
            theirs = job_unique(job)
            if is_dash(unique):
                # one that was submitted under the payload's own text counts as well
                if same_bytes(job_payload(job), payload) and (is_dash(theirs) or same_bytes(theirs, payload)):
                    return job
            elif same_bytes(theirs, unique):
                return job
        node = node.next
    return NULL


cdef inline Claim* claim_of_text(Node* node) noexcept nogil:
    return <Claim*>(<char*>node - sizeof(Node))


cdef Job* find_standing(const Uniques* uniques, Slice unique, uint64_t hash) noexcept nogil:
    """The job that stands in the index of texts for all with this unique id."""
    cdef Node* node = index_chain(&uniques.texts, hash)
    cdef Job* job
    while node != NULL:
        if node.hash == hash:
            job = job_of_claim(claim_of_text(node))
            if same_bytes(job_unique(job), unique):
                return job
        node = node.next
    return NULL


cdef Job* unique_find_anywhere(const Uniques* uniques, Slice unique) noexcept nogil:
    cdef Job* job
    if unique.size == 0:
        return NULL
    job = find_standing(uniques, unique, unique_hash(unique))
    return NULL if job == NULL else job_claim(job).older     # in the circle, the newest comes before the oldest


cdef void unique_take(Uniques* uniques, Job* job, uint64_t hash) noexcept nogil:
    cdef Claim* claim = job_claim(job)
    cdef Job* standing
    claim.older = claim.newer = job
    index_add(&uniques.keys, &claim.key, hash_in(job.home, hash))
    job.flags |= OWNS_UNIQUE
    if is_dash(job_unique(job)):                             # known by its payload: nobody asks for "-"
        return
    standing = find_standing(uniques, job_unique(job), hash)
    if standing == NULL:
        index_add(&uniques.texts, &claim.text, hash)
        claim.stands = True
    else:
        claim.newer = standing
        claim.older = job_claim(standing).older
        job_claim(claim.older).newer = job
        job_claim(standing).older = job


cdef void unique_give_up(Uniques* uniques, Job* job) noexcept nogil:
    cdef Claim* claim = job_claim(job)
    if not job.flags & OWNS_UNIQUE:
        return
    job.flags &= ~OWNS_UNIQUE
    index_remove(&uniques.keys, &claim.key)
    job_claim(claim.older).newer = claim.newer
    job_claim(claim.newer).older = claim.older
    if claim.stands:
        claim.stands = False
        index_remove(&uniques.texts, &claim.text)
        if claim.newer != job:
            index_add(&uniques.texts, &job_claim(claim.newer).text, claim.text.hash)
            job_claim(claim.newer).stands = True
