"""A hash table that grows and shrinks one bucket at a time, and the hash that feeds it."""

import os

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

cdef extern from *:
    int __builtin_popcount(unsigned int) noexcept nogil

cdef enum:
    FEWEST = 8            # buckets of an empty index


cdef inline uint32_t bucket_of(const Index* index, uint32_t hash) noexcept nogil:
    cdef uint32_t bucket = hash & index.mask
    if bucket < index.split:
        bucket = hash & (index.mask * 2 + 1)
    return bucket


cdef inline size_t bucket_count(const Index* index) noexcept nogil:
    return <size_t>index.mask + 1 + index.split


cdef int index_open(Index* index) except -1:
    index.buckets = <Node**>malloc(FEWEST * sizeof(Node*))
    if index.buckets == NULL:
        raise MemoryError("no memory for an index")
    cdef int i
    for i in range(FEWEST):
        index.buckets[i] = NULL
    index.mask = FEWEST - 1
    index.split = 0
    index.room = FEWEST
    index.count = 0
    return 0


cdef void index_close(Index* index) noexcept:
    free(index.buckets)
    index.buckets = NULL
    index.count = 0


cdef Node* index_chain(const Index* index, uint32_t hash) noexcept nogil:
    return index.buckets[bucket_of(index, hash)]


cdef int index_add(Index* index, Node* node, uint32_t hash) except -1:
    if index.count >= bucket_count(index):
        grow(index)
    cdef uint32_t bucket = bucket_of(index, hash)
    node.hash = hash
    node.next = index.buckets[bucket]
    index.buckets[bucket] = node
    index.count += 1
    return 0


cdef void index_remove(Index* index, Node* node) noexcept:
    cdef Node** link = &index.buckets[bucket_of(index, node.hash)]
    while link[0] != node:
        link = &link[0].next
    link[0] = node.next
    index.count -= 1
    if index.count * 4 < bucket_count(index) and bucket_count(index) > FEWEST:
        shrink(index)


cdef int grow(Index* index) except -1:
    """Add one bucket, and move into it what of its lower twin's chain belongs there."""
    cdef size_t count = bucket_count(index)
    cdef Node** larger
    if count == index.room:
        larger = <Node**>realloc(index.buckets, index.room * 2 * sizeof(Node*))
        if larger == NULL:
            raise MemoryError("no memory for a larger index")
        index.buckets = larger
        index.room *= 2
    cdef uint32_t bit = index.mask + 1
    cdef Node** stay = &index.buckets[index.split]
    cdef Node** move = &index.buckets[count]
    cdef Node* node = stay[0]
    while node != NULL:
        if node.hash & bit:
            move[0] = node
            move = &node.next
        else:
            stay[0] = node
            stay = &node.next
        node = node.next
    stay[0] = NULL
    move[0] = NULL
    index.split += 1
    if index.split == bit:
        index.mask = index.mask * 2 + 1
        index.split = 0
    return 0


cdef void shrink(Index* index) noexcept:
    """Take the last bucket away and hang its chain onto its lower twin's."""
    cdef Node** larger
    if index.split == 0:
        index.mask >>= 1
        index.split = index.mask + 1
    index.split -= 1
    cdef Node** end = &index.buckets[index.split]
    while end[0] != NULL:
        end = &end[0].next
    end[0] = index.buckets[bucket_count(index)]
    if bucket_count(index) * 4 < index.room:
        larger = <Node**>realloc(index.buckets, index.room // 2 * sizeof(Node*))
        if larger != NULL:
            index.buckets = larger
            index.room //= 2


cdef inline uint32_t reversed_bits(uint32_t value) noexcept nogil:
    value = (value >> 16) | (value << 16)
    value = ((value & 0xFF00FF00u) >> 8) | ((value & 0x00FF00FFu) << 8)
    value = ((value & 0xF0F0F0F0u) >> 4) | ((value & 0x0F0F0F0Fu) << 4)
    value = ((value & 0xCCCCCCCCu) >> 2) | ((value & 0x33333333u) << 2)
    return ((value & 0xAAAAAAAAu) >> 1) | ((value & 0x55555555u) << 1)


cdef int index_scan(const Index* index, uint64_t* cursor, Node** found, int most) noexcept:
    """Walk the hashes in the order of their reversed bits.

    In that order a bucket is one interval whatever the size of the table, so a bucket that was
    split or joined between two calls is neither passed over nor read twice. A bucket whose
    entries do not fit any more is left for the next call, unless it is the first.
    """
    cdef uint64_t position = cursor[0], width
    cdef uint32_t bucket, bits
    cdef Node* node
    cdef int filled = 0, before
    while position <= 0xFFFFFFFF:
        bucket = bucket_of(index, reversed_bits(<uint32_t>position))
        bits = index.mask
        if bucket < index.split or bucket > index.mask:
            bits = index.mask * 2 + 1
        before = filled
        node = index.buckets[bucket]
        while node != NULL:
            if reversed_bits(node.hash) >= position:       # else a join brought in what was shown
                if filled == most:
                    if before > 0:
                        cursor[0] = position
                        return before
                    break                  # a chain longer than `most`: only its head is shown
                found[filled] = node
                filled += 1
            node = node.next
        width = <uint64_t>1 << 32 >> __builtin_popcount(bits)
        position = (position & ~(width - 1)) + width
        if filled == most:
            break
    cursor[0] = 0 if position > 0xFFFFFFFF else position
    return filled


cdef uint64_t key0, key1
_key = os.urandom(16)
key0 = int.from_bytes(_key[:8], "little")
key1 = int.from_bytes(_key[8:], "little")
del _key


cdef inline uint64_t rotate(uint64_t value, int bits) noexcept nogil:
    return (value << bits) | (value >> (64 - bits))


cdef inline void sip_round(uint64_t* v) noexcept nogil:
    v[0] += v[1]; v[2] += v[3]
    v[1] = rotate(v[1], 13) ^ v[0]; v[3] = rotate(v[3], 16) ^ v[2]
    v[0] = rotate(v[0], 32)
    v[2] += v[1]; v[0] += v[3]
    v[1] = rotate(v[1], 17) ^ v[2]; v[3] = rotate(v[3], 21) ^ v[0]
    v[2] = rotate(v[2], 32)


cdef uint64_t keyed_hash(const void* data, size_t size) noexcept nogil:
    cdef uint64_t v[4]
    v[0] = key0 ^ 0x736f6d6570736575u
    v[1] = key1 ^ 0x646f72616e646f6du
    v[2] = key0 ^ 0x6c7967656e657261u
    v[3] = key1 ^ 0x7465646279746573u
    cdef const unsigned char* at = <const unsigned char*>data
    cdef size_t left = size
    cdef uint64_t word
    while left >= 8:
        memcpy(&word, at, 8)
        v[3] ^= word
        sip_round(v)
        v[0] ^= word
        at += 8
        left -= 8
    word = 0
    memcpy(&word, at, left)
    word |= <uint64_t>size << 56
    v[3] ^= word
    sip_round(v)
    v[0] ^= word
    v[2] ^= 0xff
    sip_round(v)
    sip_round(v)
    sip_round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]
