"""Dead letters of a broker."""

from gearfast.broker.job cimport DEAD, Past, job_payload, job_unique
from gearfast.broker.jobtable cimport MIN_SCAN
from gearfast.broker.functions cimport functions_find
from gearfast.broker.past cimport last_error, past_of
from gearfast.ground.index cimport Cursor, cursor_number, cursor_of
from gearfast.ground.lock cimport lock_enter, lock_enter_walk, lock_leave, lock_leave_walk
from gearfast.ground.slice cimport Slice, slice_of


cdef class DeadLetters:
    def __cinit__(self, Broker broker not None):
        self.broker = broker

    def __len__(self):
        lock_enter()
        cdef size_t count = self.broker.dead
        lock_leave()
        return count

    cdef Job* find(self, Slice handle) noexcept nogil:
        cdef Job* job = self.broker.find_named(handle)
        return job if job != NULL and job.state == DEAD else NULL

    cdef Function* function(self, Slice name) noexcept nogil:
        return functions_find(&self.broker.functions, name)

    # --- looked at ---

    cdef tuple dead_row(self, const Job* job):
        cdef Past past = past_of(job)
        cdef Slice unique = job_unique(job), name = (<Function*>job.home).name, error = last_error(job)
        return (self.broker.handles.format(job.number), name.data[:name.size], job.priority, unique.data[:unique.size],
                job.payload_size, job.attempts, past.submitted, past.started, past.failed, error.data[:error.size])

    def scan(self, start):
        cdef Cursor cursor = cursor_of(start)
        cdef Job* found[MIN_SCAN]
        cdef bint collects = lock_enter_walk()
        cdef int count = self.broker.scan(&cursor, found), at
        try:
            return cursor_number(cursor), [self.dead_row(found[at]) for at in range(count) if found[at].state == DEAD]
        finally:
            lock_leave_walk(collects)

    def show(self, bytes handle not None, size_t most):
        cdef Slice payload
        cdef bint collects = lock_enter_walk()
        cdef const Job* job = self.find(slice_of(handle))
        try:
            if job == NULL:
                return None
            payload = job_payload(job)
            return (*self.dead_row(job), payload.data[:min(payload.size, most)])
        finally:
            lock_leave_walk(collects)

    def count(self, bytes function not None):
        lock_enter()
        cdef const Function* found = self.function(slice_of(function))
        cdef size_t count = 0 if found == NULL else found.dead.count
        lock_leave()
        return count

    # --- tried anew, forgotten ---

    def kick_job(self, bytes handle not None, double now):
        cdef Job* job
        self.broker.enter()
        job = self.find(slice_of(handle))
        if job != NULL:
            self.broker.kick(job, now)
        self.broker.rest()
        return job != NULL

    def kick(self, bytes function not None, size_t most, double now):
        cdef size_t count = 0
        cdef Function* found
        self.broker.enter()
        found = self.function(slice_of(function))
        while found != NULL and count < most and found.dead.count > 0:
            self.broker.kick(found.dead.head, now)
            count += 1
        self.broker.rest()
        return count

    def discard_job(self, bytes handle not None):
        cdef Job* job
        self.broker.enter()
        job = self.find(slice_of(handle))
        if job != NULL:
            self.broker.discard(job)
        self.broker.rest()
        return job != NULL

    def discard(self, bytes function not None, size_t most):
        cdef size_t count = 0, left
        cdef Function* found
        self.broker.enter()
        found = self.function(slice_of(function))
        left = 0 if found == NULL else min(most, found.dead.count)
        for count in range(left):                  # the function may go with the last one
            self.broker.discard(found.dead.head)
        self.broker.rest()
        return left
