# TRANSPORT   how bytes come in and go out, whatever they come through: sockets stand in plain.pxd, TLS in secure.pxd.

from gearfast.server.session cimport Session
from gearfast.server.turn cimport Member

cdef class Transport(Member):
    cdef readonly Session session
    cdef object loop
    cdef public object door       # is told when the descriptor is given back; None: nobody is
    cdef double linger
    cdef bint reading             # the loop tells us when there is something to read
    cdef bint unread              # there is something to read, and it was put off to the end of the turn
    cdef bint unwatched           # the loop gave the socket up: it is broken, what it still has is read
    cdef bint blocked             # the peer takes nothing at the moment
    cdef bint eof                 # the peer sends nothing more
    cdef bint disconnected        # the broker has been told that the peer is gone
    cdef bint open

    cdef int take_in(self) except -1              # what has come
    cdef int take_kept(self) except -1            # what has come already, and was not wanted then
    cdef int finish_turn(self) except -1
    cdef void read_on(self, bint on)              # ask, or do not ask, for input
    cdef bint send_waiting(self) except -1        # False: the peer is gone
    cdef bint can_send(self) noexcept
    cdef bint owes(self) noexcept                 # something is still to be sent, now or later
    cdef void sent(self, size_t size) noexcept nogil
    cdef int eof_received(self) except -1         # the peer sends nothing more
    cdef void write_eof(self)                     # say that we send nothing more
    cdef void close_fd(self)                      # give the descriptor back
    cdef void come_home(self) noexcept            # the loop's thread reads from it again
    cdef void settle_loan(self) noexcept
    cdef int end(self) except -1                  # at once
    cdef int release(self) except -1              # what it holds in memory, and its place
    cdef void disconnect(self) noexcept           # the broker forgets the peer
    cdef void took(self) noexcept nogil           # the session has handled what it could of what has come
    cdef void wait_for_rest(self) noexcept nogil  # of a packet, if there is one
    cdef void linger_close(self)                  # all was sent; the peer may be sending still
    cdef void fail(self, object error) noexcept   # log why, and abort
