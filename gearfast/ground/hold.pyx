"""What the buffers of peers hold, and which of them hold much."""

from gearfast.ground.ring cimport ring_append, ring_leave, ring_open

cdef Holds holds

ring_open(&holds.much, NULL)
holds.size[<int>PACKETS] = holds.size[<int>ANSWERS] = 0


cdef Holds* all_holds() noexcept nogil:
    return &holds


cdef void hold_open(Hold* hold, Holding kind) noexcept nogil:
    ring_open(&hold.place, NULL)
    hold.holder = NULL
    hold.size = 0
    hold.kind = kind


cdef void hold_set(Hold* hold, size_t size) noexcept nogil:
    holds.size[<int>hold.kind] += size - hold.size
    hold.size = size
    ring_leave(&hold.place)
    if size >= MUCH and hold.holder != NULL:
        ring_append(&holds.much, &hold.place)
