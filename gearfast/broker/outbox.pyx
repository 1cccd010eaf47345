"""What the store has yet to be told."""

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memmove

from gearfast.ground.lock cimport lock_enter, lock_leave
from gearfast.broker.job cimport job_size
from gearfast.broker.keeping cimport (
    is_background, is_gathered, is_promised, is_struck, keeping_gather, keeping_put_off, keeping_remember,
    keeping_wait, keeping_write_at_end,
)
from gearfast.broker.line cimport line_at, line_close, line_drop, line_push
from gearfast.broker.functions cimport Function

cdef enum:
    SPARE_ROOM = 1 << 14      # numbers for which room is kept while there are none


cdef inline size_t size_of(const Job* job) noexcept nogil:
    return job_size(job) + (<Function*>job.home).name.size


cdef class Outbox:
    def __cinit__(self):
        self.crowd = <uint64_t>-1
        self.heavy = <size_t>-1

    def __dealloc__(self):
        cdef int which
        for which in range(LINES):
            line_close(&self.line[which])
        free(self.gone)

    # --- jobs to keep ---

    cdef bint gather(self, Job* job, double now) noexcept nogil:
        cdef size_t at
        if not self.on or self.quiet or is_gathered(job):
            return True
        if not line_push(&self.line[<int>FRESH], Entry(job.number, now, size_of(job))):
            return False
        if is_struck(job):            # not to be forgotten any more: that might be written after it
            for at in range(self.gone_head, self.gone_head + self.gone_count):
                if self.gone[at] == job.number:
                    self.gone[at] = 0
        self.count_in(size_of(job))
        keeping_gather(job)
        return True

    cdef bint wait_for(self, Job* job, double now) noexcept nogil:
        if not is_promised(job) or not self.on or self.quiet:
            return True
        if not line_push(&self.line[<int>FRESH], Entry(job.number, now, size_of(job))):
            return False
        self.count_in(size_of(job))
        keeping_wait(job)
        return True

    cdef bint gather_again(self, Job* job, double now) noexcept nogil:
        if not is_background(job):
            return True
        if self.on and self.quiet:
            keeping_write_at_end(job)
            return True
        return self.gather(job, now)

    cdef bint gather_anew(self, Job* job) noexcept nogil:
        if not line_push(&self.line[<int>ANEW], Entry(job.number, INFINITY, size_of(job))):
            return False
        keeping_gather(job)
        return True

    cdef bint is_heavy(self, const Job* job) noexcept nogil:
        return size_of(job) >= self.heavy

    cdef void count_in(self, size_t size) noexcept nogil:
        if size >= self.heavy:
            self.heavy_bytes += size
        else:
            self.bytes += size

    cdef void count_out(self, size_t size) noexcept nogil:
        if size >= self.heavy:
            self.heavy_bytes -= size
        else:
            self.bytes -= size

    # --- jobs to forget ---

    cdef void remember(self, Job* ended, const Job* job) noexcept nogil:
        if keeping_remember(ended, job):
            self.strike(ended.number)

    cdef void put_off(self, Job* ended) noexcept nogil:
        if is_background(ended) and keeping_put_off(ended):
            self.strike(ended.number)

    cdef void strike(self, uint64_t number) noexcept nogil:
        cdef uint64_t* larger
        if not self.on:
            return
        if self.gone_head + self.gone_count == self.gone_room:
            larger = <uint64_t*>realloc(self.gone, (self.gone_room * 2 + 64) * sizeof(uint64_t))
            if larger == NULL:        # it comes back at the next start: done twice, not lost
                return
            self.gone = larger
            self.gone_room = self.gone_room * 2 + 64
        self.gone[self.gone_head + self.gone_count] = number
        self.gone_count += 1

    cdef void pass_over(self, bint again) noexcept nogil:
        cdef uint64_t number
        if self.gone_count == 0:
            return
        number = self.gone[self.gone_head]
        self.gone_head += 1
        self.gone_count -= 1
        self.gone_in_flight = min(self.gone_in_flight, self.gone_count)
        if again:
            self.strike(number)

    # --- batches ---

    cdef void begin_batch(self, int which, size_t jobs, size_t bytes, size_t gone) noexcept nogil:
        cdef Line* line = &self.line[which]
        cdef size_t taken = 0
        line.in_flight = 0
        while line.in_flight < min(line.count, jobs) and taken < bytes:
            if line_at(line, line.in_flight).size >= self.heavy and line.in_flight > 0:
                break
            if which == FRESH and line_at(line, 0).size >= self.heavy and self.move(FRESH, HEAVY):
                continue
            taken += line_at(line, line.in_flight).size
            line.in_flight += 1
        self.gone_in_flight = min(self.gone_count, gone)

    cdef void committed(self, int which) noexcept nogil:
        self.drop(which, self.line[which].in_flight)
        self.gone_head += self.gone_in_flight
        self.gone_count -= self.gone_in_flight
        self.gone_in_flight = 0
        if self.gone_count == 0 and self.gone_room > SPARE_ROOM:
            free(self.gone)
            self.gone = NULL
            self.gone_room = 0
        elif self.gone_head > self.gone_count:             # rare enough to cost nothing per number
            memmove(self.gone, self.gone + self.gone_head, self.gone_count * sizeof(uint64_t))
        else:
            return
        self.gone_head = 0

    cdef void rolled_back(self, int which) noexcept nogil:
        self.line[which].in_flight = self.gone_in_flight = 0

    cdef void drop(self, int which, size_t count) noexcept nogil:
        cdef size_t at
        if which != ANEW:             # nobody waits for those: they hold up no submits
            for at in range(count):
                self.count_out(line_at(&self.line[which], at).size)
        line_drop(&self.line[which], count)

    cdef bint move(self, int which, int to) noexcept nogil:
        if not line_push(&self.line[to], line_at(&self.line[which], 0)[0]):
            return False
        line_drop(&self.line[which], 1)
        return True

    cdef bint has_jobs(self) noexcept nogil:
        cdef int which
        for which in range(LINES):
            if self.line[which].count > 0:
                return True
        return self.keeping.promised > 0

    # --- for Python ---

    @property
    def busy(self):
        lock_enter()
        cdef bint busy = self.busy
        lock_leave()
        return busy

    @busy.setter
    def busy(self, bint busy):
        lock_enter()
        self.busy = busy
        lock_leave()

    @property
    def bytes(self):
        lock_enter()
        cdef size_t bytes = self.bytes
        lock_leave()
        return bytes

    @property
    def heavy_bytes(self):
        lock_enter()
        cdef size_t bytes = self.heavy_bytes
        lock_leave()
        return bytes
