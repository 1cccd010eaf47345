# JOURNAL   what the store has yet to be told: jobs to keep, and jobs to forget.
#
# Jobs stand in it by their number, each with a ticket, in the order in which they came. The front
# of it is in the batch that is being written. A job that ended meanwhile is not looked for here:
# its number leads nowhere when its turn comes, and so it is never written.

from libc.stdint cimport uint8_t, uint64_t

from gearfast.jobqueue cimport GATHERED, STORED, STRUCK, WRITING, Job

cdef struct Entry:
    uint64_t number
    double since                  # monotonic seconds
    size_t size                   # bytes of the job, and of its function's name

cdef class Journal:
    cdef bint on                  # there is a store
    cdef bint quiet               # it is told everything at the end
    cdef public bint busy         # a batch is being written
    cdef uint64_t crowd           # a job with a higher number asks for more numbers; all bits set while there is no store
    cdef Entry* entries
    cdef size_t head, count, room
    cdef size_t flying            # so many of them are in the batch that is being written
    cdef uint64_t first           # ticket of the first
    cdef size_t bytes             # of all jobs in it
    cdef uint64_t* gone
    cdef size_t gone_head, gone_count, gone_room, gone_flying

    cdef inline Entry* entry(self, size_t at) noexcept:
        return self.entries + self.head + at

    cdef inline uint64_t newest(self) noexcept:          # the ticket given out last
        return self.first + self.count - 1

    cdef inline bint has_news(self) noexcept:            # there is something for the store, and it is not at work
        return self.on and not self.busy and not self.quiet and (self.count > 0 or self.gone_count > 0)

    # Whether an answer that speaks of this job has to wait, and for which ticket.
    cdef inline bint expects(self, const Job* job) noexcept:
        return job.kept & (GATHERED | WRITING) and not job.kept & STORED and self.count > 0 and not self.quiet
    cdef inline uint64_t ticket(self, const Job* job) noexcept:
        return self.newest() if job.kept & GATHERED or self.flying == 0 else self.first + self.flying - 1

    cdef int gather(self, Job* job, double now) except -1
    cdef void gather_again(self, Job* job, double now) noexcept      # it has changed
    cdef void strike(self, uint64_t number) noexcept
    # It ends, or goes on as no background job: its `kept` from now on.
    cdef inline uint8_t forget(self, const Job* job) noexcept:
        if not job.kept & (WRITING | STORED | STRUCK):
            return 0
        self.strike(job.number)
        return STRUCK
    # What goes into a batch: so many jobs, of so many bytes, and so many numbers to forget at most.
    cdef void take_off(self, size_t jobs, size_t bytes, size_t gone) noexcept
    cdef void land(self) noexcept                        # that batch is written: its entries and numbers leave
    cdef void call_back(self) noexcept                   # it failed: they wait again
    cdef void drop(self, size_t count) noexcept          # the first ones leave without having been written
