# INDEX   a hash table that grows and shrinks by itself, one bucket at a time.
#
# Linear hashing: no moment at which everything is moved, however many entries there are.
# Intrusive: the entry carries its Node, so an entry costs one pointer in a bucket.

from libc.stdint cimport uint64_t

cdef struct Node:
    Node* next
    uint64_t hash

cdef struct Index:
    Node** buckets
    uint64_t mask        # low bits of a hash that every bucket uses: 2**k - 1
    uint64_t split       # buckets below this one use one bit more
    size_t room          # pointers allocated
    size_t count         # entries

cdef struct Cursor:      # how far a scan has come; all zero at its start, and again at its end
    uint64_t hash        # with its bits reversed: what is below it has been shown
    size_t node          # of those with just this hash, the address from which on nothing has been shown

cdef bint index_open(Index* index) noexcept nogil         # False: there is no memory
cdef void index_close(Index* index) noexcept nogil
# The chain that holds every entry of this hash; others may stand in it too.
cdef Node* index_chain(const Index* index, uint64_t hash) noexcept nogil
cdef void index_add(Index* index, Node* node, uint64_t hash) noexcept nogil
cdef void index_remove(Index* index, Node* node) noexcept nogil
# All entries in one chain; the index is empty then.
cdef Node* index_unlink_all(Index* index) noexcept nogil
# A scan that survives any change between two calls: call again with the cursor until it is all zero. Entries present
# throughout come exactly once. Returns how many were found, at most `most`, which is 1 or more.
cdef int index_scan(const Index* index, Cursor* cursor, Node** found, int most) noexcept nogil
# A cursor as Python has it. Raises OverflowError for what is none.
cdef object cursor_number(Cursor cursor)
cdef Cursor cursor_of(object number) except *

# Keyed against chosen collisions (SipHash-1-3, the key drawn when the process starts).
cdef uint64_t keyed_hash(const void* data, size_t size) noexcept nogil
# Of a number that somebody else may have chosen; no two have the same.
cdef uint64_t keyed_number(uint64_t number) noexcept nogil
