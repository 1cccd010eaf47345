# BATCHES   what goes from the broker to the store.
#
# It is the side that Python sees of the outbox: batches out, the outcome of each in.

from libc.stdint cimport uint64_t

from gearfast.ground.index cimport Cursor
from gearfast.broker.job cimport Job
from gearfast.store.backlog cimport Backlog

cdef class Batches(Backlog):
    cdef bytes function           # the name asked for last: most often it is the next
    cdef int which                # the line of the batch that is being written; LINES: none
    cdef list flight              # numbers of its jobs
    cdef set outdated             # numbers among them: the store gets what is not the last word, and will hear more
    cdef list told                # of jobs whose clients are to be told that a change of theirs is not kept yet
    cdef bint lost                # the store has not even what it had
    cdef Cursor promising         # how far the jobs have been looked through for what it does not have
    cdef Cursor seeking           # how far they have been looked through for those that it is to have again
    cdef double ahead             # by how much the wall clock is, of the monotonic one, while a batch is put together
    cdef int passes               # through all jobs, until none of them can have been overlooked

    cdef object record(self, const Job* job)
    cdef double due(self, const Job* job) noexcept
    cdef int begin(self, int which) except -1
    cdef int take(self, uint64_t number, list adds) except -1
    cdef int take_remembered(self, list gone, list adds, size_t size) except -1
    cdef int put_in(self, Job* job, list adds) except -1
    cdef bint has_ended(self, uint64_t number) noexcept
    cdef void skip_dead(self, int which) noexcept
    cdef int recall_all(self) except -1
    cdef void recall(self, uint64_t number) noexcept
    cdef object step_out(self, int which, uint64_t number)
    cdef int look_through(self, int which, double before, dict numbers, list changes) except -1
    cdef int look_for(self, Job* job) except -1
    cdef int tell_later(self, Job* job) except -1
