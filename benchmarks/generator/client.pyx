"""How jobs are submitted, and what their answers must be."""

from libc.stdint cimport int64_t
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from benchmarks.generator.course cimport clock, unasked
from benchmarks.generator.flight cimport Awaited, await_result, land, oldest, take_off, under_way
from benchmarks.generator.ledger cimport sequence_of
from benchmarks.generator.peer cimport CALLER
from benchmarks.generator.pipe cimport pipe_close
from benchmarks.generator.talk cimport COMPLETED, CREATED, Order

from benchmarks.errors import WrongAnswer


cdef int not_ascending(uint64_t handle, uint64_t before) except -1 with gil:
    raise WrongAnswer(f"the handle numbers of a connection must ascend, {handle} came after {before}")


cdef int foreign_result(const char* handle, size_t size) except -1 with gil:
    raise WrongAnswer(f"a result came for handle {handle[:size]!r}, which is no job of this client in flight")


cdef int64_t seconds_from_now(int delay) noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return now.tv_sec + delay


cdef int write(Course course, Peer* client) except -1 nogil:
    cdef Order order
    cdef uint64_t function = 0
    order.number = course.ledger.next_number(client.origin)
    order.ordinal = course.ledger.submitted
    if client.plan.functions > 1:
        function = sequence_of(order.number) % <uint64_t>client.plan.functions
    order.function = &course.ledger.names[function]
    order.when = seconds_from_now(client.plan.delay) if client.plan.delay > 0 else 0
    return course.talk.submit(&client.pipe, &client.plan, &order)


cdef int call(Course course, Peer* caller) except -1 nogil:
    """Connect for one job."""
    caller.calling = True
    caller.handle = 0
    course.connect(caller)
    write(course, caller)
    return course.flush(caller)


cdef int submit(Course course, Peer* client, uint64_t due) except -1 nogil:
    take_off(&client.flight, due)
    course.begun += 1
    if client.kind != CALLER:
        return write(course, client)
    return 0 if client.calling else call(course, client)


cdef int fill(Course course, Peer* client) except -1 nogil:
    cdef uint64_t due
    if course.begun >= course.limit or under_way(&client.flight) >= client.in_flight:
        return 0
    due = clock()
    while under_way(&client.flight) < client.in_flight and course.begun < course.limit:
        submit(course, client, due)
    return 0


cdef int client_told(Course course, Peer* client, const Answer* answer) except -1 nogil:
    if answer.told == CREATED:
        return created(course, client, answer)
    if answer.told == COMPLETED and client.plan.foreground:
        return completed(course, client, answer)
    return unasked(answer)


cdef int created(Course course, Peer* client, const Answer* answer) except -1 nogil:
    cdef uint64_t due
    if client.flight.count == 0 or (client.kind == CALLER and not client.calling):
        return unasked(answer)
    if answer.handle < client.handle:
        return not_ascending(answer.handle, client.handle - 1)
    client.handle = answer.handle + 1
    due = oldest(&client.flight)
    client.calling = False
    if client.plan.foreground:
        await_result(&client.flight, answer.handle, due, client.acknowledged)
        course.progress = course.now
    else:
        course.done(due)
    client.acknowledged += 1
    return 0


cdef int completed(Course course, Peer* client, const Answer* answer) except -1 nogil:
    cdef Awaited job
    if not land(&client.flight, answer.handle, &job):
        return foreign_result(answer.label, answer.label_size)
    course.ledger.completed(client.origin, job.sequence, course.result, answer.body, answer.body_size)
    course.done(job.due)
    return 0


cdef int client_heard(Course course, Peer* client) except -1 nogil:
    if client.kind == CALLER and not client.calling:
        pipe_close(&client.pipe)
        if client.flight.count > 0:
            call(course, client)
    return 0 if course.interval > 0 or course.closing else fill(course, client)
