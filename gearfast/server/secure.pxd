# SECURE   a socket whose bytes are encrypted: TLS by the standard library, with the bytes in and out as everybody has them.
#
# The loop's own TLS would send nothing to a peer that has stopped sending, keep what a lost peer had not taken, and decrypt
# and encrypt as much as there is, however long that takes.

from gearfast.server.plain cimport SocketTransport

cdef class TlsTransport(SocketTransport):
    cdef object tls               # an ssl.SSLObject between two buffers
    cdef object incoming, outgoing
    cdef bytes sealed             # encrypted, and not yet sent
    cdef size_t sealed_sent
    cdef bint shaken              # hands: the session may begin
    cdef object timer             # of the handshake

    cdef int handshake(self) except -1
    cdef int handshake_failed(self, str reason) except -1
    cdef int decrypt(self) except -1
    cdef ssize_t read(self, char* at, size_t room) except -2      # -1: nothing now; 0: nothing any more
    cdef size_t seal(self, object piece) except? 0                # how much of it was
    cdef bint send_sealed(self) except -1
    cdef int close_notify(self) except -1
