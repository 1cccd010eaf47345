# TRANSPORT   how bytes come in and go out: plain sockets (TCP, Unix), and TLS.

from gearfast.session cimport Session
from gearfast.turn cimport Member

cdef class Transport(Member):
    cdef readonly Session session
    cdef object loop
    cdef double linger
    cdef bint reading             # the loop tells us when there is something to read
    cdef bint unwatched           # the loop gave the socket up: it is broken, what it still has is read
    cdef bint blocked             # the peer takes nothing at the moment
    cdef bint eof                 # the peer sends nothing more
    cdef bint parted              # the broker has been told that the peer is gone
    cdef bint open

    cdef int readable(self) except -1             # take in what has come
    cdef int finish_turn(self) except -1
    cdef void read_on(self, bint on)              # ask, or do not ask, for input
    cdef bint send_waiting(self) except -1        # False: the peer is gone
    cdef void shut(self)                          # say that we send nothing more
    cdef void release(self)                       # give the descriptor back
    cdef void part(self) noexcept
    cdef void end_gently(self)

cdef class Watch:
    cdef SocketTransport transport

cdef class SocketTransport(Transport):
    cdef int fd
    cdef bint lingering

cdef class TlsTransport(Transport):
    cdef object stream            # uvloop's transport
    cdef bytes address
    cdef char* at                 # where the bytes that come next were asked to go
