"""Functions, jobs, and what a worker can do, a slice at a time (protocol section 4.2)."""

from gearfast.ground.heap cimport heap_when
from gearfast.ground.index cimport Cursor, Node, cursor_number, cursor_of, index_scan
from gearfast.ground.lock cimport lock_enter, lock_enter_walk, lock_leave, lock_leave_walk
from gearfast.broker.job cimport DEAD, DELAYED, RETRYING, SCHEDULED, Job, Lane, job_policy, job_unique
from gearfast.broker.keeping cimport is_background
from gearfast.broker.past cimport last_error, submitted_at
from gearfast.broker.jobtable cimport MIN_SCAN, jobtable_scan
from gearfast.ground.ring cimport ring_leave, ring_open, ring_prepend
from gearfast.broker.functions cimport Ability, Function, function_of_node, is_place
from gearfast.broker.rotation cimport PRIORITIES
from gearfast.broker.rulebook cimport PAUSED, UNSAID, Gate
from gearfast.broker.schedules cimport Schedule, schedule_date
from gearfast.ground.slice cimport Slice

cdef enum:
    MIN_ROWS = 64           # rows one slice has room for
    MAX_ROWS = 1000

cdef tuple GATES = (None, None, "paused", "drained")
cdef tuple STATES = ("queued", "delayed", "running", "nowhere", "retrying", "buried", "ended", "scheduled")


cdef tuple function_rows(const Index* functions, object start, int most):
    cdef Cursor cursor = cursor_of(start)
    cdef Node* found[MAX_ROWS]
    cdef bint collects = lock_enter_walk()
    cdef int count = index_scan(functions, &cursor, found, min(max(most, MIN_ROWS), MAX_ROWS)), at
    try:
        return cursor_number(cursor), [function_row(function_of_node(found[at])) for at in range(count)]
    finally:
        lock_leave_walk(collects)


cdef tuple figure_rows(const Index* functions, object start, int most):
    cdef Cursor cursor = cursor_of(start)
    cdef Node* found[MAX_ROWS]
    cdef bint collects = lock_enter_walk()
    cdef int count = index_scan(functions, &cursor, found, min(max(most, MIN_ROWS), MAX_ROWS)), at
    try:
        return cursor_number(cursor), [figure_row(function_of_node(found[at])) for at in range(count)]
    finally:
        lock_leave_walk(collects)


cdef tuple figure_row(const Function* function):
    cdef const Lane* lane = function.lanes.lane
    cdef Gate gate = UNSAID
    cdef bytes reason = b""
    if function.rules != NULL and function.rules.gate >= PAUSED:
        gate, reason = function.rules.gate, function.rules.reason.data[:function.rules.reason.size]
    return (function.name.data[:function.name.size], function.total, function.running, function.workers,
            lane[0].count, lane[1].count, lane[2].count, function.delayed[0] + function.delayed[1] + function.delayed[2],
            function.dead.count, function.dead_bytes, function.schedules, GATES[gate], reason)


cdef tuple job_rows(const JobTable* jobs, Handles handles, object start, int most):
    cdef Cursor cursor = cursor_of(start)
    cdef Job* found[MAX_ROWS]
    cdef bint collects = lock_enter_walk()
    cdef int count = jobtable_scan(jobs, &cursor, found, min(max(most, MIN_SCAN), MAX_ROWS)), at
    try:
        return cursor_number(cursor), [job_row(handles, found[at]) for at in range(count) if found[at].state < DEAD]
    finally:
        lock_leave_walk(collects)


cdef tuple delayed_rows(const JobTable* jobs, Handles handles, const Heap* delayed, const Heap* retrying,
                        object start, int most):
    cdef Cursor cursor = cursor_of(start)
    cdef Job* found[MAX_ROWS]
    cdef bint collects = lock_enter_walk()
    cdef int count = jobtable_scan(jobs, &cursor, found, min(max(most, MIN_SCAN), MAX_ROWS)), at
    try:
        return cursor_number(cursor), [
            delayed_row(handles, found[at], delayed, retrying)
            for at in range(count)
            if found[at].state == DELAYED or found[at].state == RETRYING
        ]
    finally:
        lock_leave_walk(collects)


cdef double moment_of(const Job* job, const Heap* delayed, const Heap* retrying) noexcept nogil:
    if job.state == DELAYED:
        return heap_when(delayed, job.place.due)
    if job.state == SCHEDULED:
        return schedule_date(<const Schedule*>job.place.schedule)
    return heap_when(retrying, job.place.due) if job.state == RETRYING else 0


cdef tuple delayed_row(Handles handles, const Job* job, const Heap* delayed, const Heap* retrying):
    cdef Slice unique = job_unique(job), name = (<Function*>job.home).name
    return (moment_of(job, delayed, retrying), handles.format(job.number), name.data[:name.size], job.priority,
            unique.data[:unique.size], job.payload_size, job.state == RETRYING)


cdef tuple job_figures(const Job* job, double due, object holder):
    cdef Slice unique = job_unique(job), name = (<Function*>job.home).name, asked = Slice(NULL, 0)
    cdef Slice error = last_error(job)
    if job_policy(job) != NULL:
        asked = job_policy(job).text
    return (STATES[job.state], name.data[:name.size], job.priority, unique.data[:unique.size], job.payload_size,
            job.attempts, due, bool(is_background(job)),
            job.waiting, asked.data[:asked.size], submitted_at(job), holder, error.data[:error.size])


cdef tuple function_row(const Function* function):
    queued = tuple([function.lanes.lane[priority].count + function.delayed[priority] for priority in range(PRIORITIES)])
    return function.name.data[:function.name.size], function.total, function.running, function.workers, queued


cdef tuple job_row(Handles handles, const Job* job):
    cdef Slice unique = job_unique(job)
    background = bool(is_background(job))
    orphan = job.waiters == NULL and not background
    return handles.format(job.number), job.attempts, orphan, background, unique.data[:unique.size]


cdef inline bint is_shown(const Ring* link) noexcept nogil:
    """Whether it is an ability that its worker still has."""
    return not is_place(link) and (<const Ability*>link.owner).worker != NULL


cdef class Abilities:
    def __cinit__(self):
        ring_open(&self.place, &self.place)

    def __dealloc__(self):
        lock_enter()
        if self.place.next != NULL:                        # else it was not made: its arguments were wrong
            ring_leave(&self.place)
        lock_leave()

    cdef void begin(self, Worker* worker) noexcept nogil:
        if worker != NULL:
            ring_prepend(&worker.abilities, &self.place)

    def __iter__(self):
        return self

    def __next__(self):
        cdef Slice name
        cdef Ring* link
        cdef bytes found = None
        lock_enter()
        try:
            link = self.place.next
            while link != &self.place and link.owner != NULL and not is_shown(link):
                link = link.next
            if link != &self.place and link.owner != NULL:             # else its worker is gone, or this is the end
                ring_leave(&self.place)
                ring_prepend(link, &self.place)
                name = (<Ability*>link.owner).function.name
                found = name.data[:name.size]
        finally:
            lock_leave()
        if found is None:
            raise StopIteration
        return found
