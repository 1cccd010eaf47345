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
from gearfast.broker.estate cimport Submission
from gearfast.broker.inprocess cimport InProcessPeer
from gearfast.broker.job cimport Job
from gearfast.broker.peer cimport Report
from gearfast.broker.submits cimport CREATED

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
    cdef Submission wanted = Submission(slice_of(function), Slice(NULL, 0), Slice(NULL, 0), Slice(NULL, 0), Slice(NULL, 0), 1, True)
    cdef Job* job = NULL
    cdef int created = 0
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
