"""What the store has yet to be told: how much it is, and what of a job is known there."""

from gearfast.ground.lock cimport lock_enter, lock_leave
from gearfast.broker.job cimport DEAD, ENDED
from gearfast.broker.keeping cimport (
    is_background, is_gathered, is_promised, is_stored, keeping_leave, keeping_replaced,
)
from gearfast.broker.outbox cimport LINES


cdef class Backlog:
    def __cinit__(self, Broker broker not None):
        self.broker = broker

    # --- what is for the store ---

    def open(self, bytes prefix not None, uint64_t last, bint quiet, size_t heavy=<size_t>-1):
        self.broker.adopt_handles(prefix, last)
        lock_enter()
        self.broker.outbox.heavy = heavy
        self.broker.outbox.on = True
        self.broker.outbox.quiet = quiet
        lock_leave()

    def reserve(self, uint64_t crowd, uint64_t ceiling):
        lock_enter()
        self.broker.outbox.crowd = crowd
        self.broker.handles.ceiling = ceiling
        lock_leave()

    def close(self):
        """From now on nothing new is for the store; it may still be told what to forget."""
        lock_enter()
        self.broker.outbox.quiet = True
        lock_leave()

    def pass_over(self, bint again):
        lock_enter()
        self.broker.outbox.pass_over(again)
        lock_leave()

    cdef Job* background(self, uint64_t number) noexcept nogil:
        """The job of that number, if it still is a background job."""
        cdef Job* job = self.broker.find(number)
        return job if job != NULL and is_background(job) else NULL

    cdef Job* gathered(self, uint64_t number) noexcept nogil:
        """The same, if it still waits to be written."""
        cdef Job* job = self.broker.find(number)
        return job if job != NULL and is_gathered(job) else NULL

    # --- what of a job is known there ---

    def is_kept(self, uint64_t number):
        lock_enter()
        cdef bint kept = self.background(number) != NULL
        lock_leave()
        return kept

    def is_promised(self, uint64_t number):
        lock_enter()
        cdef Job* job = self.background(number)
        cdef bint promised = job != NULL and (is_stored(job) or is_promised(job))
        lock_leave()
        return promised

    def is_stored(self, uint64_t number):
        lock_enter()
        cdef Job* job = self.background(number)
        cdef bint stored = job != NULL and is_stored(job) and not self.broker.outbox.owes(job)
        lock_leave()
        return stored

    def may_be_left_out(self, uint64_t number):
        lock_enter()
        cdef Job* job = self.background(number)
        cdef bint may = job == NULL or (is_stored(job) and job.state != DEAD)
        lock_leave()
        return may

    def leave_out(self, uint64_t number):
        lock_enter()
        cdef Job* job = self.broker.find(number)
        if job != NULL:
            keeping_leave(job)
        lock_leave()

    def count_out(self, size_t size):
        lock_enter()
        self.broker.outbox.count_out(size)
        lock_leave()

    def wait_no_more(self, uint64_t number):
        lock_enter()
        cdef Job* job = self.background(number)
        if job != NULL:
            keeping_replaced(job)
        lock_leave()

    def forget(self, uint64_t number):
        lock_enter()
        cdef Job* job = self.background(number)
        if job != NULL and job.state == ENDED:
            self.broker.outbox.forget(job)
        lock_leave()

    # --- what waits ---

    @property
    def last(self) -> int:
        lock_enter()
        cdef uint64_t last = self.broker.handles.last
        lock_leave()
        return last

    @property
    def crowded(self) -> bool:
        lock_enter()
        cdef bint crowded = self.broker.handles.last > self.broker.outbox.crowd
        lock_leave()
        return crowded

    def count(self, int which):
        check_line(which)
        lock_enter()
        cdef size_t count = self.broker.outbox.line[which].count
        lock_leave()
        return count

    @property
    def removes(self) -> int:
        lock_enter()
        cdef size_t count = self.broker.outbox.gone_count
        lock_leave()
        return count

    @property
    def keeping(self) -> bool:
        lock_enter()
        cdef bint keeping = self.broker.outbox.has_jobs()
        lock_leave()
        return keeping

    @property
    def promised(self) -> int:
        lock_enter()
        cdef size_t count = self.broker.outbox.keeping.promised
        lock_leave()
        return count

    @property
    def has_news(self) -> bool:
        lock_enter()
        cdef bint news = self.broker.outbox.has_news()
        lock_leave()
        return news

    @property
    def waits(self) -> bool:
        lock_enter()
        cdef bint waits = self.broker.outbox.has_jobs() or self.broker.outbox.gone_count > 0
        lock_leave()
        return waits


cdef int check_line(int which) except -1:
    if not 0 <= which < LINES:
        raise ValueError(f"a line is a number from 0 to {LINES - 1} (see Waits), not {which}")
    return 0
