"""What there is of jobs, and the places where they are: in a lane, in a heap, in a worker's hands. No state decides anything here."""

cimport cython
from libc.math cimport INFINITY
from libc.stdint cimport uint64_t

from gearfast.ground.allocator cimport keep_memory
from gearfast.ground.heap cimport heap_close, heap_open, heap_push, heap_remove, heap_when
from gearfast.ground.index cimport index_close, index_open, keyed_hash
from gearfast.ground.lock cimport lock_enter, lock_leave
from gearfast.ground.pool cimport pool_give
from gearfast.ground.ring cimport ring_append, ring_empty, ring_leave, ring_open
from gearfast.ground.slice cimport Slice
from gearfast.protocol.handle cimport Handles
from gearfast.protocol.parameters cimport TTL, Parameters
from gearfast.broker.events cimport WOKEN, Events
from gearfast.broker.functions cimport (
    Function, Worker, function_has_work, functions_close, functions_open, functions_rest, functions_take,
    functions_use, functions_wake,
)
from gearfast.broker.job cimport (
    DEAD, DELAYED, ENDED, EXPIRES, HAS_POLICY, NOT_THERE, NOWHERE, OWNS_UNIQUE, QUEUED, RETRYING, RUNNING, SCHEDULED, Job, Run,
    job_claim, job_expiry, job_free, job_new, job_payload, job_policy, job_size, job_unique, lane_remove,
)
from gearfast.broker.jobtable cimport jobtable_add, jobtable_close, jobtable_open, jobtable_remove, jobtable_replace
from gearfast.broker.keeping cimport is_background, keeping_begin
from gearfast.broker.outbox cimport Outbox
from gearfast.broker.party cimport Party, detach, parties_free, party_new
from gearfast.broker.past cimport dead_size, submitted_at
from gearfast.broker.peer cimport Peer
from gearfast.broker.policy cimport Policy, policies_close, policies_open, policy_give, policy_take
from gearfast.broker.rules cimport may_expire, rule_of
from gearfast.broker.schedules cimport schedules_close, schedules_open, schedules_remove
from gearfast.broker.unique cimport (
    unique_find, unique_find_anywhere, unique_give_up, unique_hash, unique_key, unique_take, uniques_close, uniques_open,
)


@cython.no_gc_clear        # a peer that is forgotten together with its broker still gives back what it has
cdef class Estate:
    def __cinit__(self, bytes handle_prefix=b"H:localhost", *, int job_retries=-1, int worker_wakeup=1,
                  double wakeup_grace=0.05, int remembered_results=1000, size_t memory_step=16 * 1024 * 1024,
                  double function_rest=60.0):
        cdef bint opened
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
        heap_open(&self.delayed)
        heap_open(&self.moments)
        heap_open(&self.ended)
        self.dice = keyed_hash(b"jitter", 6) | 1
        lock_enter()
        keep_memory(memory_step)
        opened = (jobtable_open(&self.jobs) and uniques_open(&self.uniques) and policies_open(&self.policies)
                  and functions_open(&self.functions) and schedules_open(&self.schedules) and index_open(&self.waiters))
        lock_leave()
        if not opened:
            raise MemoryError("no memory for a broker")
        self.functions.forget_at = 0 if function_rest < INFINITY else INFINITY

    def __dealloc__(self):
        lock_enter()
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
        heap_close(&self.moments)
        schedules_close(&self.schedules)
        heap_close(&self.ended)
        lock_leave()

    cdef Party* party_of(self, Peer peer) noexcept nogil:
        if peer.party == NULL:
            peer.party = party_new(<void*>peer, &peer.party)
            if peer.party != NULL:
                ring_append(&self.parties, &peer.party.among)
        return peer.party

    cdef int adopt_handles(self, bytes prefix, uint64_t last) except -1:
        cdef Handles handles = Handles(prefix)
        handles.last = last
        lock_enter()
        self.handles = handles
        lock_leave()
        return 0

    cdef double due_of(self, const Job* job) noexcept nogil:
        return heap_when(&self.delayed, job.place.due) if job.state == DELAYED else 0

    cdef Job* find_named(self, Slice handle) noexcept nogil:
        return self.find(self.handles.parse(handle.data, handle.size))

    cdef Job* find_unique(self, Slice unique) noexcept nogil:
        cdef Job* newest = unique_find_anywhere(&self.uniques, unique)
        cdef Job* job = newest
        cdef int left
        for left in range(BATCH):                  # past those that are remembered only
            if job == NULL or job.state != ENDED:
                return job
            job = job_claim(job).older
            if job == newest:
                break
        return newest

    # --- its begin ---

    cdef Job* make(self, Function* function, const Submission* wanted, uint64_t number, double now) noexcept nogil:
        return made(self, function, wanted, number, now)

    cdef void unmake(self, Job* job) noexcept nogil:
        unmade(self, job)

    cdef Job* create(self, Function* function, const Submission* wanted, uint64_t number, double now) noexcept nogil:
        """Known by its number, and one of its function's."""
        cdef Job* job = made(self, function, wanted, number, now)
        if job == NULL:
            return NULL
        if not jobtable_add(&self.jobs, job):
            unmade(self, job)
            return NULL
        if wanted.background:
            keeping_begin(job)
        function.total += 1
        self.unkept += not wanted.background
        functions_use(&self.functions, function)
        self.held_bytes += job_size(job)
        self.most_bytes = max(self.most_bytes, self.held_bytes)
        return job

    cdef void claim(self, Job* job) noexcept nogil:
        """It is found by its unique id, unless another one is."""
        cdef Slice key = unique_key(job_unique(job), job_payload(job))
        cdef uint64_t hash
        if key.size == 0:
            return
        hash = unique_hash(key)
        if unique_find(&self.uniques, <Function*>job.home, job_unique(job), job_payload(job), hash) == NULL:
            unique_take(&self.uniques, job, hash)

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
            bound = self.postpone(job, wanted.due)
        if not bound:
            self.release(job)
        return bound

    cdef bint keep(self, Job* job, double now) noexcept nogil:
        if not self.outbox.gather(job, now):
            return False
        self.unkept -= not is_background(job)
        keeping_begin(job)
        return True

    cdef void take_place(self, Job* job, Job* other) noexcept nogil:
        """The other has its number."""
        jobtable_replace(&self.jobs, other)
        self.held_bytes += job_size(other)
        self.held_bytes -= job_size(job)
        self.most_bytes = max(self.most_bytes, self.held_bytes)
        self.unmake(job)

    # --- its places ---

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
            self.events.note(WOKEN, NULL, &function.name)
            self.steps += 1
            most -= 1
            if most == 0:
                return

    cdef void wake_opened(self, double now) noexcept nogil:
        """Functions that were paused have work: one sleeper for each job, some of them at a time."""
        cdef Function* function
        cdef size_t before
        cdef int left
        for left in range(BATCH):
            if ring_empty(&self.functions.opened):
                return
            function = <Function*>self.functions.opened.next.owner
            before = self.steps
            self.wake_for(function, 1, now)
            function.to_wake -= 1
            if function.to_wake == 0 or self.steps == before:
                ring_leave(&function.opened)

    cdef void expire_later(self, Job* job, double now) noexcept nogil:
        """Unless a worker starts it before: without memory it does not expire."""
        cdef const Parameters* rule = rule_of(job, TTL)
        if rule != NULL and job_expiry(job)[0] == NOT_THERE:
            heap_push(&self.moments, max(now, submitted_at(job)) + rule.ttl, job.number, job, job_expiry(job))

    cdef void expire_no_more(self, Job* job) noexcept nogil:
        if job_expiry(job)[0] != NOT_THERE:
            heap_remove(&self.moments, job_expiry(job)[0])
            job_expiry(job)[0] = NOT_THERE

    cdef void stop(self, Run* run) noexcept nogil:
        """Out of its worker's hands, into nobody's yet."""
        run.job.state = NOWHERE
        (<Function*>run.job.home).running -= 1
        self.running -= 1
        ring_leave(&run.of_ability)
        if run.deadline > 0:
            heap_remove(&self.moments, run.position)
        pool_give(run, sizeof(Run))

    cdef void displace(self, Job* job) noexcept nogil:
        take_out(self, job)

    cdef void withdraw(self, Job* job) noexcept nogil:
        take_all(self, job)

    cdef bint postpone(self, Job* job, double due) noexcept nogil:
        if not heap_push(&self.delayed, due, job.number, job, &job.place.due):
            return False
        job.state = DELAYED
        (<Function*>job.home).delayed[job.priority] += 1
        return True

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

    # --- its end ---

    cdef void release(self, Job* job) noexcept nogil:
        """The end, from any state."""
        cdef Function* function = <Function*>job.home
        take_all(self, job)
        self.unkept -= not is_background(job)
        self.outbox.forget(job)
        jobtable_remove(&self.jobs, job)
        function.total -= 1
        functions_rest(&self.functions, function)
        self.held_bytes -= job_size(job)
        unmade(self, job)
        if self.most_bytes - self.held_bytes > self.memory_step:     # in steps: a spike is not given back in one pause
            self.most_bytes = self.held_bytes
            self.shrunk = True


cdef inline void take_all(Estate self, Job* job) noexcept nogil:
    """Its place, its clients and its unique id."""
    if job.state == RUNNING:                       # most often
        self.stop(job.place.run)
    else:
        take_out(self, job)
    while job.waiters != NULL:
        detach(&self.waiters, job.waiters)
    if job.flags & OWNS_UNIQUE:
        unique_give_up(&self.uniques, job)


cdef inline void take_out(Estate self, Job* job) noexcept nogil:
    """Out of its lane, its heap, or its worker's hands."""
    if job.flags & EXPIRES:
        self.expire_no_more(job)
    if job.state == QUEUED:
        functions_take(&self.functions, job)
    elif job.state == DELAYED:
        heap_remove(&self.delayed, job.place.due)
        (<Function*>job.home).delayed[job.priority] -= 1
    elif job.state == RETRYING:
        heap_remove(&self.moments, job.place.due)
        (<Function*>job.home).delayed[job.priority] -= 1
    elif job.state == RUNNING:
        self.stop(job.place.run)
    elif job.state == DEAD:
        lane_remove(&(<Function*>job.home).dead, job)
        (<Function*>job.home).dead_bytes -= dead_size(job)
        self.dead -= 1
        self.rest_no_more(job)
    elif job.state == ENDED:
        if job.place.due != NOT_THERE:
            heap_remove(&self.ended, job.place.due)
        self.rest_no_more(job)
    elif job.state == SCHEDULED:
        schedules_remove(&self.schedules, job)
        (<Function*>job.home).schedules -= 1
        self.rest_no_more(job)
    job.state = NOWHERE


cdef inline Job* made(Estate self, Function* function, const Submission* wanted, uint64_t number, double now) noexcept nogil:
    cdef Policy* policy = NULL
    cdef char* room = NULL if wanted.room == NULL else wanted.room[0]
    cdef Job* job
    if wanted.policy.size > 0:
        policy = policy_take(&self.policies, wanted.policy)
        if policy == NULL:
            return NULL
    job = job_new(wanted.unique, wanted.reducer, wanted.payload, policy, may_expire(function, policy), room)
    if job == NULL:
        if policy != NULL:
            policy_give(&self.policies, policy)
        return NULL
    if room != NULL:
        wanted.room[0] = NULL
    job.home = &function.lanes
    job.history.submitted = now
    job.priority = wanted.priority
    job.number = number
    job.state = NOWHERE
    return job


cdef inline void unmade(Estate self, Job* job) noexcept nogil:
    if job.flags & HAS_POLICY:
        policy_give(&self.policies, job_policy(job))
    job_free(job)
