# ROOM 3  ESTATE   what a broker has: jobs, functions, unique ids, and the places where jobs are.
#
# It knows no bytes on a wire, no socket, no clock (the time is an argument) and no event loop.
# Whoever takes part is a Peer (peer.pxd), as a client, as a worker, or as both.

from libc.stdint cimport uint16_t, uint32_t, uint64_t, uint8_t
from libc.string cimport memset

from gearfast.ground.heap cimport Heap
from gearfast.ground.index cimport Index
from gearfast.ground.ring cimport Ring
from gearfast.ground.slice cimport Slice
from gearfast.protocol.handle cimport Handles
from gearfast.broker.events cimport Events, Kind
from gearfast.broker.functions cimport Function, Functions, functions_push
from gearfast.broker.job cimport EXPIRES, Job, Run
from gearfast.broker.jobtable cimport JobTable, jobtable_find
from gearfast.broker.outbox cimport Outbox
from gearfast.broker.party cimport Party, attach
from gearfast.broker.peer cimport Peer
from gearfast.broker.policy cimport Policies
from gearfast.broker.schedules cimport Schedules
from gearfast.broker.unique cimport Uniques

cdef struct Submission:
    Slice function
    Slice unique
    Slice reducer
    Slice payload
    Slice policy                  # as it was given; empty: none
    uint8_t priority
    bint background
    double due                    # wall clock seconds; 0: at once
    bint replaces                 # a job with the same unique id that waits
    uint32_t given                # of which keys its client has spoken (parameters.pxd)
    void* home                    # its function, if that was looked up already (functions.pxd); NULL: it was not
    char** room                   # memory for its job (job_room), NULL in it once a job has that; NULL: there is none

# All else is zero: no wish, in the foreground, of the priority HIGH, which is to be said.
cdef inline Submission submission_of(Slice function, Slice unique, Slice payload) noexcept nogil:
    cdef Submission wanted
    memset(&wanted, 0, sizeof(Submission))
    wanted.function = function
    wanted.unique = unique
    wanted.payload = payload
    return wanted

cdef enum:
    BATCH = 1000          # events of one kind that are dealt with together, so that a great many of them starve nobody

cdef struct Restored:             # what a store has kept besides
    uint64_t number
    uint16_t attempts
    uint8_t state                 # QUEUED, or DEAD, ENDED, SCHEDULED
    uint64_t run                  # of a schedule: number of its last job
    double fired                  # and when it was due last, wall clock
    double submitted              # all times are monotonic seconds; 0: it is not known
    double started
    double failed
    Slice error

cdef class Estate:
    cdef readonly Handles handles
    cdef readonly Outbox outbox
    cdef readonly Events events
    cdef JobTable jobs
    cdef Uniques uniques
    cdef Policies policies
    cdef Functions functions
    cdef list rule_texts          # what its book of rules points to
    cdef Index waiters            # clients that wait for one job together
    cdef Ring parties             # of the peers that take part
    cdef Ring leaving             # parties of which something is still to be taken
    cdef Ring forgotten           # parties whose peers Python has forgotten, and that nothing was taken from yet
    cdef Heap delayed             # jobs, by wall clock
    cdef uint64_t dice            # for the jitter of their waits
    cdef Heap moments             # jobs, by monotonic clock: to be tried again, to be taken from their workers, to expire
    cdef Heap ended               # jobs that are remembered for their unique ids, by monotonic clock
    cdef size_t held_bytes                # of all jobs
    cdef size_t most_bytes                # the most of it since free memory was last given back
    cdef size_t memory_step
    cdef bint shrunk                      # free memory is to be given back, which takes longer than the lock may be kept
    cdef size_t steps             # what walks over jobs and peers have taken so far
    cdef int job_retries, worker_wakeup, remembered_results
    cdef double wakeup_grace, function_rest
    cdef bint closing             # the server ends: its workers are not to blame for what they lose
    cdef bint draining            # it ends soon, and another one goes on with what is in the store
    cdef bint winding_down        # schedules fire no more: it ends when its jobs are done
    cdef bint crowded             # no further jobs: there is little memory left for them
    cdef size_t running           # jobs in workers' hands
    cdef size_t unkept            # jobs that are no background jobs
    cdef Schedules schedules
    cdef size_t dead              # jobs that have used up their tries
    cdef size_t others            # all jobs that nobody has to do
    cdef double last_tick         # monotonic seconds, when time passed last
    cdef double ahead             # by how many seconds the wall clock was ahead of those

    # Nothing is handed out any more, since nobody waits for a job that is in no store.
    cdef inline bint withholds(self) noexcept nogil:
        return self.draining and self.unkept == 0
    # The server may end.
    cdef inline bint is_idle(self) noexcept nogil:
        return self.jobs.count == self.others or (self.withholds() and self.running == 0)
    cdef inline void happened(self, Kind kind, const Job* job) noexcept nogil:
        self.events.note(kind, job, &(<Function*>job.home).name)
    cdef Party* party_of(self, Peer peer) noexcept nogil        # NULL, and False below: there is no memory
    # Numbers go on above `last`. Raises ValueError if the prefix is too long.
    cdef int adopt_handles(self, bytes prefix, uint64_t last) except -1
    cdef double due_of(self, const Job* job) noexcept nogil         # wall clock seconds; 0: it is not delayed
    cdef inline Job* find(self, uint64_t number) noexcept nogil:
        return jobtable_find(&self.jobs, number)
    cdef Job* find_named(self, Slice handle) noexcept nogil         # NULL: it is none of ours, or not known any more
    cdef Job* find_unique(self, Slice unique) noexcept nogil        # in any function
    # --- its begin ---
    # A job that is nowhere and that nobody knows. NULL, and below too: there is no memory.
    cdef Job* make(self, Function* function, const Submission* wanted, uint64_t number, double now) noexcept nogil
    cdef void unmake(self, Job* job) noexcept nogil
    cdef Job* create(self, Function* function, const Submission* wanted, uint64_t number, double now) noexcept nogil
    cdef void claim(self, Job* job) noexcept nogil
    # Without memory the job ends.
    cdef bint bind(self, Job* job, Peer client, const Submission* wanted, bint unique, uint64_t hash, double now) noexcept nogil
    cdef inline bint wait_for(self, Job* job, Peer client) noexcept nogil:
        cdef Party* party = self.party_of(client) if client.party == NULL else client.party
        return party != NULL and attach(&self.waiters, job, party)
    cdef bint keep(self, Job* job, double now) noexcept nogil       # it is a background job, and the store is to know
    cdef void take_place(self, Job* job, Job* other) noexcept nogil
    # --- its places ---
    cdef inline void enqueue(self, Job* job, double now) noexcept nogil:
        functions_push(&self.functions, job)
        if job.flags & EXPIRES:
            self.expire_later(job, now)
        if self.functions.sleeping > 0:
            self.wake_for(<Function*>job.home, self.worker_wakeup, now)
    cdef void wake_for(self, Function* function, int most, double now) noexcept nogil
    cdef void wake_opened(self, double now) noexcept nogil
    cdef void expire_no_more(self, Job* job) noexcept nogil
    cdef void expire_later(self, Job* job, double now) noexcept nogil
    cdef void stop(self, Run* run) noexcept nogil
    cdef void displace(self, Job* job) noexcept nogil               # from wherever it is to nowhere
    cdef void withdraw(self, Job* job) noexcept nogil               # the same; it has no clients and no unique id any more
    # It is due then (wall clock seconds).
    cdef bint postpone(self, Job* job, double due) noexcept nogil
    cdef void rest_aside(self, Job* job) noexcept nogil
    cdef void rest_no_more(self, Job* job) noexcept nogil
    # --- its end ---
    cdef void release(self, Job* job) noexcept nogil
