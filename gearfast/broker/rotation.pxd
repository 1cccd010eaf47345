# ROTATION   the order in which one worker's functions are served: newest first, and who was
# served goes to the end (protocol section 3.4, as 2.0 does it).
#
# Seats stand in a row of slots; for each priority a set of bits says which of them may have
# work. The first set bit is found in a fixed number of steps, however many seats there are.

from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    PRIORITIES = 3                # HIGH, NORMAL, LOW: also the index of a lane

cdef struct Seat:
    uint32_t slot

cdef struct Rotation:
    Seat** seats
    uint64_t* bits                # PRIORITIES pyramids of `words` words each
    uint32_t slots                # a power of two, at least 64
    uint32_t words                # of one pyramid: its lowest level, then each summary of the one below
    uint32_t head, tail           # taken slots lie in [head, tail)
    uint32_t count

cdef void rotation_open(Rotation* rotation) noexcept nogil
cdef void rotation_close(Rotation* rotation) noexcept nogil
# A new seat comes to the front, marked for every priority.
cdef bint rotation_add(Rotation* rotation, Seat* seat) noexcept nogil
cdef void rotation_remove(Rotation* rotation, Seat* seat) noexcept nogil
cdef void rotation_to_end(Rotation* rotation, Seat* seat) noexcept nogil
# As a new one.
cdef bint rotation_to_front(Rotation* rotation, Seat* seat) noexcept nogil
cdef void rotation_mark(Rotation* rotation, const Seat* seat, int priority) noexcept nogil
cdef void rotation_unmark(Rotation* rotation, const Seat* seat, int priority) noexcept nogil
# The first marked seat, or NULL.
cdef Seat* rotation_first(const Rotation* rotation, int priority) noexcept nogil
