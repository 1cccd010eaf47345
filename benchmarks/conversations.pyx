"""What a connection says and is answered, without its socket: bytes in, bytes out, through all rooms of the server."""

import logging

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from benchmarks.rooms cimport BATCH, Benchmark, packed
from gearfast.broker.broker cimport Broker
from gearfast.protocol.packet cimport (
    CAN_DO, GRAB_JOB, GRAB_JOB_UNIQ, JOB_ASSIGN, JOB_ASSIGN_UNIQ, JOB_CREATED, NO_JOB, NOOP, PRE_SLEEP, SUBMIT_JOB,
    SUBMIT_JOB_BG, WORK_COMPLETE, PacketType,
)
from gearfast.server.outlet cimport Outlet
from gearfast.server.session cimport Service, Session

from benchmarks.rooms import UnexpectedError
from gearfast.config import Config
from gearfast.server.request import answer_requests

cdef enum:
    RECEIVED = 128 * 1024         # bytes, as the server's own buffer

cdef bytes FUNCTION = b"benchmark"
cdef bytes JOB = FUNCTION + b"\0\0" + b"x" * 64
cdef bytes HANDLE = b"H:localhost:%d"


cdef class Sink(Outlet):
    """Nobody: what is to be sent is taken by `Conversation.answer`."""
    cdef bint is_ready

    cdef void ready(self) noexcept nogil:
        self.is_ready = True


cdef class Conversation(Benchmark):
    """A client and a worker of one server."""
    cdef Service service
    cdef Session client
    cdef Session worker
    cdef char* buffer

    cdef int prepare(self, int n) except -1:
        self.service = Service(Broker(b"H:localhost"), Config(), logging.getLogger("benchmarks"))
        answer_requests(self.service)
        self.service.own.now = 1.0
        self.buffer = <char*>malloc(RECEIVED)
        if self.buffer == NULL:
            raise MemoryError("no memory for the receive buffer")
        self.client = Session(self.service, Sink(), -1, b"client")
        self.worker = Session(self.service, Sink(), -1, b"worker")
        self.ask(self.worker, packed(CAN_DO, FUNCTION))
        return 0

    cdef int finish(self) except -1:
        self.client.disconnect()
        self.worker.disconnect()
        self.service = self.client = self.worker = None
        free(self.buffer)
        return 0

    cdef int ask(self, Session session, bytes request) except -1:
        """What `recv` and the transport do with what has come."""
        cdef size_t room
        cdef char* at = session.reader.begin(self.buffer, RECEIVED, &room)
        if at == NULL:
            raise session.reader.error()
        memcpy(at, <const char*>request, len(request))
        session.reader.received(at, len(request))
        session.take()
        return 0

    cdef int answer(self, Session session, PacketType first) except -1:
        """What `send` and the transport do with what waits; it begins with a packet of this type."""
        if session.out.waiting() == 0 or session.out.data[session.out.sent + 7] != <char>first:
            raise UnexpectedError(f"no packet of type {<int>first} came")
        session.out.sent = session.out.size
        session.out.forget()
        return 0


cdef class Submissions(Conversation):
    """A background job; `pipelined` of them in one segment."""
    cdef int pipelined
    cdef bint unique
    cdef list segments

    def __init__(self, int pipelined, bint unique=False):
        self.pipelined = pipelined
        self.unique = unique

    cdef int prepare(self, int n) except -1:
        cdef int first
        Conversation.prepare(self, n)
        self.segments = []
        for first in range(0, n, self.pipelined):
            jobs = [self.job(number) for number in range(first, first + self.pipelined)]
            self.segments.append(b"".join(jobs))
        return 0

    cdef bytes job(self, int number):
        if not self.unique:
            return packed(SUBMIT_JOB_BG, JOB)
        return packed(SUBMIT_JOB_BG, JOB.replace(b"\0\0", b"\0%036d\0" % number))

    cdef int operate(self, int n) except -1:
        cdef bytes segment
        for segment in self.segments:
            self.ask(self.client, segment)
            self.answer(self.client, JOB_CREATED)
        return 0

    cdef int finish(self) except -1:
        if self.service.broker.job_count != len(self.segments) * self.pipelined:
            raise UnexpectedError("not every job was taken")
        Conversation.finish(self)
        return 0


cdef class Drain(Conversation):
    """WORK_COMPLETE and GRAB_JOB in one segment, answered JOB_ASSIGN."""
    cdef list segments

    cdef int prepare(self, int n) except -1:
        cdef int number
        Conversation.prepare(self, n)
        for number in range(n + 1):
            self.ask(self.client, packed(SUBMIT_JOB_BG, JOB))
            self.answer(self.client, JOB_CREATED)
        self.ask(self.worker, packed(GRAB_JOB, b""))
        self.answer(self.worker, JOB_ASSIGN)
        self.segments = [
            packed(WORK_COMPLETE, HANDLE % number + b"\0done") + packed(GRAB_JOB, b"") for number in range(1, n + 1)
        ]
        return 0

    cdef int operate(self, int n) except -1:
        cdef bytes segment
        for segment in self.segments:
            self.ask(self.worker, segment)
            self.answer(self.worker, JOB_ASSIGN)
        return 0


cdef class RoundTrip(Conversation):
    """A client submits and waits, a sleeping worker is woken, grabs, completes, and goes to sleep again."""
    cdef list results

    cdef int prepare(self, int n) except -1:
        cdef int number
        cdef bytes rest = packed(GRAB_JOB_UNIQ, b"") + packed(PRE_SLEEP, b"")
        Conversation.prepare(self, n)
        self.results = [packed(WORK_COMPLETE, HANDLE % number + b"\0done") + rest for number in range(1, n + 1)]
        self.ask(self.worker, packed(PRE_SLEEP, b""))
        return 0

    cdef int operate(self, int n) except -1:
        cdef bytes result
        cdef bytes job = packed(SUBMIT_JOB, JOB)
        cdef bytes grab = packed(GRAB_JOB_UNIQ, b"")
        for result in self.results:
            self.ask(self.client, job)
            self.answer(self.client, JOB_CREATED)
            self.answer(self.worker, NOOP)
            self.ask(self.worker, grab)
            self.answer(self.worker, JOB_ASSIGN_UNIQ)
            self.ask(self.worker, result)
            self.answer(self.client, WORK_COMPLETE)
            self.answer(self.worker, NO_JOB)
        return 0


CONVERSATIONS = {
    "server: submit, 1 at a time": Submissions(1),
    "server: submit, 100 pipelined": Submissions(BATCH),
    "server: submit, 100 pipelined, unique": Submissions(BATCH, unique=True),
    "server: drain": Drain(),
    "server: round trip": RoundTrip(),
}
