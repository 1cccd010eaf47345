"""TLS on the server's side (protocol section 8)."""

from cpython.buffer cimport PyBUF_READ, PyBUF_WRITE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.errno cimport EAGAIN, EINTR, errno

from gearfast.protocol.packet cimport PacketWriter
from gearfast.ground.lock cimport lock_enter
from gearfast.server.round cimport Pause
from gearfast.server.session cimport Session
from gearfast.ground.slice cimport Slice
from gearfast.server.turn cimport Turn

import ssl

from gearfast import config, logs

cdef extern from "sys/socket.h":
    ssize_t send(int, const void*, size_t, int)

cdef size_t PIECE = config.TLS_PIECE


cdef class TlsTransport(SocketTransport):
    def __cinit__(self, Turn turn not None, loop, int fd, bytes address, double linger, context, double patience):
        self.shared = False
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
            self.timer = loop.call_later(patience, self.too_slow)
        except BaseException:
            self.abort()
            raise

    # --- in ---

    cdef int take_in(self) except -1:
        cdef ssize_t size = self.receive(self.turn.buffer, self.turn.room)
        if size > 0:
            if self.lingering:
                return 0
            self.turn.serve(self)
            self.incoming.write(PyMemoryView_FromMemory(self.turn.buffer, size, PyBUF_READ))
            self.decrypt()
            self.taken_in()
        elif size == 0 and not self.lingering and self.shaken:
            self.incoming.write_eof()
            self.eof_received()
        elif size == 0 or self.unwatched or errno not in (EAGAIN, EINTR):
            self.turn.begin()
            if not self.shaken and not self.session.closing:
                self.handshake_failed("the peer has left")
            self.abort()
        return 0

    cdef int take_kept(self) except -1:
        if self.incoming.pending > 0 or (self.shaken and self.tls.pending() > 0):
            self.decrypt()
            self.took()
        return 0

    cdef int decrypt(self) except -1:
        """As much as the session wants, and fits into the buffer."""
        cdef Session session = self.session
        cdef size_t room, filled = 0
        cdef ssize_t size = 1
        cdef char* at
        if not self.shaken:
            self.handshake()
        if not self.shaken or not session.wants_input():
            return 0
        at = session.reader.begin(self.turn.buffer, self.turn.buffer_size, &room)
        if at == NULL:
            raise session.reader.error()
        while filled < room and size > 0:
            size = self.read(at + filled, room - filled)
            if size > 0:
                filled += size
        session.reader.received(at, filled)
        session.take()
        if size == 0:
            self.eof_received()
        elif filled == room:
            self.ready()                          # there may be more, and the loop will not say so
        return 0

    cdef ssize_t read(self, char* at, size_t room) except -2:
        cdef Pause pause = self.turn.service.pause()
        try:
            return self.tls.read(room, PyMemoryView_FromMemory(at, room, PyBUF_WRITE))
        except ssl.SSLWantReadError:
            return -1
        except ssl.SSLZeroReturnError:
            return 0
        except ssl.SSLEOFError:                   # it ended without a word
            return 0
        finally:
            self.turn.service.resume(pause)

    cdef int handshake(self) except -1:
        cdef Pause pause = self.turn.service.pause()
        reason = ""
        try:
            self.tls.do_handshake()
            self.shaken = True
            self.timer.cancel()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            reason = str(error)
        finally:
            self.turn.service.resume(pause)
        if reason:
            self.handshake_failed(reason)
        self.ready()                              # with what the handshake says, or with the alert that ends it
        return 0

    cdef int handshake_failed(self, str reason) except -1:
        self.turn.service.notes.say(logs.INFO, "%s: no TLS handshake: %s", (self.session.address.decode(), reason))
        self.session.closing = True
        self.ready()
        return 0

    def too_slow(self):
        lock_enter()
        try:
            if self.open and not self.shaken:
                self.handshake_failed("it took too long")
        except Exception as error:
            self.fail(error)
        self.turn.leave()

    # --- out ---

    cdef bint owes(self) noexcept:
        return self.sealed is not None or self.session.out.waiting() > 0

    cdef bint can_send(self) noexcept:
        return self.sealed is not None or self.outgoing.pending > 0 or (self.shaken and self.session.out.sendable() > 0)

    cdef bint send_waiting(self) except -1:
        """A piece at a time: to encrypt all that a peer is owed would keep the others waiting."""
        cdef PacketWriter out = self.session.out
        cdef size_t size = min(out.sendable(), PIECE)
        if self.sealed is None:
            if self.shaken and size > 0:
                self.sent(self.seal(PyMemoryView_FromMemory(out.data + out.sent, size, PyBUF_READ)))
            self.sealed = self.outgoing.read()
            self.sealed_sent = 0
        return self.send_sealed()

    cdef size_t seal(self, object piece) except? 0:
        """What it is made of stays where it is meanwhile, whatever others have to tell the peer."""
        cdef Pause pause
        self.session.out.pin()
        pause = self.turn.service.pause()
        try:
            return self.tls.write(piece)
        finally:
            self.turn.service.resume(pause)
            self.session.out.unpin()

    cdef bint send_sealed(self) except -1:
        cdef const char* at = self.sealed
        cdef Pause pause = self.turn.service.pause()
        cdef ssize_t size = send(self.fd, at + self.sealed_sent, len(self.sealed) - self.sealed_sent, 0)
        cdef int error = errno
        self.turn.service.resume(pause)
        if size < 0:
            if error not in (EAGAIN, EINTR):
                return False
            size = 0
        self.sealed_sent += size
        if self.sealed_sent < <size_t>len(self.sealed):
            self.block()
            return True
        self.sealed = None
        if self.can_send():
            self.ready()
        return True

    cdef size_t send_along(self, Slice rest) noexcept nogil:
        return 0

    # --- the end ---

    cdef int close_notify(self) except -1:
        """A peer that trusts nobody wants to be told that this was all; if it was."""
        cdef Pause pause
        if self.shaken and not self.session.aborted and not self.owes():
            pause = self.turn.service.pause()
            try:
                self.tls.unwrap()
            except ssl.SSLError:                  # it has yet to say the same
                pass
            finally:
                self.turn.service.resume(pause)
            if self.outgoing.pending > 0:
                self.send_waiting()
        return 0

    cdef void write_eof(self):
        self.close_notify()
        SocketTransport.write_eof(self)

    cdef void close_fd(self):
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None                     # it knows us
        try:
            self.close_notify()
        finally:
            SocketTransport.close_fd(self)
            self.tls = self.sealed = None
