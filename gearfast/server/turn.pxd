# TURN   one turn of the event loop: who has something to send at its end, who gets how much of it, and the one timer.
#
# However many sockets were readable, each peer is written to once. A peer that becomes ready while a
# turn ends is served at the end of the next one. A peer whose bytes gave nobody else anything to
# hear, and which waits for nobody, is answered at once: calling the end of a turn costs more than
# all else that we do for a packet.
#
# Nobody has a turn for itself. What a peer has sent is handled for `peer_time` at most, a turn takes about `turn_time`;
# what is left then goes on in the next ones, behind all those who want little.

#
# There may be other threads, each at a Station: they read from some of the members, and send to any. All that needs the
# interpreter is done here. The loop's thread has the lock (ground/lock) whenever it is at work here, but not while it is in
# the system, or in somebody else's Python.

from gearfast.broker.broker cimport Aftermath
from gearfast.server.lookout cimport Lookout, Reads
from gearfast.server.memory cimport Memory
from gearfast.server.outlet cimport Outlet
from gearfast.server.round cimport Round
from gearfast.ground.ring cimport Ring, ring_append, ring_leave
from gearfast.server.session cimport Service

cdef class Member(Outlet):
    cdef Turn turn
    cdef void* station            # the Station that reads from it; NULL: the loop's thread does
    cdef bint shared              # any thread may send to it
    cdef int hands                # threads that are at its socket at this moment, without the lock
    cdef bint sending             # one of them sends: no other one may
    cdef bint more                # has come meanwhile for that one to send
    cdef bint lent                # to a station, and kept alive for it
    cdef Ring place               # in a line of whoever will send to it; it leaves that when it is gone
    cdef Ring patience            # among those that are waited for
    cdef double since             # when it did last what it is waited for to do, monotonic seconds
    cdef Reads reads              # by the loop's thread
    cdef bint leaving             # it is waited for to take what it is sent; kept alive
    cdef void turn_over(self) noexcept    # send, and go on with what had to wait
    cdef void time_out(self) noexcept     # it has been waited for long enough

cdef class Turn(Aftermath):
    cdef readonly Service service
    cdef readonly Memory memory
    cdef object loop
    cdef object call_soon, end            # bound once: they are needed every turn
    cdef Round* round                     # the service's own
    cdef Ring unfinished                  # who has sent a part of a packet, the longest ago first
    cdef Ring leaving                     # who is nobody's peer any more, and has yet to take what it is sent
    cdef bint scheduled
    cdef Member serving                   # whose bytes are being handled before the end of the turn
    cdef Member present                   # whose turn is over at this moment
    cdef int bell                         # by which stations call; -1: there are none
    cdef bint rung                        # one has called
    cdef readonly Lookout lookout
    cdef object timer
    cdef double armed                     # when the timer fires, monotonic seconds
    cdef object idle                      # called once, as soon as the broker is idle; None: nobody asked
    cdef char* buffer                     # where every recv goes
    cdef size_t buffer_size
    cdef size_t room                      # as much of it as is used at present: about what its reader's share is enough for
    cdef double last_answers              # seconds that all TLS peers that end in this turn may still take for theirs
    cdef double peer_time, turn_time, packet_patience, leaving_patience

    cdef void begin(self) noexcept        # something happened: take the time
    cdef object ask_loop(self, object method, tuple arguments)       # with the lock let go: it may be somebody else's Python
    cdef void leave(self) noexcept        # give the lock, and see to it that what is left is done
    cdef bint is_full(self) noexcept      # enough was done before its end: peers not read from yet wait for that
    cdef void serve(self, Member member) noexcept        # its bytes are handled from here on
    cdef int served(self, bint waits) except -1          # to here; `waits`: others may have to tell it something yet
    cdef void serve_no_more(self, Member member) noexcept         # something has failed in between
    cdef void trouble(self, object error) noexcept       # what a callback of the loop let through

    # Raises RuntimeError in another thread, and while a member is served: by whom the answer of a plugin is asked for.
    cdef int enter(self) except -1
    cdef bint has_news(self) noexcept nogil              # for the store, the log, the calendar, or of the memory
    cdef bint must_be_called(self) noexcept nogil        # by a station: there is something that it does not know of
    cdef void call(self) noexcept nogil
    cdef void schedule(self) noexcept
    cdef void let(self, Ring* line) noexcept
    cdef void go_through(self, Ring* line, double end, size_t least) noexcept
    cdef void tell(self) noexcept
    cdef double due(self, double wall) noexcept nogil    # seconds until time has something to do
    cdef int arm(self) except -1

    # Until it has sent the rest of a packet, or taken what it is sent, or not any more.
    cdef void wait_for_packet(self, Member member) noexcept nogil
    cdef void wait_to_leave(self, Member member) noexcept
    cdef inline void took_some(self, Member member) noexcept nogil:       # one that is leaving
        ring_leave(&member.patience)
        ring_append(&self.leaving, &member.patience)
        member.since = self.service.round.now
    cdef void wait_no_more(self, Member member) noexcept
    cdef void give_up_on(self, Ring* patients, double patience) noexcept
