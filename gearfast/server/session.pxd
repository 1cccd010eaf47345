# ROOM 4  SESSION   one connection's talk: requests in, packets and admin text out.
#
# A session knows no socket: bytes are given to its reader, answers wait in its writer, and its
# Outlet is told that there is something to send at the end of the turn. What each packet type
# asks for stands in a table (request.pyx) that is handed in.

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from gearfast.broker.broker cimport Broker, Reported
from gearfast.ground.clock cimport Clock
from gearfast.ground.lock cimport lock_pause, lock_resume
from gearfast.server.fence cimport Fences
from gearfast.server.notes cimport Notes
from gearfast.server.outlet cimport Outlet
from gearfast.server.round cimport Pause, Round
from gearfast.protocol.packet cimport Packet, PacketReader, PacketWriter
from gearfast.protocol.parameters cimport ParameterTexts
from gearfast.broker.peer cimport Peer, Report
from gearfast.ground.ring cimport Ring
from gearfast.ground.slice cimport Slice

# False: there is no memory for the answer, and the session ends.
ctypedef bint (*Handler)(Session session, const Packet* packet, const Row* row) noexcept nogil

cdef struct Row:                          # what one packet type asks for
    Handler handler
    uint8_t priority                      # of a submit
    bint background
    Report report                         # of a WORK_* packet
    const char* not_found                 # what a WORK_* for an unknown job is answered

cdef class Service:                       # what all sessions of one server share
    cdef readonly Broker broker
    cdef readonly dict sessions           # by serial number, oldest first
    cdef readonly uint64_t opened         # sessions so far
    cdef const Row* table                 # by packet type; no handler: INVALID_COMMAND
    cdef ParameterTexts texts
    cdef bint takes_parameters            # names of functions may have some behind a semicolon
    cdef int64_t timeout_unit             # milliseconds of 1 in CAN_DO_TIMEOUT
    cdef object admin                     # (session, line) -> bytes, an iterator of bytes, or None to close; never raises
    cdef readonly Notes notes
    cdef bint exceptions
    cdef size_t max_packet_size, output_pause, output_limit
    cdef Clock clock                      # the machine's
    cdef Round* round                     # of the thread that has the lock
    cdef Round own                        # that of the loop's thread
    cdef int threads                      # others than that
    cdef Ring fenced                      # sessions that owe answers to the store
    cdef size_t store_backlog
    cdef readonly size_t largest          # bytes of a job that the store takes
    cdef public object write              # has the store take what is gathered for it

    cdef public object date               # gives dates to schedules that have none

    # The lock is let go meanwhile.
    cdef inline Pause pause(self) noexcept nogil:
        cdef Pause pause
        pause.round = self.round
        pause.handling = self.round.handling
        self.round.handling = False
        self.round = &self.own
        pause.depth = lock_pause()
        return pause
    # Time has gone by meanwhile: the clock is asked before the lock is taken.
    cdef inline void resume(self, Pause pause) noexcept nogil:
        cdef double now = self.clock.monotonic()
        lock_resume(pause.depth, pause.round.python)
        self.round = pause.round
        self.round.now = now
        self.round.handling = pause.handling

    cdef inline bint has_news(self) noexcept nogil:      # for the store; while that still starts there is none yet
        return self.broker.has_news() and self.write is not None

cdef enum Failure:                        # why a session cannot go on with what has come
    NO_FAILURE = 0
    BROKEN = 1                            # its bytes are no packets, or there is no memory for the rest of one
    NO_ROOM = 2                           # there is no memory for an answer

cdef enum Trouble:                        # why a session is cut off while the broker works
    NONE = 0
    DEAF = 1                              # it does not read its results
    NO_MEMORY = 2
    IN_THE_WAY = 3                        # memory is short, and its buffers are the largest

cdef inline int need(bint done) except -1:                 # of what fails without memory
    if not done:
        raise MemoryError("no memory for an answer")
    return 0

@cython.final
cdef class Session(Peer):
    cdef Service service
    cdef const Row* table                 # its service's, or a visitor's
    cdef Outlet outlet
    cdef PacketReader reader
    cdef PacketWriter out                 # to be sent
    cdef PacketWriter held                # packets that wait behind a long answer
    cdef PacketWriter to                  # where packets go: out, or held
    cdef object answer                    # the rest of a long admin answer
    cdef Fences fences                    # in `out`
    cdef Ring owes                        # among those that have some
    cdef bint heavy                       # one of them stands for a job that is a batch by itself
    cdef readonly uint64_t serial
    cdef readonly int fd
    cdef readonly bytes address           # as `workers` shows it
    cdef Slice origin                     # its bytes
    cdef Slice client                     # what it calls itself, in memory of its own; NULL: it has not said
    cdef bint exceptions                  # it asked for WORK_EXCEPTION
    cdef bint refused_before
    cdef bint stopped                     # its requests are not looked at until output has drained, or its next share of time
    cdef bint closing                     # nothing more is read; close when all is sent
    cdef bint aborted                     # close now
    cdef Trouble trouble
    cdef Failure failure                  # of which the loop's thread has yet to tell
    cdef bint wants_python                # for the packet that comes next: a text, or a date
    cdef bint spoke_text                  # it is somebody who looks, or another one's tool

    # Handle what the reader has; what is left when `wants_input` turns false waits for `go_on`.
    cdef void take(self) noexcept
    cdef bint take_packets(self) noexcept nogil            # False: it has failed
    cdef bint lacks_python(self) noexcept nogil            # True: the packet is looked at again by a thread that has it
    cdef void fail_if_it_must(self) noexcept
    cdef void go_on(self) noexcept
    cdef bint go_on_reading(self) noexcept nogil           # False: it has failed
    cdef void disconnect(self) noexcept
    cdef bint wants_input(self) noexcept nogil
    cdef inline bint may_be_lent(self) noexcept nogil:     # to a thread without the interpreter
        return not (self.closing or self.aborted or self.wants_python or self.answer is not None)
    cdef bint has_more_to_do(self) noexcept nogil

    cdef PacketWriter writer(self)                         # a new one, whose memory is known to be this peer's
    cdef bint handle(self, const Packet* packet) noexcept nogil
    cdef bint handle_text(self, const Packet* packet) noexcept nogil       # False: it has failed
    cdef bint handle_line(self, const Packet* packet) noexcept
    cdef int answer_line(self, const Packet* packet) except -1
    cdef int next_slice(self) except -1
    # A packet so many times. False: there is no memory, and not all of it was written.
    cdef bint deliver(self, uint32_t type, Slice body, size_t times) noexcept nogil
    cdef bint deliver_large(self, uint32_t type, Slice body) noexcept nogil
    cdef size_t send_along(self, Slice rest) noexcept nogil
    cdef void abort_for(self, Trouble trouble) noexcept nogil
    # An answer. False, or NULL: there is no memory for it.
    cdef bint send(self, uint32_t type, const char* body, size_t size) noexcept nogil
    # A packet in two parts: the first `size` bytes of its body are for the caller to fill in, `rest` follows.
    cdef char* begin(self, uint32_t type, size_t size, Slice rest) noexcept nogil
    cdef bint finish(self, Slice rest) noexcept nogil
    cdef bint send_handle(self, uint32_t type, uint64_t number) noexcept nogil
    cdef bint refuse(self, const char* code, const char* text) noexcept nogil
    cdef bint refuse_because(self, const char* code, const char* text, Slice reason) noexcept nogil     # up to a NUL
    cdef void log_refusal(self, const char* code, const char* text, Slice reason) noexcept nogil
    cdef bint check(self, Reported reported, const char* text) noexcept nogil
    cdef char* packet(self, uint32_t type, size_t size) noexcept nogil       # one answer's body, for the caller to fill in
    cdef inline bint too_much_waits(self) noexcept nogil:
        return self.out.waiting() > self.service.output_pause or (self.fences.count > 0 and self.store_is_behind())
    cdef bint store_is_behind(self) noexcept nogil         # it has yet to write too much
    cdef bint call_itself(self, Slice name) noexcept nogil                   # False: there is no memory
    cdef void fail(self, object error) noexcept
