"""Each room of the server by itself: one operation, many times, inside this process.

A benchmark is prepared, then operated between two marks that callgrind stops at. What `prepare` does is not counted.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from gearfast.broker.broker cimport ASLEEP, TAKEN, Broker
from gearfast.broker.submits cimport CREATED
from gearfast.protocol.handle cimport Handles
from gearfast.ground.heap cimport Heap, heap_close, heap_open, heap_pop_due, heap_push
from gearfast.ground.index cimport Index, Node, index_add, index_chain, index_close, index_open, index_remove, keyed_hash
from gearfast.broker.job cimport Job, Lanes, job_free, job_new, lane_push, lane_remove
from gearfast.broker.estate cimport Submission, submission_of
from gearfast.protocol.packet cimport JOB_ASSIGN, JOB_CREATED, READY, Packet, PacketReader, PacketWriter
from gearfast.broker.peer cimport COMPLETE, Peer
from gearfast.ground.slice cimport Slice, slice_of

cdef extern from *:
    """
    /* Named in callgrind's options, so never inlined and never left out. */
    __attribute__((noinline)) void gearfast_count_from_here(void) { __asm__ volatile("" ::: "memory"); }
    __attribute__((noinline)) void gearfast_count_to_here(void) { __asm__ volatile("" ::: "memory"); }
    """
    void count_from_here "gearfast_count_from_here" () noexcept
    void count_to_here "gearfast_count_to_here" () noexcept

cdef enum:
    DEEP = 100_000                # jobs
    MANY = 1_000                  # functions, delayed jobs

cdef Slice NOTHING = Slice(NULL, 0)
cdef bytes FUNCTION = b"benchmark"
cdef bytes PAYLOAD = b"x" * 64


class UnexpectedError(AssertionError):
    """A room did not do what the benchmark asked of it; the figure would mean nothing."""


cdef inline uint64_t scattered(uint64_t number) noexcept nogil:
    return number * 0x9E3779B97F4A7C15u


cdef class Benchmark:
    cdef int prepare(self, int n) except -1:
        return 0

    cdef int operate(self, int n) except -1:
        return 0

    cdef int finish(self) except -1:
        return 0

    def play(self, int n):
        cdef timespec before, after
        if n <= 0 or n % BATCH:
            raise ValueError(f"operations come in multiples of {BATCH}, not {n}")
        self.prepare(n)
        clock_gettime(CLOCK_MONOTONIC, &before)
        count_from_here()
        self.operate(n)
        count_to_here()
        clock_gettime(CLOCK_MONOTONIC, &after)
        self.finish()
        return (after.tv_sec - before.tv_sec) * 1_000_000_000 + after.tv_nsec - before.tv_nsec


# --- packet ---

cdef bytes packed(uint32_t type, bytes body):
    return b"\0REQ" + int(type).to_bytes(4, "big") + len(body).to_bytes(4, "big") + body


cdef class Parse(Benchmark):
    """A packet out of a stream of SUBMIT_JOB_BG, GRAB_JOB_UNIQ, WORK_COMPLETE, PRE_SLEEP."""
    cdef PacketReader reader
    cdef bytes stream

    cdef int prepare(self, int n) except -1:
        self.reader = PacketReader()
        self.stream = (packed(18, FUNCTION + b"\0\0" + PAYLOAD) + packed(30, b"") + packed(13, b"H:localhost:12345\0done")
                       + packed(4, b"")) * (BATCH // 4)
        return 0

    cdef int operate(self, int n) except -1:
        cdef Packet packet
        cdef int seen = 0
        while seen < n:
            self.reader.received(<char*>self.stream, len(self.stream))
            while self.reader.next(&packet) == READY:
                seen += 1
            self.reader.finish()
        if seen != n:
            raise UnexpectedError(f"{seen} packets were found in a stream of {n}")
        return 0


cdef class Pack(Benchmark):
    """A packet into the buffer of what is to be sent."""
    cdef PacketWriter writer
    cdef uint32_t type
    cdef bytes body

    def __init__(self, uint32_t type, bytes body):
        self.type = type
        self.body = body

    cdef int prepare(self, int n) except -1:
        self.writer = PacketWriter()
        return 0

    cdef int operate(self, int n) except -1:
        cdef int i
        cdef size_t size = len(self.body)
        for i in range(n):
            memcpy(self.writer.packet(self.type, size), <const char*>self.body, size)
            if i % BATCH == BATCH - 1:
                self.writer.forget()
        return 0


# --- index, heap, handle ---

cdef class Put(Benchmark):
    """Put an entry into an index, find it, take it out."""
    cdef Index index
    cdef Node* nodes

    cdef int prepare(self, int n) except -1:
        index_open(&self.index)
        self.nodes = <Node*>calloc(n, sizeof(Node))
        if self.nodes == NULL:
            raise MemoryError("no memory for the entries")
        return 0

    cdef int operate(self, int n) except -1:
        cdef int i
        cdef Node* node
        for i in range(n):
            index_add(&self.index, &self.nodes[i], scattered(i) >> 32)
        for i in range(n):
            node = index_chain(&self.index, scattered(i) >> 32)
            while node != &self.nodes[i]:
                node = node.next
        for i in range(n):
            index_remove(&self.index, &self.nodes[i])
        return 0

    cdef int finish(self) except -1:
        index_close(&self.index)
        free(self.nodes)
        return 0


cdef class Hash(Benchmark):
    """Hash a unique id of 36 bytes."""
    cdef uint64_t mixed

    cdef int operate(self, int n) except -1:
        cdef char text[36]
        cdef int i
        memset(text, c"u", sizeof(text))
        for i in range(n):
            memcpy(text, &i, sizeof(i))
            self.mixed ^= keyed_hash(text, sizeof(text))
        return 0


cdef class Due(Benchmark):
    """Push a moment onto a heap of many, pop the soonest."""
    cdef Heap heap
    cdef size_t positions[MANY + 1]

    cdef int prepare(self, int n) except -1:
        cdef int i
        heap_open(&self.heap)
        for i in range(MANY):
            heap_push(&self.heap, <double>(scattered(i) >> 40), i, &self.positions[i], &self.positions[i])
        return 0

    cdef int operate(self, int n) except -1:
        cdef int i
        cdef void* free_place = &self.positions[MANY]
        for i in range(n):
            heap_push(&self.heap, <double>(scattered(MANY + i) >> 40), i, free_place, <size_t*>free_place)
            free_place = heap_pop_due(&self.heap, 1e300)
        return 0

    cdef int finish(self) except -1:
        heap_close(&self.heap)
        return 0


cdef class Handle(Benchmark):
    """Write a job's handle, and read its number back."""
    cdef Handles handles

    cdef int prepare(self, int n) except -1:
        self.handles = Handles(b"H:localhost")
        return 0

    cdef int operate(self, int n) except -1:
        cdef Slice text
        cdef uint64_t number
        cdef int i
        for i in range(n):
            number = 1_000_000 + i
            text = self.handles.spell(number)
            if self.handles.parse(text.data, text.size) != number:
                raise UnexpectedError(f"the handle of {number} is another job's")
        return 0


# --- job ---

cdef class Lane(Benchmark):
    """Make a job and push it behind `depth` others, pop the first and free it."""
    cdef Lanes lanes
    cdef int depth

    def __init__(self, int depth):
        self.depth = depth

    cdef int push(self) except -1:
        cdef Job* job = job_new(NOTHING, NOTHING, slice_of(PAYLOAD), NULL, False, NULL)
        if job == NULL:
            raise MemoryError()
        job.priority = 1
        lane_push(&self.lanes.lane[job.priority], job)
        return 0

    cdef int pop(self) except -1:
        cdef Job* job = self.lanes.lane[1].head
        lane_remove(&self.lanes.lane[job.priority], job)
        job_free(job)
        return 0

    cdef int prepare(self, int n) except -1:
        cdef int i
        memset(&self.lanes, 0, sizeof(self.lanes))
        for i in range(self.depth):
            self.push()
        return 0

    cdef int operate(self, int n) except -1:
        cdef int i
        for i in range(n):
            self.push()
            self.pop()
        return 0

    cdef int finish(self) except -1:
        while self.lanes.lane[1].head != NULL:
            self.pop()
        return 0


# --- broker ---

cdef class Brokered(Benchmark):
    """A broker, a client, a worker."""
    cdef Broker broker
    cdef Peer client
    cdef Peer worker
    cdef Submission wanted
    cdef Job* job

    cdef int prepare(self, int n) except -1:
        self.broker = Broker()
        self.client = Peer()
        self.worker = Peer()
        self.wanted = submission_of(slice_of(FUNCTION), NOTHING, slice_of(PAYLOAD))
        self.wanted.priority = 1
        self.wanted.background = True
        self.broker.can_do(self.worker, slice_of(FUNCTION), 0)
        return 0

    cdef int finish(self) except -1:
        self.broker.disconnect(self.worker, 0)
        self.broker.disconnect(self.client, 0)
        self.broker = None
        return 0

    cdef int submit(self) except -1:
        if self.broker.submit(self.client, &self.wanted, 1.0, &self.job) != CREATED:
            raise UnexpectedError("no job was made")
        return 0

    cdef int work(self) except -1:
        """Grab and complete."""
        cdef Job* job
        self.broker.grab(self.worker, 1.0, &job)
        if job == NULL or self.broker.report(self.worker, job.number, COMPLETE, NULL, 0, 0.0) != TAKEN:
            raise UnexpectedError("there was no job, or its end was not taken")
        return 0


cdef class Submit(Brokered):
    """Submit a background job to a queue that grows."""

    cdef int operate(self, int n) except -1:
        cdef int i
        for i in range(n):
            self.submit()
        return 0


cdef class SubmitUnique(Brokered):
    """The same with unique ids of 36 bytes, each a new one."""
    cdef char text[36]

    cdef int operate(self, int n) except -1:
        cdef int i
        memset(self.text, c"u", sizeof(self.text))
        self.wanted.unique = Slice(&self.text[0], sizeof(self.text))
        for i in range(n):
            memcpy(self.text, &i, sizeof(i))
            self.submit()
        return 0


cdef class Life(Brokered):
    """Submit, grab, complete; `delayed` other jobs are due some day."""
    cdef int delayed

    def __init__(self, int delayed=0):
        self.delayed = delayed

    cdef int prepare(self, int n) except -1:
        cdef int i
        Brokered.prepare(self, n)
        for i in range(self.delayed):
            self.wanted.due = 1e9 + (scattered(i) >> 40)
            self.submit()
        self.wanted.due = 0
        return 0

    cdef int operate(self, int n) except -1:
        cdef int i
        for i in range(n):
            self.submit()
            self.work()
            self.broker.time_left(1.0, 1.0)
        return 0


cdef class Foreground(Brokered):
    """Submit a job that its client waits for, grab, complete."""

    cdef int operate(self, int n) except -1:
        cdef int i
        self.wanted.background = False
        for i in range(n):
            self.submit()
            self.work()
        return 0


cdef class Wake(Brokered):
    """Sleep, submit (which wakes), grab, complete, grab nothing."""

    cdef int operate(self, int n) except -1:
        cdef int i
        cdef Job* job
        for i in range(n):
            if self.broker.sleep(self.worker) != ASLEEP:
                raise UnexpectedError("a worker did not go to sleep")
            self.submit()
            self.work()
            self.broker.grab(self.worker, 1.0, &job)
            if job != NULL:
                raise UnexpectedError("a job came from nowhere")
        return 0


cdef class ManyFunctions(Brokered):
    """Submit, grab, complete by a worker of 1,000 functions, each in turn."""
    cdef list names

    cdef int prepare(self, int n) except -1:
        cdef bytes name
        Brokered.prepare(self, n)
        self.names = [b"function-%03d" % i for i in range(MANY)]
        for name in self.names:
            self.broker.can_do(self.worker, slice_of(name), 0)
        return 0

    cdef int operate(self, int n) except -1:
        cdef int i
        for i in range(n):
            self.wanted.function = slice_of(<bytes>self.names[i % MANY])
            self.submit()
            self.work()
        return 0


ROOMS = {
    "packet: parse": Parse(),
    "packet: pack JOB_CREATED": Pack(JOB_CREATED, b"H:localhost:12345"),
    "packet: pack JOB_ASSIGN": Pack(JOB_ASSIGN, b"H:localhost:12345\0" + FUNCTION + b"\0" + PAYLOAD),
    "index: put, find, remove": Put(),
    "index: hash 36 bytes": Hash(),
    "heap: push, pop of 1,000": Due(),
    "handle: write, parse": Handle(),
    "job: push, pop": Lane(0),
    "job: push, pop behind 100,000": Lane(DEEP),
    "broker: submit": Submit(),
    "broker: submit, new unique id": SubmitUnique(),
    "broker: submit, grab, complete": Life(),
    "broker: the same, 1,000 delayed jobs": Life(MANY),
    "broker: the same, 1,000 functions": ManyFunctions(),
    "broker: the same, a client waits": Foreground(),
    "broker: the same, from sleep to sleep": Wake(),
}
