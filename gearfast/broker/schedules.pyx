"""Jobs that come again and again. There is nothing here for Python."""

from libc.math cimport INFINITY
from libc.stdlib cimport calloc, free

from gearfast.broker.job cimport NOT_THERE, SCHEDULED, job_unique
from gearfast.broker.rules cimport rule_of
from gearfast.ground.heap cimport heap_close, heap_open, heap_pop_due, heap_push, heap_remove
from gearfast.ground.index cimport index_add, index_chain, index_close, index_open, index_remove, keyed_hash
from gearfast.ground.ring cimport ring_append, ring_empty, ring_leave, ring_open
from gearfast.ground.slice cimport same_bytes
from gearfast.protocol.parameters cimport TZ, Parameters


cdef bint schedules_open(Schedules* schedules) noexcept nogil:
    schedules.count = 0
    heap_open(&schedules.due)
    ring_open(&schedules.undated, NULL)
    return index_open(&schedules.known)


cdef void schedules_close(Schedules* schedules) noexcept nogil:
    index_close(&schedules.known)
    heap_close(&schedules.due)


cdef uint64_t hash_of(const Function* function, Slice unique) noexcept nogil:
    """Both parts are secret, so nobody can choose collisions."""
    cdef uint64_t hash = (keyed_hash(unique.data, unique.size) ^ <size_t>function) * 0x9E3779B97F4A7C15u
    return hash ^ (hash >> 32)


cdef Schedule* schedules_find(const Schedules* schedules, const Function* function, Slice unique) noexcept nogil:
    cdef uint64_t hash = hash_of(function, unique)
    cdef Node* node = index_chain(&schedules.known, hash)
    cdef Schedule* schedule
    while node != NULL:
        schedule = <Schedule*>node
        if node.hash == hash and schedule.job.home == &function.lanes and same_bytes(job_unique(schedule.job), unique):
            return schedule
        node = node.next
    return NULL


cdef Schedule* schedules_add(Schedules* schedules, Job* job) noexcept nogil:
    cdef Schedule* schedule = <Schedule*>calloc(1, sizeof(Schedule))
    if schedule == NULL:
        return NULL
    schedule.job = job
    schedule.position = NOT_THERE
    ring_open(&schedule.undated, schedule)
    ring_append(&schedules.undated, &schedule.undated)
    index_add(&schedules.known, &schedule.node, hash_of(<Function*>job.home, job_unique(job)))
    schedules.count += 1
    job.state = SCHEDULED
    job.place.schedule = schedule
    return schedule


cdef void schedules_remove(Schedules* schedules, Job* job) noexcept nogil:
    cdef Schedule* schedule = <Schedule*>job.place.schedule
    index_remove(&schedules.known, &schedule.node)
    ring_leave(&schedule.undated)
    if schedule.position != NOT_THERE:
        heap_remove(&schedules.due, schedule.position)
    schedules.count -= 1
    free(schedule)


cdef void schedules_date(Schedules* schedules, Schedule* schedule, double when) noexcept nogil:
    schedules_wait(schedules, schedule)
    schedule.due = when
    schedule.zone = zone_hash(schedule.job)
    if not when < INFINITY or heap_push(&schedules.due, when, schedule.job.number, schedule, &schedule.position):
        ring_leave(&schedule.undated)
    else:
        schedule.position = NOT_THERE


cdef uint64_t zone_hash(const Job* job) noexcept nogil:
    cdef const Parameters* rule = rule_of(job, TZ)
    return 0 if rule == NULL else keyed_hash(rule.tz.data, rule.tz.size)


cdef bint schedule_is_misdated(const Schedule* schedule, double wall) noexcept nogil:
    return ring_empty(&schedule.undated) and not schedule.due <= wall and schedule.zone != zone_hash(schedule.job)


cdef void schedules_wait(Schedules* schedules, Schedule* schedule) noexcept nogil:
    if schedule.position != NOT_THERE:
        heap_remove(&schedules.due, schedule.position)
        schedule.position = NOT_THERE
    ring_leave(&schedule.undated)
    ring_append(&schedules.undated, &schedule.undated)
    schedule.due = schedule.fired


cdef double schedule_date(const Schedule* schedule) noexcept nogil:
    return schedule.due if schedule.position != NOT_THERE else 0


cdef void schedules_undate(Schedules* schedules) noexcept nogil:
    while schedules.due.count > 0:
        schedules_wait(schedules, <Schedule*>schedules.due.entries[schedules.due.count - 1].item)


cdef Schedule* schedules_pop_due(Schedules* schedules, double wall) noexcept nogil:
    cdef Schedule* schedule = <Schedule*>heap_pop_due(&schedules.due, wall)
    if schedule != NULL:
        schedule.position = NOT_THERE
        schedule.fired = schedule.due
        ring_append(&schedules.undated, &schedule.undated)
    return schedule
