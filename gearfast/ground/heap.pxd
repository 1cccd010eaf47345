# HEAP   what becomes due later, soonest first.
#
# Entries know their place (`position`), so that any of them can leave at once.

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t

cdef struct Entry:
    double when
    uint64_t order        # decides between two of the same moment
    void* item
    size_t* position      # kept up to date by the heap

cdef struct Heap:
    Entry* entries
    size_t count
    size_t room

cdef void heap_open(Heap* heap) noexcept nogil
cdef void heap_close(Heap* heap) noexcept nogil
cdef bint heap_push(Heap* heap, double when, uint64_t order, void* item, size_t* position) noexcept nogil
cdef void heap_remove(Heap* heap, size_t position) noexcept nogil
# The soonest item if it is due at `now`, taken out; NULL otherwise.
cdef void* heap_pop_due(Heap* heap, double now) noexcept nogil
cdef inline double heap_when(const Heap* heap, size_t position) noexcept nogil:
    return heap.entries[position].when
# When the soonest is due; infinity if there is none.
cdef inline double heap_soonest(const Heap* heap) noexcept nogil:
    return heap.entries[0].when if heap.count > 0 else INFINITY
