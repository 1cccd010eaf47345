# ROOM 3  BROKER   what clients and workers ask for, and what time makes necessary.
#
# Its verbs are for whoever has the lock (lock.pxd); no Python runs while it works. Python's doors are for one thread.

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from gearfast.ground.index cimport Cursor
from gearfast.broker.job cimport Job
from gearfast.broker.figures cimport Figures
from gearfast.broker.life cimport Moved
from gearfast.broker.jobtable cimport MIN_SCAN
from gearfast.broker.party cimport Party
from gearfast.broker.peer cimport Peer, Report
from gearfast.broker.schedules cimport Schedule
from gearfast.broker.functions cimport Function, Worker
from gearfast.ground.slice cimport Slice

cdef enum Slept:
    ASLEEP = 0
    HAS_WORK = 1                  # it is not to sleep
    NO_ROOM_TO_SLEEP = 2          # no memory

cpdef enum Reported:
    TAKEN = 0
    LATE = 1                      # of a job that this worker held, and that has ended: nothing to be done
    UNKNOWN = 2                   # of a job that this worker never held

cpdef enum Dropped:
    DROPPED = 0
    NO_SUCH_FUNCTION = 1
    IN_USE = 2

cdef class Aftermath:             # what there is to do when the broker rests again: it has told peers something
    cdef void broker_rests(self) noexcept
    cdef void rest_soon(self) noexcept        # have the broker rest, from its own thread, when no peer is served

@cython.final
cdef class Broker(Figures):
    cdef Aftermath aftermath      # or None
    cdef unsigned long thread     # whose it is; 0: nobody's yet

    # Raises RuntimeError in any thread but the one that called it first.
    cdef int belongs_here(self) except -1
    # Around verbs: the lock. Raises RuntimeError in another thread, and while this one has the lock.
    cdef int enter(self) except -1
    cdef void rest(self) noexcept
    # Python has forgotten a peer: maybe in another thread, maybe in the middle of a verb, which then goes on unharmed.
    cdef void forget(self, Peer peer) noexcept
    cdef void take_from_forgotten(self) noexcept nogil

    # There is something for the store, and it is not at work.
    cdef inline bint has_news(self) noexcept nogil:
        return self.outbox.has_news() or (self.handles.last > self.outbox.crowd and not self.outbox.busy)

    cdef int scan(self, Cursor* cursor, Job** found) noexcept nogil    # as index_scan; up to MIN_SCAN of all jobs
    cdef bint knows(self, Slice function) noexcept nogil    # somebody uses it, or did lately
    cdef Slice reason_of(self, Slice function) noexcept nogil        # why it is paused or drained
    cdef bint cancel(self, uint64_t number) noexcept nogil
    # A priority below 0, a time below 0, and an empty function stay as they are; a time of 0 is at once.
    cdef Moved move(self, uint64_t number, Slice function, int priority, double due, double now) noexcept nogil
    # --- workers ---  (NULL, and False: there is no memory)
    cdef Worker* worker_of(self, Peer peer) noexcept nogil
    cdef bint can_do(self, Peer worker, Slice function, int64_t timeout) noexcept nogil
    cdef void cant_do(self, Peer worker, Slice function, double now) noexcept nogil
    cdef bint reset_abilities(self, Peer worker, double now) noexcept nogil
    cdef bint grab(self, Peer worker, double now, Job** job) noexcept nogil        # NULL: there is none
    cdef Slept sleep(self, Peer worker) noexcept nogil
    cdef Reported report(self, Peer worker, uint64_t number, Report kind, const char* body, size_t size,
                         double now) noexcept nogil
    cdef Reported report_failure(self, Party* party, Job* job, Report kind, const char* body, size_t size, double now) noexcept nogil
    cdef Reported progress(self, Peer worker, uint64_t number, uint32_t numerator, uint32_t denominator,
                           const char* body, size_t size, double now) noexcept nogil
    # --- time ---
    cdef void pass_time(self, double now, double wall) noexcept nogil
    cdef void moment_came(self, Job* job, double now) noexcept nogil
    cdef bint pass_over(self, double now) noexcept nogil
    # Seconds until time has something to do again; infinity if nothing is due ever.
    cdef double time_left(self, double now, double wall) noexcept nogil
    cpdef double wait(self, double now, double wall) noexcept         # the same, for whoever does not have the lock

    cdef object drop(self, Slice name, Slice folded)     # Dropped
