"""The loop of a run, from the first request to the last answer that is owed."""

from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EINTR, errno
from libc.stdint cimport uint64_t

from benchmarks.generator.beside cimport beside_due, beside_told, send_beside
from benchmarks.generator.client cimport client_heard, client_told, fill, submit
from benchmarks.generator.course cimport clock, unasked
from benchmarks.generator.deaf cimport babble
from benchmarks.generator.epoll cimport EPOLLERR, EPOLLHUP, EPOLLIN, epoll_event, epoll_wait
from benchmarks.generator.peer cimport (
    ASLEEP, BESIDE, CALLER, CLIENT, DEAF, GRABBING, POLLER, READY, WORKER, Peer
)
from benchmarks.generator.pipe cimport pipe_keep, pipe_receive
from benchmarks.generator.poller cimport ask, poller_told
from benchmarks.generator.talk cimport ECHOED, Answer
from benchmarks.generator.worker cimport grab, may_take, part, worker_told

from benchmarks.generator.waiting import stalled

cdef enum:
    AT_ONCE = 1024                  # events of one epoll_wait
    MILLISECOND = 1_000_000
    LOOK = 100_000_000              # nanoseconds between two looks for signals


cdef int play(Course course) except -1 nogil:
    start(course)
    while not jobs_done(course):
        turn(course)
    close(course)
    return settle(course)


cdef int settle(Course course) except -1 nogil:
    course.closing = True
    course.progress = clock()
    while course.owed > 0:
        turn(course)
    course.current = NULL
    return 0


cdef bint jobs_done(Course course) noexcept nogil:
    if not course.has_submitters():
        return course.worked >= course.limit
    if course.begun < course.limit or course.answered < course.begun:
        return False
    return course.crews[<int>WORKER].count == 0 or course.worked >= course.begun


# --- the beginning and the end --------------------------------------------------------------------------

cdef int start(Course course) except -1 nogil:
    cdef size_t at
    course.now = course.started = course.last = course.progress = course.looked = clock()
    if course.deadline > 0:
        course.deadline += course.started
    for at in range(course.crews[<int>POLLER].count):
        course.crews[<int>POLLER].peers[at].question.next_at = course.started
    for at in range(course.crews[<int>DEAF].count):
        babble(course, course.crews[<int>DEAF].peers[at], 0)
    start_workers(course)
    if course.interval == 0:
        start_submitters(course, CLIENT)
        start_submitters(course, CALLER)
    return 0


cdef int start_workers(Course course) except -1 nogil:
    cdef size_t at
    cdef Peer* worker
    course.ready = course.grabbing = 0
    for at in range(course.crews[<int>WORKER].count):
        course.ready += course.crews[<int>WORKER].peers[at].state == READY
        # Left over from the last run where taking from an empty queue is not answered.
        course.grabbing += course.crews[<int>WORKER].peers[at].state == GRABBING
    for at in range(course.crews[<int>WORKER].count):
        worker = course.current = course.crews[<int>WORKER].peers[at]
        # Who sleeps is woken when somebody submits; with nobody to, all look for themselves.
        if worker.state == READY or (worker.state == ASLEEP and not course.has_submitters()):
            if may_take(course):
                grab(course, worker)
                course.flush(worker)
    return 0


cdef int start_submitters(Course course, int kind) except -1 nogil:
    cdef size_t at
    for at in range(course.crews[kind].count):
        course.current = course.crews[kind].peers[at]
        fill(course, course.current)
        if course.current.pipe.socket >= 0:
            course.flush(course.current)
    return 0


cdef int close(Course course) except -1 nogil:
    """All jobs are done; whoever spoke without an answer since asks for an echo."""
    cdef size_t at
    cdef Peer* peer
    course.closing = True
    for at in range(course.crews[<int>DEAF].count):
        peer = course.crews[<int>DEAF].peers[at]
        if peer.pipe.socket >= 0:
            course.watch(peer, 0)
    for at in range(course.crews[<int>WORKER].count):
        peer = course.current = course.crews[<int>WORKER].peers[at]
        part(course, peer)
        course.flush(peer)
    return 0


# --- one turn -------------------------------------------------------------------------------------------

cdef int turn(Course course) except -1 nogil:
    cdef epoll_event events[AT_ONCE]
    cdef int ready, at
    course.current = NULL
    ready = epoll_wait(course.epoll, events, AT_ONCE, waiting_time(course))
    if ready < 0:
        return 0 if errno == EINTR and attend() == 0 else wait_failed(errno)
    for at in range(ready):
        course.current = <Peer*>events[at].data.ptr
        take_turn(course, course.current, events[at].events)
    course.now = clock()
    if not course.closing:
        if course.interval > 0:
            send_due(course)
        if course.crews[<int>BESIDE].count > 0:
            send_beside(course)
        ask_all(course)
    return watch_time(course)


cdef int take_turn(Course course, Peer* peer, unsigned int events) except -1 nogil:
    if peer.kind == DEAF:
        return babble(course, peer, events)
    if events & (EPOLLIN | EPOLLERR | EPOLLHUP):
        hear(course, peer)
    return course.flush(peer) if peer.pipe.socket >= 0 else 0


cdef int hear(Course course, Peer* peer) except -1 nogil:
    cdef char* data
    cdef size_t size, needed = 0
    cdef size_t read = 0
    cdef ssize_t used
    cdef Answer answer
    if pipe_receive(&peer.pipe, course.shared, &data, &size) == 0:
        return 0
    course.now = clock()
    if peer.kind == POLLER:
        read = poller_told(course, peer, data, size)
    else:
        while read < size:
            used = course.talk.next(data + read, size - read, &answer)
            if used == 0:
                needed = answer.needed
                # A large answer that comes bit by bit is no standstill.
                course.progress = course.now
                break
            tell(course, peer, &answer)
            read += used
    pipe_keep(&peer.pipe, data + read, size - read, needed)
    return client_heard(course, peer) if peer.kind == CLIENT or peer.kind == CALLER else 0


cdef inline int tell(Course course, Peer* peer, const Answer* answer) except -1 nogil:
    if answer.told == ECHOED:
        return course.echoed(peer, answer)
    if peer.kind == CLIENT or peer.kind == CALLER:
        return client_told(course, peer, answer)
    if peer.kind == WORKER:
        return worker_told(course, peer, answer)
    if peer.kind == BESIDE:
        return beside_told(course, peer, answer)
    return unasked(answer)


# --- time -----------------------------------------------------------------------------------------------

cdef inline uint64_t due(Course course, uint64_t request) noexcept nogil:
    return course.started + <uint64_t>(<double>request * course.interval)


cdef int waiting_time(Course course) noexcept nogil:
    """Milliseconds that may pass before something must be done without being asked; 0: less than one."""
    cdef uint64_t until = min(course.now + LOOK, course.progress + course.patience + MILLISECOND)
    cdef size_t at
    if course.spinning:
        return 0
    if not course.closing:
        if course.interval > 0 and course.begun < course.limit:
            until = min(until, due(course, course.begun))
        if course.crews[<int>BESIDE].count > 0:
            until = min(until, beside_due(course))
        if course.deadline > 0:
            until = min(until, course.deadline)
        for at in range(course.crews[<int>POLLER].count):
            if not course.crews[<int>POLLER].peers[at].question.asked:
                until = min(until, course.crews[<int>POLLER].peers[at].question.next_at)
    return <int>((until - course.now) // MILLISECOND) if until > course.now else 0


cdef int send_due(Course course) except -1 nogil:
    """Open loop: submit what is due, the submitters in turn; then one send each."""
    cdef size_t clients = course.crews[<int>CLIENT].count
    cdef size_t all_of_them = clients + course.crews[<int>CALLER].count
    cdef size_t which, at
    cdef uint64_t moment
    cdef Peer* peer
    while course.begun < course.limit:
        moment = due(course, course.begun)
        if moment > course.now:
            break
        which = course.begun % all_of_them
        peer = course.current = (course.crews[<int>CLIENT].peers[which] if which < clients
                                 else course.crews[<int>CALLER].peers[which - clients])
        submit(course, peer, moment)
        if not peer.dirty:
            peer.dirty = True
            course.dirty[course.dirty_count] = peer
            course.dirty_count += 1
    for at in range(course.dirty_count):
        peer = course.current = course.dirty[at]
        peer.dirty = False
        course.flush(peer)
    course.dirty_count = 0
    return 0


cdef int ask_all(Course course) except -1 nogil:
    cdef size_t at
    for at in range(course.crews[<int>POLLER].count):
        course.current = course.crews[<int>POLLER].peers[at]
        ask(course, course.current)
    return 0


cdef int watch_time(Course course) except -1 nogil:
    if course.deadline > 0 and course.now >= course.deadline:
        course.deadline = 0
        # Outstanding grabs may bring a few more jobs; they are worked and counted.
        course.limit = course.begun if course.has_submitters() else course.worked
    if not is_waiting(course):
        course.progress = course.now
    elif course.now > course.progress + course.patience:
        return give_up(course)
    if course.now > course.looked + LOOK:
        course.looked = course.now
        return attend()
    return 0


cdef bint is_waiting(Course course) noexcept nogil:
    """Whether the server owes something. In an open loop there are moments when it does not."""
    if course.closing:
        return True
    return course.answered < course.begun or (course.crews[<int>WORKER].count > 0 and not (
        course.has_submitters() and course.worked >= course.begun))


cdef int attend() except -1 with gil:
    """Let Ctrl-C through."""
    PyErr_CheckSignals()
    return 0


cdef int wait_failed(int error) except -1 with gil:
    raise OSError(error, "epoll_wait")


cdef int give_up(Course course) except -1 with gil:
    return stalled(course)
