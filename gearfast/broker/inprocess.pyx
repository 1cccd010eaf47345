"""A peer inside this process (protocol sections 2 and 3, without the packets)."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from gearfast.broker.broker cimport ASLEEP, NO_ROOM_TO_SLEEP
from gearfast.broker.submits cimport NO_MEMORY, QUEUE_FULL
from gearfast.broker.job cimport DEAD, ENDED, RUNNING, SCHEDULED, Job, job_payload, job_unique
from gearfast.broker.estate cimport Submission, submission_of
from gearfast.broker.peer cimport DATA, EXCEPTION, FAIL, STATUS
from gearfast.broker.functions cimport Function
from gearfast.ground.gathered cimport Gathered, gathered_make_room, gathered_put, gathered_take
from gearfast.ground.lock cimport lock_enter, lock_enter_walk, lock_leave, lock_leave_walk
from gearfast.ground.slice cimport Slice, slice_of

from gearfast.broker.broker import Reported as ReportedName
from gearfast.broker.peer import Report as ReportName
from gearfast.protocol.parameters cimport AT, DUPLICATE

from gearfast.protocol import parameters as parameter_texts

cdef enum:
    WAKE = -1
    FIRST_ROOM = 256      # bytes of what it was told

cdef size_t MAX_PAYLOAD = 0xFFFFFFFF
cdef set LASTING_KEYS = {"retries", "backoff", "timeout", "ttl", "unique_ttl", "duplicate", "graceful", "cron", "tz", "overlap", "catchup"}

cdef tuple KINDS = tuple(ReportName)


@cython.no_gc_clear
cdef class InProcessPeer(Peer):
    def __cinit__(self, Broker broker not None):
        self.broker = broker
        self.news = []

    def __dealloc__(self):
        if self.broker is not None:                # else it was not made: its arguments were wrong
            self.broker.forget(self)
        free(self.told.data)

    # --- what the broker tells it ---

    cdef void wake(self) noexcept nogil:
        self.keep(Told(WAKE, 1, 0, 0, True), NULL)

    cdef bint notify(self, Report kind, uint64_t number, const char* body, size_t size, uint32_t count) noexcept nogil:
        self.keep(Told(kind, count, number, size, body == NULL), body)
        return True

    cdef void keep(self, Told told, const char* body) noexcept nogil:
        if not gathered_make_room(&self.told, sizeof(Told) + told.size, FIRST_ROOM, <size_t>-1):
            self.deaf = True
            return
        gathered_put(&self.told, &told, sizeof(Told))
        gathered_put(&self.told, body, told.size)

    @property
    def heard(self):
        cdef Gathered all
        cdef size_t at = 0
        cdef bint deaf
        cdef Told told
        lock_enter()
        all, deaf = gathered_take(&self.told), self.deaf
        self.deaf = False
        lock_leave()
        try:
            while at < all.size:
                memcpy(&told, all.data + at, sizeof(Told))
                at += sizeof(Told)
                self.news += [as_heard(self.broker, told, all.data + at)] * told.count
                at += told.size
        finally:
            free(all.data)
        if deaf:
            raise MemoryError("there was no memory for all that the peer was told")
        return self.news

    # --- as a client ---

    def submit(self, bytes function not None, bytes payload=b"", bytes unique=b"", *, int priority=1,
               bint background=False, double due=0.0, bytes parameters=b"", double now=0.0):
        cdef Submission wanted = submission_of(slice_of(function), slice_of(unique), slice_of(payload))
        cdef Job* job = NULL
        cdef uint64_t number
        wanted.policy = slice_of(parameters)
        wanted.priority = priority
        wanted.background = background
        wanted.due = due
        wanted.given = AT if due > 0 else 0
        asked = parameter_texts.read(parameters) if parameters else {}
        wanted.given |= DUPLICATE if "duplicate" in asked else 0
        wanted.replaces = asked.get("duplicate") == "replace"
        if not 0 <= priority <= 2:
            raise ValueError(f"a priority is 0 (high), 1 (normal) or 2 (low), not {priority}")
        if len(unique) > 64:
            raise ValueError(f"a unique id has at most 64 bytes, not {len(unique)}")
        if (due > 0 or "cron" in asked) and not background:
            raise ValueError("only a background job can be due later")
        if not due < float("inf"):
            raise ValueError(f"the due time of a job cannot be {due}")
        if not asked.keys() <= LASTING_KEYS:
            raise ValueError(f"a job keeps {", ".join(sorted(LASTING_KEYS))}; give it another time or priority by due and priority")
        if len(payload) > MAX_PAYLOAD:
            raise ValueError(f"a payload has less than 4 GiB, not {len(payload)} bytes")
        is_schedule = "cron" in asked
        self.broker.enter()
        try:
            if is_schedule:
                submitted = self.broker.submit_schedule(&wanted, now, &job)
            else:
                submitted = self.broker.submit(self, &wanted, now, &job)
            if submitted == NO_MEMORY:
                raise MemoryError("no memory for another job")
            if submitted >= QUEUE_FULL:
                return None
            if job.state == ENDED and not background:
                self.broker.tell_ended(self, job)
            number = job.number
        finally:
            self.broker.rest()
        return self.broker.handles.format(number)

    def status(self, bytes handle not None):
        cdef bint collects = lock_enter_walk()
        try:
            return status_of(self.broker.find_named(slice_of(handle)))
        finally:
            lock_leave_walk(collects)

    def status_unique(self, bytes unique not None):
        cdef bint collects = lock_enter_walk()
        try:
            return status_of(self.broker.find_unique(slice_of(unique)))
        finally:
            lock_leave_walk(collects)

    # --- as a worker ---

    def can_do(self, bytes function not None, int timeout=0):
        self.broker.enter()
        try:
            if not self.broker.can_do(self, slice_of(function), timeout):
                raise MemoryError("no memory for another ability")
        finally:
            self.broker.rest()

    def cant_do(self, bytes function not None, double now=0.0):
        self.broker.enter()
        try:
            self.broker.cant_do(self, slice_of(function), now)
        finally:
            self.broker.rest()

    def reset_abilities(self, double now=0.0):
        self.broker.enter()
        try:
            if not self.broker.reset_abilities(self, now):
                raise MemoryError("no memory for another worker")
        finally:
            self.broker.rest()

    def grab(self, double now=0.0):
        cdef Job* job
        cdef Slice function, unique, payload
        cdef uint64_t number
        cdef bytes name, its_unique, its_payload
        self.broker.enter()
        try:
            if not self.broker.grab(self, now, &job):
                raise MemoryError("no memory to run another job")
            if job == NULL:
                return None
            function = (<Function*>job.home).name
            unique = job_unique(job)
            payload = job_payload(job)
            number, name = job.number, function.data[:function.size]
            its_unique, its_payload = unique.data[:unique.size], payload.data[:payload.size]
        finally:
            self.broker.rest()
        return self.broker.handles.format(number), name, its_unique, its_payload

    def sleep(self):
        self.broker.enter()
        try:
            slept = self.broker.sleep(self)
            if slept == NO_ROOM_TO_SLEEP:
                raise MemoryError("no memory for another worker")
            return slept == ASLEEP
        finally:
            self.broker.rest()

    def tell(self, bytes handle not None, int kind, bytes body=b"", double now=0.0):
        if not <int>DATA <= kind <= <int>EXCEPTION:
            raise ValueError(f"a worker cannot report a {kind}")
        if kind == STATUS:
            raise ValueError("a STATUS has two numbers: use progress()")
        # as a packet of the wire says it, whoever the clients are
        cdef uint64_t number = self.broker.handles.parse(handle, len(handle))
        cdef bytes whole = handle if kind == FAIL else handle + b"\0" + (body or b"")
        self.broker.enter()
        reported = self.broker.report(self, number, <Report>kind, whole, len(whole), now)
        self.broker.rest()
        return ReportedName(reported)

    def progress(self, bytes handle not None, uint32_t numerator, uint32_t denominator, double now=0.0):
        cdef uint64_t number = self.broker.handles.parse(handle, len(handle))
        cdef bytes whole = b"%b\0%d\0%d" % (handle, numerator, denominator)
        self.broker.enter()
        reported = self.broker.progress(self, number, numerator, denominator, whole, len(whole), now)
        self.broker.rest()
        return ReportedName(reported)

    # --- as both ---

    def disconnect(self, double now=0.0):
        self.broker.enter()
        self.broker.disconnect(self, now)
        self.broker.rest()


cdef object as_heard(Broker broker, Told told, const char* body):
    cdef bytes handle
    if told.kind == WAKE:
        return ("wake",)
    handle = broker.handles.format(told.number)
    if told.empty or told.kind == FAIL:
        return KINDS[told.kind], handle, None if told.empty else b""
    return KINDS[told.kind], handle, body[len(handle) + 1:told.size]          # behind the handle and its NUL


cdef object status_of(Job* job):
    """(running, numerator, denominator, waiting clients), or None for an unknown job."""
    if job == NULL or (job.state >= DEAD and job.state != SCHEDULED):
        return None
    if job.state != RUNNING:
        return False, 0, 0, job.waiting
    return True, job.place.run.numerator, job.place.run.denominator, job.waiting
