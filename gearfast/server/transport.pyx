"""Plain sockets, read by ``add_reader`` and written once per turn."""

cimport cython
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memset
from posix.unistd cimport close as close_descriptor

from gearfast.server.fence cimport fences_close
from gearfast.server.outlet cimport Outlet
from gearfast.ground.ring cimport ring_empty, ring_leave
from gearfast.ground.slice cimport Slice
from gearfast.server.turn cimport Turn

from gearfast import logs

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


cdef class Transport(Member):
    cdef int take_in(self) except -1:
        return 0

    cdef void read_on(self, bint on):
        pass

    cdef int take_kept(self) except -1:
        return 0

    cdef bint send_waiting(self) except -1:
        return True

    cdef bint owes(self) noexcept:
        return self.session.out.waiting() > 0

    cdef bint can_send(self) noexcept:
        return self.session.out.sendable() > 0

    cdef int eof_received(self) except -1:
        """From here on the loop would say in each of its turns that there is something to read: the end."""
        self.eof = True
        if self.reading:
            self.read_on(False)
        self.ready()
        return 0

    cdef void write_eof(self):
        pass

    cdef void close_fd(self):
        pass

    cdef void turn_over(self) noexcept:
        try:
            self.finish_turn()
        except Exception as error:
            self.fail(error)

    cdef int finish_turn(self) except -1:
        cdef Session session = self.session
        if self.open and (self.unread or self.unwatched):
            self.unread = False
            self.take_in()
            if self.unwatched:
                self.ready()
        if not self.open:
            return 0
        if session.has_more_to_do():
            session.go_on()
            if not self.open:                         # a plugin has hung it up
                return 0
            self.wait_for_rest()
        if session.wants_input():
            self.take_kept()
        if not self.blocked and not session.aborted and self.can_send() and not self.send_waiting():
            session.aborted = True
        if session.aborted:
            self.abort()
            return 0
        if session.out.waiting() == 0:
            session.out.forget()
        if session.has_more_to_do():
            self.ready()
        elif session.closing or (self.eof and session.wants_input()):
            self.disconnect()
            if not self.owes():
                self.linger_close()
                return 0
        elif self.eof and self.blocked and not self.leaving:       # it has yet to take what there is of its answer
            self.turn.wait_to_leave(self)
        if self.reading != (session.wants_input() and not self.eof and not self.unwatched):
            self.read_on(not self.reading)
        return 0

    cdef void sent(self, size_t size) noexcept:
        self.session.out.sent += size
        if self.leaving and size > 0:
            self.turn.wait_to_leave(self)

    cdef void disconnect(self) noexcept:
        """The broker forgets the peer; what waits for it may still be sent."""
        if not self.disconnected:
            self.disconnected = True
            self.session.disconnect()
            if self.open and not self.leaving:
                self.turn.wait_to_leave(self)
            self.turn.schedule()                   # for what it held: some may be taken from it later, or be news

    cdef void took(self) noexcept:
        """The session has handled what it could of what has come."""
        if not self.session.wants_input():
            self.ready()
        self.wait_for_rest()

    cdef void wait_for_rest(self) noexcept:
        if self.leaving:
            return
        if self.session.reader.is_unfinished() and self.session.wants_input():
            self.turn.wait_for_packet(self)
        else:
            self.turn.wait_no_more(self)

    cdef void time_out(self) noexcept:
        if self.disconnected and not self.blocked and self.session.fences.count > 0:
            self.turn.wait_to_leave(self)              # it is the store that is waited for
            return
        reason = "it does not read what was sent to it" if self.eof or self.disconnected else "the rest of a packet did not arrive"
        self.fail(TimeoutError(reason))

    cdef void linger_close(self):
        """All was sent. After an error the peer may still be writing: closing now would cost it our answer."""
        if self.eof or self.unwatched:
            self.abort()
        else:
            self.write_eof()
            self.loop.call_later(self.linger, self.abort)

    cdef void fail(self, object error) noexcept:
        """It cannot be served any further; the others never notice."""
        cdef int level = logs.WARNING if isinstance(error, TimeoutError) else logs.ERROR
        try:
            if isinstance(error, MemoryError):
                self.turn.memory.spend_reserve()
            self.turn.service.notes.say(level, "%s: closed: %s", (self.session.address.decode(), said(error)))
            self.turn.serve_no_more(self)
            self.turn.schedule()                       # for the log
            self.abort()
        except Exception as another:
            self.turn.trouble(another)

    def abort(self):
        if self.open:
            self.turn.service.broker.belongs_here()
            self.open = False
            self.turn.wait_no_more(self)
            self.disconnect()
            try:
                self.read_on(False)
            finally:
                try:
                    self.close_fd()
                finally:
                    self.release()

    cdef int release(self) except -1:
        cdef Session session = self.session
        session.reader.forget()
        session.out.forget()
        fences_close(&session.fences)             # their places are not in `out` any more
        ring_leave(&session.owes)
        if session.held is not None:
            session.held.forget()
        session.outlet = Outlet()                 # no circle: its memory is back now, not at the collector's next visit
        if self.door is not None:
            door, self.door = self.door, None
            door.left(self)
        return 0


cdef str said(object error):
    return str(error) if isinstance(error, TimeoutError) else repr(error)


@cython.no_gc
cdef class Watch:
    """What the loop calls when there is something to read.

    libuv stops watching a socket on its own when the peer resets it, after one last call: data that was
    still unread then would hide the reset for ever. The loop lets go of this object at that moment.
    """

    def __cinit__(self, SocketTransport transport not None):
        self.transport = transport

    def __call__(self):
        try:
            if self.transport.open:                    # else its descriptor may be somebody else's by now
                self.transport.readable()
        except Exception as error:
            self.transport.fail(error)

    def __dealloc__(self):
        if self.transport is not None and self.transport.reading:
            self.transport.reading = False
            self.transport.unwatched = True
            self.transport.ready()


cdef class SocketTransport(Transport):
    def __cinit__(self, Turn turn not None, loop, int fd, bytes address, double linger, *_):
        self.turn = turn
        self.loop = loop
        self.fd = fd
        self.linger = linger
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
        if on:
            self.loop.add_reader(self.fd, Watch(self))
        else:
            self.loop.remove_reader(self.fd)

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
        size = recv(self.fd, at, room, 0)
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
        self.turn.served(self.unwatched or is_waiting(self.session))
        return 0

    cdef bint send_waiting(self) except -1:
        cdef Session session = self.session
        cdef ssize_t size = send(self.fd, session.out.data + session.out.sent, session.out.sendable(), 0)
        if size < 0:
            if errno not in (EAGAIN, EINTR):
                return False
            size = 0
        self.sent(size)
        if session.out.sendable() > 0:
            self.block()
        return True

    cdef void block(self):
        if not self.blocked:
            self.blocked = True
            self.loop.add_writer(self.fd, self.writable)

    cdef size_t send_along(self, Slice rest) noexcept nogil:
        cdef size_t waiting = self.session.out.waiting()
        cdef iovec parts[2]
        cdef msghdr message
        cdef ssize_t size
        if self.blocked or not self.open or waiting > self.session.out.sendable():
            return 0
        parts[0].iov_base = self.session.out.data + self.session.out.sent
        parts[0].iov_len = waiting
        parts[1].iov_base = <void*>rest.data
        parts[1].iov_len = rest.size
        memset(&message, 0, sizeof(message))
        message.msg_iov = parts
        message.msg_iovlen = 2
        size = sendmsg(self.fd, &message, 0)
        if size < 0:                              # for whatever reason: the end of the turn will see it
            return 0
        self.session.out.sent += min(<size_t>size, waiting)
        return <size_t>size - min(<size_t>size, waiting)

    def writable(self):
        try:
            if not self.open:
                return
            if self.session.aborted or not self.send_waiting():
                self.turn.begin()
                self.abort()
            elif not self.can_send():
                self.blocked = False
                self.loop.remove_writer(self.fd)
                self.ready()
        except Exception as error:
            self.fail(error)

    cdef void write_eof(self):
        shutdown(self.fd, SHUT_WR)
        self.lingering = True
        if not self.reading:
            self.read_on(True)

    cdef void close_fd(self):
        if self.blocked:
            self.loop.remove_writer(self.fd)
        close_descriptor(self.fd)


cdef inline bint is_waiting(Session session) noexcept:
    """Whether it waits for a job: what others do in this turn may have to be told it."""
    return session.party != NULL and not ring_empty(&session.party.waits)
