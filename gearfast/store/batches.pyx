"""Batches of jobs to the store."""

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t
from libc.string cimport memcmp

from gearfast.ground.clock cimport monotonic_time, wall_time
from gearfast.ground.heap cimport heap_when
from gearfast.broker.job cimport ENDED, RETRYING, SCHEDULED, job_size
from gearfast.broker.schedules cimport Schedule
from gearfast.ground.index cimport Cursor
from gearfast.ground.lock cimport lock_enter, lock_enter_walk, lock_leave, lock_leave_walk
from gearfast.broker.outbox cimport AGAIN, ANEW, FRESH, HEAVY, LINES, SINGLY, Outbox
from gearfast.broker.keeping cimport (
    Keeping, is_gathered, is_promised, is_replaced, is_stored, is_written, keeping_gather, keeping_gather_again,
    keeping_look_for, keeping_promise, keeping_replaced, keeping_stored, keeping_take, keeping_take_remembered,
)
from gearfast.broker.line cimport Line, line_at
from gearfast.broker.jobtable cimport MIN_SCAN
from gearfast.store.backlog cimport check_line
from gearfast.store.record cimport record_of
from gearfast.store.replay cimport replay
from gearfast.broker.functions cimport Function
from gearfast.ground.slice cimport Slice

cdef enum:
    MAX_SLICES = 40          # of the jobs, looked through in one go: less than a millisecond
    ENOUGH = 1000             # jobs found in it
    NO_LINE = LINES + 1       # of what has no line of its own, and stays where it is when the batch fails

# Where the jobs of a batch go that failed: those of a small one that fails again are asked for one by one.
cdef int[LINES + 1] NEXT_LINE = [AGAIN, SINGLY, SINGLY, HEAVY, ANEW, LINES]


cdef class Batches(Backlog):
    def __cinit__(self, *_):
        self.function = b""
        self.flight = []
        self.outdated = set()

    # --- the start ---

    def restore(self, list records not None):
        return replay(self.broker, records)

    # --- batches ---

    def collect(self, int which, size_t jobs, size_t size, size_t removes):
        """(numbers to forget, jobs to keep): what is to be written next."""
        cdef Outbox outbox = self.broker.outbox
        cdef bint collects
        cdef size_t at
        cdef list adds = [], gone
        check_line(which)
        self.begin(which)
        collects = lock_enter_walk()
        try:
            if which != FRESH:
                self.skip_dead(which)
            outbox.begin_batch(which, jobs, size, removes)
            for at in range(outbox.line[which].in_flight):
                self.take(line_at(&outbox.line[which], at).number, adds)
            gone = [outbox.gone[outbox.gone_head + at] for at in range(outbox.gone_in_flight)]
            self.take_remembered(gone, adds, size)
            return gone, adds
        finally:
            lock_leave_walk(collects)

    cdef int take_remembered(self, list gone, list adds, size_t size) except -1:
        """What is left of those whose unique ids stay taken. There are fewer numbers to forget if that is much."""
        cdef size_t at, taken = 0
        cdef set there = None
        cdef Job* job
        for at in range(len(gone)):
            job = self.background(gone[at])
            if job == NULL or job.state != ENDED:
                continue
            if there is None:
                there = set(self.flight)           # some stand in a line as well
            if job.number in there:
                continue
            taken += job_size(job)
            if taken > size and at > 0:
                del gone[at:]
                self.broker.outbox.gone_in_flight = at
                return 0
            there.add(job.number)
            self.put_in(job, adds)
            keeping_take_remembered(job)
        return 0

    def collect_one(self, uint64_t number):
        """The job, in a list, if it still waits to be written."""
        cdef list adds = []
        self.begin(LINES)
        cdef bint collects = lock_enter_walk()
        try:
            self.take(number, adds)
        finally:
            lock_leave_walk(collects)
        return adds

    def collect_ended(self, uint64_t number):
        """What is remembered of the job, in a list, if it has ended."""
        cdef list adds = []
        self.begin(NO_LINE)
        cdef bint collects = lock_enter_walk()
        try:
            self.take_remembered([number], adds, 0)
        finally:
            lock_leave_walk(collects)
        return adds

    cdef int begin(self, int which) except -1:
        self.which = which
        self.flight = []
        self.outdated = set()
        self.ahead = wall_time() - monotonic_time()
        return 0

    cdef int take(self, uint64_t number, list adds) except -1:
        cdef Job* job = self.gathered(number)
        if job != NULL:
            self.put_in(job, adds)
            keeping_take(job)
        return 0

    cdef int put_in(self, Job* job, list adds) except -1:
        adds.append(self.record(job))
        self.flight.append(job.number)
        return 0

    cdef void skip_dead(self, int which) noexcept:
        """Jobs that ended, or were written with others, are in no batch of their own."""
        cdef Outbox outbox = self.broker.outbox
        cdef size_t dead = 0, count = outbox.line[which].count
        while dead < count and self.gathered(line_at(&outbox.line[which], dead).number) == NULL:
            dead += 1
        outbox.drop(which, dead)

    cdef object record(self, const Job* job):
        cdef Slice name = (<Function*>job.home).name
        if <size_t>len(self.function) != name.size or memcmp(<const char*>self.function, name.data, name.size) != 0:
            self.function = name.data[:name.size]
        return record_of(job, self.function, self.due(job), self.ahead)

    cdef double due(self, const Job* job) noexcept:
        """By the clock that goes on while no server runs."""
        cdef double due
        if job.state == RETRYING:
            return heap_when(&self.broker.moments, job.place.due) + self.ahead
        if job.state == SCHEDULED:
            due = (<const Schedule*>job.place.schedule).due
            return due if due < INFINITY else 0
        if job.state == ENDED:
            return heap_when(&self.broker.ended, job.place.due) + self.ahead
        return self.broker.due_of(job)

    def written(self):
        cdef Outbox outbox = self.broker.outbox
        cdef Job* job
        cdef bint collects = lock_enter_walk()
        try:
            for number in self.flight:
                job = self.broker.find(number)
                if job != NULL and number not in self.outdated:
                    keeping_stored(&outbox.keeping, job)
            self.flight = []
            if self.which < LINES:
                outbox.committed(self.which)
        finally:
            lock_leave_walk(collects)

    def failed(self, bint others=False):
        """What the store did not take waits again, behind what it has not been asked yet."""
        cdef Outbox outbox = self.broker.outbox
        cdef int which = self.which
        cdef list flight = self.flight
        cdef object alone = None
        cdef bint collects = lock_enter_walk()
        try:
            self.recall_all()
            if which >= LINES:
                return None
            if len(flight) == 1 and outbox.gone_in_flight == 0 and not others:
                alone = self.step_out(which, flight[0])
            elif flight and NEXT_LINE[which] != which:
                while outbox.line[which].in_flight > 0 and outbox.move(which, NEXT_LINE[which]):
                    pass
            outbox.rolled_back(which)
            return alone
        finally:
            lock_leave_walk(collects)

    def rolled_back(self):
        """The batch was not written, and none of its jobs is at fault."""
        cdef bint collects = lock_enter_walk()
        try:
            self.recall_all()
            if self.which < LINES:
                self.broker.outbox.rolled_back(self.which)
        finally:
            lock_leave_walk(collects)

    cdef int recall_all(self) except -1:
        """What was taken from a line waits in it again; so does what was in none, but for what goes with a number."""
        cdef Outbox outbox = self.broker.outbox
        cdef list flight = self.flight
        cdef size_t at
        self.flight = []
        if self.which < LINES:
            for at in range(outbox.line[self.which].in_flight):
                self.recall(line_at(&outbox.line[self.which], at).number)
        elif self.which == LINES:
            for number in flight:
                self.recall(number)
        return 0

    cdef void recall(self, uint64_t number) noexcept:
        cdef Job* job = self.broker.find(number)
        if job != NULL:
            keeping_gather_again(job)

    cdef object step_out(self, int which, uint64_t number):
        """It is this job that cannot be written: out of its line, and still counted among what waits."""
        cdef Line* line = &self.broker.outbox.line[which]
        cdef size_t at, size = 0
        cdef double since = INFINITY
        cdef bint found = False
        cdef Job* job = self.gathered(number)
        for at in range(line.in_flight):
            if line_at(line, at).number == number:
                since, size, found = line_at(line, at).since, line_at(line, at).size, True
        self.broker.outbox.drop(which, line.in_flight)
        if job == NULL or not found:
            return None
        self.broker.outbox.count_in(size)
        if (is_stored(job) or is_promised(job)) and not is_replaced(job):
            since = INFINITY
        return number, since, size, bool(is_stored(job))

    # --- who has waited too long ---

    def overdue(self, double before):
        cdef dict numbers = {}                     # one that was lost by its worker meanwhile stands twice
        cdef list changes = []
        self.told = []
        cdef bint collects = lock_enter_walk()
        try:
            self.look_through(FRESH, before, numbers, changes)
            self.look_through(AGAIN, before, numbers, changes)
            self.look_through(SINGLY, before, numbers, changes)
            self.look_through(HEAVY, before, numbers, changes)
        finally:
            lock_leave_walk(collects)
        return list(numbers), changes, self.told

    cdef int look_through(self, int which, double before, dict numbers, list changes) except -1:
        cdef Outbox outbox = self.broker.outbox
        cdef Line* line = &outbox.line[which]
        cdef size_t at = 0
        cdef Job* job
        while at < line.count and line_at(line, at).since <= before:
            job = self.background(line_at(line, at).number)
            if job == NULL or not is_written(job):
                pass
            elif is_promised(job):
                self.look_for(job)
                self.tell_later(job)
            elif is_stored(job):
                keeping_gather(job)
                outbox.count_in(line_at(line, at).size)
                changes.append((job.number, line_at(line, at).size))
                self.tell_later(job)
            else:
                numbers[job.number] = None
            at += 1
        outbox.drop(which, at)
        return 0

    cdef int look_for(self, Job* job) except -1:
        """It leaves its line; it was promised."""
        if is_gathered(job):                       # it has changed since it went into the batch on its way, if it did
            self.outdated.add(job.number)
        keeping_look_for(job)
        self.passes = 2
        return 0

    cdef int tell_later(self, Job* job) except -1:
        if is_replaced(job):
            keeping_replaced(job)
            self.told.append(job.number)
        return 0

    def unfinished(self, list numbers not None):
        cdef bint collects = lock_enter_walk()
        try:
            return {number for number in numbers if not self.has_ended(number)}
        finally:
            lock_leave_walk(collects)

    cdef bint has_ended(self, uint64_t number) noexcept:
        cdef const Job* job = self.broker.find(number)
        return job == NULL or job.state == ENDED

    def unkeep(self, list numbers not None):
        cdef Job* job
        self.broker.enter()                        # clients may be told of it
        try:
            for number in numbers:
                job = self.broker.find(number)
                if job != NULL:
                    self.broker.unkeep(job)
        finally:
            self.broker.rest()

    # --- everything once more ---

    def doubt(self, bint lost):
        """What the store has is not known: nobody is told that it has a job, until it is known which are to be written."""
        lock_enter()
        self.broker.outbox.keeping.doubtful = True
        lock_leave()
        self.lost = lost
        self.promising = Cursor(0, 0)

    def promise(self):
        """One slice of the jobs: of what the store is to have, and does not. Returns whether there are more."""
        cdef Keeping* keeping = &self.broker.outbox.keeping
        cdef Job* found[MIN_SCAN]
        cdef bint more
        lock_enter()
        cdef int count = self.broker.scan(&self.promising, found), at
        for at in range(count):
            keeping_promise(keeping, found[at], self.lost)
        more = keeping.doubtful = self.promising.hash != 0 or self.promising.node != 0
        lock_leave()
        self.passes = 2
        return more

    def seek(self):
        """Put some of the jobs that were promised into their line. Returns whether there may be more to be found."""
        cdef Outbox outbox = self.broker.outbox
        cdef Job* found[MIN_SCAN]
        cdef int count, at, slices = 0
        lock_enter()
        try:
            self.skip_dead(ANEW)                   # or those would be waited for
            if outbox.keeping.promised == 0 or outbox.line[<int>ANEW].count > 0:
                return False
            while self.passes > 0 and slices < MAX_SLICES and outbox.line[<int>ANEW].count < ENOUGH:
                count = self.broker.scan(&self.seeking, found)
                for at in range(count):
                    if is_promised(found[at]) and not is_gathered(found[at]):
                        if not outbox.gather_anew(found[at]):
                            raise MemoryError("no memory for another job that waits for the store")
                if self.seeking.hash == 0 and self.seeking.node == 0:
                    self.passes -= 1
                slices += 1
            return self.passes > 0 and outbox.line[<int>ANEW].count == 0
        finally:
            lock_leave()

    # --- the end ---

    def gather_all(self):
        """Have every background job written that the store does not have."""
        lock_enter()
        self.broker.outbox.quiet = False
        lock_leave()
        self.doubt(False)
        while self.promise():
            pass
