# INDEX   a hash table that grows and shrinks by itself, one bucket at a time.
#
# Linear hashing: no moment at which everything is moved, however many entries there are.
# Intrusive: the entry carries its Node, so an entry costs one pointer in a bucket.

from libc.stdint cimport uint32_t, uint64_t

cdef struct Node:
    Node* next
    uint32_t hash

cdef struct Index:
    Node** buckets
    uint32_t mask        # low bits of a hash that every bucket uses: 2**k - 1
    uint32_t split       # buckets below this one use one bit more
    size_t room          # pointers allocated
    size_t count         # entries

cdef int index_open(Index* index) except -1
cdef void index_close(Index* index) noexcept
# The chain that holds every entry of this hash; others may stand in it too.
cdef Node* index_chain(const Index* index, uint32_t hash) noexcept nogil
cdef int index_add(Index* index, Node* node, uint32_t hash) except -1
cdef void index_remove(Index* index, Node* node) noexcept
# A scan that survives any change between two calls: start at 0, call again with what came back
# until that is 0. Entries present throughout come exactly once. Returns how many were found.
cdef int index_scan(const Index* index, uint64_t* cursor, Node** found, int most) noexcept

# Keyed against chosen collisions (SipHash-1-3, the key drawn when the process starts).
cdef uint64_t keyed_hash(const void* data, size_t size) noexcept nogil
