# PLAIN   how bytes come in and go out through plain sockets, TCP and Unix. What TLS adds stands in secure.pxd.

from gearfast.ground.slice cimport Slice
from gearfast.server.round cimport Pause
from gearfast.server.station cimport Station
from gearfast.server.transport cimport Transport

cdef enum Sent:
    ALL = 0                       # that was to be sent
    PART = 1                      # the peer takes no more at the moment
    GONE = 2                      # it is not there any more

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
    cdef size_t send_both(self, Slice waiting, Slice rest) noexcept nogil
    cdef size_t put_off(self, Slice body) noexcept nogil
    cdef Pause begin_to_send(self) noexcept nogil         # what waits, without the lock
    cdef void end_of_sending(self, Pause pause) noexcept nogil

    # --- other threads: see Station ---
    cdef bint may_be_lent(self) noexcept nogil
    cdef bint lend(self, Station station) except -1
    cdef void send_for_owner(self) noexcept nogil # by a thread that does not read from it
    cdef bint needs_owner(self) noexcept nogil    # it has something to do that only the thread can do which reads from it
    cdef void join_owner(self) noexcept nogil
