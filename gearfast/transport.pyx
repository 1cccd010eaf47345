"""Plain sockets read by ``add_reader`` and written once per turn, and TLS through the loop's own transport."""

cimport cython
from cpython.buffer cimport PyBUF_WRITE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memset
from posix.unistd cimport close as close_descriptor

from gearfast.packet cimport PacketWriter
from gearfast.ring cimport ring_empty
from gearfast.session cimport Outlet
from gearfast.slice cimport Slice
from gearfast.turn cimport Turn

from gearfast import config

cdef extern from "sys/socket.h":
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


cdef double LAST_ANSWERS = config.TLS_LAST_ANSWERS


cdef class Transport(Member):
    cdef void read_on(self, bint on):
        pass

    cdef bint send_waiting(self) except -1:
        return True

    cdef void shut(self):
        pass

    cdef void release(self):
        pass

    cdef void turn_over(self) noexcept:
        try:
            self.finish_turn()
        except Exception as error:
            self.turn.service.log.error("%s: closed: %r", self.session.address.decode(), error)
            self.close()

    cdef int finish_turn(self) except -1:
        cdef Session session = self.session
        if self.open and self.unwatched:
            self.readable()
            self.ready()
        if not self.open:
            return 0
        if not self.blocked and not session.cut:
            if session.has_more_to_do():
                session.go_on()
            if session.out.sendable() > 0 and not self.send_waiting():
                session.cut = True
        if session.cut:
            self.close()
            return 0
        if session.out.waiting() == 0:
            session.out.forget()
        if session.has_more_to_do():
            self.ready()
        elif session.ended or (self.eof and session.wants_input()):
            self.part()
            if session.out.waiting() == 0:
                self.end_gently()
                return 0
        if self.reading != (session.wants_input() and not self.eof and not self.unwatched):
            self.read_on(not self.reading)
        return 0

    cdef void part(self) noexcept:
        """The broker forgets the peer; what waits for it may still be sent."""
        if not self.parted:
            self.parted = True
            self.session.closed()
            if self.open:
                self.turn.leaving.add(self)
            self.turn.news()                       # of what it held

    cdef void end_gently(self):
        """All was sent. After an error the peer may still be writing: closing now would cost it our answer."""
        if self.eof or self.unwatched:
            self.close()
        else:
            self.shut()
            self.loop.call_later(self.linger, self.close)

    cdef int readable(self) except -1:
        return 0

    def close(self):
        if self.open:
            self.open = False
            self.part()
            self.read_on(False)
            self.release()
            self.turn.leaving.discard(self)
            self.session.outlet = Outlet()        # no circle: its memory is back now, not at the collector's next visit


@cython.no_gc
cdef class Watch:
    """What the loop calls when there is something to read.

    libuv stops watching a socket on its own when the peer resets it, after one last call: data that was
    still unread then would hide the reset for ever. The loop lets go of this object at that moment.
    """

    def __init__(self, SocketTransport transport not None):
        self.transport = transport

    def __call__(self):
        self.transport.readable()

    def __dealloc__(self):
        if self.transport.reading:
            self.transport.reading = False
            self.transport.unwatched = True
            self.transport.ready()


cdef class SocketTransport(Transport):
    def __cinit__(self, Turn turn not None, loop, int fd, bytes address, double linger):
        self.turn = turn
        self.loop = loop
        self.fd = fd
        self.linger = linger
        self.open = True
        self.session = Session(turn.service, self, fd, address)
        self.read_on(True)

    cdef void read_on(self, bint on):
        self.reading = on                         # before the loop lets go of the watch
        if on:
            self.loop.add_reader(self.fd, Watch(self))
        else:
            self.loop.remove_reader(self.fd)

    cdef int readable(self) except -1:
        cdef Session session = self.session
        cdef size_t room
        cdef char* at
        cdef ssize_t size
        if self.lingering:
            at = self.turn.buffer
            room = self.turn.buffer_size
        else:
            at = session.reader.begin(self.turn.buffer, self.turn.buffer_size, &room)
        size = recv(self.fd, at, room, 0)
        if size > 0:
            if self.lingering:
                return 0
            self.turn.serve(self)
            session.reader.received(at, size)
            session.take()
            if not session.wants_input():
                self.ready()
            self.turn.served(self.unwatched or not ring_empty(&session.waits))
        elif size == 0 and not self.lingering:
            self.eof = True
            self.ready()
        elif size == 0 or self.unwatched or errno not in (EAGAIN, EINTR):
            self.turn.begin()
            self.close()
        return 0

    cdef bint send_waiting(self) except -1:
        cdef Session session = self.session
        cdef ssize_t size = send(self.fd, session.out.data + session.out.sent, session.out.sendable(), 0)
        if size < 0:
            if errno not in (EAGAIN, EINTR):
                return False
            size = 0
        session.out.sent += size
        if session.out.sendable() > 0 and not self.blocked:
            self.blocked = True
            self.loop.add_writer(self.fd, self.writable)
        return True

    cdef size_t send_along(self, Slice rest) noexcept:
        cdef PacketWriter out = self.session.out
        cdef size_t waiting = out.waiting()
        cdef iovec parts[2]
        cdef msghdr message
        cdef ssize_t size
        if self.blocked or not self.open or waiting > out.sendable():
            return 0
        parts[0].iov_base = out.data + out.sent
        parts[0].iov_len = waiting
        parts[1].iov_base = <void*>rest.data
        parts[1].iov_len = rest.size
        memset(&message, 0, sizeof(message))
        message.msg_iov = parts
        message.msg_iovlen = 2
        size = sendmsg(self.fd, &message, 0)
        if size < 0:                              # for whatever reason: the end of the turn will see it
            return 0
        out.sent += min(<size_t>size, waiting)
        return <size_t>size - min(<size_t>size, waiting)

    def writable(self):
        if not self.send_waiting():
            self.turn.begin()
            self.close()
        elif self.session.out.sendable() == 0:
            self.blocked = False
            self.loop.remove_writer(self.fd)
            self.ready()

    cdef void shut(self):
        shutdown(self.fd, SHUT_WR)
        self.lingering = True
        if not self.reading:
            self.read_on(True)

    cdef void release(self):
        if self.blocked:
            self.loop.remove_writer(self.fd)
        close_descriptor(self.fd)


cdef class TlsTransport(Transport):
    def __cinit__(self, Turn turn not None, loop, bytes address, double linger):
        self.turn = turn
        self.loop = loop
        self.linger = linger
        self.session = None
        self.address = address

    def connection_made(self, stream):
        self.stream = stream
        self.open = self.reading = True
        stream.set_write_buffer_limits(high=self.turn.service.output_pause)
        fd = stream.get_extra_info("socket").fileno()
        self.session = Session(self.turn.service, self, fd, self.address)

    def get_buffer(self, sizehint):
        cdef size_t room
        self.at = self.session.reader.begin(self.turn.buffer, self.turn.buffer_size, &room)
        return PyMemoryView_FromMemory(self.at, room, PyBUF_WRITE)

    def buffer_updated(self, size_t size):
        if self.session.ended or not self.open:
            return
        self.turn.begin()
        self.session.reader.received(self.at, size)
        self.session.take()
        if not self.session.wants_input():
            self.ready()
        self.turn.news()

    def eof_received(self):
        """The stream sends nothing that it is given after this: what is owed goes into it now, within limits."""
        cdef double latest
        self.eof = True
        self.turn.begin()
        latest = self.turn.service.now + LAST_ANSWERS
        while self.open and self.turn.service.now < latest and self.session.fences.count == 0 and \
                self.stream.get_write_buffer_size() <= self.turn.service.output_limit:
            self.blocked = False
            self.turn_over()
            self.turn.begin()

    def connection_lost(self, error):
        if self.open:
            self.open = False
            self.turn.begin()
            self.part()
            self.turn.leaving.discard(self)
            self.session.outlet = Outlet()

    def pause_writing(self):
        self.blocked = True

    def resume_writing(self):
        self.blocked = False
        self.ready()

    cdef void read_on(self, bint on):
        if on != self.reading:
            self.reading = on
            if on:
                self.stream.resume_reading()
            else:
                self.stream.pause_reading()

    cdef bint send_waiting(self) except -1:
        cdef Session session = self.session
        cdef size_t size = session.out.sendable()
        self.stream.write(session.out.data[session.out.sent:session.out.sent + size])
        session.out.sent += size
        return True

    cdef void shut(self):
        self.stream.close()

    cdef void release(self):
        if self.session.cut:
            self.stream.abort()
        else:
            self.stream.close()
