# OUTBOX   what the store has yet to be told: jobs to keep, and jobs to forget.
#
# Jobs stand in lines by their number. One that was in a batch that failed goes to a line behind the
# others, so that no other job has to wait for one that the store does not take.
#
# Whoever knows of a job in the store may rely on it that the store has forgotten what had ended before: so the
# numbers to forget never wait behind jobs. A unique id that stays taken is in the store because one of them is
# that of a job that is still there: what is left of it is written with the number, in the place of the job.

from libc.stdint cimport uint64_t

from gearfast.broker.job cimport Job
from gearfast.broker.keeping cimport Keeping, is_owed, keeping_strike
from gearfast.broker.line cimport Entry, Line

cpdef enum Waits:                 # the lines
    FRESH = 0                     # not tried yet
    AGAIN = 1                     # of a batch that failed: tried in smaller ones
    SINGLY = 2                    # of such a smaller one: tried one at a time
    HEAVY = 3                     # each as large as a batch may be, and so a batch by itself
    ANEW = 4                      # the store had them, and has lost them

cdef enum:
    LINES = 5

cdef class Outbox:
    cdef bint on                  # there is a store
    cdef bint quiet               # it is told everything at the end
    cdef bint busy                # a batch is being written
    cdef Keeping keeping
    cdef uint64_t crowd           # a job with a higher number asks for more numbers; all bits set while there is no store
    cdef Line line[LINES]
    cdef size_t heavy             # bytes from which on a job is a batch by itself
    cdef size_t bytes             # of all jobs that wait and are not heavy
    cdef size_t heavy_bytes       # of those that are
    cdef uint64_t* gone
    cdef size_t gone_head, gone_count, gone_room, gone_in_flight

    cdef inline bint has_news(self) noexcept nogil:            # there is something for the store, and it is not at work
        return self.on and not self.busy and not self.quiet and (self.line[<int>FRESH].count > 0 or self.gone_count > 0)

    # Whether an answer that speaks of this job has to wait until the store has it.
    cdef inline bint owes(self, const Job* job) noexcept nogil:
        return is_owed(&self.keeping, job)
    cdef inline bint expects(self, const Job* job) noexcept nogil:
        return self.on and not self.quiet and self.owes(job)
    cdef bint is_heavy(self, const Job* job) noexcept nogil
    # Bytes that wait, as far as who has submitted heavy jobs, or has not, is to wait for them to become fewer.
    cdef inline size_t backlog(self, bint heavy) noexcept nogil:
        return max(self.bytes, self.heavy_bytes) if heavy else self.bytes

    cdef bint gather(self, Job* job, double now) noexcept nogil            # False: there is no memory
    cdef bint gather_anew(self, Job* job) noexcept nogil             # it was promised; nobody waits for it
    cdef bint wait_for(self, Job* job, double now) noexcept nogil          # a client has joined it; False: there is no memory
    cdef bint gather_again(self, Job* job, double now) noexcept nogil      # it has changed; False: the store keeps what it knew
    cdef void remember(self, Job* ended, const Job* job) noexcept nogil    # only the unique id of what the other was
    cdef void put_off(self, Job* ended) noexcept nogil         # nobody waits for that any more
    cdef void strike(self, uint64_t number) noexcept nogil
    cdef void pass_over(self, bint again) noexcept nogil       # the first number to forget goes behind the others, or leaves
    # It ends, or goes on as no background job.
    cdef inline void forget(self, Job* job) noexcept nogil:
        if keeping_strike(&self.keeping, job):
            self.strike(job.number)
    # What goes into a batch, at most: jobs of a line, their bytes in all, and numbers to forget.
    cdef void begin_batch(self, int which, size_t jobs, size_t bytes, size_t gone) noexcept nogil
    cdef void committed(self, int which) noexcept nogil             # that batch is written: its entries and numbers leave
    cdef void rolled_back(self, int which) noexcept nogil        # it failed: they wait again
    cdef void drop(self, int which, size_t count) noexcept nogil           # the first ones leave without having been written
    cdef bint move(self, int which, int to) noexcept nogil     # the first one goes to another line, if there is memory
    cdef void count_in(self, size_t size) noexcept nogil       # it waits somewhere
    cdef void count_out(self, size_t size) noexcept nogil
    cdef bint has_jobs(self) noexcept nogil                    # for the store
