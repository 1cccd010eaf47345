# ROOM 3  BROKER   what clients and workers ask for, and what time makes necessary.
#
# Its verbs are for one thread, and one at a time. No Python runs while it works.

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from gearfast.ground.index cimport Cursor
from gearfast.broker.job cimport Job, Waiter
from gearfast.broker.life cimport Life, Submission
from gearfast.broker.numbers cimport SCAN_LEAST
from gearfast.broker.party cimport Party
from gearfast.broker.peer cimport Peer, Report
from gearfast.ground.ring cimport Ring
from gearfast.broker.roster cimport Worker
from gearfast.ground.slice cimport Slice

cpdef enum Submitted:
    CREATED = 0
    COALESCED = 1                 # it is the job that has this unique id already
    QUEUE_FULL = 2
    NO_NUMBERS = 3                # until the store is back
    NO_MEMORY_LEFT = 4            # for further jobs

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
cdef class Broker(Life):
    cdef Aftermath aftermath      # or None
    cdef bint working
    cdef unsigned long thread     # whose it is; 0: nobody's yet

    # Raises RuntimeError in any thread but the one that called it first.
    cdef int belongs_here(self) except -1
    # Around verbs: raises RuntimeError in another thread, and while it works.
    cdef int enter(self) except -1
    cdef void rest(self) noexcept
    # Python has forgotten a peer: maybe in another thread, maybe in the middle of a verb, which then goes on unharmed.
    cdef void forget(self, Peer peer) noexcept
    cdef void take_from_forgotten(self) noexcept

    # There is something for the store, and it is not at work.
    cdef inline bint has_news(self) noexcept:
        return self.journal.has_news() or (self.handles.last > self.journal.crowd and not self.journal.busy)

    # --- clients ---
    cdef int submit(self, Peer client, const Submission* wanted, double now, Job** job) except -1    # Submitted
    cdef int join(self, Job* job, Peer client, const Submission* wanted, double now) except -1
    cdef Job* find(self, uint64_t number) noexcept
    cdef int scan(self, Cursor* cursor, Job** found) noexcept    # as index_scan; up to SCAN_LEAST of all jobs
    cdef Job* find_unique(self, Slice unique) noexcept
    cdef bint cancel(self, uint64_t number) noexcept
    # --- workers ---
    cdef Worker* worker_of(self, Peer peer) except NULL
    cdef int can_do(self, Peer worker, Slice function, int64_t timeout) except -1
    cdef int cant_do(self, Peer worker, Slice function, double now) except -1
    cdef int reset_abilities(self, Peer worker, double now) except -1
    cdef Job* grab(self, Peer worker, double now) except? NULL
    cdef int sleep(self, Peer worker) except -1          # False: there is work, do not sleep
    cdef Reported report(self, Peer worker, uint64_t number, Report kind, const char* body, size_t size) noexcept
    cdef Reported progress(self, Peer worker, uint64_t number, uint32_t numerator, uint32_t denominator,
                           const char* body, size_t size) noexcept
    # --- both ---
    cdef void disconnect(self, Peer peer, double now) noexcept

    # --- what is taken from a party ---
    cdef void discard_worker(self, Party* party, double now) noexcept
    cdef void take_back(self, Party* party, double now) noexcept
    cdef void taken_back(self, Party* party) noexcept
    cdef void stop_waiting(self, Waiter* waiter) noexcept
    cdef void take_one_back(self, Ring* link, double now) noexcept

    # --- time ---
    cdef void pass_time(self, double now, double wall) noexcept
    cdef bint pass_over(self, double now) noexcept
    # Seconds until time has something to do again; infinity if nothing is due ever.
    cpdef double wait(self, double now, double wall) noexcept

    cdef object drop(self, Slice name, Slice folded)     # Dropped
