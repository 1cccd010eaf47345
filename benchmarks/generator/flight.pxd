# FLIGHT   the requests of one connection that are under way, and since when.
#
# Two places: a ring of those that wait for their JOB_CREATED (answered in the order they were sent), and a table by
# handle of those acknowledged whose result is still to come (answered in any order). Both grow.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

cdef struct Awaited:
    uint64_t handle         # number + 1; 0: the place is free
    uint64_t due            # when it was sent, or should have been
    uint64_t sequence       # which of the connection's jobs it is

cdef struct Flight:
    uint64_t* due           # of those not acknowledged, oldest first from `first`
    size_t first
    size_t count
    size_t room             # a power of two
    Awaited* awaited        # open addressing, linear probing
    size_t awaited_count
    size_t awaited_room     # a power of two

cdef inline size_t under_way(const Flight* flight) noexcept nogil:
    return flight.count + flight.awaited_count

cdef inline void flight_close(Flight* flight) noexcept nogil:
    free(flight.due)
    free(flight.awaited)
    flight[0] = Flight(NULL, 0, 0, 0, NULL, 0, 0)

cdef inline int out_of_memory() except -1 with gil:
    raise MemoryError

cdef inline int take_off(Flight* flight, uint64_t due) except -1 nogil:
    """A request was sent."""
    cdef uint64_t* larger
    cdef size_t room, at
    if flight.count == flight.room:
        room = flight.room * 2 if flight.room > 0 else 16
        larger = <uint64_t*>malloc(room * sizeof(uint64_t))
        if larger == NULL:
            return out_of_memory()
        for at in range(flight.count):
            larger[at] = flight.due[(flight.first + at) & (flight.room - 1)]
        free(flight.due)
        flight.due, flight.first, flight.room = larger, 0, room
    flight.due[(flight.first + flight.count) & (flight.room - 1)] = due
    flight.count += 1
    return 0

cdef inline uint64_t oldest(Flight* flight) noexcept nogil:
    """The oldest request that was not acknowledged is; there must be one. Return when it was due."""
    cdef uint64_t due = flight.due[flight.first]
    flight.first = (flight.first + 1) & (flight.room - 1)
    flight.count -= 1
    return due

cdef inline size_t home(const Flight* flight, uint64_t handle) noexcept nogil:
    # Handles are dense and ascend: neighbours lie beside each other, which is the best a table can do.
    return handle & (flight.awaited_room - 1)

cdef inline void put(Flight* flight, Awaited entry) noexcept nogil:
    cdef size_t at = home(flight, entry.handle)
    while flight.awaited[at].handle != 0:
        at = (at + 1) & (flight.awaited_room - 1)
    flight.awaited[at] = entry

cdef inline int await_result(Flight* flight, uint64_t handle, uint64_t due, uint64_t sequence) except -1 nogil:
    """A request was acknowledged, and its result is still to come."""
    cdef Awaited* old = flight.awaited
    cdef size_t room = flight.awaited_room
    cdef size_t at
    if flight.awaited_count * 2 >= room:
        flight.awaited_room = room * 2 if room > 0 else 32
        flight.awaited = <Awaited*>calloc(flight.awaited_room, sizeof(Awaited))
        if flight.awaited == NULL:
            flight.awaited, flight.awaited_room = old, room
            return out_of_memory()
        for at in range(room):
            if old[at].handle != 0:
                put(flight, old[at])
        free(old)
    put(flight, Awaited(handle + 1, due, sequence))
    flight.awaited_count += 1
    return 0

cdef inline bint land(Flight* flight, uint64_t handle, Awaited* found) noexcept nogil:
    """A result came: take its entry out. False when none waits for it."""
    cdef size_t mask = flight.awaited_room - 1
    cdef size_t at, gap
    if flight.awaited_count == 0:
        return False
    at = home(flight, handle + 1)
    while flight.awaited[at].handle != handle + 1:
        if flight.awaited[at].handle == 0:
            return False
        at = (at + 1) & mask
    found[0] = flight.awaited[at]
    gap = at
    while True:
        # What stands behind moves up, unless it would then stand before its home.
        at = (at + 1) & mask
        if flight.awaited[at].handle == 0:
            break
        if ((at - home(flight, flight.awaited[at].handle)) & mask) >= ((at - gap) & mask):
            flight.awaited[gap] = flight.awaited[at]
            gap = at
    flight.awaited[gap].handle = 0
    flight.awaited_count -= 1
    return True
