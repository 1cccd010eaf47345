"""How jobs are taken: grab, complete and grab again in one send, sleep when there is none."""

from libc.stdint cimport uint64_t

from benchmarks.generator.course cimport unasked
from benchmarks.generator.peer cimport ASLEEP, GRABBING, READY, WORKER
from benchmarks.generator.talk cimport ASSIGNED, AWAKE, DELETED, EMPTY


cdef bint may_take(Course course) noexcept nogil:
    if course.closing:
        return False
    # Results are waited for by their clients: whoever else's jobs lie before theirs must be done too.
    return course.foreground or course.worked + course.grabbing < course.limit


cdef int grab(Course course, Peer* worker) except -1 nogil:
    if worker.state == READY:
        course.ready -= 1
    worker.state = GRABBING
    worker.spoke = True
    course.grabbing += 1
    if course.talk.grabs_are_answered:
        course.owed += 1
    return course.talk.grab(&worker.pipe)


cdef int worker_told(Course course, Peer* worker, const Answer* answer) except -1 nogil:
    if answer.told == ASSIGNED:
        return assigned(course, worker, answer)
    if answer.told == EMPTY:
        return empty(course, worker, answer)
    if answer.told == AWAKE:
        return awake(course, worker)
    if answer.told == DELETED and worker.deleting > 0:
        worker.deleting -= 1
        course.owed -= 1
        course.progress = course.now
        return 0
    return unasked(answer)


cdef inline int grabbed(Course course, Peer* worker, const Answer* answer) except -1 nogil:
    """The grab is answered, by this."""
    if worker.state != GRABBING:
        return unasked(answer)
    course.grabbing -= 1
    if course.talk.grabs_are_answered:
        course.owed -= 1
    return 0


cdef int assigned(Course course, Peer* worker, const Answer* job) except -1 nogil:
    grabbed(course, worker, job)
    course.ledger.assigned(&worker.trail, worker.functions, job.handle, job.function, job.function_size,
                           job.body, job.body_size)
    course.talk.complete(&worker.pipe, job, course.result)
    worker.state = READY
    worker.spoke = True
    course.ready += 1
    course.worked += 1
    course.progress = course.now
    if not course.foreground:
        course.last = course.now
    if not course.talk.grabs_are_answered:
        worker.deleting += 1
        course.owed += 1
    if may_take(course):
        return grab(course, worker)
    return part(course, worker) if course.closing else 0


cdef int empty(Course course, Peer* worker, const Answer* answer) except -1 nogil:
    grabbed(course, worker, answer)
    worker.state = ASLEEP
    course.talk.sleep(&worker.pipe)
    if course.closing:
        course.progress = course.now
        return part(course, worker)
    return rouse(course)


cdef int rouse(Course course) except -1 nogil:
    """There is a job less being asked for: somebody who was kept from asking may (it can do other functions)."""
    cdef size_t at
    cdef Peer* worker
    if course.ready == 0 or not may_take(course):
        return 0
    for at in range(course.crews[<int>WORKER].count):
        worker = course.crews[<int>WORKER].peers[at]
        if worker.state == READY:
            grab(course, worker)
            return course.flush(worker)
    return 0


cdef int awake(Course course, Peer* worker) except -1 nogil:
    # A NOOP more than needed is no fault: some servers wake everyone, and it may cross with a grab.
    if worker.state != ASLEEP:
        return 0
    if may_take(course):
        return grab(course, worker)
    worker.state = READY
    course.ready += 1
    return 0


cdef int part(Course course, Peer* worker) except -1 nogil:
    # A delete is answered, so beanstalk needs no echo; and one that waits in `reserve` could not give it.
    if not worker.spoke or worker.state == GRABBING or not course.talk.grabs_are_answered:
        return 0
    return course.echo(worker)
