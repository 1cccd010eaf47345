"""A thread that reads and sends without the interpreter."""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from posix.unistd cimport close

from gearfast.ground.lock cimport LockFigures, lock_enter, lock_figures, lock_give, lock_leave, lock_take
from gearfast.ground.ring cimport Ring, ring_append_all, ring_empty, ring_leave, ring_open
from gearfast.server.bell cimport bell_heard, bell_open, bell_ring
from gearfast.server.outlet cimport Outlet
from gearfast.server.round cimport Pause, round_open, round_share, round_waits
from gearfast.server.session cimport BROKEN, NO_FAILURE, Session
from gearfast.server.plain cimport ALL, GONE, PART, Sent

from gearfast import config

cdef double MIN_SHARE = config.MIN_PEER_TIME

cdef enum:
    NOBODY = -1

cdef uint64_t BELL = <uint64_t>-1         # the event that names no seat


def lock_used():
    lock_enter()
    cdef LockFigures figures = lock_figures()
    lock_leave()
    return figures.taken, figures.waited, figures.held / max(figures.timed, 1)


cdef class IoThread(Station):
    def __cinit__(self, Turn turn not None, settings not None):
        cdef epoll_event event
        self.turn = turn
        self.service = turn.service
        self.epoll = self.bell = NOBODY
        self.free_seat = NOBODY
        self.peer_time = settings.peer_time
        self.turn_time = settings.turn_time
        self.buffer_size = self.room = settings.receive_buffer
        round_open(&self.round, False)
        self.buffer = <char*>malloc(self.buffer_size)
        if self.buffer == NULL:
            raise MemoryError("no memory for the receive buffer")
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        self.bell = bell_open()
        event.events = EPOLLIN
        event.data.u64 = BELL
        if self.epoll < 0 or self.bell < 0 or epoll_ctl(self.epoll, EPOLL_CTL_ADD, self.bell, &event) != 0:
            raise OSError(errno, "an I/O thread cannot be made")

    def __dealloc__(self):
        free(self.seats)
        if self.buffer == NULL:                    # it was not made: it has no descriptors
            return
        free(self.buffer)
        if self.epoll >= 0:
            close(self.epoll)
        if self.bell >= 0:
            close(self.bell)

    # --- the loop's thread ---

    def run(self):
        with nogil:
            self.work()

    def end(self):
        lock_enter()
        self.ending = True
        self.nudge()
        lock_leave()

    def lend(self, SocketTransport member not None):
        return not member.session.spoke_text and self.take_over(member)

    def lend_session(self, Session session not None):
        return isinstance(session.outlet, SocketTransport) and self.take_over(session.outlet)

    cdef bint take_over(self, SocketTransport member) except -1:
        lock_enter()
        try:
            return not self.ending and member.may_be_lent() and member.lend(self)
        finally:
            self.turn.leave()

    def call_home(self, int most):
        cdef SocketTransport member
        cdef int at, found = 0
        lock_enter()
        try:
            for at in range(self.seat_count):
                if found < most and self.seats[at].member != NULL:
                    member = <SocketTransport>self.seats[at].member
                    member.come_home()
                    found += 1
        finally:
            self.turn.leave()
        return found

    @property
    def connections(self):
        cdef int members
        lock_enter()
        members = self.members
        lock_leave()
        return members

    @property
    def reads(self):
        cdef uint64_t reads
        lock_enter()
        reads = self.round.reads
        lock_leave()
        return reads

    # --- what others ask ---

    cdef bint adopt(self, Outlet outlet) noexcept nogil:
        cdef int seat = self.free_seat
        cdef Seat* larger
        if seat == NOBODY:
            seat = self.seat_count
            larger = <Seat*>realloc(self.seats, (seat + 1) * sizeof(Seat))
            if larger == NULL:
                return False
            self.seats = larger
            self.seats[seat] = Seat(NULL, NOBODY)
            self.seat_count += 1
            self.free_seat = seat
        (<SocketTransport>outlet).seat = seat
        if not self.ask(<SocketTransport>outlet, EPOLL_CTL_ADD):
            return False
        self.free_seat = self.seats[seat].next_free
        self.seats[seat].member = <void*>outlet
        self.members += 1
        return True

    cdef void dismiss(self, Outlet outlet) noexcept nogil:
        cdef int seat = (<SocketTransport>outlet).seat
        self.ask(<SocketTransport>outlet, EPOLL_CTL_DEL)
        self.seats[seat] = Seat(NULL, self.free_seat)
        self.free_seat = seat
        self.members -= 1

    cdef void watch(self, Outlet outlet) noexcept nogil:
        self.ask(<SocketTransport>outlet, EPOLL_CTL_MOD)

    cdef bint ask(self, SocketTransport member, int how) noexcept nogil:
        cdef epoll_event event
        event.events = (EPOLLIN if member.reading else 0) | (EPOLLOUT if member.blocked else 0)
        event.data.u64 = <uint64_t>member.seat
        return epoll_ctl(self.epoll, how, member.fd, &event) == 0

    cdef void nudge(self) noexcept nogil:
        if self.asleep:
            self.asleep = False
            bell_ring(self.bell)

    # --- the thread itself ---

    cdef void work(self) noexcept nogil:
        cdef epoll_event events[EVENTS]
        cdef int count, at
        cdef double end
        lock_take()
        self.service.round = &self.round
        self.round.now = self.service.clock.monotonic()
        while not self.ending:
            count = self.sleep(events)
            end = self.round.now + self.turn_time
            for at in range(count):
                if self.round.now >= end:          # the system says again who is left
                    break
                self.happened(&events[at])
            self.go_through(&self.round.queue, end, 0)
            self.go_through(&self.round.backlog, end, 1)
            self.round.work = 0
        ring_append_all(&self.service.own.queue, &self.round.queue)          # for others it has something to send
        ring_append_all(&self.service.own.queue, &self.round.backlog)
        self.service.round = &self.service.own
        lock_give()

    cdef int sleep(self, epoll_event* events) noexcept nogil:
        cdef int wait = 0 if round_waits(&self.round) else -1
        cdef bint call = self.turn.must_be_called()
        cdef Pause pause
        cdef int count
        self.asleep = wait < 0
        pause = self.service.pause()
        if call:
            self.turn.call()
        count = epoll_wait(self.epoll, events, EVENTS, wait)
        self.service.resume(pause)
        self.asleep = False
        return count

    cdef void happened(self, const epoll_event* event) noexcept nogil:
        if event.data.u64 == BELL:
            bell_heard(self.bell)
        elif self.seats[event.data.u64].member != NULL:
            self.serve(<SocketTransport>self.seats[event.data.u64].member, event.events)

    cdef void serve(self, SocketTransport member, uint32_t events) noexcept nogil:
        if events & EPOLLOUT and member.blocked:
            member.blocked = False
            self.watch(member)
            member.ready()
        if member.reading and events & (EPOLLIN | EPOLLERR | EPOLLHUP):
            self.read(member)
        elif events & (EPOLLERR | EPOLLHUP):       # and nobody wants to read
            self.give_back(member)

    cdef void read(self, SocketTransport member) noexcept nogil:
        cdef size_t room
        cdef char* at = member.session.reader.begin(self.buffer, self.room, &room)
        cdef ssize_t size
        if at == NULL:
            member.session.failure = BROKEN
            self.give_back(member)
            return
        size = member.receive(at, room)
        if size > 0:
            self.round.reads += 1
            self.round.until = self.round.now + self.peer_time
            member.session.reader.received(at, size)
            member.session.take_packets()
            member.took()
            if self.is_too_much(member):
                self.give_back(member)
        elif size == 0 or errno not in (EAGAIN, EINTR):
            member.unread = size == 0              # it is read once more
            member.session.aborted = member.session.aborted or size != 0
            self.give_back(member)

    cdef bint is_too_much(self, SocketTransport member) noexcept nogil:
        return (member.session.failure != NO_FAILURE or member.session.wants_python or member.session.closing
                or member.session.aborted or (member.session.stopped and self.service.notes.is_full()))

    cdef void give_back(self, SocketTransport member) noexcept nogil:
        self.dismiss(member)
        member.station = NULL
        member.blocked = member.reading = False
        ring_leave(&member.place)
        member.join_owner()

    cdef void go_through(self, Ring* line, double end, size_t least) noexcept nogil:
        cdef Ring these
        cdef double share
        if ring_empty(line):
            return
        ring_open(&these, NULL)
        ring_append_all(&these, line)
        share = round_share(&these, self.peer_time, self.turn_time, MIN_SHARE)
        while not ring_empty(&these) and (least > 0 or self.round.now < end):
            self.round.until = self.round.now + share
            self.round.present = these.next.owner
            ring_leave(these.next)
            self.finish(<SocketTransport>self.round.present)
            self.round.present = NULL
            least -= least > 0
        ring_append_all(&these, line)             # behind those who are left
        ring_append_all(line, &these)

    cdef void finish(self, SocketTransport member) noexcept nogil:
        cdef Sent sent = ALL
        if member.station != <void*>self:
            member.send_for_owner()
            return
        if not self.is_too_much(member) and member.session.has_more_to_do():
            member.session.go_on_reading()
            member.wait_for_rest()
            self.round.now = self.service.clock.monotonic()
        if not (self.is_too_much(member) or member.blocked or member.sending) and member.session.out.sendable() > 0:
            sent = member.send_now()
        if sent == GONE:
            member.session.aborted = True
        if self.is_too_much(member):
            self.give_back(member)
            return
        if member.session.out.waiting() == 0 and not member.sending:
            member.session.out.forget()
        if member.session.has_more_to_do():
            member.ready()
        if sent == PART or member.reading != member.session.wants_input():
            member.blocked = member.blocked or sent == PART
            member.reading = member.session.wants_input()
            self.watch(member)
