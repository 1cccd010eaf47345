# GATHERED   bytes that are written one behind the other, until all of them are taken away at once.

from libc.stdlib cimport realloc
from libc.string cimport memcpy

cdef struct Gathered:             # of zeros: none
    char* data
    size_t size, room             # bytes

# So that so many more can be put there: the room doubles from `first` on, and is `most` at most. False: it cannot be had.
cdef inline bint gathered_make_room(Gathered* gathered, size_t more, size_t first, size_t most) noexcept nogil:
    cdef size_t room = max(gathered.room, first)
    cdef char* larger
    while room < gathered.size + more:
        room *= 2
    if room == gathered.room:
        return True
    if room > most:
        return False
    larger = <char*>realloc(gathered.data, room)
    if larger == NULL:
        return False
    gathered.data = larger
    gathered.room = room
    return True

# There is room.
cdef inline void gathered_put(Gathered* gathered, const void* data, size_t size) noexcept nogil:
    if size > 0:
        memcpy(gathered.data + gathered.size, data, size)
        gathered.size += size

# Whoever takes them frees `data`.
cdef inline Gathered gathered_take(Gathered* gathered) noexcept nogil:
    cdef Gathered all = gathered[0]
    gathered[0] = Gathered(NULL, 0, 0)
    return all
