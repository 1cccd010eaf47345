"""Batches of jobs to the store, and jobs from it at the start."""

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t
from libc.string cimport memcmp

from gearfast.life cimport Submission
from gearfast.collector cimport hold_collector, release_collector
from gearfast.handle cimport Handles
from gearfast.heap cimport heap_when
from gearfast.index cimport Cursor
from gearfast.jobqueue cimport BACKGROUND, DELAYED, GATHERED, PRIORITIES, STORED, STRUCK, WRITING
from gearfast.journal cimport Journal
from gearfast.numbers cimport SCAN_LEAST, numbers_find, numbers_scan
from gearfast.record cimport read_more, record_of
from gearfast.roster cimport Function, roster_function
from gearfast.slice cimport Slice
from gearfast.unique cimport unique_find, unique_hash, unique_key

from gearfast import config

cdef size_t MOST_UNIQUE = config.UNIQUE_SIZE


cdef inline Slice slice_of(bytes data):
    return Slice(<const char*>data, len(data))


cdef class Ledger:
    def __cinit__(self, Broker broker not None):
        self.broker = broker
        self.function = b""
        self.aside = set()
        self.again = set()

    # --- the start ---

    def restore(self, list records not None):
        bad = []
        for record in records:
            try:
                self.restore_one(record)
            except (ValueError, TypeError, OverflowError) as error:
                bad.append((record[0], str(error)))
        return bad

    cdef int restore_one(self, record) except -1:
        cdef Broker broker = self.broker
        cdef Submission wanted
        cdef Function* function
        cdef Slice key
        cdef uint64_t number, hash = 0
        cdef bytes name, unique, payload, more
        cdef Job* job
        number, name, unique, priority, due, attempts, payload, more = record
        if number == 0 or numbers_find(&broker.jobs, number) != NULL:
            raise ValueError("its number is none, or another job's")
        if <size_t>len(unique) > MOST_UNIQUE or not 0 <= priority < PRIORITIES or not 0 <= due < INFINITY:
            raise ValueError(f"its unique id, priority or due time cannot be ({unique!r}, {priority}, {due})")
        read_more(more, &wanted.reducer)
        wanted.function, wanted.unique, wanted.payload = slice_of(name), slice_of(unique), slice_of(payload)
        wanted.priority = priority
        wanted.background = True
        wanted.due = due
        function = roster_function(&broker.roster, wanted.function)
        key = unique_key(wanted.unique, wanted.payload)
        if key.size > 0:
            hash = unique_hash(key)
            if unique_find(&broker.uniques, function, wanted.unique, wanted.payload, hash) != NULL:
                key.size = 0                       # kept all the same, but nobody finds it by its unique id
        job = broker.create(function, &wanted, number)
        job.attempts = min(max(attempts, 0), 0xFFFF)
        job.kept = BACKGROUND | STORED
        broker.bind(job, None, &wanted, key.size > 0, hash, 0)
        if job.state != DELAYED:
            broker.enqueue(job, 0)
        return 0

    def open(self, bytes prefix not None, uint64_t last, bint quiet):
        self.broker.handles = Handles(prefix)
        self.broker.handles.last = last
        self.broker.journal.on = True
        self.broker.journal.quiet = quiet

    def reserve(self, uint64_t crowd, uint64_t ceiling):
        self.broker.journal.crowd = crowd
        self.broker.handles.ceiling = ceiling

    # --- batches ---

    cdef Job* background(self, uint64_t number) noexcept:
        """The job of that number, if it still is a background job."""
        cdef Job* job = numbers_find(&self.broker.jobs, number)
        return job if job != NULL and job.kept & BACKGROUND else NULL

    def collect(self, size_t jobs, size_t size, size_t removes):
        """(numbers to forget, jobs to keep): what is to be written next."""
        cdef Journal journal = self.broker.journal
        cdef bint collects = hold_collector()
        cdef size_t at
        cdef Job* job
        cdef list adds = []
        journal.take_off(jobs, size, removes)
        try:
            for at in range(journal.flying):
                job = self.background(journal.entry(at).number)
                if job != NULL and job.kept & GATHERED:
                    adds.append(self.record(job))
                    job.kept = (job.kept & ~GATHERED) | WRITING
            return [journal.gone[journal.gone_head + at] for at in range(journal.gone_flying)], adds
        finally:
            release_collector(collects)

    cdef object record(self, const Job* job):
        cdef Slice name = (<Function*>job.home).name
        if <size_t>len(self.function) != name.size or memcmp(<const char*>self.function, name.data, name.size) != 0:
            self.function = name.data[:name.size]
        return record_of(job, self.function, heap_when(&self.broker.delayed, job.place.due) if job.state == DELAYED else 0)

    def written(self):
        cdef Journal journal = self.broker.journal
        cdef size_t at
        cdef Job* job
        for at in range(journal.flying):
            job = numbers_find(&self.broker.jobs, journal.entry(at).number)
            if job != NULL and job.kept & WRITING:
                job.kept = (job.kept & ~(WRITING | STRUCK)) | STORED
        journal.land()

    def failed(self, bint others=False):
        cdef Journal journal = self.broker.journal
        cdef size_t at
        cdef Job* job = NULL
        for at in range(journal.flying):
            job = self.background(journal.entry(at).number)
            if job != NULL and job.kept & WRITING:         # as far as anybody knows it may be in the store
                job.kept |= GATHERED
        if journal.flying == 1 and (journal.count > 1 or others) and job != NULL and job.kept & STORED:
            self.set_aside(job)
            journal.drop(1)
        journal.call_back()

    # --- what a store that has the job does not take ---

    # Nobody waits for the attempts of a job to be written, so no other job may have to wait behind them.

    cdef int set_aside(self, Job* job) except -1:
        job.kept &= ~(GATHERED | WRITING)
        if job.number in self.again:               # it is this one that cannot be written: it stays there as it was
            self.again.discard(job.number)
        else:
            self.aside.add(job.number)
        return 0

    def retry(self, double now):
        """The store has taken something: it gets what was set aside once more."""
        cdef Job* job
        if not self.aside:
            return
        self.again, self.aside = self.aside, set()
        for number in self.again:
            job = self.background(number)
            if job != NULL:
                self.broker.journal.gather_again(job, now)

    # --- who has waited too long ---

    def overdue(self, double before):
        cdef Journal journal = self.broker.journal
        cdef dict numbers = {}                     # one that was lost by its worker meanwhile stands twice
        cdef size_t at = 0, count = journal.count
        cdef Job* job
        while at < count and journal.entry(at).since <= before:
            job = self.background(journal.entry(at).number)
            if job != NULL and job.kept & STORED:
                self.set_aside(job)
            elif job != NULL and job.kept & (GATHERED | WRITING):
                numbers[job.number] = None
            at += 1
        journal.drop(at)
        return list(numbers)

    def unkeep(self, list numbers not None):
        cdef Job* job
        for number in numbers:
            job = numbers_find(&self.broker.jobs, number)
            if job != NULL:
                self.broker.unkeep(job)

    # --- the end ---

    def gather_all(self, double now):
        """Have every background job written that the store does not have."""
        cdef Journal journal = self.broker.journal
        cdef Cursor cursor = Cursor(0, 0)
        cdef Job* found[SCAN_LEAST]
        cdef int count, at
        journal.quiet = False
        while True:
            count = numbers_scan(&self.broker.jobs, &cursor, found, SCAN_LEAST)
            for at in range(count):
                if found[at].kept & BACKGROUND and not found[at].kept & (STORED | GATHERED):
                    journal.gather(found[at], now)
            if cursor.hash == 0 and cursor.node == 0:
                return

    def close(self):
        """From now on nothing new is for the store; it may still be told what to forget."""
        self.broker.journal.quiet = True

    # --- what waits ---

    @property
    def last(self) -> int:
        return self.broker.handles.last

    @property
    def newest(self) -> int:
        return self.broker.journal.newest()

    @property
    def settled(self) -> int:
        return self.broker.journal.first

    @property
    def crowded(self) -> bool:
        return self.broker.handles.last > self.broker.journal.crowd

    @property
    def removes_wait(self) -> bool:
        return self.broker.journal.gone_count > 0

    @property
    def waits(self) -> bool:
        return self.broker.journal.count > 0 or self.broker.journal.gone_count > 0 or bool(self.aside)
