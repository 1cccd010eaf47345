# ROOM 3  ASIDE   jobs that nobody has to do: dead letters, ended ones whose unique ids stay taken, and schedules.

from libc.stdint cimport uint64_t

from gearfast.broker.estate cimport Estate, Restored, Submission
from gearfast.broker.functions cimport Function
from gearfast.broker.job cimport Job
from gearfast.broker.schedules cimport Schedule

cdef class Aside(Estate):
    # --- dead letters ---
    # It has used up its tries: kept, and its clients are told no more.
    cdef void bury(self, Job* job, double now) noexcept nogil
    cdef void inter(self, Job* job) noexcept nogil
    cdef void trim(self, Function* function) noexcept nogil
    cdef void discard(self, Job* job) noexcept nogil
    cdef void kick(self, Job* job, double now) noexcept nogil        # tries begin anew
    cdef void end_failed(self, Job* job, double now) noexcept nogil
    # --- unique ids that stay taken ---
    cdef void finish(self, Job* job, bint failed, double now) noexcept nogil        # it has ended, and its clients know
    cdef bint remember(self, Job* job, bint failed, double seconds, double now) noexcept nogil
    cdef bint forget_next(self, double now) noexcept nogil          # of those whose time is over
    cdef void forget_ended(self, Job* job) noexcept nogil
    cdef bint restore_ended(self, Job* job, const Submission* wanted, bint unique, uint64_t hash, double now) noexcept nogil
    # --- schedules ---
    # One for each function and unique id; it has no date yet. NULL: there is no memory.
    cdef Schedule* schedule(self, Function* function, const Submission* wanted, uint64_t number, double now) noexcept nogil
    cdef void unschedule(self, Job* job) noexcept nogil
    cdef bint restore_schedule(self, Job* job, const Submission* wanted, const Restored* kept) noexcept nogil
