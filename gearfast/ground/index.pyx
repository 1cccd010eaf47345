"""A hash table that grows and shrinks one bucket at a time, and the hashes that feed it."""

import os

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

cdef extern from *:
    int __builtin_popcountll(unsigned long long) noexcept nogil
    uint64_t __builtin_bswap64(uint64_t) noexcept nogil

cdef enum:
    MIN_BUCKETS = 8            # buckets of an empty index


cdef inline uint64_t bucket_of(const Index* index, uint64_t hash) noexcept nogil:
    cdef uint64_t bucket = hash & index.mask
    if bucket < index.split:
        bucket = hash & (index.mask * 2 + 1)
    return bucket


cdef inline size_t bucket_count(const Index* index) noexcept nogil:
    return index.mask + 1 + index.split


cdef bint index_open(Index* index) noexcept nogil:
    index.buckets = <Node**>malloc(MIN_BUCKETS * sizeof(Node*))
    index.count = 0
    if index.buckets == NULL:
        return False
    cdef int i
    for i in range(MIN_BUCKETS):
        index.buckets[i] = NULL
    index.mask = MIN_BUCKETS - 1
    index.split = 0
    index.room = MIN_BUCKETS
    return True


cdef void index_close(Index* index) noexcept nogil:
    free(index.buckets)
    index.buckets = NULL
    index.count = 0


cdef Node* index_chain(const Index* index, uint64_t hash) noexcept nogil:
    return index.buckets[bucket_of(index, hash)]


cdef void index_add(Index* index, Node* node, uint64_t hash) noexcept nogil:
    if index.count >= bucket_count(index):
        grow(index)
    cdef uint64_t bucket = bucket_of(index, hash)
    node.hash = hash
    node.next = index.buckets[bucket]
    index.buckets[bucket] = node
    index.count += 1


cdef void index_remove(Index* index, Node* node) noexcept nogil:
    cdef Node** link = &index.buckets[bucket_of(index, node.hash)]
    while link[0] != node:
        link = &link[0].next
    link[0] = node.next
    index.count -= 1
    if index.count * 4 < bucket_count(index) and bucket_count(index) > MIN_BUCKETS:
        shrink(index)


cdef Node* index_unlink_all(Index* index) noexcept nogil:
    cdef Node* all = NULL
    cdef Node** end
    cdef size_t bucket
    if index.buckets == NULL:                          # it was never opened
        return NULL
    for bucket in range(bucket_count(index)):
        end = &index.buckets[bucket]
        while end[0] != NULL:
            end = &end[0].next
        end[0] = all
        all = index.buckets[bucket]
        index.buckets[bucket] = NULL
    index.count = 0
    return all


cdef void grow(Index* index) noexcept nogil:
    """Add one bucket, and move into it what of its lower twin's chain belongs there. Without memory chains get longer."""
    cdef size_t count = bucket_count(index)
    cdef Node** larger
    if count == index.room:
        larger = <Node**>realloc(index.buckets, index.room * 2 * sizeof(Node*))
        if larger == NULL:
            return
        index.buckets = larger
        index.room *= 2
    cdef uint64_t bit = index.mask + 1
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


cdef void shrink(Index* index) noexcept nogil:
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


# --- scans ---

# Hashes are walked in the order of their reversed bits. In that order a bucket is one interval whatever the size of the
# table, so a bucket that was split or joined between two calls is neither passed over nor read twice. Inside a bucket,
# and among entries of the very same hash, the order is that of `comes_before`: a chain of any length can be left and
# gone on with.

cdef inline uint64_t reversed_bits(uint64_t value) noexcept nogil:
    value = __builtin_bswap64(value)
    value = ((value & 0xF0F0F0F0F0F0F0F0u) >> 4) | ((value & 0x0F0F0F0F0F0F0F0Fu) << 4)
    value = ((value & 0xCCCCCCCCCCCCCCCCu) >> 2) | ((value & 0x3333333333333333u) << 2)
    return ((value & 0xAAAAAAAAAAAAAAAAu) >> 1) | ((value & 0x5555555555555555u) << 1)


cdef inline Cursor cursor_at(const Node* node) noexcept nogil:
    return Cursor(reversed_bits(node.hash), <size_t>node)


cdef inline bint comes_before(Cursor a, Cursor b) noexcept nogil:
    return a.hash < b.hash or (a.hash == b.hash and a.node < b.node)


cdef Node* first_from(Node* chain, Cursor start) noexcept nogil:
    """The entry of a chain that is the next to be shown, or NULL."""
    cdef Node* node = chain
    cdef Node* first = NULL
    while node != NULL:
        if not comes_before(cursor_at(node), start) and (first == NULL or comes_before(cursor_at(node), cursor_at(first))):
            first = node
        node = node.next
    return first


cdef int take_all(Node* chain, Cursor start, Node** found, int room) noexcept nogil:
    """What of a chain has not been shown, in any order; -1 if that is more than there is room for."""
    cdef Node* node = chain
    cdef int count = 0
    while node != NULL:
        if not comes_before(cursor_at(node), start):       # else a join brought in what was shown
            if count == room:
                return -1
            found[count] = node
            count += 1
        node = node.next
    return count


cdef int take_some(Node* chain, Cursor* cursor, Node** found, int room) noexcept nogil:
    """The next ones of a long chain: a walk for each of them, as such a chain is next to impossible."""
    cdef int count
    for count in range(room):
        found[count] = first_from(chain, cursor[0])
        cursor[0] = cursor_at(found[count])
        cursor.node += 1
    return room


cdef int index_scan(const Index* index, Cursor* cursor, Node** found, int most) noexcept nogil:
    cdef uint64_t bucket, bits, width
    cdef int filled = 0, more
    while filled < most:
        bucket = bucket_of(index, reversed_bits(cursor.hash))
        bits = index.mask
        if bucket < index.split or bucket > index.mask:
            bits = index.mask * 2 + 1
        more = take_all(index.buckets[bucket], cursor[0], found + filled, most - filled)
        if more < 0:
            return filled if filled > 0 else take_some(index.buckets[bucket], cursor, found, most)
        filled += more
        width = <uint64_t>1 << (64 - __builtin_popcountll(bits))
        cursor[0] = Cursor((cursor.hash & ~(width - 1)) + width, 0)      # 0 behind the last bucket
        if cursor.hash == 0:
            break
    return filled


cdef object cursor_number(Cursor cursor):
    return (<object>cursor.node << 64) | cursor.hash


cdef Cursor cursor_of(object number) except *:
    return Cursor(number & 0xFFFFFFFFFFFFFFFF, number >> 64)


# --- hashes ---

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


cdef uint64_t keyed_number(uint64_t number) noexcept nogil:
    """Each step can be undone, so no two numbers become one; the key is in two of them."""
    number = (number ^ key0) * 0xBF58476D1CE4E5B9u
    number = (number ^ (number >> 32)) * (key1 | 1)
    return number ^ (number >> 32)
