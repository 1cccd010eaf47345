"""The life of a job (protocol sections 2 and 3).

    from       by                                           to
    ---------  -------------------------------------------  -------------------------------
    (nothing)  submit; the start, if the store has it       QUEUED, or DELAYED if due later
    DELAYED    tick at its due time                         QUEUED, workers woken
    QUEUED     grab                                         RUNNING
    RUNNING    report COMPLETE, FAIL, EXCEPTION             gone, its clients told
    RUNNING    worker lost, deadline passed, CANT_DO        QUEUED with one attempt more; gone and
                                                            FAIL to its clients after the last one
    any        the same report of a worker that lost it     gone, its clients told
    any        cancel                                       gone, FAIL to its clients
    any        the store does not take it                   no background job any more: see the last two
    RUNNING    the same, and its wait between tries begins  RETRYING
    RUNNING    report FAIL, EXCEPTION while it has retries  RETRYING, or QUEUED if it does not wait
    RETRYING   tick when its wait is over                   QUEUED, workers woken
    QUEUED     move to a later time                         DELAYED
    DELAYED    move to another time, run now                DELAYED, QUEUED; RETRYING likewise
    QUEUED     last foreground client lost                  gone
    RUNNING    last foreground client lost                  RUNNING as an orphan: gone with its worker

A background job is never an orphan. An orphan no longer owns its unique id.
"""

from libc.math cimport INFINITY
from libc.stdint cimport uint16_t
from libc.string cimport strlen

from gearfast.ground.allocator cimport give_memory_back, keep_memory
from gearfast.broker.events cimport ABANDONED, BURIED, CANCELLED, DISCARDED, EXPIRED, KICKED, LOST, REQUEUED, STARTED, WOKEN
from gearfast.ground.heap cimport heap_close, heap_open, heap_pop_due, heap_push, heap_remove, heap_when
from gearfast.ground.index cimport index_close, index_open, keyed_hash
from gearfast.broker.job cimport (
    DEAD, DELAYED, ENDED, EXPIRES, HAS_POLICY, NOT_THERE, NOWHERE, OWNS_UNIQUE, QUEUED, RETRYING, RUNNING, SCHEDULED, job_expiry, job_free,
    job_new, job_payload, job_policy, job_size, job_unique, lane_push, lane_remove,
)
from gearfast.broker.keeping cimport is_background, keeping_begin, keeping_replace, keeping_restore
from gearfast.broker.lost cimport lost_expects, lost_remember
from gearfast.broker.jobtable cimport (
    jobtable_add, jobtable_close, jobtable_open, jobtable_remove, jobtable_replace, jobtable_reserve,
)
from gearfast.broker.party cimport detach, holds, parties_free, party_new
from gearfast.broker.peer cimport EXCEPTION, FAIL, tell
from gearfast.broker.policy cimport Policy, policies_close, policies_open, policy_give, policy_take
from gearfast.ground.pool cimport pool_give, pool_take
from gearfast.broker.past cimport past_note, submitted_at
from gearfast.protocol.parameters cimport TTL, UNIQUE_TTL, Parameters
from gearfast.ground.ring cimport ring_append, ring_leave, ring_open, ring_prepend
from gearfast.broker.functions cimport (
    Worker, function_has_work, functions_close, functions_get, functions_open, functions_rest, functions_take, functions_use, functions_wake,
)
from gearfast.broker.rules cimport backoff_of, dead_most, dead_most_bytes, is_free, may_expire, retries_of, rule_of, timeout_of
from gearfast.broker.schedules cimport (
    schedules_add, schedules_close, schedules_find, schedules_open, schedules_remove,
)
from gearfast.broker.unique cimport (
    unique_find, unique_give_up, unique_hash, unique_key, unique_take, uniques_close, uniques_open,
)


cdef enum:
    MOST_ENDED = 100_000          # jobs that are remembered for their unique ids; those that would go first go first

ctypedef const char* Words

cdef Words[3] WORDS = [                            # of each Loss
    b"its worker went away", b"its worker handed it back", b"its worker did not do it in time",
]


cdef class Life:
    def __cinit__(self, bytes handle_prefix=b"H:localhost", *, int job_retries=-1, int worker_wakeup=1,
                  double wakeup_grace=0.05, int remembered_results=1000, size_t memory_step=16 * 1024 * 1024,
                  double function_rest=60.0):
        ring_open(&self.parties, NULL)
        ring_open(&self.leaving, NULL)
        ring_open(&self.forgotten, NULL)
        self.handles = Handles(handle_prefix)
        self.outbox = Outbox()
        self.events = Events()
        self.job_retries = job_retries
        self.worker_wakeup = worker_wakeup
        self.wakeup_grace = wakeup_grace
        self.remembered_results = remembered_results
        self.memory_step = memory_step
        self.function_rest = function_rest
        keep_memory(memory_step)
        heap_open(&self.delayed)
        heap_open(&self.deadlines)
        heap_open(&self.expiring)
        heap_open(&self.ended)
        heap_open(&self.retrying)
        self.dice = keyed_hash(b"jitter", 6) | 1
        if not (jobtable_open(&self.jobs) and uniques_open(&self.uniques) and policies_open(&self.policies) and functions_open(&self.functions)
                and schedules_open(&self.schedules)
                and index_open(&self.waiters)):
            raise MemoryError("no memory for a broker")
        self.functions.forget_at = 0 if function_rest < INFINITY else INFINITY

    def __dealloc__(self):
        if self.parties.next != NULL:              # else it was not made: its arguments were wrong
            parties_free(&self.parties)
            parties_free(&self.leaving)
            parties_free(&self.forgotten)
        jobtable_close(&self.jobs)
        uniques_close(&self.uniques)
        policies_close(&self.policies)
        functions_close(&self.functions)
        index_close(&self.waiters)
        heap_close(&self.delayed)
        heap_close(&self.deadlines)
        heap_close(&self.expiring)
        schedules_close(&self.schedules)
        heap_close(&self.ended)
        heap_close(&self.retrying)

    cdef Party* party_of(self, Peer peer) noexcept nogil:
        if peer.party == NULL:
            peer.party = party_new(<void*>peer, &peer.party)
            if peer.party != NULL:
                ring_append(&self.parties, &peer.party.among)
        return peer.party

    cdef int adopt_handles(self, bytes prefix, uint64_t last) except -1:
        self.handles = Handles(prefix)
        self.handles.last = last
        return 0

    cdef double due_of(self, const Job* job) noexcept nogil:
        return heap_when(&self.delayed, job.place.due) if job.state == DELAYED else 0

    # --- its begin ---

    cdef Job* make(self, Function* function, const Submission* wanted, uint64_t number, double now) noexcept nogil:
        cdef Policy* policy = NULL
        cdef Job* job
        if wanted.policy.size > 0:
            policy = policy_take(&self.policies, wanted.policy)
            if policy == NULL:
                return NULL
        job = job_new(wanted.unique, wanted.reducer, wanted.payload, policy, may_expire(function, policy))
        if job == NULL:
            if policy != NULL:
                policy_give(&self.policies, policy)
            return NULL
        job.home = &function.lanes
        job.history.submitted = now
        job.priority = wanted.priority
        job.number = number
        job.state = NOWHERE
        return job

    cdef void unmake(self, Job* job) noexcept nogil:
        if job.flags & HAS_POLICY:
            policy_give(&self.policies, job_policy(job))
        job_free(job)

    cdef Job* create(self, Function* function, const Submission* wanted, uint64_t number, double now) noexcept nogil:
        """Known by its number, and one of its function's."""
        cdef Job* job = self.make(function, wanted, number, now) if jobtable_reserve(&self.jobs, number) else NULL
        if job == NULL:
            return NULL
        if wanted.background:
            keeping_begin(job)
        jobtable_add(&self.jobs, job)
        function.total += 1
        self.unkept += not wanted.background
        functions_use(&self.functions, function)
        self.held_bytes += job_size(job)
        self.most_bytes = max(self.most_bytes, self.held_bytes)
        return job

    cdef bint bind(self, Job* job, Peer client, const Submission* wanted, bint unique, uint64_t hash,
                   double now) noexcept nogil:
        """To its unique id, to the client or the store that it is for, and to the time when it is due."""
        cdef bint bound = True
        if unique:
            unique_take(&self.uniques, job, hash)
        if not wanted.background:
            bound = self.wait_for(job, client)
        elif self.outbox.on:
            bound = self.keep(job, now)
        if bound and wanted.due > 0:
            bound = postpone(self, job, wanted.due)
        if not bound:
            self.release(job)
        return bound

    cdef bint restore(self, const Submission* wanted, const Restored* kept, double now) noexcept nogil:
        """What a store has kept; if its unique id is taken, it is not found by it."""
        cdef Function* function = functions_get(&self.functions, wanted.function)
        cdef Slice key = unique_key(wanted.unique, wanted.payload)
        cdef uint64_t hash = unique_hash(key) if key.size > 0 else 0
        cdef bint unique
        cdef Job* job
        if function == NULL:
            return False
        unique = key.size > 0 and unique_find(&self.uniques, function, wanted.unique, wanted.payload, hash) == NULL
        job = self.create(function, wanted, kept.number, kept.submitted or now)
        if job == NULL:
            return False
        job.attempts = kept.attempts
        keeping_restore(job)
        if kept.failed != 0:
            past_note(job, kept.started, kept.failed, kept.error)
        if kept.state == DEAD:
            self.inter(job)
            return True
        if kept.state == SCHEDULED:
            return self.restore_schedule(job, wanted, kept)
        if kept.state == ENDED:
            return self.restore_ended(job, wanted, unique, hash)
        if not self.bind(job, None, wanted, unique, hash, 0):
            return False
        if job.state != DELAYED:
            self.enqueue(job, 0)
        return True

    cdef bint restore_schedule(self, Job* job, const Submission* wanted, const Restored* kept) noexcept nogil:
        cdef Schedule* schedule = NULL
        if job_policy(job) != NULL and schedules_find(&self.schedules, <Function*>job.home, wanted.unique) == NULL:
            schedule = schedules_add(&self.schedules, job)
        if schedule == NULL:
            self.release(job)
            return False
        schedule.due = wanted.due
        schedule.fired = kept.fired
        schedule.run = kept.run
        (<Function*>job.home).schedules += 1
        self.rest_aside(job)
        return True

    cdef bint restore_ended(self, Job* job, const Submission* wanted, bint unique, uint64_t hash) noexcept nogil:
        if unique and heap_push(&self.ended, wanted.due - self.ahead, job.number, job, &job.place.due):
            job.state = ENDED
            unique_take(&self.uniques, job, hash)
            self.rest_aside(job)
        else:
            self.release(job)
        return True

    cdef bint keep(self, Job* job, double now) noexcept nogil:
        if not self.outbox.gather(job, now):
            return False
        self.unkept -= not is_background(job)
        keeping_begin(job)
        return True

    cdef void unkeep(self, Job* job) noexcept nogil:
        self.unkept += is_background(job)
        self.outbox.forget(job)
        if job.waiters == NULL:
            self.abandon(job)

    # --- its way from state to state ---

    cdef bint replace(self, Job* job, uint8_t priority, double due, double now) noexcept nogil:
        cdef bint placed
        if due < 0 and job.state != QUEUED:        # it waits on where it is
            (<Function*>job.home).delayed[job.priority] -= 1
            (<Function*>job.home).delayed[priority] += 1
            job.priority = priority
            self.outbox.gather_again(job, now)
            return True
        displace(self, job)
        job.priority = priority
        placed = due <= 0 or postpone(self, job, due)
        if job.state != DELAYED:
            self.enqueue(job, now)
        self.outbox.gather_again(job, now)
        return placed

    cdef Job* supersede(self, Job* job, const Submission* wanted, double now) noexcept nogil:
        cdef Job* other = self.make(<Function*>job.home, wanted, job.number, now)
        cdef Slice key = unique_key(wanted.unique, wanted.payload)
        if other == NULL:
            return NULL
        displace(self, job)
        unique_give_up(&self.uniques, job)
        keeping_replace(other, job)
        self.take_place(job, other)
        unique_take(&self.uniques, other, unique_hash(key))
        if wanted.due <= 0 or not postpone(self, other, wanted.due):
            self.enqueue(other, now)
        self.outbox.gather_again(other, now)
        return other

    cdef void take_place(self, Job* job, Job* other) noexcept nogil:
        """The other has its number."""
        jobtable_replace(&self.jobs, other)
        self.held_bytes += job_size(other)
        self.held_bytes -= job_size(job)
        self.most_bytes = max(self.most_bytes, self.held_bytes)
        self.unmake(job)

    cdef void expire_later(self, Job* job, double now) noexcept nogil:
        """Unless a worker starts it before: without memory it does not expire."""
        cdef const Parameters* rule = rule_of(job, TTL)
        if rule != NULL and job_expiry(job)[0] == NOT_THERE:
            heap_push(&self.expiring, max(now, submitted_at(job)) + rule.ttl, job.number, job, job_expiry(job))

    cdef void expire(self, Job* job) noexcept nogil:
        """It is out of the heap."""
        job_expiry(job)[0] = NOT_THERE
        self.happened(EXPIRED, job)
        self.fail(job)

    cdef void wake_for(self, Function* function, int most, double now) noexcept nogil:
        """Wake up to `most` sleepers (0: all) if the function has work."""
        cdef Worker* sleeper
        cdef void* peer
        if self.withholds() or not function_has_work(function):
            return
        while True:
            sleeper = functions_wake(&self.functions, function, now)
            if sleeper == NULL:
                return
            peer = (<Party*>sleeper.party).peer
            if peer != NULL:
                (<Peer>peer).wake()
            self.events.note(WOKEN, NULL, function.name)
            self.steps += 1
            most -= 1
            if most == 0:
                return

    cdef bint start(self, Job* job, Ability* ability, double now) noexcept nogil:
        cdef Run* run = <Run*>pool_take(sizeof(Run))
        cdef double deadline
        if run == NULL:
            return False
        run.job = job
        run.ability = ability
        run.numerator = run.denominator = 0
        run.started = now
        run.deadline = 0
        if ability.timeout > 0 or job.flags & HAS_POLICY or ability.function.rules != NULL:
            deadline = now + timeout_of(job, ability.timeout / 1000.0)
            if deadline < INFINITY:
                if not heap_push(&self.deadlines, deadline, job.number, run, &run.position):
                    pool_give(run, sizeof(Run))
                    return False
                run.deadline = deadline
        functions_take(&self.functions, job)
        if job.flags & EXPIRES:
            expire_no_more(self, job)
            job.flags &= ~EXPIRES                  # it has been started
        job.state = RUNNING
        job.place.run = run
        ability.function.running += 1
        self.running += 1
        ring_open(&run.of_ability, run)
        ring_prepend(&ability.runs, &run.of_ability)
        self.happened(STARTED, job)
        return True

    cdef void stop(self, Run* run) noexcept nogil:
        """Out of its worker's hands, into nobody's yet."""
        run.job.state = NOWHERE
        (<Function*>run.job.home).running -= 1
        self.running -= 1
        ring_leave(&run.of_ability)
        if run.deadline > 0:
            heap_remove(&self.deadlines, run.position)
        pool_give(run, sizeof(Run))

    cdef void forgive_holder(self, Job* job) noexcept nogil:
        """Whoever runs it is not told that it ends, and what it will say of it is no mistake."""
        cdef Party* party
        if job.state == RUNNING:
            party = <Party*>(<Ability*>job.place.run.ability).party
            lost_remember(&party.lost, job.number, False, self.remembered_results)

    cdef void requeue(self, Run* run, Loss loss, double now) noexcept nogil:
        """The worker lost it (protocol section 3.6)."""
        cdef Job* job = run.job
        cdef double started = run.started
        cdef bint free = loss == HANDED_BACK and is_free(job)
        self.forgive_holder(job)
        self.stop(run)
        if job.attempts < <uint16_t>-1 and not self.closing and not free:
            job.attempts += 1
        if job.waiters == NULL and not is_background(job):
            self.happened(ABANDONED, job)
            self.release(job)
            return
        if free:
            self.happened(REQUEUED, job)
            self.enqueue(job, now)
            return
        past_note(job, started, now, Slice(WORDS[<int>loss], strlen(WORDS[<int>loss])))
        if not self.is_spent(job) or self.closing:
            self.retry(job, now)
            return
        self.happened(LOST, job)
        self.steps += tell(&self.waiters, job, FAIL, NULL, 0)
        self.end_failed(job, now)

    cdef bint is_spent(self, const Job* job) noexcept nogil:
        cdef int retries = retries_of(job)
        if retries >= 0:
            return job.attempts > retries
        return self.job_retries >= 0 and job.attempts >= self.job_retries

    cdef void retry(self, Job* job, double now) noexcept nogil:
        cdef double wait = backoff_of(job, &self.dice)
        self.happened(REQUEUED, job)
        if wait > 0 and not self.closing and heap_push(&self.retrying, now + wait, job.number, job, &job.place.due):
            job.state = RETRYING
            (<Function*>job.home).delayed[job.priority] += 1
        else:                                      # for want of memory, too: nothing is lost by it
            self.enqueue(job, now)
        self.outbox.gather_again(job, now)

    cdef void rehome(self, Job* job, Function* function) noexcept nogil:
        cdef Function* before = <Function*>job.home
        cdef bint queued = job.state == QUEUED
        if queued:
            displace(self, job)
        else:
            before.delayed[job.priority] -= 1
            function.delayed[job.priority] += 1
        unique_give_up(&self.uniques, job)
        job.home = &function.lanes
        function.total += 1
        functions_use(&self.functions, function)
        before.total -= 1
        functions_rest(&self.functions, before)
        self.claim(job)
        if queued:
            functions_push(&self.functions, job)

    cdef void claim(self, Job* job) noexcept nogil:
        """It is found by its unique id, unless another one is."""
        cdef Slice key = unique_key(job_unique(job), job_payload(job))
        cdef uint64_t hash
        if key.size == 0:
            return
        hash = unique_hash(key)
        if unique_find(&self.uniques, <Function*>job.home, job_unique(job), job_payload(job), hash) == NULL:
            unique_take(&self.uniques, job, hash)

    cdef void abandon(self, Job* job) noexcept nogil:
        """Its last client is gone, and it is no background job."""
        if job.state == RUNNING:
            unique_give_up(&self.uniques, job)
        else:
            self.happened(ABANDONED, job)
            self.release(job)

    cdef void note_result(self, Job* job, Party* party, Report kind) noexcept nogil:
        """The first result counts, whoever held the job (protocol section 2.8): another holder's is swallowed."""
        if not holds(party, job):
            lost_expects(&party.lost, job.number, kind == FAIL, True)
            self.forgive_holder(job)
        if kind == EXCEPTION:                      # the Perl worker says WORK_FAIL as well
            lost_remember(&party.lost, job.number, True, self.remembered_results)

    cdef void fail(self, Job* job) noexcept nogil:
        self.steps += tell(&self.waiters, job, FAIL, NULL, 0)
        self.release(job)

    cdef void release(self, Job* job) noexcept nogil:
        """The end, from any state."""
        cdef Function* function = <Function*>job.home
        displace(self, job)
        while job.waiters != NULL:
            detach(&self.waiters, job.waiters)
        unique_give_up(&self.uniques, job)
        self.unkept -= not is_background(job)
        self.outbox.forget(job)
        jobtable_remove(&self.jobs, job)
        function.total -= 1
        functions_rest(&self.functions, function)
        self.held_bytes -= job_size(job)
        self.unmake(job)
        if self.most_bytes - self.held_bytes > self.memory_step:     # in steps: a spike is not given back in one pause
            self.most_bytes = self.held_bytes
            give_memory_back()

    # --- dead letters ---

    cdef void end_failed(self, Job* job, double now) noexcept nogil:
        """It has failed for good, and its clients know."""
        if is_background(job) and retries_of(job) >= 0:
            self.bury(job, now)
        else:
            self.finish(job, True, now)

    # --- unique ids that stay taken ---

    cdef void finish(self, Job* job, bint failed, double now) noexcept nogil:
        cdef const Parameters* rule = rule_of(job, UNIQUE_TTL) if job.flags & OWNS_UNIQUE else NULL
        if rule == NULL or rule.unique_ttl <= 0 or not self.remember(job, failed, rule.unique_ttl, now):
            self.release(job)

    cdef bint remember(self, Job* job, bint failed, double seconds, double now) noexcept nogil:
        """Without all that is needed to do it. False: there is no memory."""
        cdef Submission wanted = Submission(Slice(NULL, 0), job_unique(job), Slice(NULL, 0), Slice(NULL, 0), Slice(NULL, 0), job.priority)
        cdef Slice key = unique_key(job_unique(job), job_payload(job))
        cdef uint64_t hash = unique_hash(key)
        cdef Job* ended
        cdef bint kept
        if key.data != job_unique(job).data:       # its payload is its unique id
            wanted.payload = key
        ended = self.make(<Function*>job.home, &wanted, job.number, submitted_at(job))
        if ended == NULL:
            return False
        if not heap_push(&self.ended, now + seconds, job.number, ended, &ended.place.due):
            self.unmake(ended)
            return False
        displace(self, job)
        while job.waiters != NULL:
            detach(&self.waiters, job.waiters)
        unique_give_up(&self.uniques, job)
        kept = is_background(job)
        self.unkept -= not kept
        ended.kept = job.kept
        keeping_begin(ended)                       # nobody waits for it
        ended.state = ENDED
        ended.attempts = failed
        self.take_place(job, ended)
        unique_take(&self.uniques, ended, hash)
        self.rest_aside(ended)
        if kept:
            self.outbox.gather_again(ended, now)
        if self.ended.count > MOST_ENDED:
            self.release(<Job*>heap_pop_due(&self.ended, INFINITY))
        return True

    cdef void bury(self, Job* job, double now) noexcept nogil:
        cdef Function* function = <Function*>job.home
        self.happened(BURIED, job)
        displace(self, job)
        while job.waiters != NULL:
            detach(&self.waiters, job.waiters)
        unique_give_up(&self.uniques, job)
        self.inter(job)
        self.outbox.gather_again(job, now)
        self.trim(function)

    cdef void inter(self, Job* job) noexcept nogil:
        """Behind the others of its function; from now on it is no job that anybody has to do."""
        cdef Function* function = <Function*>job.home
        lane_push(&function.dead, job)
        job.state = DEAD
        function.dead_bytes += job_size(job)
        self.dead += 1
        self.rest_aside(job)

    # --- schedules ---

    cdef Schedule* schedule(self, Function* function, const Submission* wanted, uint64_t number, double now) noexcept nogil:
        cdef Schedule* before = schedules_find(&self.schedules, function, wanted.unique)
        cdef Schedule* schedule
        cdef Job* job
        if before != NULL:                         # the same one, with its handle and its last run
            job = self.make(function, wanted, before.job.number, now)
            if job == NULL:
                return NULL
            keeping_replace(job, before.job)
            self.take_place(before.job, job)
            job.state = SCHEDULED
            job.place.schedule = before
            before.job = job
            self.outbox.gather_again(job, now)
            return before
        job = self.create(function, wanted, number, now)
        if job == NULL:
            return NULL
        schedule = schedules_add(&self.schedules, job)
        if schedule == NULL:
            self.release(job)
            return NULL
        function.schedules += 1
        self.rest_aside(job)
        if self.outbox.on and not self.keep(job, now):
            self.release(job)
            return NULL
        return schedule

    cdef void unschedule(self, Job* job) noexcept nogil:
        self.happened(CANCELLED, job)
        self.release(job)

    cdef void rest_aside(self, Job* job) noexcept nogil:
        cdef Function* function = <Function*>job.home
        function.total -= 1
        function.others += 1
        self.others += 1
        functions_rest(&self.functions, function)

    cdef void rest_no_more(self, Job* job) noexcept nogil:
        cdef Function* function = <Function*>job.home
        function.total += 1
        function.others -= 1
        self.others -= 1
        functions_use(&self.functions, function)

    cdef void trim(self, Function* function) noexcept nogil:
        """The oldest leave first, those that came with the last one at once: so there is never much to do."""
        cdef int left
        for left in range(BATCH):
            if function.dead.count <= dead_most(function) and function.dead_bytes <= dead_most_bytes(function):
                return
            self.discard(function.dead.head)

    cdef void discard(self, Job* job) noexcept nogil:
        self.happened(DISCARDED, job)
        self.release(job)

    cdef void kick(self, Job* job, double now) noexcept nogil:
        """It is found by its unique id again, unless another one is by now."""
        self.happened(KICKED, job)
        displace(self, job)
        job.attempts = 0
        self.claim(job)
        self.enqueue(job, now)
        self.outbox.gather_again(job, now)


cdef inline bint postpone(Life self, Job* job, double due) noexcept nogil:
    if not heap_push(&self.delayed, due, job.number, job, &job.place.due):
        return False
    job.state = DELAYED
    (<Function*>job.home).delayed[job.priority] += 1
    return True


cdef inline void displace(Life self, Job* job) noexcept nogil:
    """Out of its lane, its heap, or its worker's hands."""
    if job.state == QUEUED:
        functions_take(&self.functions, job)
        if job.flags & EXPIRES:
            expire_no_more(self, job)
    elif job.state == DELAYED:
        heap_remove(&self.delayed, job.place.due)
        (<Function*>job.home).delayed[job.priority] -= 1
    elif job.state == RETRYING:
        heap_remove(&self.retrying, job.place.due)
        (<Function*>job.home).delayed[job.priority] -= 1
    elif job.state == RUNNING:
        self.stop(job.place.run)
    elif job.state == DEAD:
        rise(self, job)
    elif job.state == ENDED:
        if job.place.due != NOT_THERE:
            heap_remove(&self.ended, job.place.due)
        self.rest_no_more(job)
    elif job.state == SCHEDULED:
        schedules_remove(&self.schedules, job)
        (<Function*>job.home).schedules -= 1
        self.rest_no_more(job)
    job.state = NOWHERE


cdef inline void expire_no_more(Life self, Job* job) noexcept nogil:
    if job_expiry(job)[0] != NOT_THERE:
        heap_remove(&self.expiring, job_expiry(job)[0])
        job_expiry(job)[0] = NOT_THERE


cdef inline void rise(Life self, Job* job) noexcept nogil:
    cdef Function* function = <Function*>job.home
    lane_remove(&function.dead, job)
    function.dead_bytes -= job_size(job)
    self.dead -= 1
    self.rest_no_more(job)
