# TURN   one turn of the event loop: who has something to send at its end, and the one timer.
#
# However many sockets were readable, each peer is written to once. Who becomes ready while a
# turn ends is served at the end of the next one. A peer whose bytes gave nobody else anything to
# hear, and who waits for nobody, is answered at once: calling the end of a turn costs more than
# all else that we do for a packet.

from gearfast.session cimport Outlet, Service

cdef class Member(Outlet):
    cdef Turn turn
    cdef bint queued
    cdef void turn_over(self) noexcept    # send, and go on with what had to wait

cdef class Turn:
    cdef readonly Service service
    cdef object loop
    cdef object call_soon, end            # bound once: they are needed every turn
    cdef list queue
    cdef set leaving                      # who is nobody's peer any more, and has yet to be sent something or to hang up
    cdef bint scheduled
    cdef Member serving                   # whose bytes are being handled
    cdef object timer
    cdef double armed                     # when the timer fires, monotonic seconds
    cdef object idle                      # called once, as soon as no job is left; None: nobody asked
    cdef char* buffer                     # where every recv goes
    cdef size_t buffer_size

    cdef void begin(self) noexcept        # something happened: take the time
    cdef void join(self, Member member) noexcept
    cdef void serve(self, Member member) noexcept        # its bytes are handled from here on
    cdef int served(self, bint waits) except -1          # to here; `waits`: others may have to tell it something yet
    cdef int schedule(self) except -1
    cdef int news(self) except -1         # outside of `serve`: there may be something for the store
    cdef int arm(self) except -1
