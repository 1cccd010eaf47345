"""Jobs of a store, back into a broker."""

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t

from gearfast.broker.estate cimport Restored, Submission, submission_of
from gearfast.broker.functions cimport Function, functions_find
from gearfast.broker.job cimport PRIORITIES, SCHEDULED
from gearfast.broker.schedules cimport schedules_find
from gearfast.ground.clock cimport monotonic_time, wall_time
from gearfast.ground.lock cimport lock_enter, lock_leave
from gearfast.ground.slice cimport Slice, slice_of
from gearfast.store.record cimport read_more

from gearfast import config

cdef size_t MAX_UNIQUE = config.UNIQUE_SIZE
cdef size_t MAX_PAYLOAD = 0xFFFFFFFF


cdef list replay(Broker broker, list records):
    bad = []
    ahead = wall_time() - monotonic_time()
    for record in records:
        try:
            replay_one(broker, record, ahead)
        except (ValueError, TypeError, OverflowError) as error:
            bad.append((record[0], str(error)))
    return bad


cdef int replay_one(Broker broker, record, double ahead) except -1:
    cdef Submission wanted = submission_of(Slice(NULL, 0), Slice(NULL, 0), Slice(NULL, 0))
    cdef Restored kept
    cdef uint64_t number
    cdef bytes name, unique, payload, more
    number, name, unique, priority, due, attempts, payload, more = record
    if number == 0 or is_known(broker, number):
        raise ValueError("it has no valid number, or the number of another job")
    if <size_t>len(unique) > MAX_UNIQUE or not 0 <= priority < PRIORITIES or not 0 <= due < INFINITY:
        raise ValueError(f"its unique id, priority or due time is not valid ({unique!r}, {priority}, {due})")
    if <size_t>len(payload) > MAX_PAYLOAD:
        raise ValueError(f"its payload has {len(payload)} bytes, and must have less than 4 GiB")
    read_more(more, &wanted, &kept, ahead)
    if wanted.reducer.size > MAX_UNIQUE:
        raise ValueError(f"its reducer has {wanted.reducer.size} bytes, and may have {MAX_UNIQUE}")
    wanted.function, wanted.unique, wanted.payload = slice_of(name), slice_of(unique), slice_of(payload)
    wanted.priority = priority
    wanted.background = True
    wanted.due = due
    if kept.state == SCHEDULED and wanted.policy.size == 0:
        raise ValueError("it is a schedule, and does not say when it fires")
    if kept.state == SCHEDULED and is_scheduled(broker, &wanted):
        raise ValueError("it is a schedule, and there is another one with its function and unique id")
    kept.number = number
    kept.attempts = min(max(attempts, 0), 0xFFFF)
    broker.enter()
    restored = broker.restore(&wanted, &kept, monotonic_time())
    broker.rest()
    if not restored:
        raise MemoryError("no memory for another job")
    return 0


cdef bint is_known(Broker broker, uint64_t number) noexcept:
    lock_enter()
    cdef bint known = broker.find(number) != NULL
    lock_leave()
    return known


cdef bint is_scheduled(Broker broker, const Submission* wanted) noexcept:
    lock_enter()
    cdef const Function* function = functions_find(&broker.functions, wanted.function)
    cdef bint known = function != NULL and schedules_find(&broker.schedules, function, wanted.unique) != NULL
    lock_leave()
    return known
