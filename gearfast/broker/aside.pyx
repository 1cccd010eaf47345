"""Jobs that nobody has to do: dead letters, ended ones whose unique ids stay taken, and schedules."""

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t

from gearfast.ground.heap cimport heap_pop_due, heap_push
from gearfast.ground.slice cimport Slice, same_bytes
from gearfast.protocol.parameters cimport UNIQUE_TTL, Parameters
from gearfast.broker.estate cimport BATCH, submission_of
from gearfast.broker.events cimport BURIED, CANCELLED, DISCARDED, KICKED
from gearfast.broker.functions cimport Function
from gearfast.broker.job cimport (
    DEAD, ENDED, EXPIRES, NOT_THERE, OWNS_UNIQUE, SCHEDULED, Job, job_payload, job_unique, lane_push,
)
from gearfast.broker.keeping cimport is_background, keeping_begin, keeping_replace
from gearfast.broker.past cimport dead_size, submitted_at
from gearfast.broker.rules cimport dead_most, dead_most_bytes, retries_of, rule_of
from gearfast.broker.schedules cimport Schedule, schedules_add, schedules_find
from gearfast.broker.unique cimport unique_hash, unique_key, unique_take

cdef enum:
    MOST_SECONDS = 86_400         # that a unique id stays taken
    MOST_ENDED = 100_000          # jobs that are remembered for their unique ids; those that would go first go first


cdef class Aside(Estate):
    # --- dead letters ---

    cdef void bury(self, Job* job, double now) noexcept nogil:
        cdef Function* function = <Function*>job.home
        self.happened(BURIED, job)
        self.withdraw(job)
        self.inter(job)
        if dead_size(job) > dead_most_bytes(function):
            self.discard(job)                      # it alone is too much: the others stay
        else:
            self.outbox.gather_again(job, now)
        self.trim(function)

    cdef void inter(self, Job* job) noexcept nogil:
        """Behind the others of its function; from now on it is no job that anybody has to do."""
        cdef Function* function = <Function*>job.home
        lane_push(&function.dead, job)
        job.state = DEAD
        job.flags &= ~EXPIRES                      # it has been started
        function.dead_bytes += dead_size(job)
        self.dead += 1
        self.rest_aside(job)

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
        self.displace(job)
        job.attempts = 0
        self.claim(job)
        self.enqueue(job, now)
        self.outbox.gather_again(job, now)

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
        cdef Submission wanted = submission_of(Slice(NULL, 0), job_unique(job), Slice(NULL, 0))
        cdef Slice key = unique_key(job_unique(job), job_payload(job))
        cdef uint64_t hash = unique_hash(key)
        cdef Job* ended
        wanted.priority = job.priority
        if same_bytes(job_payload(job), key):      # it is found by its payload
            wanted.payload = job_payload(job)
        ended = self.make(<Function*>job.home, &wanted, job.number, submitted_at(job))
        if ended == NULL:
            return False
        if not heap_push(&self.ended, now + seconds, job.number, ended, &ended.place.due):
            self.unmake(ended)
            return False
        self.withdraw(job)
        self.unkept -= not is_background(job)
        self.outbox.remember(ended, job)
        ended.state = ENDED
        ended.attempts = failed
        self.take_place(job, ended)
        unique_take(&self.uniques, ended, hash)
        self.rest_aside(ended)
        if self.ended.count > MOST_ENDED:
            self.forget_next(INFINITY)
        return True

    cdef bint forget_next(self, double now) noexcept nogil:
        cdef Job* job = <Job*>heap_pop_due(&self.ended, now)
        if job == NULL:
            return False
        job.place.due = NOT_THERE
        self.forget_ended(job)
        return True

    cdef void forget_ended(self, Job* job) noexcept nogil:
        self.unkept += not is_background(job)      # nobody has waited for it
        self.release(job)

    cdef bint restore_ended(self, Job* job, const Submission* wanted, bint unique, uint64_t hash, double now) noexcept nogil:
        """If its unique id is taken it goes at the first tick: the store is told then."""
        cdef double until = min(wanted.due - self.ahead, now + MOST_SECONDS)       # the clock may have been wrong then
        unique = unique and until > now
        if not heap_push(&self.ended, until if unique else -INFINITY, job.number, job, &job.place.due):
            self.release(job)
            return False
        job.state = ENDED
        if unique:
            unique_take(&self.uniques, job, hash)
        self.rest_aside(job)
        return True

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

    cdef bint restore_schedule(self, Job* job, const Submission* wanted, const Restored* kept) noexcept nogil:
        cdef Schedule* schedule = schedules_add(&self.schedules, job)
        if schedule == NULL:
            self.release(job)
            return False
        schedule.due = wanted.due
        schedule.fired = kept.fired
        schedule.run = kept.run
        (<Function*>job.home).schedules += 1
        self.rest_aside(job)
        return True
