"""One connection's talk with the server: requests in, packets and admin text out (protocol section 1)."""

cimport cython
from libc.math cimport INFINITY
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, strlen

from gearfast.broker.broker cimport UNKNOWN
from gearfast.ground.clock cimport Clock, monotonic_time, wall_time
from gearfast.ground.lock cimport lock_enter, lock_is_mine, lock_leave
from gearfast.ground.ring cimport ring_leave, ring_open
from gearfast.ground.slice cimport cut_at_nul, slice_of, slice_of_text
from gearfast.server.fence cimport fences_close
from gearfast.server.round cimport round_open
from gearfast.protocol.packet cimport (
    ERROR, HEADER_SIZE, LAST_TYPE, NOOP, READY, TEXT, WRONG, Pulled, WORK_COMPLETE, WORK_DATA, WORK_EXCEPTION, WORK_FAIL, WORK_STATUS, WORK_WARNING,
)
from gearfast.broker.peer cimport EXCEPTION

from gearfast import config as limits
from gearfast import logs
from gearfast.errors import ProtocolError
from gearfast.protocol.packet import PacketType as PacketName

cdef size_t LARGE = limits.LARGE_BODY
cdef int WARNING = logs.WARNING
cdef uint32_t[6] REPORT_TYPES = [WORK_DATA, WORK_WARNING, WORK_STATUS, WORK_COMPLETE, WORK_FAIL, WORK_EXCEPTION]

cdef enum:
    LOOK = 64             # packets' worth of work between two looks at the clock
    PAGE = 12             # bits: a packet's body costs as much as a packet for every 4 KiB

# What a peer does wrong a thousand times must not be put together as often.
cdef tuple TOO_FEW_TEXTS = tuple([b"Too few arguments for " + kind.name.encode() for kind in PacketName])
cdef const char* TOO_FEW[LAST_TYPE + 1]
for _kind, _text in zip(PacketName, TOO_FEW_TEXTS):
    TOO_FEW[<int>_kind] = <bytes>_text
del _kind, _text

cdef tuple TROUBLES = (
    "", "it does not read its results, and more than output_limit bytes are waiting", "there is not enough memory for its results",
    "memory is short, and the unread answers or the unfinished packet of this peer take the most of it",
)


cdef class Service:
    def __cinit__(self, Broker broker not None, config not None, log not None, admin=None):
        self.broker = broker
        self.admin = admin
        self.notes = Notes(log, broker)
        self.sessions = {}
        self.opened = 0
        self.exceptions = config.exceptions
        self.max_packet_size = config.max_packet_size
        self.output_pause = config.output_pause
        self.output_limit = config.output_limit
        self.clock = Clock(monotonic_time, wall_time)
        round_open(&self.own, True)
        self.own.until = INFINITY                  # until there are turns
        self.round = &self.own
        ring_open(&self.fenced, NULL)
        self.store_backlog = config.store_backlog
        self.largest = <size_t>-1
        self.write = None

    def __dealloc__(self):
        if self.round != NULL:                     # else it was not made: its arguments were wrong
            ring_leave(&self.own.queue)
            ring_leave(&self.own.backlog)

    def keep_in(self, size_t largest, write):
        """There is a store: it takes jobs of at most `largest` bytes, and `write` has it take what is gathered."""
        self.largest = largest
        self.write = write


@cython.final
cdef class Session(Peer):
    def __cinit__(self, Service service not None, Outlet outlet not None, int fd, bytes address not None):
        self.service = service
        self.table = service.table
        self.outlet = outlet
        ring_open(&self.owes, <void*>self)
        self.reader = PacketReader(service.max_packet_size)
        self.reader.hold.holder = <void*>self
        self.out = self.to = self.writer()
        self.fd = fd
        self.address = address
        self.origin = slice_of(address)
        self.exceptions = service.exceptions
        service.opened += 1
        self.serial = service.opened
        service.sessions[self.serial] = self

    def __dealloc__(self):
        lock_enter()
        fences_close(&self.fences)
        if self.owes.next != NULL:
            ring_leave(&self.owes)
        lock_leave()
        free(<void*>self.client.data)

    @property
    def client_id(self):
        lock_enter()
        try:
            return b"-" if self.client.data == NULL else self.client.data[:self.client.size]
        finally:
            lock_leave()

    cdef PacketWriter writer(self):
        cdef PacketWriter writer = PacketWriter()
        writer.hold.holder = <void*>self
        return writer

    # --- in ---

    cdef void take(self) noexcept:
        self.take_packets()
        self.fail_if_it_must()

    cdef void fail_if_it_must(self) noexcept:
        cdef Failure failure = self.failure
        self.failure = NO_FAILURE
        if failure != NO_FAILURE:
            self.fail(self.reader.error() if failure == BROKEN else MemoryError("no memory for an answer"))

    cdef bint take_packets(self) noexcept nogil:
        """As many as its share of the turn allows; the clock is looked at by those who have sent many, or dear ones."""
        cdef Packet packet
        cdef Pulled pulled
        cdef size_t work = 0, before = self.service.broker.steps
        while self.wants_input():
            pulled = self.reader.next(&packet)
            if pulled == WRONG:
                self.failure = BROKEN
                return False
            if pulled != READY:
                break
            if packet.type == TEXT:
                if not self.handle_text(&packet):
                    return False
                work += LOOK
            elif self.handle(&packet):
                work += 1 + (packet.body.size >> PAGE)
            else:
                self.failure = NO_ROOM
                return False
            if self.too_much_waits():
                self.stopped = True
            if work + self.service.broker.steps - before >= LOOK:
                self.service.round.work += work + self.service.broker.steps - before
                work = 0
                before = self.service.broker.steps
                if self.service.clock.monotonic() >= self.service.round.until or self.service.notes.is_full():
                    self.stopped = True
        self.service.round.work += work
        if self.wants_python:
            self.reader.put_back(&packet)
        if not self.reader.finish():
            self.failure = BROKEN
        return self.failure == NO_FAILURE

    cdef bint lacks_python(self) noexcept nogil:
        if self.service.round.python:
            return False
        self.wants_python = self.stopped = True
        return True

    cdef void go_on(self) noexcept:
        """Output has drained, or a slice of a long answer may follow, or its next share of time has come."""
        try:
            if self.answer is not None:
                self.next_slice()
        except Exception as error:
            self.fail(error)
        if self.answer is None:
            self.go_on_reading()
            self.fail_if_it_must()

    cdef bint go_on_reading(self) noexcept nogil:
        self.wants_python = False
        self.stopped = self.too_much_waits()       # of what stood behind the answer, say: the input waits, too, then
        if self.stopped:
            return True
        self.reader.again()
        return self.take_packets()

    cdef bint wants_input(self) noexcept nogil:
        return not (self.stopped or self.closing or self.aborted or self.answer is not None)

    cdef bint has_more_to_do(self) noexcept nogil:
        """Something can go on now that could not when it was stopped."""
        return not self.aborted and (self.answer is not None or self.stopped) and not self.too_much_waits()

    cdef bint store_is_behind(self) noexcept nogil:
        return self.service.broker.outbox.backlog(self.heavy) > self.service.store_backlog

    cdef bint handle(self, const Packet* packet) noexcept nogil:
        cdef const Row* row = &self.table[packet.type]
        cdef bint done
        if packet.response:
            return self.refuse(b"INVALID_MAGIC", b"Request magic expected")
        if packet.short_of_arguments:
            return self.refuse(b"INVALID_PACKET", TOO_FEW[packet.type])
        if row.handler == NULL:
            return self.refuse(b"INVALID_COMMAND", b"Command not expected")
        self.service.round.handling = True
        done = row.handler(self, packet, row)
        self.service.round.handling = False
        if self.service.round.late.body.size > 0:
            self.outlet.stay(1)                   # it may lie in our reader's memory
            (<Outlet>self.service.round.late.outlet).send_late()
            self.outlet.stay(-1)
        return done

    # --- admin lines ---

    cdef bint handle_text(self, const Packet* packet) noexcept nogil:
        if self.lacks_python():
            return True
        with gil:
            return self.handle_line(packet)

    cdef bint handle_line(self, const Packet* packet) noexcept:
        """False: it has failed."""
        self.spoke_text = True
        try:
            self.answer_line(packet)
            return True
        except Exception as error:
            self.fail(error)
            return False

    cdef int answer_line(self, const Packet* packet) except -1:
        """By somebody else's Python, which may call the broker."""
        cdef bytes line = packet.body.data[:packet.body.size]
        cdef Pause pause = self.service.pause()
        try:
            answer = None if self.service.admin is None else self.service.admin(self, line)
        finally:
            self.service.resume(pause)
        if answer is None:
            self.closing = True
        elif isinstance(answer, bytes):
            need(self.to.write(<const char*>(<bytes>answer), len(<bytes>answer)))
        else:
            self.answer = answer
            self.held = self.to = self.writer()
        self.outlet.ready()
        return 0

    cdef int next_slice(self) except -1:
        """One slice of the answer into the output; packets held behind it follow when it is complete."""
        cdef bytes part
        cdef Pause pause = self.service.pause()
        try:
            part = next(self.answer, None)
        finally:
            self.service.resume(pause)
        if self.answer is None:                    # meanwhile the peer was closed
            return 0
        if part is not None:
            need(self.out.write(<const char*>part, len(part)))
        else:
            self.answer = None
            self.to = self.out
            need(self.out.append(self.held))
            self.held = None
        self.outlet.ready()
        return 0

    # --- out ---

    cdef bint send(self, uint32_t type, const char* body, size_t size) noexcept nogil:
        cdef char* at
        if size >= LARGE:
            return self.begin(type, 0, Slice(body, size)) != NULL and self.finish(Slice(body, size))
        at = self.packet(type, size)
        if at == NULL:
            return False
        if size > 0:
            memcpy(at, body, size)
        self.outlet.ready()
        return True

    cdef char* packet(self, uint32_t type, size_t size) noexcept nogil:
        return self.to.packet(type, size)

    cdef bint deliver(self, uint32_t type, Slice body, size_t times) noexcept nogil:
        cdef char* at
        if body.size >= LARGE and times == 1:
            return self.deliver_large(type, body)
        if not self.to.make_room((HEADER_SIZE + body.size) * times):
            return False
        at = self.to.packet(type, body.size)
        if body.size > 0:
            memcpy(at, body.data, body.size)
        if times > 1:
            self.to.repeat(HEADER_SIZE + body.size, times - 1)
        self.outlet.ready()
        return True

    cdef bint deliver_large(self, uint32_t type, Slice body) noexcept nogil:
        cdef size_t gone
        if self.to.begin(type, body.size, 0) == NULL:
            return False
        gone = self.send_along(body)
        self.outlet.ready()
        return self.to.write(body.data + gone, body.size - gone)

    cdef char* begin(self, uint32_t type, size_t size, Slice rest) noexcept nogil:
        return self.to.begin(type, size + rest.size, size)

    cdef bint finish(self, Slice rest) noexcept nogil:
        cdef size_t gone = self.send_along(rest) if rest.size >= LARGE else 0
        self.outlet.ready()
        return self.to.write(rest.data + gone, rest.size - gone)

    cdef size_t send_along(self, Slice rest) noexcept nogil:
        """A large rest goes out at once, if it can, straight from where it lies: neither kept nor copied."""
        return self.outlet.send_along(rest) if self.to is self.out and not self.aborted else 0

    cdef bint send_handle(self, uint32_t type, uint64_t number) noexcept nogil:
        cdef Slice handle = self.service.broker.handles.spell(number)
        return self.send(type, handle.data, handle.size)

    cdef bint refuse(self, const char* code, const char* text) noexcept nogil:
        return self.refuse_because(code, text, Slice(NULL, 0))

    cdef bint refuse_because(self, const char* code, const char* text, Slice reason) noexcept nogil:
        """Answer with an ERROR; the stream stays in step. Logged once per connection, so that no peer can flood the log."""
        cdef char* at
        reason = cut_at_nul(reason)
        at = self.packet(ERROR, strlen(code) + 1 + strlen(text) + reason.size)
        if at == NULL:
            return False
        memcpy(at, code, strlen(code) + 1)
        at += strlen(code) + 1
        memcpy(at, text, strlen(text))
        if reason.size > 0:
            memcpy(at + strlen(text), reason.data, reason.size)
        if not self.refused_before:
            self.refused_before = True
            self.log_refusal(code, text, reason)
        self.outlet.ready()
        return True

    cdef void log_refusal(self, const char* code, const char* text, Slice reason) noexcept nogil:
        cdef Slice between = slice_of_text(b": ")
        cdef Slice[6] line = [self.origin, between, slice_of_text(code), between, slice_of_text(text), reason]
        self.service.notes.write_down(WARNING, line, 6)        # without memory it is missing: its peer was told

    cdef bint check(self, Reported reported, const char* text) noexcept nogil:
        return reported != UNKNOWN or self.refuse(b"JOB_NOT_FOUND", text)

    cdef bint call_itself(self, Slice name) noexcept nogil:
        cdef char* kept = <char*>malloc(name.size + 1)         # it may be empty
        if kept == NULL:
            return False
        if name.size > 0:
            memcpy(kept, name.data, name.size)
        free(<void*>self.client.data)
        self.client = Slice(kept, name.size)
        return True

    # --- the end ---

    cdef void fail(self, object error) noexcept:
        """This peer cannot be served any further; the others never notice."""
        cdef bytes code = b""
        try:
            if isinstance(error, ProtocolError):
                code = error.code.encode()
                self.service.notes.say(logs.WARNING, "%s: closed: %s", (self.address.decode(), error))
            else:
                self.service.notes.say(logs.ERROR, "%s: closed: %r", (self.address.decode(), error))
            if code:
                self.refused_before = True
                need(self.refuse(code, str(error).encode()))
        except MemoryError:
            self.aborted = True
        self.closing = True
        self.outlet.ready()

    cdef void abort_for(self, Trouble trouble) noexcept nogil:
        """While the broker works: `disconnect` says why."""
        self.aborted = True
        self.trouble = trouble
        self.outlet.ready()

    cdef void disconnect(self) noexcept:
        """The peer is gone, or as good as gone."""
        self.closing = True
        self.answer = None
        lock_enter()
        try:
            self.service.sessions.pop(self.serial, None)
            if self.trouble != NONE:
                self.service.notes.say(logs.WARNING, "%s: closed: %s", (self.address.decode(), TROUBLES[self.trouble]))
        except Exception as error:
            self.service.notes.log.error("%s: %r", self.address, error)
        self.service.broker.disconnect(self, self.service.round.now)
        lock_leave()

    def abort(self):
        """Close the connection at once; at the end of the turn, if the broker is at work."""
        if lock_is_mine():
            self.aborted = True
            self.outlet.ready()
        else:
            self.outlet.abort()

    # --- what the broker asks of a peer, while it works ---

    cdef void wake(self) noexcept nogil:
        if not self.deliver(NOOP, Slice(NULL, 0), 1):
            self.abort_for(NO_MEMORY)

    cdef bint notify(self, Report kind, uint64_t number, const char* body, size_t size, uint32_t count) noexcept nogil:
        cdef size_t waiting = self.out.waiting() + (0 if self.held is None else self.held.waiting())
        cdef uint32_t type = REPORT_TYPES[<int>kind]
        cdef Slice told = Slice(body, size)
        if self.aborted:
            return False
        if body == NULL or (kind == EXCEPTION and not self.exceptions):
            type = WORK_FAIL
            told = self.service.broker.handles.spell(number)
        if waiting > self.service.output_limit or (
            count > 1 and waiting + count * (HEADER_SIZE + told.size) > self.service.output_limit
        ):
            self.abort_for(DEAF)
        elif not self.deliver(type, told, count):
            self.abort_for(NO_MEMORY)
        return not self.aborted
