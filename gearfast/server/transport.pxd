# TRANSPORT   how bytes come in and go out: plain sockets, TCP and Unix. What TLS adds stands in secure.pxd.

from gearfast.ground.slice cimport Slice
from gearfast.server.session cimport Session
from gearfast.server.station cimport Station
from gearfast.server.turn cimport Member

cdef enum Sent:
    ALL = 0                       # that was to be sent
    PART = 1                      # the peer takes no more at the moment
    GONE = 2                      # it is not there any more

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

cdef class Watch:
    cdef SocketTransport transport
    cdef unsigned int number      # what that was then

cdef class SocketTransport(Transport):
    cdef int fd
    cdef int seat                 # at its station
    cdef unsigned int watches     # how often it was said what the loop is to watch
    cdef bint lingering

    cdef int readable(self) except -1
    cdef int taken_in(self) except -1
    cdef int take_out(self) except -1             # what waits
    cdef void block(self)                         # until the peer takes more
    cdef void unblock(self)
    # Calls of the system, the lock let go meanwhile if there are other threads.
    cdef ssize_t receive(self, char* at, size_t room) noexcept nogil
    cdef Sent send_now(self) noexcept nogil

    # --- other threads: see Station ---
    cdef bint may_be_lent(self) noexcept nogil
    cdef bint lend(self, Station station) except -1
    cdef void send_for_owner(self) noexcept nogil # by a thread that does not read from it
    cdef bint needs_owner(self) noexcept nogil    # it has something to do that only the thread can do which reads from it
    cdef void join_owner(self) noexcept nogil
