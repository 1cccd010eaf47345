"""The schedules of a broker."""

from libc.stdint cimport uint64_t

from gearfast.ground.slice cimport slice_of
from gearfast.broker.job cimport SCHEDULED, Job, job_policy, job_unique
from gearfast.broker.functions cimport Function
from gearfast.broker.jobtable cimport MIN_SCAN
from gearfast.broker.rules cimport rule_of
from gearfast.broker.schedules cimport schedule_is_misdated, schedules_date
from gearfast.ground.index cimport Cursor, Node, cursor_number, cursor_of, index_scan
from gearfast.ground.lock cimport lock_enter, lock_enter_walk, lock_leave, lock_leave_walk
from gearfast.ground.ring cimport Ring
from gearfast.protocol.parameters cimport CATCHUP, TZ, Parameters

cdef enum:
    LOOKED_AT = 50            # schedules, for one step


cdef bytes zone_of(const Job* job):
    cdef const Parameters* rule = rule_of(job, TZ)
    return b"" if rule == NULL else rule.tz.data[:rule.tz.size]


cdef class Timetable:
    def __cinit__(self, Broker broker not None):
        self.broker = broker

    def __len__(self):
        lock_enter()
        cdef size_t count = self.broker.schedules.count
        lock_leave()
        return count

    cdef Schedule* find(self, Slice handle) noexcept nogil:
        cdef Job* job = self.broker.find_named(handle)
        return <Schedule*>job.place.schedule if job != NULL and job.state == SCHEDULED else NULL

    # --- dates ---

    def undated(self, int most):
        cdef const Schedule* schedule
        cdef const Parameters* catchup
        cdef list found = []
        cdef bint collects = lock_enter_walk()
        cdef const Ring* link = self.broker.schedules.undated.next
        try:
            while link != &self.broker.schedules.undated and len(found) < most:
                schedule = <const Schedule*>link.owner
                catchup = rule_of(schedule.job, CATCHUP)
                asked = &job_policy(schedule.job).asked
                found.append((schedule.job.number, asked.cron.data[:asked.cron.size], zone_of(schedule.job), schedule.due,
                              schedule.fired, bool(catchup != NULL and catchup.once)))
                link = link.next
        finally:
            lock_leave_walk(collects)
        return found

    def misdated(self, start, double wall):
        cdef Cursor cursor = cursor_of(start)
        cdef Node* found[LOOKED_AT]
        cdef const Schedule* schedule
        cdef list rows = []
        cdef bint collects = lock_enter_walk()
        cdef int count = index_scan(&self.broker.schedules.known, &cursor, found, LOOKED_AT), at
        try:
            for at in range(count):
                schedule = <const Schedule*>found[at]
                if schedule_is_misdated(schedule, wall):
                    asked = &job_policy(schedule.job).asked
                    rows.append((schedule.job.number, asked.cron.data[:asked.cron.size], zone_of(schedule.job), schedule.fired))
        finally:
            lock_leave_walk(collects)
        return cursor_number(cursor), rows

    def date(self, uint64_t number, double when, double now):
        cdef Job* job
        cdef double before
        self.broker.enter()
        job = self.broker.find(number)
        if job != NULL and job.state == SCHEDULED:
            before = (<Schedule*>job.place.schedule).due
            schedules_date(&self.broker.schedules, <Schedule*>job.place.schedule, when)
            if when != before:                     # else the store has it: all that it kept gets its date again at a start
                self.broker.outbox.gather_again(job, now)
        self.broker.rest()

    # --- what an administrator sees and does ---

    cdef tuple schedule_row(self, const Schedule* schedule):
        cdef const Job* job = schedule.job
        cdef Slice unique = job_unique(job), name = (<Function*>job.home).name, cron = job_policy(job).asked.cron
        run = self.broker.handles.format(schedule.run) if schedule.run > 0 else b""
        return (schedule.due, self.broker.handles.format(job.number), name.data[:name.size], unique.data[:unique.size],
                cron.data[:cron.size], zone_of(job), schedule.fired, run, schedule.runs, schedule.skipped)

    def scan(self, start):
        cdef Cursor cursor = cursor_of(start)
        cdef Job* found[MIN_SCAN]
        cdef bint collects = lock_enter_walk()
        cdef int count = self.broker.scan(&cursor, found), at
        try:
            return cursor_number(cursor), [
                self.schedule_row(<const Schedule*>found[at].place.schedule) for at in range(count) if found[at].state == SCHEDULED
            ]
        finally:
            lock_leave_walk(collects)

    def cancel(self, bytes handle not None):
        cdef Schedule* schedule
        self.broker.enter()
        schedule = self.find(slice_of(handle))
        if schedule != NULL:
            self.broker.unschedule(schedule.job)
        self.broker.rest()
        return schedule != NULL

    def run(self, bytes handle not None, double now):
        cdef Schedule* schedule
        cdef bint done = False
        self.broker.enter()
        schedule = self.find(slice_of(handle))
        if schedule != NULL:
            done = self.broker.fire(schedule, now)
        self.broker.rest()
        return None if schedule == NULL else bool(done)
