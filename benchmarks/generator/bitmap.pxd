# BITMAP   which numbers were seen already: pages of 65,536 bits, made when they are first needed.

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

cdef enum:
    PAGE_BITS = 16
    PAGE_WORDS = 1024

cdef struct Bitmap:
    uint64_t** pages
    size_t room             # pages the list has room for

cdef inline void bitmap_close(Bitmap* map) noexcept nogil:
    cdef size_t at
    for at in range(map.room):
        free(map.pages[at])
    free(map.pages)
    map[0] = Bitmap(NULL, 0)

cdef inline uint64_t* new_page(Bitmap* map, size_t page) noexcept nogil:
    cdef uint64_t** larger
    cdef size_t room = max(map.room, 16)
    while room <= page:
        room *= 2
    if room > map.room:
        larger = <uint64_t**>realloc(map.pages, room * sizeof(uint64_t*))
        if larger == NULL:
            return NULL
        memset(larger + map.room, 0, (room - map.room) * sizeof(uint64_t*))
        map.pages, map.room = larger, room
    map.pages[page] = <uint64_t*>calloc(PAGE_WORDS, sizeof(uint64_t))
    return map.pages[page]

cdef inline int mark(Bitmap* map, uint64_t number) noexcept nogil:
    """Return 0 when the number is new, 1 when it was marked before, -1 when there is no memory."""
    cdef size_t page = number >> PAGE_BITS
    cdef uint64_t* words
    cdef uint64_t bit = <uint64_t>1 << (number & 63)
    words = map.pages[page] if page < map.room else NULL
    if words == NULL:
        words = new_page(map, page)
        if words == NULL:
            return -1
    words += (number >> 6) & (PAGE_WORDS - 1)
    if words[0] & bit:
        return 1
    words[0] |= bit
    return 0
