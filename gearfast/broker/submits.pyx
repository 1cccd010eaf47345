"""What clients want to have done: jobs, and schedules that jobs come of."""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from gearfast.ground.slice cimport Slice
from gearfast.protocol.handle cimport HANDLE_ROOM
from gearfast.protocol.parameters cimport AT, CRON, DELAY, DUPLICATE, OVERLAP, PRIORITY, Parameters
from gearfast.broker.estate cimport submission_of
from gearfast.broker.events cimport SKIPPED, SUBMITTED
from gearfast.broker.functions cimport Function, functions_get
from gearfast.broker.job cimport (
    DEAD, DELAYED, ENDED, RETRYING, RUNNING, job_payload, job_policy, job_reducer, job_unique,
)
from gearfast.broker.keeping cimport is_background, keeping_vouch
from gearfast.broker.peer cimport COMPLETE, FAIL
from gearfast.broker.rulebook cimport DRAINED
from gearfast.broker.rules cimport rule_of
from gearfast.broker.schedules cimport schedules_date, schedules_wait
from gearfast.broker.unique cimport unique_find, unique_hash, unique_key


cdef class Submits(Leaving):
    cdef Submitted submit(self, Peer client, const Submission* wanted, double now, Job** out) noexcept nogil:
        cdef Function* function = <Function*>wanted.home if wanted.home != NULL else functions_get(&self.functions, wanted.function)
        cdef Slice key = unique_key(wanted.unique, wanted.payload)
        cdef uint64_t hash = 0
        cdef Job* job
        cdef Submission ruled
        cdef Submitted room
        if function == NULL:
            return NO_MEMORY
        if function.rules != NULL:
            ruled = wanted[0]
            if not self.ruled(function, &ruled, now):
                return IS_DRAINED
            wanted = &ruled
        if key.size > 0:
            hash = unique_hash(key)
            job = unique_find(&self.uniques, function, wanted.unique, wanted.payload, hash)
            if job != NULL:
                out[0] = job
                if self.join(out, client, wanted, now):
                    return COALESCED
                return NO_MEMORY_LEFT if self.crowded else NO_MEMORY
        room = room_for(self, function, wanted)
        if room != CREATED:
            return room
        job = self.create(function, wanted, self.handles.last + 1, now)
        if job == NULL:
            return NO_MEMORY
        self.handles.last += 1
        self.happened(SUBMITTED, job)
        if key.size > 0 or not wanted.background or wanted.due > 0 or self.outbox.on:
            if not self.bind(job, client, wanted, key.size > 0, hash, now):
                return NO_MEMORY
        if job.state != DELAYED:
            self.enqueue(job, now)
        out[0] = job
        return CREATED

    cdef bint ruled(self, const Function* function, Submission* wanted, double now) noexcept nogil:
        """Ask for what holds for all jobs of the function, as far as this one does not ask for something else."""
        cdef const Parameters* rules = &function.rules.asked
        if function.rules.gate == DRAINED:
            return False
        if rules.given & PRIORITY and not wanted.given & PRIORITY:
            wanted.priority = rules.priority
        if rules.given & DELAY and rules.delay > 0 and not wanted.given & (DELAY | AT) and wanted.background:
            wanted.due = now + self.ahead + rules.delay
        if rules.given & DUPLICATE and not wanted.given & DUPLICATE:
            wanted.replaces = rules.replaces
        return True

    cdef bint join(self, Job** found, Peer client, const Submission* wanted, double now) noexcept nogil:
        """One more who wants what is a job already (protocol section 3.3)."""
        cdef Job* job = found[0]
        if job.state == ENDED:
            return True
        if not wanted.background:
            return self.wait_for(job, client)
        if wanted.replaces and job.state <= RETRYING and job.state != RUNNING and job.waiters == NULL:
            found[0] = NULL if self.crowded else self.supersede(job, wanted, now)
            return found[0] != NULL
        return self.outbox.wait_for(job, now) if is_background(job) else self.keep(job, now)

    cdef void tell_ended(self, Peer client, const Job* job) noexcept nogil:
        cdef char text[HANDLE_ROOM]
        cdef Slice handle = self.handles.spell(job.number)
        memcpy(text, handle.data, handle.size)
        text[handle.size] = 0
        if job.attempts > 0:
            client.notify(FAIL, job.number, NULL, 0, 1)
        else:
            client.notify(COMPLETE, job.number, text, handle.size + 1, 1)

    # --- schedules ---

    cdef Submitted submit_schedule(self, const Submission* wanted, double now, Job** out) noexcept nogil:
        cdef Function* function = functions_get(&self.functions, wanted.function)
        cdef Submission ruled = wanted[0]
        cdef Schedule* schedule
        if function == NULL:
            return NO_MEMORY
        if function.rules != NULL and not self.ruled(function, &ruled, now):
            return IS_DRAINED
        if self.handles.last >= self.handles.ceiling:
            return NO_NUMBERS
        if self.crowded:
            return NO_MEMORY_LEFT
        schedule = self.schedule(function, &ruled, self.handles.last + 1, now)
        if schedule == NULL:
            return NO_MEMORY
        out[0] = schedule.job
        if wanted.due > schedule.fired:
            schedules_date(&self.schedules, schedule, wanted.due)
        else:                                      # for that it has fired already: the clock was set back since
            schedules_wait(&self.schedules, schedule)
        if schedule.job.number <= self.handles.last:
            return COALESCED
        self.handles.last += 1
        return CREATED

    cdef bint fire(self, Schedule* schedule, double now) noexcept nogil:
        cdef Job* job = schedule.job
        cdef const Job* last = self.find(schedule.run)
        cdef Function* function = <Function*>job.home
        cdef Submission wanted = submission_of(function.name, job_unique(job), job_payload(job))
        cdef bint runs = last != NULL and last.state < DEAD and not queues(job)
        wanted.reducer = job_reducer(job)
        wanted.policy = job_policy(job).text
        wanted.priority = job.priority
        wanted.background = True
        wanted.given = PRIORITY
        self.outbox.gather_again(job, now)         # with its last run: never later than that one itself
        if not runs and not (function.rules != NULL and not self.ruled(function, &wanted, now)):
            job = self.come_of(schedule, &wanted, now)
            if job != NULL:
                schedule.run = job.number
                schedule.runs += 1
                return True
        schedule.skipped += 1
        self.happened(SKIPPED, schedule.job)
        return False

    cdef Job* come_of(self, Schedule* schedule, const Submission* wanted, double now) noexcept nogil:
        """NULL: there is no room for another job, or it is one already that somebody has submitted.

        Of several runs the oldest one has the unique id; one that has ended, and is remembered for it, gives it up.
        """
        cdef Function* function = <Function*>schedule.job.home
        cdef Slice key = unique_key(wanted.unique, wanted.payload)
        cdef uint64_t hash = unique_hash(key) if key.size > 0 else 0
        cdef Job* same = NULL
        cdef Job* job
        if key.size > 0:
            same = unique_find(&self.uniques, function, wanted.unique, wanted.payload, hash)
        if same != NULL and same.number != schedule.run and same.state != ENDED and not (queues(schedule.job) and is_run(same)):
            return NULL
        if room_for(self, function, wanted) != CREATED:
            return NULL
        if same != NULL and same.state == ENDED:
            self.forget_ended(same)
            same = NULL
        job = self.create(function, wanted, self.handles.last + 1, now)
        if job == NULL:
            return NULL
        self.handles.last += 1
        self.happened(SUBMITTED, job)
        if not self.bind(job, None, wanted, key.size > 0 and same == NULL, hash, now):
            return NULL
        keeping_vouch(&self.outbox.keeping, job)
        if job.state != DELAYED:
            self.enqueue(job, now)
        return job


cdef inline Submitted room_for(Submits self, const Function* function, const Submission* wanted) noexcept nogil:
    """CREATED, if one more job may be."""
    if 0 < function.limit[wanted.priority] <= function.total:
        return QUEUE_FULL
    if self.handles.last >= self.handles.ceiling:
        return NO_NUMBERS
    return NO_MEMORY_LEFT if self.crowded else CREATED


cdef inline bint queues(const Job* schedule) noexcept nogil:
    cdef const Parameters* rule = rule_of(schedule, OVERLAP)
    return rule != NULL and rule.queues


cdef inline bint is_run(const Job* job) noexcept nogil:
    """Of a schedule: no client can ask for a job with a cron."""
    return job_policy(job) != NULL and job_policy(job).asked.given & CRON
