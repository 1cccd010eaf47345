"""Plain sockets, read by ``add_reader`` and written once per turn."""

cimport cython
from cpython.ref cimport Py_INCREF
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memset
from posix.unistd cimport close as close_descriptor

from gearfast.broker.job cimport jobs_stay
from gearfast.ground.lock cimport lock_enter
from gearfast.ground.ring cimport ring_append, ring_empty, ring_leave
from gearfast.ground.slice cimport Slice
from gearfast.server.round cimport Late, Pause, Round
from gearfast.server.session cimport NO_FAILURE, Session
from gearfast.server.station cimport Station
from gearfast.server.transport cimport Transport
from gearfast.server.turn cimport Turn

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef extern from "sys/socket.h" nogil:
    ssize_t recv(int, void*, size_t, int)
    ssize_t send(int, const void*, size_t, int)
    struct iovec:
        void* iov_base
        size_t iov_len
    struct msghdr:
        iovec* msg_iov
        int msg_iovlen
    ssize_t sendmsg(int, const msghdr*, int)
    int shutdown(int, int)
    int SHUT_WR

cdef extern from *:
    """
    #include <errno.h>
    #define set_errno(number) (errno = (number))
    """
    void set_errno(int) nogil


@cython.no_gc
cdef class Watch:
    """What the loop calls when there is something to read.

    libuv stops watching a socket on its own when the peer resets it, after one last call: data that was
    still unread then would hide the reset for ever. The loop lets go of this object at that moment.
    """

    def __cinit__(self, SocketTransport transport not None):
        self.transport = transport
        self.number = transport.watches

    def __call__(self):
        lock_enter()
        try:
            if self.transport.open:                    # else its descriptor may be somebody else's by now
                self.transport.readable()
        except Exception as error:
            self.transport.fail(error)
        self.transport.turn.leave()

    def __dealloc__(self):
        # the number first: while it is the last one no other thread reads from it
        if self.transport is not None and self.number == self.transport.watches and self.transport.reading:
            lock_enter()
            self.transport.reading = False
            self.transport.unwatched = True
            self.transport.ready()
            self.transport.turn.leave()


cdef class SocketTransport(Transport):
    def __cinit__(self, Turn turn not None, loop, int fd, bytes address, double linger, *_):
        self.turn = turn
        self.loop = loop
        self.fd = fd
        self.linger = linger
        self.shared = True
        try:
            self.session = Session(turn.service, self, fd, address)
            self.open = True
            self.read_on(True)
        except BaseException:
            if self.open:
                self.abort()
            else:
                close_descriptor(fd)
            raise

    cdef void read_on(self, bint on):
        self.reading = on                         # before the loop lets go of the watch
        self.watches += 1                         # the one before may live on for a while: it is at work at this moment
        if on:
            self.turn.ask_loop(self.loop.add_reader, (self.fd, Watch(self)))
        else:
            self.turn.ask_loop(self.loop.remove_reader, (self.fd,))

    cdef int readable(self) except -1:
        if not self.turn.is_full():
            self.take_in()
        elif not self.unread:
            self.unread = True
            self.ready()
        return 0

    cdef int take_in(self) except -1:
        cdef Session session = self.session
        cdef size_t room
        cdef char* at
        cdef ssize_t size
        if self.lingering:
            at = self.turn.buffer
            room = self.turn.buffer_size
        else:
            at = session.reader.begin(self.turn.buffer, self.turn.room, &room)
            if at == NULL:
                raise session.reader.error()
        size = self.receive(at, room)
        if size > 0:
            if self.lingering:
                return 0
            self.turn.serve(self)
            session.reader.received(at, size)
            session.take()
            self.taken_in()
        elif size == 0 and not self.lingering:
            self.eof_received()
        elif size == 0 or self.unwatched or errno not in (EAGAIN, EINTR):
            self.turn.begin()
            self.abort()
        return 0

    cdef int taken_in(self) except -1:
        self.took()
        if self.shared:
            self.turn.lookout.was_read(self, &self.reads)
        self.turn.served(self.unwatched or is_waiting(self.session))
        return 0

    cdef bint send_waiting(self) except -1:
        cdef Sent sent = self.send_now()
        if sent == PART:
            self.block()
        return sent != GONE

    cdef ssize_t receive(self, char* at, size_t room) noexcept nogil:
        cdef Pause pause
        cdef ssize_t size
        cdef int error
        if self.turn.service.threads == 0:
            return recv(self.fd, at, room, 0)
        self.hands += 1
        pause = self.turn.service.pause()
        size = recv(self.fd, at, room, 0)
        error = errno
        self.turn.service.resume(pause)
        self.hands -= 1
        set_errno(error)
        return size

    cdef Sent send_now(self) noexcept nogil:
        cdef const char* at = self.session.out.data + self.session.out.sent
        cdef size_t size = self.session.out.sendable()
        cdef Pause pause
        cdef ssize_t sent
        cdef int error
        if self.turn.service.threads == 0:
            sent = send(self.fd, at, size, 0)
            error = errno
        else:
            pause = self.begin_to_send()
            sent = send(self.fd, at, size, 0)
            error = errno
            self.end_of_sending(pause)
        if sent < 0:
            if error not in (EAGAIN, EINTR):
                return GONE
            sent = 0
        self.sent(sent)
        if self.more:
            self.more = False
            self.ready()
        return ALL if <size_t>sent == size else PART

    cdef Pause begin_to_send(self) noexcept nogil:
        self.session.out.pin()
        self.sending = True
        self.hands += 1
        return self.turn.service.pause()

    cdef void end_of_sending(self, Pause pause) noexcept nogil:
        self.turn.service.resume(pause)
        self.hands -= 1
        self.sending = False
        self.session.out.unpin()

    cdef void block(self):
        if not self.blocked:
            self.blocked = True
            self.turn.ask_loop(self.loop.add_writer, (self.fd, self.writable))

    cdef void unblock(self):
        self.turn.ask_loop(self.loop.remove_writer, (self.fd,))

    cdef size_t send_along(self, Slice rest) noexcept nogil:
        cdef size_t waiting = self.session.out.waiting(), size
        if self.blocked or not self.open or waiting > self.session.out.sendable():
            return 0
        if self.turn.service.threads > 0:         # the lock is not kept while it is sent
            return self.put_off(rest)
        size = self.send_both(Slice(self.session.out.data + self.session.out.sent, waiting), rest)
        self.session.out.sent += min(size, waiting)
        return size - min(size, waiting)

    cdef size_t send_both(self, Slice waiting, Slice rest) noexcept nogil:
        """Returns how much is gone. If it is nothing, for whatever reason, the end of the turn will see it."""
        cdef iovec parts[2]
        cdef msghdr message
        parts[0].iov_base = <void*>waiting.data
        parts[0].iov_len = waiting.size
        parts[1].iov_base = <void*>rest.data
        parts[1].iov_len = rest.size
        memset(&message, 0, sizeof(message))
        message.msg_iov = parts
        message.msg_iovlen = 2
        return max(<ssize_t>0, sendmsg(self.fd, &message, 0))

    # --- large bodies, without the lock ---

    cdef size_t put_off(self, Slice body) noexcept nogil:
        cdef Round* round = self.turn.service.round
        if self.sending or not round.handling or round.late.body.size > 0:
            return 0
        round.late = Late(body, <void*>self, self.session.out.leave_out(body.size))
        return body.size

    cdef void send_late(self) noexcept nogil:
        cdef Late late = self.turn.service.round.late
        cdef const char* at = self.session.out.data + self.session.out.sent
        cdef size_t waiting = <size_t>(late.end - self.session.out.base) - self.session.out.sent, size, left
        cdef Pause pause
        self.turn.service.round.late.body.size = 0
        jobs_stay(1)
        pause = self.begin_to_send()
        size = self.send_both(Slice(at, waiting), late.body)
        self.end_of_sending(pause)
        jobs_stay(-1)
        self.more = False
        self.sent(min(size, waiting))
        left = late.body.size - (size - min(size, waiting))
        if not self.session.out.put_in(late.end, late.body.data + late.body.size - left, left):
            self.session.aborted = True
        self.ready()                              # for what is left, or its end

    def writable(self):
        lock_enter()
        try:
            self.take_out()
        except Exception as error:
            self.fail(error)
        self.turn.leave()

    cdef int take_out(self) except -1:
        if self.open and not self.sending:
            if self.session.aborted or not self.send_waiting():
                self.turn.begin()
                self.abort()
            elif not self.can_send():
                self.blocked = False
                self.unblock()
                self.ready()
        return 0

    # --- other threads ---

    cdef bint may_be_lent(self) noexcept nogil:
        return (self.open and self.reading and self.shared and self.hands == 0 and self.station == NULL
                and self.session.may_be_lent()
                and not (self.lent or self.eof or self.unread or self.unwatched or self.leaving or self.lingering))

    cdef bint lend(self, Station station) except -1:
        self.read_on(False)
        if self.blocked:
            self.unblock()
        self.reading = self.session.wants_input()
        Py_INCREF(self)
        self.reads.count = 0                      # counted anew when it is back
        self.lent = True
        if not station.adopt(self):
            self.blocked = self.reading = False
            self.ready()                          # whose end reads on, and settles the loan
            return False
        self.station = <void*>station
        return True

    cdef void stay(self, int more) noexcept nogil:
        self.hands += more

    cdef void come_home(self) noexcept:
        cdef Pause pause
        while self.hands > 0:                     # in a call of the system, which takes no time
            pause = self.turn.service.pause()
            sched_yield()
            self.turn.service.resume(pause)
        if self.station != NULL:
            (<Station>self.station).dismiss(self)
            self.station = NULL
            self.blocked = self.reading = False
            ring_leave(&self.place)
            self.ready()

    cdef void turn_over(self) noexcept:
        if self.station == NULL:
            Transport.turn_over(self)
        else:
            self.send_for_owner()

    cdef void send_for_owner(self) noexcept nogil:
        cdef Sent sent = ALL
        if not (self.blocked or self.sending or self.session.aborted) and self.open and self.session.out.sendable() > 0:
            sent = self.send_now()
        if sent == GONE:
            self.session.aborted = True
        elif sent == PART and self.station != NULL:
            self.blocked = True
            (<Station>self.station).watch(self)
        if self.session.out.waiting() == 0 and not self.sending:
            self.session.out.forget()
        if self.needs_owner() or (sent == PART and self.station == NULL):
            self.join_owner()

    cdef bint needs_owner(self) noexcept nogil:
        return self.open and (self.session.aborted or self.session.closing or self.session.failure != NO_FAILURE
                              or self.session.has_more_to_do() or self.eof or self.unread or self.unwatched
                              or (self.lent and self.station == NULL))       # given back, and nobody reads from it yet

    cdef void join_owner(self) noexcept nogil:
        if self.sending or not ring_empty(&self.place):      # whoever sends, or will, sees to it
            return
        if self.station == NULL:
            ring_append(&self.turn.round.queue, &self.place)
        else:
            ring_append(&(<Station>self.station).round.queue, &self.place)
            (<Station>self.station).nudge()

    # --- the end ---

    cdef void write_eof(self):
        shutdown(self.fd, SHUT_WR)
        self.lingering = True
        if not self.reading:
            self.read_on(True)

    cdef void close_fd(self):
        if self.blocked:
            self.unblock()
        close_descriptor(self.fd)


cdef inline bint is_waiting(Session session) noexcept:
    """Whether it waits for a job: what others do in this turn may have to be told it."""
    return session.party != NULL and not ring_empty(&session.party.waits)
