"""Jobs that wait for the store, in the order in which they came."""

from libc.stdlib cimport free, realloc
from libc.string cimport memmove

cdef enum:
    SPARE_ROOM = 1 << 14      # entries for which room is kept while there are none


cdef bint line_push(Line* line, Entry entry) noexcept nogil:
    cdef Entry* larger
    if line.head + line.count == line.room:
        larger = <Entry*>realloc(line.entries, (line.room * 2 + 64) * sizeof(Entry))
        if larger == NULL:
            return False
        line.entries = larger
        line.room = line.room * 2 + 64
    line_at(line, line.count)[0] = entry
    line.count += 1
    return True


cdef void line_drop(Line* line, size_t count) noexcept nogil:
    line.head += count
    line.count -= count
    line.in_flight -= min(count, line.in_flight)
    if line.count == 0 and line.room > SPARE_ROOM:
        line_close(line)
    elif line.head > line.count:                           # rare enough to cost nothing per job
        memmove(line.entries, line.entries + line.head, line.count * sizeof(Entry))
        line.head = 0


cdef void line_close(Line* line) noexcept nogil:
    free(line.entries)
    line.entries = NULL
    line.head = line.count = line.room = line.in_flight = 0
