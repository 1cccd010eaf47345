"""The table of packets."""

from libc.string cimport memchr, memset, strlen

from gearfast.ground.slice cimport same_bytes

from tests.support import wire

cdef Kind TABLE[LAST_KIND + 1]
ctypedef const char* Text

cdef Text[8] CODES = [
    b"INVALID_MAGIC", b"INVALID_PACKET", b"INVALID_COMMAND", b"JOB_NOT_FOUND", b"ARGUMENT_TOO_LARGE", b"UNKNOWN_OPTION",
    b"QUEUE_ERROR", b"INVALID_PARAMETER",
]
cdef dict WORDS = {number: word for word, number in vars(wire).items() if word.isupper() and isinstance(number, int)}


cdef void put(int type, int arguments, bint payload, Owed owed=REFUSED, int codes=INVALID_COMMAND) noexcept:
    TABLE[type] = Kind(arguments, payload, owed, <uint16_t>codes)


def fill():
    """Requests first; what only a server says is refused."""
    memset(TABLE, 0, sizeof(TABLE))
    refusals = QUEUE_ERROR | ARGUMENT_TOO_LARGE
    for type in (1, 2, 22):
        put(type, 1, False, NOTHING, 0)
    put(3, 0, False, NOTHING, 0)
    put(4, 0, False, WOKEN, 0)
    put(23, 2, False, DOUBTED, ARGUMENT_TOO_LARGE)
    for type in (9, 30, 39):
        put(type, 0, False, ASSIGNED, 0)
    for type in (7, 21, 33):
        put(type, 2, True, CREATED, refusals)
    for type in (18, 32, 34):
        put(type, 2, True, KEPT, refusals)
    put(35, 7, True, KEPT, refusals | INVALID_PARAMETER)
    put(36, 3, True, KEPT, refusals)
    put(37, 4, True, CREATED, refusals)
    put(38, 4, True, KEPT, refusals)
    put(12, 3, False, DOUBTED, JOB_NOT_FOUND)
    put(14, 1, False, DOUBTED, JOB_NOT_FOUND | ARGUMENT_TOO_LARGE)
    for type in (13, 25, 28, 29):
        put(type, 1, True, DOUBTED, JOB_NOT_FOUND)
    put(15, 1, False, STATUS, 0)
    put(41, 1, False, STATUS_UNIQUE, 0)
    put(16, 0, True, ECHOED, 0)
    put(26, 1, False, OPTION, UNKNOWN_OPTION)
    for type in (5, 6, 10, 24):
        put(type, 0, False)
    for type in (8, 27):
        put(type, 1, False)
    put(17, 0, True)
    put(11, 2, True)
    put(31, 3, True)
    put(40, 4, True)
    put(19, 2, False)
    put(20, 5, False)
    put(42, 6, False)


fill()


cdef const Kind* kind_of(uint32_t type) noexcept nogil:
    return &TABLE[type] if 0 < type <= LAST_KIND else NULL


cdef str kind_name(uint32_t type):
    return WORDS.get(type, f"type {type}")


cdef Code code_of(Slice text) noexcept nogil:
    cdef int at
    for at in range(8):
        if same_bytes(text, Slice(CODES[at], strlen(CODES[at]))):
            return <Code>(1 << at)
    return OTHER


cdef uint32_t big_endian(const char* at) noexcept nogil:
    cdef const unsigned char* byte = <const unsigned char*>at
    return <uint32_t>byte[0] << 24 | <uint32_t>byte[1] << 16 | <uint32_t>byte[2] << 8 | byte[3]


cdef void put_big_endian(char* at, uint32_t value) noexcept nogil:
    at[0], at[1] = <char>(value >> 24), <char>(value >> 16 & 255)
    at[2], at[3] = <char>(value >> 8 & 255), <char>(value & 255)


cdef int split(const Kind* kind, Slice body, Slice* parts) noexcept nogil:
    cdef int terminated = kind.arguments if kind.payload else kind.arguments - 1, count
    cdef const char* at = body.data
    cdef const char* end = at + body.size
    cdef const char* nul
    for count in range(terminated):
        nul = <const char*>memchr(at, 0, end - at) if at < end else NULL
        if nul == NULL:
            parts[count] = Slice(at, end - at)
            return count
        parts[count] = Slice(at, nul - at)
        at = nul + 1
    if terminated < 0:
        return 0
    parts[terminated] = Slice(at, end - at)
    return terminated + 1
