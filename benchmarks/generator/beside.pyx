"""How jobs come in beside the load: on time whether or not earlier ones were answered, and every answer checked."""

from benchmarks.generator.course cimport unasked
from benchmarks.generator.flight cimport oldest, take_off
from benchmarks.generator.peer cimport BESIDE
from benchmarks.generator.talk cimport CREATED, Order
from benchmarks.generator.tally cimport count

from benchmarks.errors import WrongAnswer


cdef int not_ascending(uint64_t handle, uint64_t before) except -1 with gil:
    raise WrongAnswer(f"the handle numbers of a connection must ascend, {handle} came after {before}")


cdef uint64_t beside_due(Course course) noexcept nogil:
    return course.started + <uint64_t>(<double>course.beside_begun * course.beside_interval)


cdef int send_beside(Course course) except -1 nogil:
    cdef size_t clients = course.crews[<int>BESIDE].count
    cdef size_t at
    cdef uint64_t moment = beside_due(course)
    cdef Peer* client
    while moment <= course.now:
        client = course.current = course.crews[<int>BESIDE].peers[course.beside_begun % clients]
        take_off(&client.flight, moment)
        submit(course, client)
        client.dirty = True
        course.beside_begun += 1
        course.owed += 1
        moment = beside_due(course)
    for at in range(clients):
        client = course.current = course.crews[<int>BESIDE].peers[at]
        if client.dirty:
            client.dirty = False
            course.flush(client)
    return 0


cdef int submit(Course course, Peer* client) except -1 nogil:
    cdef Order order
    # Of all runs: a unique id that comes again would be no new job.
    order.number = order.ordinal = course.beside_submitted
    course.beside_submitted += 1
    order.function = &course.beside_name
    order.when = 0
    return course.talk.submit(&client.pipe, &client.plan, &order)


cdef int beside_told(Course course, Peer* client, const Answer* answer) except -1 nogil:
    cdef uint64_t due
    if answer.told != CREATED or client.flight.count == 0:
        return unasked(answer)
    if answer.handle < client.handle:
        return not_ascending(answer.handle, client.handle - 1)
    client.handle = answer.handle + 1
    due = oldest(&client.flight)
    course.owed -= 1
    if course.closing:
        course.progress = course.now        # it came, but it no longer flows beside anything
    else:
        count(&course.besides, course.now - due if course.now > due else 0)
    return 0
