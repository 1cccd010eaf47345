"""The life of a job (protocol sections 2 and 3).

    from       by                                           to
    ---------  -------------------------------------------  -------------------------------
    (nothing)  submit, or from the store (ledger.pyx)       QUEUED, or DELAYED if due later
    DELAYED    tick at its due time                         QUEUED, workers woken
    QUEUED     grab                                         RUNNING
    RUNNING    report COMPLETE, FAIL, EXCEPTION             gone, its clients told
    RUNNING    worker lost, deadline passed, CANT_DO        QUEUED with one attempt more; gone and
                                                            FAIL to its clients after the last one
    any        cancel                                       gone, FAIL to its clients
    any        the store does not take it                   no background job any more: see the next two
    QUEUED     last foreground client lost                  gone
    RUNNING    last foreground client lost                  RUNNING as an orphan: gone with its worker

A background job is never an orphan. An orphan no longer owns its unique id.
"""

cimport cython
from libc.stdint cimport uint16_t

from gearfast.census cimport function_rows, job_rows
from gearfast.collector cimport hold_collector, release_collector
from gearfast.heap cimport heap_close, heap_open, heap_pop_due, heap_push, heap_remove, heap_soonest
from gearfast.jobqueue cimport (
    BACKGROUND, DELAYED, QUEUED, RUNNING, Waiter, give_memory_back, job_free, job_new, job_size, keep_memory,
)
from gearfast.journal cimport Journal
from gearfast.late cimport late_expects, late_remember
from gearfast.numbers cimport numbers_add, numbers_close, numbers_find, numbers_open, numbers_remove, numbers_reserve
from gearfast.peer cimport COMPLETE, EXCEPTION, FAIL, STATUS, attach, detach, tell
from gearfast.pool cimport pool_give, pool_take
from gearfast.ring cimport Ring, ring_empty, ring_leave, ring_open, ring_prepend
from gearfast.roster cimport (
    Ability, Worker, function_has_work, roster_ability, roster_can_do, roster_cant_do, roster_close, roster_drop,
    roster_find, roster_find_folded, roster_function, roster_next, roster_open, roster_push, roster_rouse,
    roster_sleep, roster_take, roster_wake, worker_ability, worker_is_woken,
)
from gearfast.rotation cimport rotation_to_end
from gearfast.unique cimport (
    unique_find, unique_find_anywhere, unique_give_up, unique_hash, unique_key, unique_take, uniques_close, uniques_open,
)

cdef enum:
    NOWHERE = 3           # a job between two states
    TICK_BATCH = 1000     # events of one kind handled by one tick, so that a great many of them starve nobody


@cython.final
cdef class Broker:
    def __cinit__(self, bytes handle_prefix=b"H:localhost", *, int job_retries=-1, int worker_wakeup=1,
                  double wakeup_grace=0.05, int remembered_results=256, size_t memory_step=16 * 1024 * 1024):
        self.handles = Handles(handle_prefix)
        self.journal = Journal()
        self.job_retries = job_retries
        self.worker_wakeup = worker_wakeup
        self.wakeup_grace = wakeup_grace
        self.remembered_results = remembered_results
        self.memory_step = memory_step
        keep_memory(memory_step)
        numbers_open(&self.jobs)
        uniques_open(&self.uniques)
        roster_open(&self.roster)
        heap_open(&self.delayed)
        heap_open(&self.deadlines)

    def __dealloc__(self):
        numbers_close(&self.jobs)
        uniques_close(&self.uniques)
        roster_close(&self.roster)
        heap_close(&self.delayed)
        heap_close(&self.deadlines)

    # --- clients ---

    cdef int submit(self, Peer client, const Submission* wanted, double now, Job** out) except -1:
        cdef Function* function = roster_function(&self.roster, wanted.function)
        cdef Slice key = unique_key(wanted.unique, wanted.payload)
        cdef uint64_t hash = 0
        cdef Job* job
        if key.size > 0:
            hash = unique_hash(key)
            job = unique_find(&self.uniques, function, wanted.unique, wanted.payload, hash)
            if job != NULL:
                if not wanted.background:
                    attach(job, client)
                elif not job.kept & BACKGROUND:
                    self.keep(job, now)
                out[0] = job
                return COALESCED
        if 0 < function.limit[wanted.priority] <= function.total:
            return QUEUE_FULL
        if self.handles.last >= self.handles.ceiling:
            return NO_NUMBERS
        job = self.create(function, wanted, self.handles.last + 1)
        self.handles.last += 1
        if key.size > 0 or not wanted.background or wanted.due > 0 or self.journal.on:
            self.bind(job, client, wanted, key.size > 0, hash, now)
        if job.state != DELAYED:
            self.enqueue(job, now)
        out[0] = job
        return CREATED

    cdef Job* create(self, Function* function, const Submission* wanted, uint64_t number) except NULL:
        """A job that is nowhere yet."""
        cdef Job* job
        numbers_reserve(&self.jobs, number)
        job = job_new(wanted.unique, wanted.reducer, wanted.payload)
        job.home = &function.lanes
        job.priority = wanted.priority
        job.kept = BACKGROUND if wanted.background else 0
        job.number = number
        job.state = NOWHERE
        numbers_add(&self.jobs, job)
        function.total += 1
        self.held_bytes += job_size(job)
        self.most_bytes = max(self.most_bytes, self.held_bytes)
        return job

    cdef int bind(self, Job* job, Peer client, const Submission* wanted, bint unique, uint64_t hash,
                  double now) except -1:
        """To its unique id, to the client or the store that it is for, and to the time when it is due."""
        try:
            if unique:
                unique_take(&self.uniques, job, hash)
            if not wanted.background:
                attach(job, client)
            elif self.journal.on:
                self.keep(job, now)
            if wanted.due > 0:
                heap_push(&self.delayed, wanted.due, job.number, job, &job.place.due)
                job.state = DELAYED
        except MemoryError:
            self.release(job)
            raise
        return 0

    cdef int keep(self, Job* job, double now) except -1:
        self.journal.gather(job, now)
        job.kept |= BACKGROUND
        return 0

    cdef void unkeep(self, Job* job) noexcept:
        job.kept = self.journal.forget(job)
        if job.waiters == NULL:
            self.abandon(job)

    cdef Job* find(self, uint64_t number) noexcept:
        return numbers_find(&self.jobs, number)

    cdef Job* find_unique(self, Slice unique) noexcept:
        return unique_find_anywhere(&self.uniques, unique)

    cdef bint cancel(self, uint64_t number) noexcept:
        cdef Job* job = self.find(number)
        if job == NULL:
            return False
        if job.state == RUNNING:
            late_remember(&(<Peer>job.place.run.holder).late, job.number, False, self.remembered_results)
        self.fail(job)
        return True

    # --- workers ---

    cdef int can_do(self, Peer worker, Slice name, int64_t timeout) except -1:
        return roster_can_do(&self.roster, &worker.worker, roster_function(&self.roster, name), timeout)

    cdef int cant_do(self, Peer worker, Slice name, double now) except -1:
        cdef Function* function = roster_find(&self.roster, name)
        cdef Function* woken_for = worker.worker.woken_for
        cdef Ability* ability
        if function == NULL:
            return 0
        ability = roster_ability(&self.roster, &worker.worker, function)
        if ability != NULL:
            roster_cant_do(&self.roster, ability)
            self.requeue_all(worker, function, now)
            if woken_for == function:
                self.wake_for(function, 1, now)
        return 0

    cdef int reset_abilities(self, Peer worker, double now) except -1:
        cdef Function* woken_for = worker.worker.woken_for
        cdef uint32_t at = 0
        cdef Ability* ability = worker_ability(&worker.worker, &at)
        while ability != NULL:
            roster_cant_do(&self.roster, ability)
            ability = worker_ability(&worker.worker, &at)
        self.requeue_all(worker, NULL, now)
        if woken_for != NULL:
            self.wake_for(woken_for, 1, now)
        return 0

    cdef Job* grab(self, Peer worker, double now) except? NULL:
        cdef Function* woken_for = roster_rouse(&self.roster, &worker.worker)
        cdef int priority
        cdef Ability* ability = roster_next(&self.roster, &worker.worker, &priority)
        cdef Job* job
        if ability == NULL:
            return NULL
        job = ability.function.lanes.lane[priority].head
        self.start(job, worker, ability.timeout, now)
        rotation_to_end(&worker.worker.rotation, &ability.seat)
        if woken_for != NULL and woken_for != ability.function:
            self.wake_for(woken_for, 1, now)       # what it was woken for still waits
        return job

    cdef bint sleep(self, Peer worker) noexcept:
        cdef int priority
        if roster_next(&self.roster, &worker.worker, &priority) == NULL:
            roster_sleep(&self.roster, &worker.worker)
            return True
        if not worker_is_woken(&worker.worker):    # else it answers for a job until it grabs
            roster_rouse(&self.roster, &worker.worker)
        return False

    cdef Run* held(self, Peer worker, uint64_t number) noexcept:
        cdef Job* job = self.find(number)
        if job == NULL or job.state != RUNNING or job.place.run.holder != <void*>worker:
            return NULL
        return job.place.run

    cdef Reported report(self, Peer worker, uint64_t number, Report kind, const char* body, size_t size) noexcept:
        cdef Run* run = self.held(worker, number)
        cdef Job* job
        if run == NULL:
            return LATE if late_expects(&worker.late, number, kind == FAIL, kind >= COMPLETE) else UNKNOWN
        job = run.job
        tell(job, kind, body, size)
        if kind >= COMPLETE:
            if kind == EXCEPTION:                  # the Perl worker says WORK_FAIL as well
                late_remember(&worker.late, number, True, self.remembered_results)
            self.release(job)
        return TAKEN

    cdef Reported progress(self, Peer worker, uint64_t number, uint32_t numerator, uint32_t denominator,
                           const char* body, size_t size) noexcept:
        cdef Run* run = self.held(worker, number)
        if run != NULL:
            run.numerator = numerator
            run.denominator = denominator
        return self.report(worker, number, STATUS, body, size)

    # --- both ---

    cdef void disconnect(self, Peer peer, double now) noexcept:
        cdef Function* woken_for = peer.worker.woken_for
        cdef uint32_t at = 0
        cdef Ability* ability
        cdef Waiter* waiter
        cdef Job* job
        roster_rouse(&self.roster, &peer.worker)
        ability = worker_ability(&peer.worker, &at)
        while ability != NULL:
            roster_cant_do(&self.roster, ability)
            ability = worker_ability(&peer.worker, &at)
        while not ring_empty(&peer.waits):         # before its jobs: some it may have submitted itself
            waiter = <Waiter*>peer.waits.next.owner
            job = waiter.job
            detach(waiter)
            if job.waiters == NULL and not job.kept & BACKGROUND:
                self.abandon(job)
        self.requeue_all(peer, NULL, now)
        if woken_for != NULL:
            self.wake_for(woken_for, 1, now)

    # --- a job's way from state to state ---

    cdef void enqueue(self, Job* job, double now) noexcept:
        roster_push(&self.roster, job)
        if self.roster.sleeping > 0:
            self.wake_for(<Function*>job.home, self.worker_wakeup, now)

    cdef void wake_for(self, Function* function, int most, double now) noexcept:
        """Wake up to `most` sleepers (0: all) if the function has work."""
        cdef Worker* sleeper
        cdef bint collects
        if not function_has_work(function):
            return
        while True:
            sleeper = roster_wake(&self.roster, function, now)
            if sleeper == NULL:
                return
            collects = hold_collector()
            (<Peer>sleeper.peer).wake()
            release_collector(collects)
            most -= 1
            if most == 0:
                return

    cdef int start(self, Job* job, Peer worker, int64_t timeout, double now) except -1:
        cdef Run* run = <Run*>pool_take(sizeof(Run))
        if run == NULL:
            raise MemoryError("no memory to run another job")
        run.job = job
        run.holder = <void*>worker
        run.numerator = run.denominator = 0
        run.deadline = 0
        if timeout > 0:
            try:
                heap_push(&self.deadlines, now + timeout / 1000.0, job.number, run, &run.position)
            except MemoryError:
                pool_give(run, sizeof(Run))
                raise
            run.deadline = now + timeout / 1000.0
        roster_take(&self.roster, job)
        job.state = RUNNING
        job.place.run = run
        (<Function*>job.home).running += 1
        ring_open(&run.of_holder, run)
        ring_prepend(&worker.runs, &run.of_holder)
        return 0

    cdef void stop(self, Run* run) noexcept:
        """Out of its worker's hands, into nobody's yet."""
        run.job.state = NOWHERE
        (<Function*>run.job.home).running -= 1
        ring_leave(&run.of_holder)
        if run.deadline > 0:
            heap_remove(&self.deadlines, run.position)
        pool_give(run, sizeof(Run))

    cdef void requeue(self, Run* run, double now) noexcept:
        """The worker lost it (protocol section 3.6)."""
        cdef Job* job = run.job
        late_remember(&(<Peer>run.holder).late, job.number, False, self.remembered_results)
        self.stop(run)
        if job.attempts < <uint16_t>-1 and not self.closing:
            job.attempts += 1
        if job.waiters == NULL and not job.kept & BACKGROUND:
            self.release(job)
        elif self.job_retries >= 0 and job.attempts >= self.job_retries and not self.closing:
            self.fail(job)
        else:
            self.journal.gather_again(job, now)
            self.enqueue(job, now)

    cdef void requeue_all(self, Peer worker, Function* function, double now) noexcept:
        """Every job in its hands, newest first; only those of one function unless that is NULL."""
        cdef Ring* link = worker.runs.next
        cdef Run* run
        while link != &worker.runs:
            run = <Run*>link.owner
            link = link.next
            if function == NULL or run.job.home == &function.lanes:
                self.requeue(run, now)

    cdef void abandon(self, Job* job) noexcept:
        """Its last client is gone, and it is no background job."""
        if job.state == RUNNING:
            unique_give_up(&self.uniques, job)
        else:
            self.release(job)

    cdef void fail(self, Job* job) noexcept:
        tell(job, FAIL, NULL, 0)
        self.release(job)

    cdef void release(self, Job* job) noexcept:
        """The end, from any state."""
        if job.state == QUEUED:
            roster_take(&self.roster, job)
        elif job.state == DELAYED:
            heap_remove(&self.delayed, job.place.due)
        elif job.state == RUNNING:
            self.stop(job.place.run)
        while job.waiters != NULL:
            detach(job.waiters)
        unique_give_up(&self.uniques, job)
        self.journal.forget(job)
        numbers_remove(&self.jobs, job)
        (<Function*>job.home).total -= 1
        self.held_bytes -= job_size(job)
        job_free(job)
        if self.most_bytes - self.held_bytes > self.memory_step:     # in steps: a spike is not given back in one pause
            self.most_bytes = self.held_bytes
            give_memory_back()

    # --- time ---

    def tick(self, double now, double wall):
        cdef int left
        cdef Job* job
        cdef Run* run
        cdef Function* woken_for
        cdef Worker* worker
        for left in range(TICK_BATCH):
            job = <Job*>heap_pop_due(&self.delayed, wall)
            if job == NULL:
                break
            self.enqueue(job, now)
        for left in range(TICK_BATCH):
            run = <Run*>heap_pop_due(&self.deadlines, now)
            if run == NULL:
                break
            run.deadline = 0
            self.requeue(run, now)
        for left in range(TICK_BATCH):
            if ring_empty(&self.roster.woken):
                break
            worker = <Worker*>self.roster.woken.next.owner
            if worker.woken_at + self.wakeup_grace > now:
                break
            woken_for = roster_rouse(&self.roster, worker)
            if woken_for != NULL:
                self.wake_for(woken_for, 1, now)

    cpdef double wait(self, double now, double wall) noexcept:
        cdef double soonest = min(heap_soonest(&self.delayed) - wall, heap_soonest(&self.deadlines) - now)
        if not ring_empty(&self.roster.woken):
            soonest = min(soonest, (<Worker*>self.roster.woken.next.owner).woken_at + self.wakeup_grace - now)
        return max(soonest, 0.0)

    # --- what an administrator sees and does ---

    @property
    def job_count(self) -> int:
        return self.jobs.count

    def scan_functions(self, cursor, int most):
        return function_rows(&self.roster.functions, cursor, most)

    def scan_jobs(self, cursor, int most):
        return job_rows(&self.jobs, self.handles, cursor, most)

    def create_function(self, bytes name not None):
        roster_function(&self.roster, Slice(<const char*>name, len(name)))

    def drop_function(self, bytes name not None):
        cdef bytes folded = name.lower()
        cdef Function* function = roster_find(&self.roster, Slice(<const char*>name, len(name)))
        if function == NULL:                       # or any that differs only in case (protocol section 4.4)
            function = roster_find_folded(&self.roster, Slice(<const char*>folded, len(folded)))
        if function == NULL:
            return NO_SUCH_FUNCTION
        if function.workers > 0 or function.total > 0:
            return IN_USE
        roster_drop(&self.roster, function)
        return DROPPED

    def limit_function(self, bytes name not None, tuple limits not None):
        cdef Function* function = roster_find(&self.roster, Slice(<const char*>name, len(name)))
        cdef size_t high, normal, low
        high, normal, low = limits
        if function != NULL:
            function.limit = [high, normal, low]

    def cancel_job(self, bytes handle not None):
        return self.cancel(self.handles.parse(handle, len(handle)))
