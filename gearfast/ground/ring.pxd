# RING   a circle of links inside the things it links; the head is a link without an owner.
#
# A link that is in no ring points at itself, so taking it out twice does no harm.

cdef struct Ring:
    Ring* next
    Ring* prev
    void* owner

cdef inline void ring_open(Ring* ring, void* owner) noexcept nogil:
    ring.next = ring.prev = ring
    ring.owner = owner

cdef inline bint ring_empty(const Ring* ring) noexcept nogil:
    return ring.next == ring

cdef inline void ring_leave(Ring* link) noexcept nogil:
    link.prev.next = link.next
    link.next.prev = link.prev
    link.next = link.prev = link

# `link`, which is in no ring, becomes the last (or the first) of `head`'s.
cdef inline void ring_append(Ring* head, Ring* link) noexcept nogil:
    link.prev = head.prev
    link.next = head
    head.prev.next = link
    head.prev = link

cdef inline void ring_prepend(Ring* head, Ring* link) noexcept nogil:
    ring_append(head.next, link)

# All links of `from_`'s become the last of `head`'s, in their order.
cdef inline void ring_append_all(Ring* head, Ring* from_) noexcept nogil:
    if ring_empty(from_):
        return
    from_.next.prev = head.prev
    head.prev.next = from_.next
    from_.prev.next = head
    head.prev = from_.prev
    from_.next = from_.prev = from_
