"""Python faces of structures that have none, so that tests can drive them with what no client could choose."""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from gearfast.ground.index cimport (
    Cursor, Index, Node, cursor_number, cursor_of, index_add, index_close, index_open, index_remove, index_scan,
    index_unlink_all,
)
from gearfast.ground.lock cimport lock_enter, lock_give, lock_leave, lock_take
from gearfast.ground.slice cimport Slice, slice_of
from gearfast.broker.broker cimport Broker
from gearfast.broker.estate cimport Submission, submission_of
from gearfast.broker.inprocess cimport InProcessPeer
from gearfast.broker.job cimport Job, job_free, job_new, job_payload, job_room, job_size, jobs_stay
from gearfast.broker.peer cimport Report
from gearfast.broker.submits cimport CREATED
from gearfast.protocol.packet cimport UNFENCED, PacketWriter

cdef struct Entry:
    Node node
    uint64_t name


cdef class IndexFace:
    """An index of entries with names and hashes of the caller's choice."""
    cdef Index index
    cdef dict places              # name -> address

    def __cinit__(self):
        self.places = {}
        if not index_open(&self.index):
            raise MemoryError

    def __dealloc__(self):
        for place in self.places.values():
            free(<Entry*><size_t>place)
        index_close(&self.index)

    def add(self, uint64_t name, uint64_t hash):
        cdef Entry* entry = <Entry*>malloc(sizeof(Entry))
        if entry == NULL:
            raise MemoryError
        entry.name = name
        self.places[name] = <size_t>entry
        index_add(&self.index, &entry.node, hash)

    def remove(self, uint64_t name):
        cdef Entry* entry = <Entry*><size_t>self.places.pop(name)
        index_remove(&self.index, &entry.node)
        free(entry)

    def scan(self, cursor, int most):
        cdef Cursor at = cursor_of(cursor)
        cdef Node** found = <Node**>malloc(most * sizeof(Node*))
        if found == NULL:
            raise MemoryError
        try:
            names = [(<Entry*>found[i]).name for i in range(index_scan(&self.index, &at, found, most))]
            return cursor_number(at), names
        finally:
            free(found)

    def unlink_all(self):
        cdef Node* node = index_unlink_all(&self.index)
        names = []
        while node != NULL:
            names.append((<Entry*>node).name)
            node = node.next
        self.places, gone = {}, self.places
        for place in gone.values():
            free(<Entry*><size_t>place)
        return names

    def __len__(self):
        return self.index.count


cdef class Careless(InProcessPeer):
    """Forgets somebody in the middle of a verb of the broker, which Python's collector could do as well."""
    cdef public object held
    cdef public int wakes

    cdef void wake(self) noexcept nogil:
        with gil:
            self.wakes += 1
            self.held = None

    cdef bint notify(self, Report kind, uint64_t number, const char* body, size_t size, uint32_t count) noexcept nogil:
        with gil:
            self.held = None
        return True


def submit_without_python(Broker broker not None, bytes function not None, int count):
    """So many background jobs, as a thread submits them that has the lock, and not the interpreter."""
    cdef Submission wanted = submission_of(slice_of(function), Slice(NULL, 0), Slice(NULL, 0))
    cdef Job* job = NULL
    cdef int created = 0
    wanted.priority = 1
    wanted.background = True
    with nogil:
        for _ in range(count):
            lock_take()
            created += broker.submit(None, &wanted, 0, &job) == CREATED
            lock_give()
    return created


def with_the_lock(call):
    """What it returns; this thread has the lock meanwhile."""
    lock_enter()
    try:
        return call()
    finally:
        lock_leave()


cdef class StreamFace:
    """What a writer has for its peer, of which some is sent from elsewhere."""
    cdef PacketWriter writer

    def __cinit__(self):
        self.writer = PacketWriter()

    def write(self, bytes more not None):
        assert self.writer.write(more, len(more))

    def leave_out(self, size_t size):
        """So many bytes; where they end."""
        return self.writer.leave_out(size)

    def put_in(self, uint64_t end, bytes left not None):
        """What could not be sent like that."""
        assert self.writer.put_in(end, left, len(left))

    def fence(self, bint there):
        """From here on nothing may be sent."""
        self.writer.fence = self.writer.base + self.writer.size if there else UNFENCED

    def pin(self, bint on):
        """Some of it is read without the lock, or is not any more."""
        if on:
            self.writer.pin()
        else:
            self.writer.unpin()

    def send(self, size_t most):
        """What can be sent, as far as it goes."""
        cdef size_t size = min(most, self.writer.sendable())
        sent = self.writer.data[self.writer.sent:self.writer.sent + size] if size > 0 else b""
        self.writer.sent += size
        return sent

    def waiting(self):
        """Bytes that wait."""
        return self.writer.waiting()

    def place(self):
        """Where the stream ends at present."""
        return self.writer.base + self.writer.size


def read_when_it_has_ended(bytes payload not None, int others):
    """The payload of a job that has ended while it was read, after others of its size were made."""
    cdef Slice nothing = Slice(NULL, 0)
    cdef Job* job
    cdef list jobs = []
    lock_enter()
    job = job_new(nothing, nothing, slice_of(payload), NULL, False, NULL)
    jobs_stay(1)
    job_free(job)
    for other in range(others):
        jobs.append(<size_t>job_new(nothing, nothing, slice_of(bytes(len(payload))), NULL, False, NULL))
    read = job_payload(job).data[:job_payload(job).size]
    jobs_stay(-1)
    for other in jobs:
        job_free(<Job*><size_t>other)
    lock_leave()
    return read


def job_in_room(bytes unique not None, bytes reducer not None, bytes payload not None):
    """A job whose payload was in its place before it was made: the payload, and whether it is all of one piece."""
    cdef char* room = job_room(slice_of(unique), slice_of(reducer), slice_of(payload))
    cdef Job* job
    lock_enter()
    job = job_new(slice_of(unique), slice_of(reducer), slice_of(payload), NULL, False, room)
    there = job_payload(job)
    read = there.data[:there.size]
    whole = <char*>job == room and there.data + there.size == room + job_size(job)
    job_free(job)
    lock_leave()
    return read, whole
