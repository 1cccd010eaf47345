"""A peer inside this process (protocol sections 2 and 3, without the packets)."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t

from gearfast.broker cimport QUEUE_FULL, Submission
from gearfast.peer cimport DATA, EXCEPTION, Report
from gearfast.jobqueue cimport RUNNING, Job, job_payload, job_unique
from gearfast.roster cimport Function
from gearfast.slice cimport Slice

from gearfast.broker import Reported as ReportedName
from gearfast.peer import Report as ReportName

cdef tuple KINDS = tuple(ReportName)


cdef inline Slice slice_of(bytes data):
    return Slice(<const char*>data, len(data))


@cython.no_gc_clear
cdef class InProcessPeer(Peer):
    def __cinit__(self, Broker broker not None):
        self.broker = broker
        self.heard = []

    def __dealloc__(self):
        self.broker.disconnect(self, 0.0)

    cdef void wake(self) noexcept:
        self.heard.append(("wake",))

    cdef void report(self, Report kind, uint64_t number, const char* body, size_t size) noexcept:
        self.heard.append((KINDS[<int>kind], self.broker.handles.format(number), None if body == NULL else body[:size]))

    def submit(self, bytes function not None, bytes payload=b"", bytes unique=b"", *, int priority=1,
               bint background=False, double due=0.0, double now=0.0):
        cdef Submission wanted
        cdef Job* job = NULL
        wanted.function = slice_of(function)
        wanted.unique = slice_of(unique)
        wanted.reducer = Slice(NULL, 0)
        wanted.payload = slice_of(payload)
        wanted.priority = priority
        wanted.background = background
        wanted.due = due
        if not 0 <= priority <= 2:
            raise ValueError(f"a priority is 0 (high), 1 (normal) or 2 (low), not {priority}")
        if len(unique) > 64:
            raise ValueError(f"a unique id has at most 64 bytes, not {len(unique)}")
        if due > 0 and not background:
            raise ValueError("only a background job can be due later")
        if self.broker.submit(self, &wanted, now, &job) >= QUEUE_FULL:
            return None
        return self.broker.handles.format(job.number)

    def can_do(self, bytes function not None, int timeout=0):
        self.broker.can_do(self, slice_of(function), timeout)

    def cant_do(self, bytes function not None, double now=0.0):
        self.broker.cant_do(self, slice_of(function), now)

    def reset_abilities(self, double now=0.0):
        self.broker.reset_abilities(self, now)

    def grab(self, double now=0.0):
        cdef Job* job = self.broker.grab(self, now)
        cdef Slice function, unique, payload
        if job == NULL:
            return None
        function = (<Function*>job.home).name
        unique = job_unique(job)
        payload = job_payload(job)
        return (self.broker.handles.format(job.number), function.data[:function.size],
                unique.data[:unique.size], payload.data[:payload.size])

    def sleep(self):
        return bool(self.broker.sleep(self))

    def tell(self, bytes handle not None, int kind, bytes body=b""):
        cdef uint64_t number = self.broker.handles.parse(handle, len(handle))
        if not <int>DATA <= kind <= <int>EXCEPTION:
            raise ValueError(f"a worker cannot report a {kind}")
        return ReportedName(self.broker.report(self, number, <Report>kind, body, len(body)))

    def progress(self, bytes handle not None, uint32_t numerator, uint32_t denominator):
        cdef uint64_t number = self.broker.handles.parse(handle, len(handle))
        return ReportedName(self.broker.progress(self, number, numerator, denominator, b"", 0))

    def status(self, bytes handle not None):
        return status_of(self.broker.find(self.broker.handles.parse(handle, len(handle))))

    def status_unique(self, bytes unique not None):
        return status_of(self.broker.find_unique(slice_of(unique)))

    def disconnect(self, double now=0.0):
        self.broker.disconnect(self, now)


cdef object status_of(Job* job):
    """(running, numerator, denominator, waiting clients), or None for an unknown job."""
    if job == NULL:
        return None
    if job.state != RUNNING:
        return False, 0, 0, job.waiting
    return True, job.place.run.numerator, job.place.run.denominator, job.waiting
