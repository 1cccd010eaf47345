# KINDS   the packets, written down once more from the protocol (section 2): nothing here comes from gearfast.

from libc.stdint cimport uint16_t, uint32_t

from gearfast.ground.slice cimport Slice

cdef enum:
    LAST_KIND = 42
    HEADER = 12
    MAX_ARGUMENT = 8192          # with its NUL
    MAX_LINE = 8191
    MAX_HANDLE = 63
    MAX_PARTS = 8

cdef enum Owed:                   # what a request is answered
    NOTHING = 0
    CREATED = 1                   # JOB_CREATED, and later a result
    KEPT = 2                      # JOB_CREATED, once the store has it
    ASSIGNED = 3                  # JOB_ASSIGN and its like, or NO_JOB
    ECHOED = 4
    OPTION = 5
    STATUS = 6
    STATUS_UNIQUE = 7
    REFUSED = 8                   # ERROR
    DOUBTED = 9                   # ERROR, or nothing
    WOKEN = 10                    # NOOP, some time
    LINE = 11                     # one line of text
    LINES = 12                    # up to one with a dot
    ANSWER = 13                   # the same, or one line that begins with ERR

cdef enum Code:                   # of an ERROR, as bits
    INVALID_MAGIC = 1
    INVALID_PACKET = 2
    INVALID_COMMAND = 4
    JOB_NOT_FOUND = 8
    ARGUMENT_TOO_LARGE = 16
    UNKNOWN_OPTION = 32
    QUEUE_ERROR = 64
    INVALID_PARAMETER = 128
    OTHER = 256

cdef struct Kind:
    int arguments
    bint payload
    Owed owed                     # by a server
    uint16_t codes                # of the ERROR that may come instead

cdef const Kind* kind_of(uint32_t type) noexcept nogil    # NULL: there is none
cdef str kind_name(uint32_t type)
cdef Code code_of(Slice text) noexcept nogil
cdef uint32_t big_endian(const char* at) noexcept nogil
cdef void put_big_endian(char* at, uint32_t value) noexcept nogil
# Cut a body into its arguments, and the payload behind them. How many parts there are; fewer if NULs are missing.
cdef int split(const Kind* kind, Slice body, Slice* parts) noexcept nogil
