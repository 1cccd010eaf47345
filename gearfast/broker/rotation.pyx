"""The rotating order of one worker's functions."""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

cdef extern from *:
    int __builtin_ctzll(unsigned long long) noexcept nogil

cdef enum:
    MIN_SLOTS = 64           # slots: one word per priority serves nearly every worker


cdef uint32_t pyramid_words(uint32_t slots) noexcept nogil:
    """How many words a set of `slots` bits needs with all its summaries."""
    cdef uint32_t words = 0
    while slots > 64:
        slots = (slots + 63) >> 6
        words += slots
    return words + 1


cdef void set_bit(uint64_t* words, uint32_t slots, uint32_t bit) noexcept nogil:
    cdef uint64_t before
    while True:
        before = words[bit >> 6]
        words[bit >> 6] = before | (<uint64_t>1 << (bit & 63))
        if slots <= 64 or before != 0:             # a word that was not empty is in its summary
            return
        slots = (slots + 63) >> 6
        words += slots
        bit >>= 6


cdef void clear_bit(uint64_t* words, uint32_t slots, uint32_t bit) noexcept nogil:
    while True:
        words[bit >> 6] &= ~(<uint64_t>1 << (bit & 63))
        if slots <= 64 or words[bit >> 6] != 0:
            return
        slots = (slots + 63) >> 6
        words += slots
        bit >>= 6


cdef bint get_bit(const uint64_t* words, uint32_t bit) noexcept nogil:
    return (words[bit >> 6] >> (bit & 63)) & 1


cdef int64_t first_bit(const uint64_t* words, uint32_t slots) noexcept nogil:
    """The lowest set bit, or -1: down from the topmost summary."""
    cdef const uint64_t* level[6]
    cdef int depth = 0
    cdef int64_t bit
    level[0] = words
    while slots > 64:
        slots = (slots + 63) >> 6
        level[depth + 1] = level[depth] + slots
        depth += 1
    if level[depth][0] == 0:
        return -1
    bit = 0
    while depth >= 0:
        bit = (bit << 6) + __builtin_ctzll(level[depth][bit])
        depth -= 1
    return bit


cdef void rotation_open(Rotation* rotation) noexcept nogil:
    rotation.seats = NULL
    rotation.bits = NULL
    rotation.slots = rotation.words = 0
    rotation.head = rotation.tail = rotation.count = 0


cdef void rotation_close(Rotation* rotation) noexcept nogil:
    free(rotation.seats)
    free(rotation.bits)
    rotation_open(rotation)


cdef bint lay_anew(Rotation* rotation, uint32_t count) noexcept nogil:
    """Seats into the middle third of a row that has room for `count` at both ends."""
    cdef Rotation old = rotation[0]
    cdef uint32_t slots = MIN_SLOTS, at
    cdef int priority
    while slots < count * 3:
        slots *= 2
    rotation.words = pyramid_words(slots)
    rotation.seats = <Seat**>calloc(slots, sizeof(Seat*))
    rotation.bits = <uint64_t*>calloc(PRIORITIES * rotation.words, sizeof(uint64_t))
    if rotation.seats == NULL or rotation.bits == NULL:
        free(rotation.seats)
        free(rotation.bits)
        rotation[0] = old
        return False
    rotation.slots = slots
    rotation.head = rotation.tail = (slots - old.count) // 2
    for at in range(old.head, old.tail):
        if old.seats[at] == NULL:
            continue
        rotation.seats[rotation.tail] = old.seats[at]
        old.seats[at].slot = rotation.tail
        for priority in range(PRIORITIES):
            if get_bit(old.bits + priority * old.words, at):
                rotation_mark(rotation, old.seats[at], priority)
        rotation.tail += 1
    free(old.seats)
    free(old.bits)
    return True


cdef bint rotation_add(Rotation* rotation, Seat* seat) noexcept nogil:
    if rotation.head == 0 and not lay_anew(rotation, rotation.count + 1):
        return False
    put_in_front(rotation, seat)
    rotation.count += 1
    return True


cdef bint rotation_to_front(Rotation* rotation, Seat* seat) noexcept nogil:
    if rotation.head == 0 and not lay_anew(rotation, rotation.count):
        return False
    leave(rotation, seat)
    put_in_front(rotation, seat)
    return True


cdef void put_in_front(Rotation* rotation, Seat* seat) noexcept nogil:
    cdef int priority
    rotation.head -= 1
    rotation.seats[rotation.head] = seat
    seat.slot = rotation.head
    for priority in range(PRIORITIES):
        rotation_mark(rotation, seat, priority)


cdef void leave(Rotation* rotation, const Seat* seat) noexcept nogil:
    cdef int priority
    rotation.seats[seat.slot] = NULL
    for priority in range(PRIORITIES):
        rotation_unmark(rotation, seat, priority)
    while rotation.head < rotation.tail and rotation.seats[rotation.head] == NULL:
        rotation.head += 1


cdef void rotation_remove(Rotation* rotation, Seat* seat) noexcept nogil:
    leave(rotation, seat)
    rotation.count -= 1


cdef void rotation_to_end(Rotation* rotation, Seat* seat) noexcept nogil:
    cdef bint marked[PRIORITIES]
    cdef int priority
    if seat.slot == rotation.tail - 1 or (rotation.tail == rotation.slots and not lay_anew(rotation, rotation.count)):
        return
    for priority in range(PRIORITIES):
        marked[priority] = get_bit(rotation.bits + priority * rotation.words, seat.slot)
    leave(rotation, seat)
    seat.slot = rotation.tail
    rotation.seats[seat.slot] = seat
    rotation.tail += 1
    for priority in range(PRIORITIES):
        if marked[priority]:
            rotation_mark(rotation, seat, priority)


cdef void rotation_mark(Rotation* rotation, const Seat* seat, int priority) noexcept nogil:
    set_bit(rotation.bits + priority * rotation.words, rotation.slots, seat.slot)


cdef void rotation_unmark(Rotation* rotation, const Seat* seat, int priority) noexcept nogil:
    clear_bit(rotation.bits + priority * rotation.words, rotation.slots, seat.slot)


cdef Seat* rotation_first(const Rotation* rotation, int priority) noexcept nogil:
    cdef int64_t slot
    if rotation.count == 0:
        return NULL
    slot = first_bit(rotation.bits + priority * rotation.words, rotation.slots)
    return NULL if slot < 0 else rotation.seats[slot]
