"""The common ground of all peers: their list, their sockets, the clock, and the books of a run."""

from libc.errno cimport errno
from libc.stdlib cimport calloc, free, malloc, realloc
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.unistd cimport close

from benchmarks.generator.epoll cimport (
    EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT, epoll_create1, epoll_ctl, epoll_event
)
from benchmarks.generator.flight cimport flight_close
from benchmarks.generator.peer cimport CALLER, CLIENT
from benchmarks.generator.pipe cimport RECEIVED_AT_ONCE, pipe_close, pipe_open, pipe_send
from benchmarks.generator.tally cimport count
from benchmarks.generator.trail cimport trail_close

import os

from benchmarks.errors import WrongAnswer
from benchmarks.generator.talk import Told

WORDS = {
    Told.CREATED: "the acknowledgement of a job (JOB_CREATED, INSERTED)",
    Told.ASSIGNED: "a job (JOB_ASSIGN, RESERVED)",
    Told.COMPLETED: "a result (WORK_COMPLETE)",
    Told.AWAKE: "a NOOP",
    Told.EMPTY: "a NO_JOB",
    Told.ECHOED: "an echo",
    Told.DELETED: "a DELETED",
}


cdef uint64_t clock() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <uint64_t>now.tv_sec * 1_000_000_000 + <uint64_t>now.tv_nsec


cdef int unasked(const Answer* answer) except -1 nogil:
    return unasked_words(answer.told)


cdef int unasked_words(int told) except -1 with gil:
    raise WrongAnswer(f"{WORDS[told]} came, and nothing was asked that it could answer")


cdef int wrong_echo(const char* body, size_t size) except -1 with gil:
    raise WrongAnswer(f"an ECHO_RES came with {body[:min(<int>size, 64)]!r}, which is not what was sent")


cdef int epoll_failed(int error) except -1 with gil:
    raise OSError(error, f"epoll: {os.strerror(error)}")


cdef class Course:
    def __cinit__(self):
        self.epoll = -1
        self.result = -1
        self.shared = <char*>malloc(RECEIVED_AT_ONCE)
        if self.shared == NULL:
            raise MemoryError
        self.epoll = epoll_create1(0x80000)     # close-on-exec
        if self.epoll < 0:
            epoll_failed(errno)

    def __dealloc__(self):
        cdef int kind
        for kind in range(KINDS):
            self.remove_all(kind)
            free(self.crews[kind].peers)
        free(self.dirty)
        free(self.shared)
        if self.epoll >= 0:
            close(self.epoll)

    cdef Peer* add(self, int kind) except NULL:
        cdef Crew* crew = &self.crews[kind]
        cdef Peer** larger
        cdef Peer* peer
        if crew.count == crew.room:
            larger = <Peer**>realloc(crew.peers, max(<size_t>16, crew.room * 2) * sizeof(Peer*))
            if larger == NULL:
                raise MemoryError
            crew.peers, crew.room = larger, max(<size_t>16, crew.room * 2)
        peer = <Peer*>calloc(1, sizeof(Peer))
        if peer == NULL:
            raise MemoryError
        peer.pipe.socket = -1
        peer.kind, peer.ordinal = kind, <int>crew.count
        crew.peers[crew.count] = peer
        crew.count += 1
        return peer

    cdef void remove_all(self, int kind) noexcept:
        while self.crews[kind].count > 0:
            self.remove_last(kind)

    cdef void remove_last(self, int kind) noexcept:
        cdef Crew* crew = &self.crews[kind]
        cdef Peer* peer = crew.peers[crew.count - 1]
        pipe_close(&peer.pipe)
        flight_close(&peer.flight)
        trail_close(&peer.trail)
        free(peer)
        crew.count -= 1

    cdef bint has_submitters(self) noexcept nogil:
        return self.crews[<int>CLIENT].count + self.crews[<int>CALLER].count > 0

    cdef int connect(self, Peer* peer) except -1 nogil:
        cdef epoll_event event
        pipe_open(&peer.pipe, self.port, self.path)
        event.events = peer.events = EPOLLIN
        event.data.ptr = peer
        if epoll_ctl(self.epoll, EPOLL_CTL_ADD, peer.pipe.socket, &event) < 0:
            return epoll_failed(errno)
        return 0

    cdef int watch(self, Peer* peer, uint32_t events) except -1 nogil:
        cdef epoll_event event
        if peer.events == events:
            return 0
        event.events = peer.events = events
        event.data.ptr = peer
        if epoll_ctl(self.epoll, EPOLL_CTL_MOD, peer.pipe.socket, &event) < 0:
            return epoll_failed(errno)
        return 0

    cdef int flush(self, Peer* peer) except -1 nogil:
        pipe_send(&peer.pipe)
        return self.watch(peer, EPOLLIN if peer.pipe.out_start == peer.pipe.out_end else EPOLLIN | EPOLLOUT)

    cdef int echo(self, Peer* peer) except -1 nogil:
        peer.token += 1
        peer.echoing = True
        peer.spoke = False
        self.owed += 1
        return self.talk.echo(&peer.pipe, peer.token)

    cdef int echoed(self, Peer* peer, const Answer* answer) except -1 nogil:
        if not peer.echoing:
            return unasked(answer)
        if not self.talk.is_echo(answer, peer.token):
            return wrong_echo(answer.body, answer.body_size)
        peer.echoing = False
        self.owed -= 1
        self.progress = self.now
        return 0

    cdef void done(self, uint64_t due) noexcept nogil:
        count(&self.latencies, self.now - due if self.now > due else 0)
        self.answered += 1
        self.last = self.progress = self.now
