"""One connection's talk with the server: requests in, packets and admin text out (protocol section 1)."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, strlen

from gearfast.broker cimport NO_NUMBERS, QUEUE_FULL, UNKNOWN
from gearfast.fence cimport Fence, fences_add, fences_close, fences_pass
from gearfast.jobqueue cimport Job
from gearfast.packet cimport (
    ERROR, HEADER_SIZE, JOB_CREATED, NOOP, READY, TEXT, UNFENCED, WORK_COMPLETE, WORK_DATA, WORK_EXCEPTION, WORK_FAIL,
    WORK_STATUS, WORK_WARNING, body_size,
)
from gearfast.peer cimport EXCEPTION

from gearfast import config as limits
from gearfast import logs
from gearfast.errors import ProtocolError
from gearfast.packet import PacketType as PacketName

cdef size_t MOST_UNIQUE = limits.UNIQUE_SIZE
cdef size_t LARGE = limits.LARGE_BODY
cdef uint32_t[6] REPORT_TYPES = [WORK_DATA, WORK_WARNING, WORK_STATUS, WORK_COMPLETE, WORK_FAIL, WORK_EXCEPTION]


cdef class Outlet:
    cdef void ready(self) noexcept:
        pass

    cdef size_t send_along(self, Slice rest) noexcept:
        return 0

    def close(self):
        """Close the connection at once."""


cdef class Service:
    def __cinit__(self, Broker broker not None, config not None, log not None, admin=None):
        self.broker = broker
        self.admin = admin
        self.log = log
        self.log_jobs = False
        self.sessions = {}
        self.opened = 0
        self.exceptions = config.exceptions
        self.max_packet_size = config.max_packet_size
        self.output_pause = config.output_pause
        self.output_limit = config.output_limit
        self.now = 0
        self.fenced = []
        self.store_backlog = config.store_backlog
        self.largest = <size_t>-1
        self.write = None

    def keep_in(self, size_t largest, write):
        """There is a store: it takes jobs of so many bytes, and `write` has it take what is gathered."""
        self.largest = largest
        self.write = write

    def settle(self):
        """The store has written something: who waited for that may be told."""
        cdef uint64_t settled = self.broker.journal.first
        cdef Session session
        cdef list fenced = self.fenced
        self.fenced = []
        for session in fenced:
            if not session.let_go(settled):
                self.fenced.append(session)

    def refuse_jobs(self, set numbers not None, bytes text not None):
        """The store did not take these jobs: who waits for one of them is told why."""
        cdef Session session
        for session in self.fenced:
            try:
                session.refuse_jobs(numbers, text)
            except MemoryError:                    # half written anew: nothing of it may be sent
                session.cut = True
                session.outlet.ready()


@cython.final
cdef class Session(Peer):
    def __cinit__(self, Service service not None, Outlet outlet not None, int fd, bytes address not None):
        self.service = service
        self.outlet = outlet
        self.reader = PacketReader(service.max_packet_size)
        self.out = self.to = PacketWriter()
        self.fd = fd
        self.address = address
        self.client_id = b"-"
        self.exceptions = service.exceptions
        service.opened += 1
        self.serial = service.opened
        service.sessions[self.serial] = self

    def __dealloc__(self):
        fences_close(&self.fences)

    # --- in ---

    cdef void take(self) noexcept:
        cdef Packet packet
        try:
            while self.wants_input() and self.reader.next(&packet) == READY:
                if packet.type == TEXT:
                    self.handle_line(&packet)
                else:
                    self.handle(&packet)
                if self.too_much_waits():
                    self.stopped = True
            self.reader.finish()
        except Exception as error:
            self.give_up(error)

    cdef void go_on(self) noexcept:
        """Output has drained, or a slice of a long answer may follow."""
        try:
            if self.answer is not None:
                self.next_slice()
        except Exception as error:
            self.give_up(error)
        if self.answer is None and not self.too_much_waits():
            self.stopped = False
            self.reader.again()
            self.take()

    cdef bint wants_input(self) noexcept:
        return not (self.stopped or self.ended or self.cut or self.answer is not None)

    cdef bint has_more_to_do(self) noexcept:
        """Something can go on now that could not when it was stopped."""
        return not self.cut and (self.answer is not None or self.stopped) and not self.too_much_waits()

    cdef bint too_much_waits(self) noexcept:
        return self.out.waiting() > self.service.output_pause or (
            self.fences.count > 0 and self.service.broker.journal.bytes > self.service.store_backlog
        )

    cdef int handle(self, const Packet* packet) except -1:
        cdef const Row* row = &self.service.table[packet.type]
        if packet.response:
            return self.refuse(b"INVALID_MAGIC", b"Request magic expected")
        if packet.short_of_arguments:
            return self.refuse(b"INVALID_PACKET", b"Too few arguments for " + PacketName(packet.type).name.encode())
        if row.handler == NULL:
            return self.refuse(b"INVALID_COMMAND", b"Command not expected")
        return row.handler(self, packet, row)

    cdef int handle_line(self, const Packet* packet) except -1:
        answer = None
        if self.service.admin is not None:
            answer = self.service.admin(self, packet.body.data[:packet.body.size])
        if answer is None:
            self.ended = True
            self.outlet.ready()
        elif isinstance(answer, bytes):
            self.to.write(<const char*>(<bytes>answer), len(<bytes>answer))
            self.outlet.ready()
        else:
            self.answer = answer
            self.held = self.to = PacketWriter()
            self.next_slice()
        return 0

    cdef int next_slice(self) except -1:
        """One slice of the answer into the output; packets held behind it follow when it is complete."""
        cdef bytes part = next(self.answer, None)
        if part is not None:
            self.out.write(part, len(part))
        else:
            self.answer = None
            self.to = self.out
            self.out.append(self.held)
            self.held = None
        self.outlet.ready()
        return 0

    # --- out ---

    cdef int send(self, uint32_t type, const char* body, size_t size) except -1:
        cdef char* at
        if size >= LARGE:
            self.begin(type, 0, Slice(body, size))
            return self.finish(Slice(body, size))
        at = self.to.packet(type, size)
        if size > 0:
            memcpy(at, body, size)
        self.outlet.ready()
        return 0

    cdef char* begin(self, uint32_t type, size_t size, Slice rest) except NULL:
        return self.to.begin(type, size + rest.size, size)

    cdef int finish(self, Slice rest) except -1:
        """A large rest goes out at once, if it can, straight from where it lies: neither kept nor copied."""
        cdef size_t gone = 0
        if rest.size >= LARGE and self.to is self.out and not self.cut:
            gone = self.outlet.send_along(rest)
        self.to.write(rest.data + gone, rest.size - gone)
        self.outlet.ready()
        return 0

    cdef int send_handle(self, uint32_t type, uint64_t number) except -1:
        cdef Slice handle = self.service.broker.handles.spell(number)
        return self.send(type, handle.data, handle.size)

    cdef int refuse(self, const char* code, const char* text) except -1:
        """Answer with an ERROR; the stream stays in step. Logged once per connection, so that no peer can flood the log."""
        cdef char* at = self.to.packet(ERROR, strlen(code) + 1 + strlen(text))
        memcpy(at, code, strlen(code) + 1)
        memcpy(at + strlen(code) + 1, text, strlen(text))
        if not self.refused_before:
            self.refused_before = True
            self.service.log.warning("%s: %s: %s", self.address.decode(), code.decode(), text.decode())
        self.outlet.ready()
        return 0

    cdef int check(self, Reported reported, const char* text) except -1:
        if reported == UNKNOWN:
            return self.refuse(b"JOB_NOT_FOUND", text)
        return 0

    cdef void give_up(self, object error) noexcept:
        """This peer cannot be served any further; the others never notice."""
        cdef bytes code = b""
        if isinstance(error, ProtocolError):
            code = error.code.encode()
            self.service.log.warning("%s: closed: %s", self.address.decode(), error)
        else:
            self.service.log.error("%s: closed: %r", self.address.decode(), error)
        try:
            if code:
                self.refused_before = True
                self.refuse(code, str(error).encode())
        except MemoryError:
            self.cut = True
        self.ended = True
        self.outlet.ready()

    cdef void closed(self) noexcept:
        """The peer is gone, or as good as gone."""
        self.ended = True
        self.answer = None
        self.service.sessions.pop(self.serial, None)
        self.service.broker.disconnect(self, self.service.now)

    def hang_up(self):
        """Close the connection at once."""
        self.outlet.close()

    # --- what the broker asks of a peer ---

    cdef void wake(self) noexcept:
        try:
            self.send(NOOP, NULL, 0)
        except Exception as error:
            self.give_up(error)

    cdef void report(self, Report kind, uint64_t number, const char* body, size_t size) noexcept:
        if self.cut:
            return
        try:
            if self.out.waiting() + (0 if self.held is None else self.held.waiting()) > self.service.output_limit:
                self.cut = True
                raise ProtocolError("it does not read its results, and more than output_limit bytes of them wait")
            if body == NULL or (kind == EXCEPTION and not self.exceptions):
                self.send_handle(WORK_FAIL, number)
            else:
                self.send(REPORT_TYPES[<int>kind], body, size)
        except Exception as error:
            self.give_up(error)

    cdef int submit(self, const Submission* wanted) except -1:
        cdef Job* job = NULL
        cdef int submitted
        if wanted.unique.size > MOST_UNIQUE or wanted.reducer.size > MOST_UNIQUE:
            return self.refuse(b"ARGUMENT_TOO_LARGE", b"Unique value too large")
        if wanted.background and wanted.function.size + wanted.unique.size + wanted.payload.size > self.service.largest:
            return self.refuse(b"QUEUE_ERROR", b"The store takes jobs of at most %d bytes" % self.service.largest)
        try:
            submitted = self.service.broker.submit(self, wanted, self.service.now, &job)
        except MemoryError as error:
            return self.refuse(b"QUEUE_ERROR", str(error).encode())
        if submitted == QUEUE_FULL:
            return self.refuse(b"QUEUE_ERROR", b"Job queue is full")
        if submitted == NO_NUMBERS:
            return self.refuse(b"QUEUE_ERROR", b"No job numbers are left until the store is back")
        if self.service.log_jobs:
            self.service.log.log(logs.NOTICE, "accepted,%s,%s,%.0f", text(wanted.function), text(wanted.unique), wanted.due)
        if wanted.background and self.service.broker.journal.expects(job):
            return self.send_after_store(job)
        return self.send_handle(JOB_CREATED, job.number)

    # --- answers that wait for the store ---

    cdef int send_after_store(self, const Job* job) except -1:
        cdef uint64_t place = self.out.base + self.out.size
        fences_add(&self.fences, Fence(self.service.broker.journal.ticket(job), job.number, place))
        if self.fences.count == 1:
            self.out.fence = place
            self.service.fenced.append(self)
        try:
            return self.send_handle(JOB_CREATED, job.number)
        except MemoryError:                        # a fence is never without its packet
            self.fences.count -= 1
            if self.fences.count == 0:
                self.out.fence = UNFENCED
            raise

    cdef bint let_go(self, uint64_t settled) noexcept:
        cdef uint32_t before = self.fences.count
        fences_pass(&self.fences, settled)
        self.out.fence = UNFENCED if self.fences.count == 0 else self.fences.fence[self.fences.first].place
        if self.fences.count < before:
            self.outlet.ready()
        return self.fences.count == 0

    cdef int refuse_jobs(self, set numbers, bytes text) except -1:
        """Write the answers anew from the first fence on: an ERROR in place of each JOB_CREATED for one of these."""
        cdef PacketWriter old = self.out, to = self.to, new = PacketWriter()
        cdef Fence* fence = self.fences.fence + self.fences.first
        cdef uint32_t count = self.fences.count, at
        cdef size_t place = old.sent, start, size
        new.base = old.base + old.sent
        self.out = self.to = new
        self.fences.count = 0
        for at in range(count):
            start = <size_t>(fence[at].place - old.base)
            size = HEADER_SIZE + body_size(old.data + start)
            new.write(old.data + place, start - place)
            place = start + size
            if fence[at].number in numbers:
                self.refuse(b"QUEUE_ERROR", text)
            else:
                fence[self.fences.count] = fence[at]
                fence[self.fences.count].place = new.base + new.size
                self.fences.count += 1
                new.write(old.data + start, size)
        new.write(old.data + place, old.size - place)
        if to is not old:                          # a long answer goes on, and packets wait behind it
            self.to = to
        self.let_go(0)
        return 0


cdef str text(Slice slice):
    return slice.data[:slice.size].decode("utf-8", "backslashreplace")
