"""The broker: what clients and workers ask of it, what time makes necessary, and what an administrator sees and does.

The way of a job from state to state is told in life.pyx, what becomes of a peer's in leaving.pyx.
"""

cimport cython
from libc.math cimport INFINITY
from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memchr, memcpy, strlen

from gearfast.broker.listing cimport delayed_rows, figure_rows, function_rows, job_figures, job_rows, moment_of
from gearfast.broker.events cimport CANCELLED, COMPLETED, FAILED, PROGRESSED, RAISED, SKIPPED, SUBMITTED, TIMED_OUT, Kind
from gearfast.ground.heap cimport heap_pop_due, heap_soonest
from gearfast.protocol.handle cimport HANDLE_ROOM
from gearfast.broker.job cimport (
    DEAD, DELAYED, ENDED, NOT_THERE, RETRYING, RUNNING, SCHEDULED, Run, job_payload, job_policy, job_reducer, job_unique,
)
from gearfast.broker.keeping cimport is_background
from gearfast.broker.life cimport BATCH, IS_BURIED, IS_SCHEDULE, MOVED, NO_SUCH_JOB, RUNS, STAYS, TOO_LONG
from gearfast.broker.lost cimport lost_expects, lost_has, lost_remember
from gearfast.broker.jobtable cimport jobtable_find, jobtable_scan
from gearfast.broker.party cimport holds
from gearfast.broker.past cimport past_note
from gearfast.broker.peer cimport COMPLETE, EXCEPTION, FAIL, STATUS, tell
from gearfast.ground.ring cimport ring_append, ring_empty, ring_leave
from gearfast.broker.functions cimport (
    Ability, Function, functions_ability, functions_can_do, functions_cant_do, functions_drop, functions_find,
    functions_find_folded, functions_forget, functions_forgets, functions_get, functions_limit, functions_next,
    functions_rouse, functions_sleep, functions_use, worker_is_woken, worker_new,
)
from gearfast.broker.rotation cimport PRIORITIES, rotation_to_end
from gearfast.broker.rulebook cimport DRAINED
from gearfast.broker.rules cimport retries_of, rule_of
from gearfast.broker.schedules cimport schedules_date, schedules_pop_due, schedules_undate
from gearfast.protocol.parameters cimport AT, DELAY, DUPLICATE, OVERLAP, PRIORITY, Parameters
from gearfast.broker.unique cimport unique_find, unique_find_anywhere, unique_hash, unique_key

from gearfast.broker.life import Moved as MovedName

cdef Kind[3] ENDS = [COMPLETED, FAILED, RAISED]       # of a job, by the report

cdef const char* FAILURE = b"its worker said WORK_FAIL"


cdef extern from "pythread.h":
    unsigned long PyThread_get_thread_ident()


cdef class Aftermath:
    cdef void broker_rests(self) noexcept:
        pass

    cdef void rest_soon(self) noexcept:
        pass


@cython.final
cdef class Broker(Leaving):
    cdef int belongs_here(self) except -1:
        cdef unsigned long thread = PyThread_get_thread_ident()
        if self.thread == 0:
            self.thread = thread
        if self.thread != thread:
            raise RuntimeError("a broker belongs to the thread that used it first: call it there")
        return 0

    cdef int enter(self) except -1:
        self.belongs_here()
        if self.working:
            raise RuntimeError("the broker is at work: call it when that is done, such as from call_soon of the loop")
        self.working = True
        return 0

    cdef void rest(self) noexcept:
        self.take_from_forgotten()
        self.working = False
        if self.aftermath is not None:
            self.aftermath.broker_rests()

    cdef void forget(self, Peer peer) noexcept:
        cdef Party* party = peer.party
        if party == NULL:
            return
        peer.party = NULL
        party.peer = NULL
        ring_leave(&party.among)
        ring_append(&self.forgotten, &party.among)
        if self.working:
            return
        if self.aftermath is not None:             # a peer may be sent something at this moment, by another thread too
            self.aftermath.rest_soon()
            return
        self.working = True
        self.take_from_forgotten()
        self.working = False

    cdef void take_from_forgotten(self) noexcept nogil:
        while not ring_empty(&self.forgotten):
            self.take_back(<Party*>self.forgotten.next.owner, self.latest)

    # --- clients ---

    cdef Submitted submit(self, Peer client, const Submission* wanted, double now, Job** out) noexcept nogil:
        cdef Function* function = functions_get(&self.functions, wanted.function)
        cdef Slice key = unique_key(wanted.unique, wanted.payload)
        cdef uint64_t hash = 0
        cdef Job* job
        cdef Submission ruled
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
                return COALESCED if self.join(out, client, wanted, now) else NO_MEMORY
        if 0 < function.limit[wanted.priority] <= function.total:
            return QUEUE_FULL
        if self.handles.last >= self.handles.ceiling:
            return NO_NUMBERS
        if self.crowded:
            return NO_MEMORY_LEFT
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
        schedules_date(&self.schedules, schedule, wanted.due)
        if schedule.job.number <= self.handles.last:
            return COALESCED
        self.handles.last += 1
        return CREATED

    cdef bint fire(self, Schedule* schedule, double now) noexcept nogil:
        cdef Job* job = schedule.job
        cdef const Job* last = self.find(schedule.run)
        cdef const Parameters* overlap = rule_of(job, OVERLAP)
        cdef Function* function = <Function*>job.home
        cdef Submission wanted = Submission(function.name, job_unique(job), job_reducer(job), job_payload(job), job_policy(job).text,
                                            job.priority, True, 0, False, PRIORITY)
        cdef bint runs = last != NULL and last.state < DEAD and not (overlap != NULL and overlap.queues)
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
        """NULL: there is no room for another job, or it is one already that somebody has submitted."""
        cdef Function* function = <Function*>schedule.job.home
        cdef Slice key = unique_key(wanted.unique, wanted.payload)
        cdef uint64_t hash = unique_hash(key) if key.size > 0 else 0
        cdef const Job* same = NULL
        cdef Job* job
        if key.size > 0:
            same = unique_find(&self.uniques, function, wanted.unique, wanted.payload, hash)
        if same != NULL and same.number != schedule.run:
            return NULL
        if 0 < function.limit[wanted.priority] <= function.total or self.handles.last >= self.handles.ceiling or self.crowded:
            return NULL
        job = self.create(function, wanted, self.handles.last + 1, now)
        if job == NULL:
            return NULL
        self.handles.last += 1
        self.happened(SUBMITTED, job)
        if not self.bind(job, None, wanted, key.size > 0 and same == NULL, hash, now):
            return NULL
        if job.state != DELAYED:
            self.enqueue(job, now)
        return job

    cdef bint ruled(self, const Function* function, Submission* wanted, double now) noexcept nogil:
        """Ask for what holds for all jobs of the function, as far as this one does not ask for something else."""
        cdef const Parameters* rules = &function.rules.asked
        if function.rules.gate == DRAINED:
            return False
        if rules.given & PRIORITY and not wanted.given & PRIORITY:
            wanted.priority = rules.priority
        if rules.given & DELAY and not wanted.given & (DELAY | AT) and wanted.background:
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
            found[0] = self.supersede(job, wanted, now)
            return found[0] != NULL
        return is_background(job) or self.keep(job, now)

    cdef void tell_ended(self, Peer client, const Job* job) noexcept nogil:
        cdef char text[HANDLE_ROOM]
        cdef Slice handle = self.handles.spell(job.number)
        memcpy(text, handle.data, handle.size)
        text[handle.size] = 0
        if job.attempts > 0:
            client.notify(FAIL, job.number, NULL, 0, 1)
        else:
            client.notify(COMPLETE, job.number, text, handle.size + 1, 1)

    cdef Job* find(self, uint64_t number) noexcept nogil:
        return jobtable_find(&self.jobs, number)

    cdef int scan(self, Cursor* cursor, Job** found) noexcept nogil:
        return jobtable_scan(&self.jobs, cursor, found, MIN_SCAN)

    cdef bint knows(self, Slice function) noexcept nogil:
        return functions_find(&self.functions, function) != NULL

    cdef Slice reason_of(self, Slice name) noexcept nogil:
        cdef const Function* function = functions_find(&self.functions, name)
        return Slice(NULL, 0) if function == NULL or function.rules == NULL else function.rules.reason

    cdef Job* find_unique(self, Slice unique) noexcept nogil:
        return unique_find_anywhere(&self.uniques, unique)

    cdef bint cancel(self, uint64_t number) noexcept nogil:
        cdef Job* job = self.find(number)
        if job == NULL or job.state >= ENDED:
            return False
        self.happened(CANCELLED, job)
        self.forgive_holder(job)
        self.fail(job)
        return True

    cdef Moved move(self, uint64_t number, Slice name, int priority, double due, double now) noexcept nogil:
        cdef Job* job = self.find(number)
        cdef Function* function
        if job == NULL or job.state == ENDED:
            return NO_SUCH_JOB
        if job.state == RUNNING:
            return RUNS
        if job.state == DEAD:
            return IS_BURIED
        if job.state == SCHEDULED:
            return IS_SCHEDULE
        if name.size > 0:
            function = functions_get(&self.functions, name)
            if function == NULL:
                return STAYS
            self.rehome(job, function)
        if self.replace(job, job.priority if priority < 0 else <uint8_t>priority, due, now):
            return MOVED
        return STAYS

    # --- workers ---

    cdef Worker* worker_of(self, Peer peer) noexcept nogil:
        cdef Party* party = self.party_of(peer)
        if party == NULL:
            return NULL
        if party.worker == NULL:
            party.worker = worker_new(party)
        return party.worker

    cdef bint can_do(self, Peer peer, Slice name, int64_t timeout) noexcept nogil:
        cdef Worker* worker = self.worker_of(peer)
        cdef Function* function = functions_get(&self.functions, name)
        return worker != NULL and function != NULL and functions_can_do(&self.functions, worker, function, timeout)

    cdef void cant_do(self, Peer peer, Slice name, double now) noexcept nogil:
        cdef Party* party = peer.party
        cdef Function* function = functions_find(&self.functions, name)
        cdef Function* woken_for
        cdef Ability* ability = NULL
        if party != NULL and party.worker != NULL and function != NULL:
            ability = functions_ability(&self.functions, party.worker, function)
        if ability == NULL:
            return
        woken_for = party.worker.woken_for
        functions_cant_do(&self.functions, ability)
        ring_leave(&ability.of_worker)
        ring_append(&party.given_up, &ability.of_worker)
        self.take_back(party, now)
        if woken_for == function:
            self.wake_for(function, 1, now)

    cdef bint reset_abilities(self, Peer peer, double now) noexcept nogil:
        cdef Party* party = peer.party
        cdef bint asleep
        if party == NULL or party.worker == NULL:
            return True
        asleep = party.worker.asleep and not worker_is_woken(party.worker)
        self.discard_worker(party, now)
        return not asleep or self.sleep(peer) != NO_ROOM_TO_SLEEP     # it sleeps on, whatever it says that it can do next

    cdef bint grab(self, Peer peer, double now, Job** out) noexcept nogil:
        cdef Worker* worker = NULL if peer.party == NULL else peer.party.worker
        cdef Ability* ability
        cdef Function* woken_for
        cdef int priority
        cdef Job* job
        out[0] = NULL
        if worker == NULL:
            return True
        ability = NULL if self.withholds() else functions_next(&self.functions, worker, &priority)
        if ability != NULL:
            job = ability.function.lanes.lane[priority].head
            if not self.start(job, ability, now):
                return False
            rotation_to_end(&worker.rotation, &ability.seat)
            out[0] = job
        woken_for = functions_rouse(&self.functions, worker)
        if ability != NULL and woken_for != NULL and woken_for != ability.function:
            self.wake_for(woken_for, 1, now)       # what it was woken for still waits
        return True

    cdef Slept sleep(self, Peer peer) noexcept nogil:
        cdef Worker* worker = self.worker_of(peer)
        cdef int priority
        if worker == NULL:
            return NO_ROOM_TO_SLEEP
        if self.withholds() or functions_next(&self.functions, worker, &priority) == NULL:
            functions_sleep(&self.functions, worker)
            return ASLEEP
        if not worker_is_woken(worker):            # else it answers for a job until it grabs
            functions_rouse(&self.functions, worker)
        return HAS_WORK

    cdef Reported report(self, Peer peer, uint64_t number, Report kind, const char* body, size_t size,
                         double now) noexcept nogil:
        cdef Party* party = peer.party
        cdef Job* job = self.find(number)
        cdef bint held
        cdef int retries
        if party == NULL:
            return UNKNOWN
        held = job != NULL and holds(party, job)
        if not held and (job == NULL or job.state >= DEAD or not lost_has(&party.lost, number)):
            return LATE if lost_expects(&party.lost, number, kind == FAIL, kind >= COMPLETE) else UNKNOWN
        retries = retries_of(job) if kind >= FAIL and is_background(job) else -1
        if retries >= 0:
            if not held:                           # it is tried by another one: that this one has failed changes nothing
                lost_expects(&party.lost, number, kind == FAIL, True)
                return LATE
            past_note(job, job.place.run.started, now, said(kind, body, size))
            job.attempts += job.attempts < <uint16_t>-1
            if job.attempts <= retries:
                self.try_again(job, party, kind, now)
                return TAKEN
        if job.waiters != NULL:
            self.steps += tell(&self.waiters, job, kind, body, size)
        if kind >= COMPLETE:
            if not held or kind != COMPLETE:
                self.note_result(job, party, kind)
            self.happened(ENDS[kind - <int>COMPLETE], job)
            if retries >= 0:
                self.bury(job, now)
            else:
                self.finish(job, kind >= FAIL, now)
        elif job.waiters == NULL and not is_background(job):
            self.abandon(job)                      # its clients do not listen any more
        return TAKEN

    cdef void try_again(self, Job* job, Party* party, Report kind, double now) noexcept nogil:
        """Its worker says that it failed, and it has tries left: nobody is told."""
        if kind == EXCEPTION:                      # the Perl worker says WORK_FAIL as well
            lost_remember(&party.lost, job.number, True, self.remembered_results)
        self.stop(job.place.run)
        self.retry(job, now)

    cdef Reported progress(self, Peer peer, uint64_t number, uint32_t numerator, uint32_t denominator,
                           const char* body, size_t size, double now) noexcept nogil:
        cdef Job* job = self.find(number)
        if job != NULL and peer.party != NULL and holds(peer.party, job):
            job.place.run.numerator = numerator
            job.place.run.denominator = denominator
            self.happened(PROGRESSED, job)
        return self.report(peer, number, STATUS, body, size, now)

    # --- time ---

    cdef void pass_time(self, double now, double wall) noexcept nogil:
        cdef int left
        cdef Job* job
        cdef Run* run
        cdef Schedule* schedule
        self.look_at_clock(now, wall)
        for left in range(BATCH):
            job = <Job*>heap_pop_due(&self.delayed, wall)
            if job == NULL:
                break
            (<Function*>job.home).delayed[job.priority] -= 1
            self.enqueue(job, now)
        for left in range(BATCH):
            schedule = schedules_pop_due(&self.schedules, wall)
            if schedule == NULL:
                break
            self.fire(schedule, now)
        for left in range(BATCH):
            job = <Job*>heap_pop_due(&self.retrying, now)
            if job == NULL:
                break
            (<Function*>job.home).delayed[job.priority] -= 1
            self.enqueue(job, now)
        for left in range(BATCH):
            job = <Job*>heap_pop_due(&self.expiring, now)
            if job == NULL:
                break
            self.expire(job)
        for left in range(BATCH):
            job = <Job*>heap_pop_due(&self.ended, now)
            if job == NULL:
                break
            job.place.due = NOT_THERE
            self.release(job)
        for left in range(BATCH):
            run = <Run*>heap_pop_due(&self.deadlines, now)
            if run == NULL:
                break
            run.deadline = 0
            self.happened(TIMED_OUT, run.job)
            self.requeue(run, TOO_LONG, now)
        for left in range(BATCH):
            if not self.pass_over(now):
                break
        if not ring_empty(&self.functions.opened):
            self.wake_opened(now)
        if not ring_empty(&self.leaving):
            self.take_back(<Party*>self.leaving.next.owner, now)
        functions_forget(&self.functions, now, self.function_rest)

    cdef void look_at_clock(self, double now, double wall) noexcept nogil:
        """Of the dates of schedules, some may be too far away when the wall clock was set back."""
        if wall - now < self.ahead - 1 and self.schedules.count > 0:
            schedules_undate(&self.schedules)
        self.latest = now
        self.ahead = wall - now

    cdef bint pass_over(self, double now) noexcept nogil:
        """Another sleeper for what one was woken for that has not grabbed in time; False: there is none such."""
        cdef Worker* worker
        cdef Function* woken_for
        if ring_empty(&self.functions.woken):
            return False
        worker = <Worker*>self.functions.woken.next.owner
        if worker.woken_at + self.wakeup_grace > now:
            return False
        woken_for = functions_rouse(&self.functions, worker)
        if woken_for != NULL:
            self.wake_for(woken_for, 1, now)
        return True

    cdef void wake_opened(self, double now) noexcept nogil:
        """A function that was paused has work: one sleeper for each job, some of them at a time."""
        cdef Function* function = <Function*>self.functions.opened.next.owner
        cdef size_t some = min(function.to_wake, <size_t>BATCH), before = self.steps
        if some > 0:
            self.wake_for(function, <int>some, now)
        function.to_wake -= some
        if function.to_wake == 0 or self.steps - before < some:
            ring_leave(&function.opened)

    cpdef double wait(self, double now, double wall) noexcept nogil:
        cdef double soonest = min(heap_soonest(&self.deadlines), heap_soonest(&self.retrying))
        soonest = min(soonest, min(heap_soonest(&self.expiring), heap_soonest(&self.ended))) - now
        soonest = min(soonest, min(heap_soonest(&self.delayed), heap_soonest(&self.schedules.due)) - wall)
        if not ring_empty(&self.functions.woken):
            soonest = min(soonest, (<Worker*>self.functions.woken.next.owner).woken_at + self.wakeup_grace - now)
        self.look_at_clock(now, wall)
        if not (ring_empty(&self.leaving) and ring_empty(&self.forgotten) and ring_empty(&self.functions.opened)):
            return 0.0
        return max(min(soonest, functions_forgets(&self.functions) - now), 0.0)

    def tick(self, double now, double wall):
        self.enter()
        self.pass_time(now, wall)
        self.rest()

    # --- what an administrator sees and does ---

    @property
    def job_count(self):
        return self.jobs.count

    @property
    def delayed_count(self):
        return self.delayed.count

    @property
    def soonest(self):
        return heap_soonest(&self.delayed)

    def scan_functions(self, cursor, int most):
        return function_rows(&self.functions.names, cursor, most)

    def scan_figures(self, cursor, int most):
        return figure_rows(&self.functions.names, cursor, most)

    def scan_jobs(self, cursor, int most):
        return job_rows(&self.jobs, self.handles, cursor, most)

    def scan_delayed(self, cursor, int most):
        return delayed_rows(&self.jobs, self.handles, &self.delayed, &self.retrying, cursor, most)

    def create_function(self, bytes name not None):
        cdef Function* function
        self.enter()
        try:
            function = functions_get(&self.functions, slice_of(name))
            if function == NULL:
                raise MemoryError("no memory for another function")
            function.wanted = True
            functions_use(&self.functions, function)
        finally:
            self.rest()

    def drop_function(self, bytes name not None):
        cdef bytes folded = name.lower()           # a slice holds no reference
        self.enter()
        try:
            return self.drop(slice_of(name), slice_of(folded))
        finally:
            self.rest()

    cdef object drop(self, Slice name, Slice folded):
        cdef Function* function = functions_find(&self.functions, name)
        if function == NULL:                       # or any that differs only in case (protocol section 4.4)
            function = functions_find_folded(&self.functions, folded)
        if function == NULL:
            return NO_SUCH_FUNCTION
        if function.workers > 0 or function.total > 0 or function.dead.count > 0:
            return IN_USE
        functions_drop(&self.functions, function)
        return DROPPED

    def limit_function(self, bytes name not None, tuple limits not None):
        cdef Function* function
        cdef size_t limit[PRIORITIES]
        limit[0], limit[1], limit[2] = limits
        self.enter()
        function = functions_find(&self.functions, slice_of(name))
        if function != NULL:
            functions_limit(&self.functions, function, limit)
        self.rest()

    def show_job(self, bytes handle not None):
        cdef Job* job = self.find(self.handles.parse(handle, len(handle)))
        return None if job == NULL else job_figures(job, moment_of(job, &self.delayed, &self.retrying))

    def move_job(self, bytes handle not None, *, bytes function=None, priority=None, due=None, double now=0.0):
        cdef int wanted = -1 if priority is None else priority
        cdef double when = -1 if due is None else due
        if priority is not None and not 0 <= wanted < PRIORITIES:
            raise ValueError(f"a priority is 0 (high), 1 (normal) or 2 (low), not {priority}")
        if due is not None and not 0 <= when < INFINITY:
            raise ValueError(f"the due time of a job cannot be {due}")
        self.enter()
        moved = self.move(self.handles.parse(handle, len(handle)), slice_of(function or b""), wanted, when, now)
        self.rest()
        return MovedName(moved)

    def cancel_job(self, bytes handle not None):
        self.enter()
        cancelled = self.cancel(self.handles.parse(handle, len(handle)))
        self.rest()
        return cancelled


cdef inline Slice slice_of(bytes data):
    return Slice(<const char*>data, len(data))


cdef Slice said(Report kind, const char* body, size_t size) noexcept nogil:
    """What a worker says of its failure: behind the handle."""
    cdef const char* nul = <const char*>memchr(body, 0, size) if kind == EXCEPTION and size > 0 else NULL
    if nul == NULL:
        return Slice(FAILURE, strlen(FAILURE))
    return Slice(nul + 1, size - (nul + 1 - body))
