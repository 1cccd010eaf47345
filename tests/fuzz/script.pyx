"""Cells, and what their bytes stand for."""

from libc.string cimport memset

cdef char LONG_NAME[8191]
cdef char WHOLE_UNIQUE[64]
cdef char LONG_UNIQUE[65]
memset(LONG_NAME, c"n", sizeof(LONG_NAME))
memset(WHOLE_UNIQUE, c"w", sizeof(WHOLE_UNIQUE))
memset(LONG_UNIQUE, c"x", sizeof(LONG_UNIQUE))

cdef Slice[FUNCTIONS] NAMES = [
    Slice(b"f", 1), Slice(b"F", 1), Slice(b"g", 1), Slice(b"", 0), Slice(b"resize", 6), Slice(b"ReSize", 6),
    Slice(b"a\n.\n\tb", 6), Slice(<char*>LONG_NAME, sizeof(LONG_NAME)),
]
cdef Slice[UNIQUES] IDS = [
    Slice(b"", 0), Slice(b"-", 1), Slice(b"u", 1), Slice(b"v", 1), Slice(b"\x00", 0), Slice(b"11", 2),
    Slice(<char*>WHOLE_UNIQUE, sizeof(WHOLE_UNIQUE)), Slice(<char*>LONG_UNIQUE, sizeof(LONG_UNIQUE)),
]
cdef size_t[16] SIZES = [0, 1, 2, 10, 10, 40, 100, 100, 300, 1000, 4000, 4084, 8192, 16383, 16384, 70000]
cdef int[16] TIMES = [1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 8, 16, 40, 64, 100]
cdef double[8] SECONDS = [0.0, 0.0004, 0.0301, 0.0501, 1.1, 12.0, 61.0, 150.0]


cdef Script script_of(const uint8_t* data, size_t size, Cell* first) noexcept nogil:
    cdef Script script = Script(data, size)
    memset(first, 0, sizeof(Cell))
    script_next(&script, first)
    return script


cdef bint script_next(Script* script, Cell* cell) noexcept nogil:
    cdef size_t size
    if script.left < CELL:
        return False
    cell.op = <Op>(script.at[0] & 31)
    if cell.op >= OPS:
        cell.op = SUBMIT
    cell.player = (script.at[0] >> 5) % PLAYERS
    cell.a, cell.b, cell.c = script.at[1], script.at[2], script.at[3]
    script.at += CELL
    script.left -= CELL
    cell.bytes = <const char*>script.at
    cell.size = 0
    if cell.op == BYTES:
        cell.size = min(<size_t>cell.a, script.left)
        size = min((cell.size + CELL - 1) // CELL * CELL, script.left)
        script.at += size
        script.left -= size
    return True


cdef Slice function_name(int number) noexcept nogil:
    return NAMES[number % FUNCTIONS]


cdef Slice unique_id(int number) noexcept nogil:
    return IDS[number % UNIQUES]


cdef size_t size_of(int number) noexcept nogil:
    return SIZES[number & 15]


cdef int times_of(int number) noexcept nogil:
    return TIMES[number & 15]


cdef double seconds_of(int number) noexcept nogil:
    return SECONDS[number & 7]
