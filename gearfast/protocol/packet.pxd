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
    MAX_ARGUMENTS = 8
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
    Slice argument[MAX_ARGUMENTS]
    Slice payload
    Slice body                    # all that follows the header, or the text of a line

cdef enum Pulled:
    NEED_MORE = 0
    READY = 1
    WRONG = 2                     # the stream cannot be followed any further: see the reader's fault

cdef enum Fault:
    NO_FAULT = 0                  # but for memory, of which there was none
    NO_PACKET = 1
    NO_TYPE = 2
    LONG_ARGUMENT = 3
    LONG_LINE = 4
    LARGE_PACKET = 5

@cython.final
cdef class PacketReader:
    cdef readonly size_t max_packet_size
    cdef char* tail
    cdef size_t tail_size, tail_room
    cdef Hold hold
    cdef const char* view
    cdef size_t view_size, position
    cdef size_t skip              # bytes of an ignored body still to come
    cdef Fault fault              # by which the stream has ended
    cdef uint64_t figure          # what was too large, or does not exist

    # Where the next bytes belong: behind the tail, in `shared` if it fits there. NULL: there is no memory.
    cdef char* begin(self, char* shared, size_t size, size_t* room) noexcept nogil
    cdef void received(self, char* at, size_t size) noexcept nogil
    cdef void again(self) noexcept nogil                       # look at what is kept, nothing new came
    cdef Pulled next(self, Packet* packet) noexcept nogil
    cdef void put_back(self, const Packet* packet) noexcept nogil      # the last one: it is the next one again
    cdef bint finish(self) noexcept nogil                      # keep what is unfinished; False: there is no memory
    cdef object error(self)                              # what is to be raised after WRONG, or without memory
    cdef void forget(self) noexcept nogil                      # there will be no more
    cdef Pulled stop(self, Fault fault, uint64_t figure) noexcept nogil
    cdef Pulled read_header(self, Packet* packet) noexcept nogil
    cdef Pulled read_line(self, Packet* packet) noexcept nogil
    cdef bint keep(self, size_t room) noexcept nogil
    cdef inline bint is_unfinished(self) noexcept nogil:       # something of a packet is still to come
        return self.tail_size > 0 or self.skip > 0

@cython.final
cdef class PacketWriter:
    cdef char* data
    cdef size_t size, room, sent
    cdef char* pinned             # what is read at this moment without the lock stays where it is: it may be `data` no more
    cdef size_t pinned_room
    cdef Hold hold
    cdef uint64_t base            # bytes of the stream that were here and are gone
    cdef uint64_t fence           # from where on in the stream nothing may be sent yet

    # Room for the first `size` bytes of a packet's body; the header is written, the rest of the body must follow.
    # NULL, and False below: there is no memory.
    cdef char* begin(self, uint32_t type, size_t body_size, size_t size) noexcept nogil
    cdef inline char* packet(self, uint32_t type, size_t body_size) noexcept nogil:
        return self.begin(type, body_size, body_size)
    # So that the next `size` bytes can be written without fail.
    cdef bint make_room(self, size_t size) noexcept nogil
    # The last `size` bytes so many times more; there is room for them.
    cdef void repeat(self, size_t size, size_t times) noexcept nogil
    cdef bint write(self, const char* data, size_t size) noexcept nogil
    cdef bint append(self, PacketWriter other) noexcept nogil
    cdef void forget(self) noexcept nogil                      # all was sent: give the memory back
    cdef inline void pin(self) noexcept nogil:
        self.pinned = self.data
        self.pinned_room = self.room
    cdef void unpin(self) noexcept nogil
    cdef void take_pin(self, PacketWriter other) noexcept nogil        # what is read stays, though the other one goes
    # The next `size` bytes of the stream are sent from where they lie; they end at this place of the stream. What of them
    # cannot be sent like that is put in before it: the last bytes of them. False: there is no memory.
    cdef inline uint64_t leave_out(self, size_t size) noexcept nogil:
        self.base += size
        return self.base + self.size
    cdef bint put_in(self, uint64_t end, const char* data, size_t size) noexcept nogil
    cdef inline size_t waiting(self) noexcept nogil:
        return self.size - self.sent
    cdef inline size_t sendable(self) noexcept nogil:
        return <size_t>(min(self.base + self.size, self.fence) - self.base) - self.sent
