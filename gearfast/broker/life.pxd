# ROOM 3  LIFE   the life of a job: every way from one of its states to another.

from libc.stdint cimport uint8_t

from gearfast.broker.aside cimport Aside
from gearfast.broker.estate cimport Restored, Submission
from gearfast.broker.functions cimport Ability, Function
from gearfast.broker.job cimport Job, Run
from gearfast.broker.party cimport Party
from gearfast.broker.past cimport Loss
from gearfast.broker.peer cimport Report

cpdef enum Moved:
    MOVED = 0
    NO_SUCH_JOB = 1
    RUNS = 2                      # a worker has it
    STAYS = 3                     # there is no memory for it to be due later
    IS_BURIED = 4                 # it has used up its tries
    IS_SCHEDULE = 5               # it is no job itself

cdef class Life(Aside):
    # --- its begin ---
    cdef bint restore(self, const Submission* wanted, const Restored* kept, double now) noexcept nogil
    cdef void unkeep(self, Job* job) noexcept nogil                 # the store did not take it
    # --- its way from state to state ---
    cdef bint start(self, Job* job, Ability* ability, double now) noexcept nogil
    cdef bint start_clock(self, Run* run, double now) noexcept nogil
    cdef void forgive_holder(self, Job* job) noexcept nogil
    cdef void requeue(self, Run* run, Loss loss, double now) noexcept nogil
    cdef bint is_spent(self, const Job* job) noexcept nogil         # it has had all its tries
    # A worker failed, or was lost: it is tried again, perhaps later.
    cdef void retry(self, Job* job, double now) noexcept nogil
    cdef void expire(self, Job* job) noexcept nogil
    # A job that no worker has; a time below 0 stays as it is. False: there is no memory, and it is QUEUED.
    cdef bint replace(self, Job* job, uint8_t priority, double due, double now) noexcept nogil
    # With another payload, time and priority, and a fresh set of tries; it waits, and no client for it. Returns what it is now;
    # NULL: there is no memory, and it is as it was.
    cdef Job* supersede(self, Job* job, const Submission* wanted, double now) noexcept nogil
    cdef bint has_room(self, Job* other, double due, double now) noexcept nogil
    # It becomes one of another function, found by its unique id there unless another one is.
    cdef void rehome(self, Job* job, Function* function) noexcept nogil
    # --- its end ---
    cdef void abandon(self, Job* job) noexcept nogil
    cdef void note_result(self, Job* job, Party* party, Report kind) noexcept nogil
    cdef void fail(self, Job* job) noexcept nogil
