"""The broker: what clients and workers ask of it, what time makes necessary, and what an administrator sees and does.

The way of a job from state to state is told in life.pyx, what becomes of a peer's in leaving.pyx.
"""

cimport cython
from libc.math cimport INFINITY
from libc.stdint cimport uint16_t, uint8_t

from gearfast.ground.allocator cimport give_memory_back
from gearfast.ground.slice cimport slice_of
from gearfast.ground.heap cimport heap_pop_due, heap_soonest
from gearfast.ground.lock cimport lock_enter, lock_is_mine, lock_leave
from gearfast.ground.ring cimport ring_append, ring_empty, ring_leave
from gearfast.broker.estate cimport BATCH
from gearfast.broker.events cimport CANCELLED, COMPLETED, FAILED, PROGRESSED, RAISED, TIMED_OUT, Kind
from gearfast.broker.functions cimport (
    Ability, Function, functions_ability, functions_can_do, functions_cant_do, functions_drop, functions_find,
    functions_find_folded, functions_forget, functions_forgets, functions_get, functions_limit, functions_next,
    functions_rouse, functions_sleep, functions_use, worker_is_woken, worker_new,
)
from gearfast.broker.job cimport DEAD, ENDED, OWNS_UNIQUE, RETRYING, RUNNING, SCHEDULED
from gearfast.broker.jobtable cimport jobtable_scan
from gearfast.broker.keeping cimport is_background, is_renewed
from gearfast.broker.life cimport IS_BURIED, IS_SCHEDULE, MOVED, NO_SUCH_JOB, RUNS, STAYS
from gearfast.broker.lost cimport lost_expects, lost_has, lost_remember
from gearfast.broker.party cimport holds
from gearfast.broker.past cimport TOO_LONG, past_note, words_of_report
from gearfast.broker.peer cimport COMPLETE, EXCEPTION, FAIL, STATUS, tell
from gearfast.broker.rotation cimport PRIORITIES, rotation_to_end
from gearfast.broker.rules cimport retries_of
from gearfast.broker.schedules cimport schedules_pop_due, schedules_undate

from gearfast.broker.submits import Submitted
from gearfast.broker.life import Moved as MovedName

cdef Kind[3] ENDS = [COMPLETED, FAILED, RAISED]       # of a job, by the report


cdef extern from "pythread.h":
    unsigned long PyThread_get_thread_ident()


cdef class Aftermath:
    cdef void broker_rests(self) noexcept:
        pass

    cdef void rest_soon(self) noexcept:
        pass


@cython.final
cdef class Broker(Figures):
    cdef int belongs_here(self) except -1:
        cdef unsigned long thread = PyThread_get_thread_ident()
        if self.thread == 0:
            self.thread = thread
        if self.thread != thread:
            raise RuntimeError("a broker belongs to the thread that used it first: call it there")
        return 0

    cdef int enter(self) except -1:
        self.belongs_here()
        if lock_is_mine():
            raise RuntimeError("the broker is at work: call it when that is done, such as from call_soon of the loop")
        lock_enter()
        return 0

    cdef void rest(self) noexcept:
        cdef bint shrunk = False
        self.take_from_forgotten()
        if self.aftermath is not None:
            self.aftermath.broker_rests()
        else:
            shrunk, self.shrunk = self.shrunk, False
        lock_leave()
        if shrunk:
            give_memory_back()

    cdef void forget(self, Peer peer) noexcept:
        cdef bint at_work = lock_is_mine()
        cdef Party* party
        peer.forgotten = True
        lock_enter()
        party = peer.party
        if party != NULL:
            peer.party = NULL
            party.peer = NULL
            ring_leave(&party.among)
            ring_append(&self.forgotten, &party.among)
            if self.aftermath is None and not at_work:
                self.take_from_forgotten()
        lock_leave()
        if party != NULL and self.aftermath is not None:       # a peer may be sent something at this moment
            self.aftermath.rest_soon()

    cdef void take_from_forgotten(self) noexcept nogil:
        while not ring_empty(&self.forgotten):
            self.take_back(<Party*>self.forgotten.next.owner, self.last_tick)

    # --- clients ---

    cdef int scan(self, Cursor* cursor, Job** found) noexcept nogil:
        return jobtable_scan(&self.jobs, cursor, found, MIN_SCAN)

    cdef bint knows(self, Slice function) noexcept nogil:
        return functions_find(&self.functions, function) != NULL

    cdef Slice reason_of(self, Slice name) noexcept nogil:
        cdef const Function* function = functions_find(&self.functions, name)
        return Slice(NULL, 0) if function == NULL or function.rules == NULL else function.rules.reason

    cdef bint cancel(self, uint64_t number) noexcept nogil:
        cdef Job* job = self.find(number)
        if job == NULL or job.state >= DEAD:       # it has ended, or is none: an administrator has other words for it
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
        ability.handed_back = True
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
        if party == NULL:
            return UNKNOWN
        held = job != NULL and holds(party, job)
        if not held and (job == NULL or job.state > DEAD or is_renewed(job) or (job.state == DEAD and kind >= FAIL)
                         or not lost_has(&party.lost, number)):
            return LATE if lost_expects(&party.lost, number, kind == FAIL, kind >= COMPLETE) else UNKNOWN
        if kind >= FAIL and is_background(job) and retries_of(job) >= 0:
            return self.report_failure(party, job, kind, body, size, now)
        if job.waiters != NULL:
            self.steps += tell(&self.waiters, job, kind, body, size)
        if kind >= COMPLETE:
            if not held or kind != COMPLETE:
                self.note_result(job, party, kind)
            self.happened(ENDS[kind - <int>COMPLETE], job)
            if job.flags & OWNS_UNIQUE:
                self.finish(job, kind >= FAIL, now)
            else:
                self.release(job)
        elif job.waiters == NULL and not is_background(job):
            self.abandon(job)                      # its clients do not listen any more
        return TAKEN

    cdef Reported report_failure(self, Party* party, Job* job, Report kind, const char* body, size_t size,
                                 double now) noexcept nogil:
        """A job that is tried as often as it asks: until the last time nobody is told."""
        if not holds(party, job):                  # it is tried by another one: that this one has failed changes nothing
            lost_expects(&party.lost, job.number, kind == FAIL, True)
            return LATE
        past_note(job, job.place.run.started, now, words_of_report(kind == EXCEPTION, body, size))
        job.attempts += job.attempts < <uint16_t>-1
        if kind == EXCEPTION:                      # the Perl worker says WORK_FAIL as well
            lost_remember(&party.lost, job.number, True, self.remembered_results)
        if job.attempts <= retries_of(job):
            self.stop(job.place.run)
            self.retry(job, now)
            return TAKEN
        self.steps += tell(&self.waiters, job, kind, body, size)
        self.happened(ENDS[kind - <int>COMPLETE], job)
        self.bury(job, now)
        return TAKEN

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
        cdef Schedule* schedule
        look_at_clock(self, now, wall)
        for left in range(BATCH):
            job = <Job*>heap_pop_due(&self.delayed, wall)
            if job == NULL:
                break
            (<Function*>job.home).delayed[job.priority] -= 1
            self.enqueue(job, now)
        for left in range(BATCH):
            schedule = NULL if self.winding_down else schedules_pop_due(&self.schedules, wall)
            if schedule == NULL:
                break
            self.fire(schedule, now)
        for left in range(BATCH):
            job = <Job*>heap_pop_due(&self.moments, now)
            if job == NULL:
                break
            self.moment_came(job, now)
        for left in range(BATCH):
            if not self.forget_next(now):
                break
        for left in range(BATCH):
            if not self.pass_over(now):
                break
        self.wake_opened(now)
        if not ring_empty(&self.leaving):
            self.take_back(<Party*>self.leaving.next.owner, now)
        functions_forget(&self.functions, now, self.function_rest)

    cdef void moment_came(self, Job* job, double now) noexcept nogil:
        """Its place is out of the heap."""
        if job.state == RUNNING:
            job.place.run.deadline = 0
            self.happened(TIMED_OUT, job)
            self.requeue(job.place.run, TOO_LONG, now)
        elif job.state == RETRYING:
            (<Function*>job.home).delayed[job.priority] -= 1
            self.enqueue(job, now)
        else:
            self.expire(job)

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

    cdef double time_left(self, double now, double wall) noexcept nogil:
        cdef double soonest = heap_soonest(&self.moments) - now
        if self.ended.count > 0:
            soonest = min(soonest, heap_soonest(&self.ended) - now)
        if self.delayed.count > 0:
            soonest = min(soonest, heap_soonest(&self.delayed) - wall)
        if self.schedules.count > 0:
            soonest = min(soonest, heap_soonest(&self.schedules.due) - wall)
        if not ring_empty(&self.functions.woken):
            soonest = min(soonest, (<Worker*>self.functions.woken.next.owner).woken_at + self.wakeup_grace - now)
        look_at_clock(self, now, wall)
        if not (ring_empty(&self.leaving) and ring_empty(&self.forgotten) and ring_empty(&self.functions.opened)):
            return 0.0
        return max(min(soonest, functions_forgets(&self.functions) - now), 0.0)

    cpdef double wait(self, double now, double wall) noexcept:
        lock_enter()
        cdef double left = self.time_left(now, wall)
        lock_leave()
        return left

    def tick(self, double now, double wall):
        self.enter()
        self.pass_time(now, wall)
        self.rest()

    # --- what an administrator sees and does ---

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
        if function.workers > 0 or function.total > 0 or function.others > 0:
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


cdef inline void look_at_clock(Broker self, double now, double wall) noexcept nogil:
    """Of the dates of schedules, some may be too far away when the wall clock was set back."""
    if self.schedules.count > 0 and wall - now < self.ahead - 1:
        schedules_undate(&self.schedules)
    self.last_tick = now
    self.ahead = wall - now
