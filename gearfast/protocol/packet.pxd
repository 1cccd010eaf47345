# ROOM 1  PACKET   bytes <-> packets. A pull parser, and a buffer of packets to send.
#
# The reader owns no bytes while nothing is unfinished: it looks into a buffer that all readers
# share, and keeps only the tail of a packet that has not arrived whole.

cimport cython
from libc.stdint cimport uint32_t, uint64_t

from gearfast.ground.hold cimport Hold
from gearfast.ground.slice cimport Slice

cpdef enum PacketType:
    TEXT = 0                      # not on the wire: a line of the admin protocol
    CAN_DO = 1
    CANT_DO = 2
    RESET_ABILITIES = 3
    PRE_SLEEP = 4
    UNUSED = 5
    NOOP = 6
    SUBMIT_JOB = 7
    JOB_CREATED = 8
    GRAB_JOB = 9
    NO_JOB = 10
    JOB_ASSIGN = 11
    WORK_STATUS = 12
    WORK_COMPLETE = 13
    WORK_FAIL = 14
    GET_STATUS = 15
    ECHO_REQ = 16
    ECHO_RES = 17
    SUBMIT_JOB_BG = 18
    ERROR = 19
    STATUS_RES = 20
    SUBMIT_JOB_HIGH = 21
    SET_CLIENT_ID = 22
    CAN_DO_TIMEOUT = 23
    ALL_YOURS = 24
    WORK_EXCEPTION = 25
    OPTION_REQ = 26
    OPTION_RES = 27
    WORK_DATA = 28
    WORK_WARNING = 29
    GRAB_JOB_UNIQ = 30
    JOB_ASSIGN_UNIQ = 31
    SUBMIT_JOB_HIGH_BG = 32
    SUBMIT_JOB_LOW = 33
    SUBMIT_JOB_LOW_BG = 34
    SUBMIT_JOB_SCHED = 35
    SUBMIT_JOB_EPOCH = 36
    SUBMIT_REDUCE_JOB = 37
    SUBMIT_REDUCE_JOB_BACKGROUND = 38
    GRAB_JOB_ALL = 39
    JOB_ASSIGN_ALL = 40
    GET_STATUS_UNIQUE = 41
    STATUS_RES_UNIQUE = 42

cdef enum:
    LAST_TYPE = 42
    MOST_ARGUMENTS = 8
    HEADER_SIZE = 12

cdef uint32_t body_size(const char* header) noexcept nogil

cdef extern from "<stdint.h>":
    const uint64_t UNFENCED "UINT64_MAX"

cdef struct Packet:
    uint32_t type
    bint response                 # the magic was RES: not for a server
    bint short_of_arguments       # fewer NULs than this type needs; `argument` is not filled
    bint unterminated             # a handle without the NUL behind it, and without a payload (Perl workers)
    int count                     # arguments
    Slice argument[MOST_ARGUMENTS]
    Slice payload
    Slice body                    # all that follows the header, or the text of a line

cdef enum Pulled:
    NEED_MORE = 0
    READY = 1

@cython.final
cdef class PacketReader:
    cdef readonly size_t max_packet_size
    cdef char* tail
    cdef size_t tail_size, tail_room
    cdef Hold hold
    cdef const char* view
    cdef size_t view_size, position
    cdef size_t skip              # bytes of an ignored body still to come
    cdef object fault             # the error by which the stream ended, for Python; None: it goes on

    # Where the next bytes belong: behind the tail, in `shared` if it fits there.
    cdef char* begin(self, char* shared, size_t size, size_t* room) except NULL
    cdef void received(self, char* at, size_t size) noexcept
    cdef void again(self) noexcept                       # look at what is kept, nothing new came
    cdef int next(self, Packet* packet) except -1        # Pulled
    cdef int finish(self) except -1                      # keep what is unfinished
    cdef void forget(self) noexcept                      # there will be no more
    cdef int read_header(self, Packet* packet) except -1
    cdef int read_line(self, Packet* packet) except -1
    cdef int keep(self, size_t room) except -1
    cdef inline bint is_unfinished(self) noexcept:       # something of a packet is still to come
        return self.tail_size > 0 or self.skip > 0

@cython.final
cdef class PacketWriter:
    cdef char* data
    cdef size_t size, room, sent
    cdef Hold hold
    cdef uint64_t base            # bytes of the stream that were here and are gone
    cdef uint64_t fence           # from where on in the stream nothing may be sent yet

    # Room for the first `size` bytes of a packet's body; the header is written, the rest of the body must follow.
    cdef char* begin(self, uint32_t type, size_t body_size, size_t size) except NULL
    cdef inline char* packet(self, uint32_t type, size_t body_size) except NULL:
        return self.begin(type, body_size, body_size)
    # So that the next `size` bytes can be written without fail; False: there is no memory.
    cdef bint make_room(self, size_t size) noexcept nogil
    # The last `size` bytes so many times more; there is room for them.
    cdef void repeat(self, size_t size, size_t times) noexcept nogil
    cdef int write(self, const char* data, size_t size) except -1
    cdef int append(self, PacketWriter other) except -1
    cdef void forget(self) noexcept                      # all was sent: give the memory back
    cdef inline size_t waiting(self) noexcept:
        return self.size - self.sent
    cdef inline size_t sendable(self) noexcept:
        return <size_t>(min(self.base + self.size, self.fence) - self.base) - self.sent
