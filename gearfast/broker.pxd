# ROOM 3  BROKER   the life of a job.
#
# It knows no bytes on a wire, no socket, no clock (the time is an argument) and no event loop.
# Whoever takes part is a Peer (peer.pxd), as a client, as a worker, or as both.

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from gearfast.handle cimport Handles
from gearfast.heap cimport Heap
from gearfast.jobqueue cimport Job, Run
from gearfast.journal cimport Journal
from gearfast.numbers cimport Numbers
from gearfast.peer cimport Peer, Report
from gearfast.roster cimport Function, Roster
from gearfast.slice cimport Slice
from gearfast.unique cimport Uniques

cpdef enum Submitted:
    CREATED = 0
    COALESCED = 1                 # it is the job that has this unique id already
    QUEUE_FULL = 2
    NO_NUMBERS = 3                # until the store is back

cpdef enum Reported:
    TAKEN = 0
    LATE = 1                      # of a job that this worker held and lost: nothing to be done
    UNKNOWN = 2                   # of a job that this worker never held

cpdef enum Dropped:
    DROPPED = 0
    NO_SUCH_FUNCTION = 1
    IN_USE = 2

cdef struct Submission:
    Slice function
    Slice unique
    Slice reducer
    Slice payload
    uint8_t priority
    bint background
    double due                    # wall clock seconds; 0: at once

@cython.final
cdef class Broker:
    cdef readonly Handles handles
    cdef readonly Journal journal
    cdef Numbers jobs
    cdef Uniques uniques
    cdef Roster roster
    cdef Heap delayed             # jobs, by wall clock
    cdef Heap deadlines           # runs, by monotonic clock
    cdef size_t held_bytes                # of all jobs
    cdef size_t most_bytes                # the most of it since free memory was last given back
    cdef size_t memory_step
    cdef int job_retries, worker_wakeup, remembered_results
    cdef double wakeup_grace
    cdef public bint closing      # the server ends: its workers are not to blame for what they lose

    # There is something for the store, and it is not at work.
    cdef inline bint has_news(self) noexcept:
        return self.journal.has_news() or (self.handles.last > self.journal.crowd and not self.journal.busy)

    # --- clients ---
    cdef int submit(self, Peer client, const Submission* wanted, double now, Job** job) except -1    # Submitted
    cdef Job* find(self, uint64_t number) noexcept
    cdef Job* find_unique(self, Slice unique) noexcept
    cdef bint cancel(self, uint64_t number) noexcept
    # --- workers ---
    cdef int can_do(self, Peer worker, Slice function, int64_t timeout) except -1
    cdef int cant_do(self, Peer worker, Slice function, double now) except -1
    cdef int reset_abilities(self, Peer worker, double now) except -1
    cdef Job* grab(self, Peer worker, double now) except? NULL
    cdef bint sleep(self, Peer worker) noexcept          # False: there is work, do not sleep
    cdef Reported report(self, Peer worker, uint64_t number, Report kind, const char* body, size_t size) noexcept
    cdef Reported progress(self, Peer worker, uint64_t number, uint32_t numerator, uint32_t denominator,
                           const char* body, size_t size) noexcept
    # --- both ---
    cdef void disconnect(self, Peer peer, double now) noexcept

    # Seconds until the next tick has something to do; infinity if nothing is due ever.
    cpdef double wait(self, double now, double wall) noexcept

    # --- a job's way from state to state ---
    cdef Job* create(self, Function* function, const Submission* wanted, uint64_t number) except NULL
    cdef int bind(self, Job* job, Peer client, const Submission* wanted, bint unique, uint64_t hash, double now) except -1
    cdef int keep(self, Job* job, double now) except -1       # it is a background job, and the store is to know
    cdef void unkeep(self, Job* job) noexcept                 # the store did not take it
    cdef void enqueue(self, Job* job, double now) noexcept
    cdef int start(self, Job* job, Peer worker, int64_t timeout, double now) except -1
    cdef void stop(self, Run* run) noexcept
    cdef void requeue(self, Run* run, double now) noexcept
    cdef void abandon(self, Job* job) noexcept
    cdef void fail(self, Job* job) noexcept
    cdef void release(self, Job* job) noexcept
    cdef void requeue_all(self, Peer worker, Function* function, double now) noexcept
    cdef void wake_for(self, Function* function, int most, double now) noexcept
    cdef Run* held(self, Peer worker, uint64_t number) noexcept
