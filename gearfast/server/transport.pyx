"""How the bytes of one session come in and go out, whatever they come through."""

from cpython.ref cimport Py_DECREF

from gearfast.ground.lock cimport lock_enter
from gearfast.ground.ring cimport ring_leave
from gearfast.server.fence cimport fences_close
from gearfast.server.outlet cimport Outlet
from gearfast.server.session cimport Session

from gearfast import logs


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
        self.settle_loan()

    cdef int finish_turn(self) except -1:
        cdef Session session = self.session
        if self.open and (self.unread or self.unwatched):
            self.unread = False
            self.take_in()
            if self.unwatched:
                self.ready()
        if not self.open:
            return 0
        session.fail_if_it_must()                     # in another thread's hands it could not
        if session.has_more_to_do():
            session.go_on()
            if not self.open:                         # a plugin has hung it up
                return 0
            self.wait_for_rest()
        if session.wants_input():
            self.take_kept()
        if not self.blocked and not self.sending and not session.aborted and self.can_send() and not self.send_waiting():
            session.aborted = True
        if session.aborted:
            self.abort()
            return 0
        if not self.open:                             # while it was sent to
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

    cdef void sent(self, size_t size) noexcept nogil:
        self.session.out.sent += size
        if self.leaving and size > 0:
            self.turn.took_some(self)

    cdef void disconnect(self) noexcept:
        """The broker forgets the peer; what waits for it may still be sent."""
        if not self.disconnected:
            self.disconnected = True
            self.session.disconnect()
            if self.open and not self.leaving:
                self.turn.wait_to_leave(self)
            self.turn.schedule()                   # for what it held: some may be taken from it later, or be news

    cdef void took(self) noexcept nogil:
        """The session has handled what it could of what has come."""
        if not self.session.wants_input():
            self.ready()
        self.wait_for_rest()

    cdef void wait_for_rest(self) noexcept nogil:
        if self.leaving:
            return
        if self.session.reader.is_unfinished() and self.session.wants_input():
            self.turn.wait_for_packet(self)
        else:
            ring_leave(&self.patience)

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
            self.turn.ask_loop(self.loop.call_later, (self.linger, self.abort))

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

    cdef void come_home(self) noexcept:
        pass

    cdef void settle_loan(self) noexcept:
        if self.lent and self.station == NULL:
            self.lent = False
            Py_DECREF(self)

    def abort(self):
        if self.open:
            self.turn.service.broker.belongs_here()
            lock_enter()
            try:
                self.come_home()
                if self.open:
                    self.end()
                self.settle_loan()
            finally:
                self.turn.leave()

    cdef int end(self) except -1:
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
        return 0

    cdef int release(self) except -1:
        cdef Session session = self.session
        session.reader.forget()
        session.out.forget()
        fences_close(&session.fences)             # their places are not in `out` any more
        ring_leave(&session.owes)
        if session.held is not None:
            session.held.forget()
        session.outlet = Outlet()                 # no circle: its memory is back now, not at the collector's next visit
        ring_leave(&self.place)                   # it may be another thread's to look at, which must not meet what is left of us
        if self.door is not None:
            door, self.door = self.door, None
            door.left(self)
        return 0


cdef str said(object error):
    return str(error) if isinstance(error, TimeoutError) else repr(error)
