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
    any alive  cancel                                       gone, FAIL to its clients
    any        the store does not take it                   no background job any more: see the last two
    RUNNING    the same, and its wait between tries begins  RETRYING
    RUNNING    report FAIL, EXCEPTION while it has retries  RETRYING, or QUEUED if it does not wait
    RETRYING   tick when its wait is over                   QUEUED, workers woken
    RUNNING    its last try fails, if it asks for retries   DEAD: buried, its clients told; no unique id any more
    RUNNING    its end, if its unique id is to stay taken   ENDED: no job any more
    ENDED      tick when that is over; there are too many   gone
    DEAD       kick                                         QUEUED with fresh tries, workers woken
    DEAD       discard; there are too many; COMPLETE late   gone
    QUEUED     move to a later time                         DELAYED
    DELAYED    move to another time, run now                DELAYED, QUEUED; RETRYING likewise
    QUEUED     tick, no worker having started it in time    gone, FAIL to its clients
    QUEUED     submit with the same unique id: replace      QUEUED, or DELAYED; DELAYED and RETRYING likewise
    QUEUED     last foreground client lost                  gone
    RUNNING    last foreground client lost                  RUNNING as an orphan: gone with its worker

A background job is never an orphan. An orphan no longer owns its unique id.
"""

from libc.math cimport INFINITY
from libc.stdint cimport uint16_t, uint64_t, uint8_t

from gearfast.ground.heap cimport heap_push
from gearfast.ground.pool cimport pool_give, pool_take
from gearfast.ground.ring cimport ring_open, ring_prepend
from gearfast.ground.slice cimport Slice
from gearfast.broker.events cimport ABANDONED, EXPIRED, LOST, REQUEUED, STARTED
from gearfast.broker.functions cimport (
    Ability, Function, functions_get, functions_push, functions_rest, functions_take, functions_use,
)
from gearfast.broker.job cimport (
    DEAD, DELAYED, ENDED, EXPIRES, HAS_POLICY, NOT_THERE, QUEUED, RETRYING, RUNNING, SCHEDULED, Job, Run, job_expiry,
)
from gearfast.broker.keeping cimport is_background, keeping_replace, keeping_restore
from gearfast.broker.lost cimport lost_expects, lost_remember
from gearfast.broker.party cimport Party, holds
from gearfast.broker.past cimport HANDED_BACK, Loss, past_note, words_of_loss
from gearfast.broker.peer cimport EXCEPTION, FAIL, Report, tell
from gearfast.broker.rules cimport backoff_of, is_free, retries_of, timeout_of
from gearfast.broker.unique cimport unique_find, unique_give_up, unique_hash, unique_key, unique_take


cdef class Life(Aside):
    # --- its begin ---

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
        if kept.started != 0 or kept.failed != 0 or kept.error.size > 0:
            past_note(job, kept.started, kept.failed, kept.error)
        if kept.state == DEAD:
            self.inter(job)
            return True
        if kept.state == SCHEDULED:
            return self.restore_schedule(job, wanted, kept)
        if kept.state == ENDED:
            return self.restore_ended(job, wanted, unique, hash, now)
        if not self.bind(job, None, wanted, unique, hash, 0):
            return False
        if kept.attempts > 0 or kept.started != 0:
            job.flags &= ~EXPIRES                  # it has been started
        elif job.flags & EXPIRES and wanted.due - self.ahead <= now:
            self.expire_later(job, wanted.due - self.ahead)       # it fell due while no server ran, or before
        if job.state != DELAYED:
            self.enqueue(job, 0)
        return True

    cdef void unkeep(self, Job* job) noexcept nogil:
        if job.state == ENDED:
            self.outbox.put_off(job)
            return
        self.unkept += is_background(job)
        self.outbox.forget(job)
        if job.waiters == NULL:
            self.abandon(job)

    # --- its way from state to state ---

    cdef bint start(self, Job* job, Ability* ability, double now) noexcept nogil:
        cdef Run* run = <Run*>pool_take(sizeof(Run))
        if run == NULL:
            return False
        run.job = job
        run.ability = ability
        run.numerator = run.denominator = 0
        run.started = now
        run.deadline = 0
        if ability.timeout > 0 or job.flags & (HAS_POLICY | EXPIRES) or ability.function.rules != NULL:
            if not self.start_clock(run, now):
                pool_give(run, sizeof(Run))
                return False
        functions_take(&self.functions, job)
        job.state = RUNNING
        job.place.run = run
        ability.function.running += 1
        self.running += 1
        ring_open(&run.of_ability, run)
        ring_prepend(&ability.runs, &run.of_ability)
        self.happened(STARTED, job)
        return True

    cdef bint start_clock(self, Run* run, double now) noexcept nogil:
        """It has been started, and its worker may have it for so long. False: there is no memory."""
        cdef Job* job = run.job
        cdef double deadline = now + timeout_of(job, (<Ability*>run.ability).timeout / 1000.0)
        if deadline < INFINITY:
            if not heap_push(&self.moments, deadline, job.number, job, &run.position):
                return False
            run.deadline = deadline
        if job.flags & EXPIRES:
            self.expire_no_more(job)
            job.flags &= ~EXPIRES
        return True

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
        if self.closing:                           # nobody failed: what is known of its last failure stays
            self.retry(job, now)
            return
        past_note(job, started, now, words_of_loss(loss))
        if not self.is_spent(job):
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
        if wait > 0 and not self.closing and heap_push(&self.moments, now + wait, job.number, job, &job.place.due):
            job.state = RETRYING
            (<Function*>job.home).delayed[job.priority] += 1
        else:                                      # for want of memory, too: nothing is lost by it
            self.enqueue(job, now)
        self.outbox.gather_again(job, now)

    cdef void expire(self, Job* job) noexcept nogil:
        """It is out of the heap."""
        job_expiry(job)[0] = NOT_THERE
        self.happened(EXPIRED, job)
        self.fail(job)

    cdef bint replace(self, Job* job, uint8_t priority, double due, double now) noexcept nogil:
        cdef bint placed
        if due < 0 and job.state != QUEUED:        # it waits on where it is
            (<Function*>job.home).delayed[job.priority] -= 1
            (<Function*>job.home).delayed[priority] += 1
            job.priority = priority
            self.outbox.gather_again(job, now)
            return True
        if due < 0:                                # it expires when it would have
            functions_take(&self.functions, job)
        else:
            self.displace(job)
        job.priority = priority
        placed = due <= 0 or self.postpone(job, due)
        if job.state != DELAYED:
            self.enqueue(job, now)
        self.outbox.gather_again(job, now)
        return placed

    cdef Job* supersede(self, Job* job, const Submission* wanted, double now) noexcept nogil:
        cdef Job* other = self.make(<Function*>job.home, wanted, job.number, now)
        cdef Slice key = unique_key(wanted.unique, wanted.payload)
        if other == NULL:
            return NULL
        keeping_replace(other, job)
        if not self.has_room(other, wanted.due, now):
            self.displace(other)
            self.unmake(other)
            return NULL
        self.displace(job)
        unique_give_up(&self.uniques, job)
        self.take_place(job, other)
        unique_take(&self.uniques, other, unique_hash(key))
        if other.state != DELAYED:
            self.enqueue(other, now)
        return other

    cdef bint has_room(self, Job* other, double due, double now) noexcept nogil:
        """It is among what is due later, if it is, and on its way to the store. False: it is not, for want of memory."""
        if due > 0 and not self.postpone(other, due):
            return False
        return self.outbox.gather_again(other, now)

    cdef void rehome(self, Job* job, Function* function) noexcept nogil:
        cdef Function* before = <Function*>job.home
        cdef bint queued = job.state == QUEUED
        if queued:
            functions_take(&self.functions, job)
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

    # --- its end ---

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
