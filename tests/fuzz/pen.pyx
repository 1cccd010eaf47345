"""Requests."""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdio cimport snprintf
from libc.string cimport memchr, memcmp, memcpy, memset, strlen

from tests.fuzz.buffer cimport buffer_more, buffer_put
from tests.fuzz.kinds cimport HEADER, LAST_KIND, kind_of, put_big_endian
from tests.fuzz.lines cimport COMMANDS, NAMED, line_of
from tests.fuzz.script cimport function_name, size_of, times_of, unique_id

cdef enum:
    LONGEST = 70000               # payload
    PERIOD = 256                  # room for a pattern to begin at any of so many places

cdef char PATTERN[LONGEST + PERIOD]
cdef const char* PREFIX = b"H:fuzz:"
ctypedef const char* Text
cdef Text[8] ASKED = [
    b";retries=0", b";cron=* * * * *", b";retries=1;backoff=fixed:1s+jitter;timeout=1s",
    b";cron=*/2 * * * *;overlap=queue;retries=0", b";delay=1s;priority=high", b";ttl=1s", b";backoff=fixed:x",
    b";overlap=queue;tz=UTC",
]
cdef Text[4] FIELDS = [b"*", b"", b"*/5", b"60"]        # of a cron; the last one is none, for a minute
cdef uint8_t[16] SUBMITS = [7, 18, 7, 18, 21, 32, 33, 34, 36, 37, 38, 35, 7, 18, 18, 7]
cdef uint8_t[6] REPORTS = [28, 29, 12, 13, 14, 25]

for _at in range(LONGEST + PERIOD):
    PATTERN[_at] = <char>(_at * 7 % 127)
del _at


cdef unsigned char seed_of(Slice function) noexcept nogil:
    return 0 if function.size == 0 else <unsigned char>function.data[function.size - 1] + <unsigned char>function.size


cdef inline const char* pattern(unsigned char seed) noexcept nogil:
    return PATTERN + seed


cdef bint is_pattern(Slice payload, unsigned char seed) noexcept nogil:
    return payload.size <= LONGEST and memcmp(payload.data, pattern(seed), payload.size) == 0


cdef Slice handle_of(uint64_t number, char* room) noexcept nogil:
    return Slice(room, snprintf(room, HANDLE_ROOM, b"%s%llu", PREFIX, <unsigned long long>number))


cdef uint64_t number_of(Slice handle) noexcept nogil:
    cdef uint64_t number = 0
    cdef size_t at
    if handle.size < 8 or handle.size > 20 or memcmp(handle.data, PREFIX, 7) != 0:
        return 0
    for at in range(7, handle.size):
        if not c"0" <= handle.data[at] <= c"9":
            return 0
        number = number * 10 + (handle.data[at] - c"0")
    return number


cdef char* begin(Buffer* out, uint32_t type, size_t size) noexcept nogil:
    """A header, and room for the body."""
    cdef char* at = buffer_more(out, HEADER + size)
    memcpy(at, b"\0REQ", 4)
    put_big_endian(at + 4, type)
    put_big_endian(at + 8, <uint32_t>size)
    return at + HEADER


cdef char* put(char* at, Slice part, bint terminated) noexcept nogil:
    if part.size > 0:
        memcpy(at, part.data, part.size)
    if terminated:
        at[part.size] = 0
    return at + part.size + terminated


cdef Slice with_parameters(Slice name, int which, char* room) noexcept nogil:
    cdef size_t size = strlen(ASKED[which])
    if name.size > 0:
        memcpy(room, name.data, name.size)
    memcpy(room + name.size, ASKED[which], size)
    return Slice(room, name.size + size)


cdef void write_submit(Buffer* out, const Cell* cell, double wall) noexcept nogil:
    """`a` says how, `b` for whom, `c` how much and how often."""
    cdef uint32_t type = SUBMITS[cell.a & 15]
    cdef Slice parts[7]
    cdef char when[32]
    cdef size_t size = size_of(cell.c), whole
    cdef int count = 2, time, at, times = min(times_of(cell.c >> 4), <int>(1 + 200_000 // (size + 1)))
    cdef char* place
    cdef Slice name = function_name(cell.b)
    cdef char room[200]
    parts[0], parts[1] = name, unique_id(cell.b >> 3)
    if cell.b >= 224 and name.size < 100:
        parts[0] = with_parameters(name, cell.a >> 5, room)
    if type == 36:
        wall += (cell.b >> 6) * (cell.a >> 4) * 5.0 - 2
        parts[2] = Slice(<char*>when, snprintf(when, sizeof(when), b"%.0f", wall))
        count = 3
    elif type == 35:
        for at in range(2, 7):
            parts[at] = Slice(FIELDS[1], 0)
        parts[2] = Slice(FIELDS[cell.a >> 4 & 3], strlen(FIELDS[cell.a >> 4 & 3]))
        count = 7
    elif type in (37, 38):
        parts[2], parts[3] = unique_id(cell.a >> 4), Slice(b"1", 1)
        count = 4
    whole = size + count
    for at in range(count):
        whole += parts[at].size
    for time in range(times):
        place = begin(out, type, whole)
        for at in range(count):
            place = put(place, parts[at], True)
        memcpy(place, pattern(seed_of(name)), size)


cdef void write_ability(Buffer* out, const Cell* cell) noexcept nogil:
    cdef Slice name = function_name(cell.b)
    cdef char digits[32]
    cdef char* at
    cdef int size
    if cell.a & 7 == 7:
        begin(out, 3, 0)
    elif cell.a & 7 == 6:
        put(begin(out, 2, name.size), name, False)
    elif cell.a & 7 >= 4:
        size = snprintf(digits, sizeof(digits), b"%d", 1000 * (cell.c - 3))
        at = begin(out, 23, name.size + 1 + size)
        memcpy(put(at, name, True), digits, size)
    else:
        put(begin(out, 1, name.size), name, False)


cdef void write_grab(Buffer* out, const Cell* cell) noexcept nogil:
    cdef int time
    for time in range(times_of(cell.c)):
        begin(out, 9 if cell.a & 3 == 0 else 30 if cell.a & 1 else 39, 0)


cdef void write_report(Buffer* out, int kind, uint64_t number, size_t size) noexcept nogil:
    """The kinds are DATA, WARNING, STATUS, COMPLETE, FAIL, EXCEPTION; a size of -1: with no NUL behind the handle."""
    cdef char room[HANDLE_ROOM]
    cdef Slice handle = handle_of(number, room)
    cdef uint32_t type = REPORTS[kind % 6]
    cdef char* at
    if type == 12:
        at = put(begin(out, type, handle.size + 5), handle, True)
        memcpy(at, b"3\x0044", 4)
    elif type == 14 or size == <size_t>-1:
        put(begin(out, type, handle.size), handle, False)
    else:
        at = put(begin(out, type, handle.size + 1 + size), handle, True)
        memcpy(at, pattern(<unsigned char>number), size)


cdef void write_status(Buffer* out, const Cell* cell, uint64_t number) noexcept nogil:
    cdef char room[HANDLE_ROOM]
    cdef Slice handle = handle_of(number, room), unique = unique_id(cell.b)
    if cell.a & 1:
        put(begin(out, 41, unique.size), unique, False)
    else:
        put(begin(out, 15, handle.size), handle, False)


cdef void write_little(Buffer* out, const Cell* cell) noexcept nogil:
    cdef Slice option = Slice(b"exceptions", 10) if cell.b & 3 else Slice(b"other", 5)
    if cell.a & 3 == 0:
        put(begin(out, 26, option.size), option, False)
    elif cell.a & 3 == 1:
        put(begin(out, 22, size_of(cell.c % 10)), Slice(pattern(cell.b), size_of(cell.c % 10)), False)
    elif cell.a & 3 == 2:
        begin(out, 24, 0)
    else:
        put(begin(out, 23, 20), Slice(b"f\x0099999999999999999999", 20), False)


cdef void write_echo(Buffer* out, const Cell* cell) noexcept nogil:
    cdef size_t size = size_of(cell.c)
    cdef int time
    for time in range(min(times_of(cell.c >> 4), <int>(1 + 200_000 // (size + 1)))):
        memcpy(begin(out, 16, size), pattern(cell.a), size)


cdef void write_line(Buffer* out, const Cell* cell, uint64_t number) noexcept nogil:
    cdef char room[HANDLE_ROOM]
    cdef char text[300]
    cdef Slice word = function_name(cell.b), line
    if cell.a % COMMANDS >= NAMED:
        word = handle_of(number, room)
    elif word.size > 20 or (word.size > 0 and memchr(word.data, c"\n", word.size) != NULL):
        word = Slice(b"f", 1)
    line = line_of(cell.a, word, text)
    buffer_put(out, line.data, line.size)


cdef void write_odd(Buffer* out, const Cell* cell) noexcept nogil:
    """`a` is the type, `b` how many NULs stand in the body, `c` how large it is."""
    cdef size_t size = size_of(cell.c), at
    cdef char* body = begin(out, cell.a % (LAST_KIND + 2), size)
    memset(body, c"f", size)
    for at in range(min(<size_t>(cell.b & 15), size)):
        body[at * 2 % size] = 0
    if cell.b & 0x30 == 0x10:
        body[-9] = c"S"                    # a response
    elif cell.b & 0x70 == 0x20:
        body[-10] = c"X"                   # nothing at all


cdef void write_header(Buffer* out, const Cell* cell) noexcept nogil:
    cdef size_t there = size_of(cell.c)
    cdef char* body = begin(out, cell.a % (LAST_KIND + 1), there)
    memset(body, c"f", there)
    put_big_endian(body - 4, <uint32_t>(there + size_of(cell.b) * (1 if cell.b & 0x10 else 60_000)))
