# PLAYER   one peer of the server: what it says, and how much it takes of what it is told. WIRE is what lies between,
# and SECOND another thread that reads from some.

from libc.stdint cimport uint64_t

from gearfast.server.session cimport Session
from gearfast.ground.slice cimport Slice
from gearfast.server.iothread cimport IoThread
from gearfast.server.plain cimport Sent, SocketTransport
from gearfast.server.turn cimport Turn

from tests.fuzz.account cimport Account
from tests.fuzz.buffer cimport Buffer
from tests.fuzz.loop cimport Watched
from tests.fuzz.script cimport Cell

cdef class Player(Watched):
    cdef int place
    cdef Account account
    cdef Wire wire                # None: it is not connected
    cdef Buffer saying            # what the server has yet to read
    cdef size_t piece             # at most so much of it at a time
    cdef size_t window            # bytes it takes before it takes no more
    cdef bint holds_back          # the network does
    cdef bint silent              # it says nothing more
    cdef bint gone                # and hears nothing more
    cdef bint broken              # what it has said may be lost

    cdef void come(self, Turn turn, double linger)
    cdef void leave(self, int how)
    cdef void speak(self, const Cell* cell, double wall)
    cdef bint speak_of_jobs(self, const Cell* cell)
    cdef void work(self, const Cell* cell)
    cdef uint64_t chosen(self, int number) noexcept
    cdef void take(self, int how) noexcept
    # What the loop does once: it tells the server what there is to be read, and that something can be written.
    cdef int see(self) except -1
    cdef bint is_read_from(self) noexcept
    cdef bint has_more(self) noexcept         # the server would find something if it looked
    cdef bint takes(self) noexcept            # something of what it is sent
    # --- what the wire asks ---
    cdef ssize_t give(self, char* at, size_t room) noexcept     # as recv; -2: the connection is broken
    cdef ssize_t hear(self, Slice told) noexcept                # as send

cdef class Wire(SocketTransport):
    cdef Player player
    cdef char* buffer(self) noexcept nogil    # which all share whom the same thread reads from
    cdef Sent told(self) noexcept
    cdef size_t told_both(self, Slice waiting, Slice rest) noexcept

cdef class Second(IoThread):
    cdef bint hears_of(self, Player player) noexcept
    # One round; who came since the last one is its own from now on.
    cdef int see(self, list players) except -1
    cdef bint rests(self, list players) noexcept
