"""A binary heap of moments, from which any entry can be taken out."""

from libc.stdlib cimport free, realloc

cdef enum:
    MIN_ROOM = 16           # entries a heap keeps room for once it was used


cdef inline bint before(const Entry* a, const Entry* b) noexcept nogil:
    return a.when < b.when or (a.when == b.when and a.order < b.order)


cdef void heap_open(Heap* heap) noexcept nogil:
    heap.entries = NULL
    heap.count = 0
    heap.room = 0


cdef void heap_close(Heap* heap) noexcept nogil:
    free(heap.entries)
    heap_open(heap)


cdef bint resize(Heap* heap, size_t room) noexcept nogil:
    cdef Entry* entries = <Entry*>realloc(heap.entries, room * sizeof(Entry))
    if entries == NULL:
        return False
    heap.entries = entries
    heap.room = room
    return True


cdef inline void put(Heap* heap, size_t at, Entry entry) noexcept nogil:
    heap.entries[at] = entry
    entry.position[0] = at


cdef void rise(Heap* heap, size_t at, Entry entry) noexcept nogil:
    cdef size_t parent
    while at > 0:
        parent = (at - 1) >> 1
        if not before(&entry, &heap.entries[parent]):
            break
        put(heap, at, heap.entries[parent])
        at = parent
    put(heap, at, entry)


cdef void sink(Heap* heap, size_t at, Entry entry) noexcept nogil:
    cdef size_t child
    while True:
        child = at * 2 + 1
        if child >= heap.count:
            break
        if child + 1 < heap.count and before(&heap.entries[child + 1], &heap.entries[child]):
            child += 1
        if not before(&heap.entries[child], &entry):
            break
        put(heap, at, heap.entries[child])
        at = child
    put(heap, at, entry)


cdef bint heap_push(Heap* heap, double when, uint64_t order, void* item, size_t* position) noexcept nogil:
    if heap.count == heap.room and not resize(heap, max(<size_t>MIN_ROOM, heap.room * 2)):
        return False
    cdef Entry entry = Entry(when, order, item, position)
    heap.count += 1
    rise(heap, heap.count - 1, entry)
    return True


cdef void heap_remove(Heap* heap, size_t position) noexcept nogil:
    heap.count -= 1
    cdef Entry last = heap.entries[heap.count]
    if heap.room > MIN_ROOM and heap.count * 4 < heap.room:
        resize(heap, heap.room // 2)   # or it stays as large as it is
    if position == heap.count:
        return
    if position > 0 and before(&last, &heap.entries[(position - 1) >> 1]):
        rise(heap, position, last)
    else:
        sink(heap, position, last)


cdef void* heap_pop_due(Heap* heap, double now) noexcept nogil:
    if heap.count == 0 or heap.entries[0].when > now:
        return NULL
    cdef void* item = heap.entries[0].item
    heap_remove(heap, 0)
    return item
