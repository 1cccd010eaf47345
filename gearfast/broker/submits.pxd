# SUBMITS   what clients want to have done: jobs, and schedules that jobs come of.

from gearfast.broker.estate cimport Submission
from gearfast.broker.functions cimport Function
from gearfast.broker.job cimport Job
from gearfast.broker.leaving cimport Leaving
from gearfast.broker.peer cimport Peer
from gearfast.broker.schedules cimport Schedule

cpdef enum Submitted:
    CREATED = 0
    COALESCED = 1                 # it is the job that has this unique id already
    QUEUE_FULL = 2
    NO_NUMBERS = 3                # until the store is back
    NO_MEMORY_LEFT = 4            # for further jobs
    NO_MEMORY = 5                 # the system gave none
    IS_DRAINED = 6                # an operator wants no more jobs of this function

cdef class Submits(Leaving):
    cdef Submitted submit(self, Peer client, const Submission* wanted, double now, Job** job) noexcept nogil
    cdef bint ruled(self, const Function* function, Submission* wanted, double now) noexcept nogil
    cdef bint join(self, Job** found, Peer client, const Submission* wanted, double now) noexcept nogil
    # A client has asked for a job that has ended, and is remembered: how it ended, with an empty result.
    cdef void tell_ended(self, Peer client, const Job* job) noexcept nogil
    # A schedule instead of a job: `wanted` has a cron in its policy, and a date.
    cdef Submitted submit_schedule(self, const Submission* wanted, double now, Job** job) noexcept nogil
    # One more job of a schedule. False: it was skipped.
    cdef bint fire(self, Schedule* schedule, double now) noexcept nogil
    cdef Job* come_of(self, Schedule* schedule, const Submission* wanted, double now) noexcept nogil
