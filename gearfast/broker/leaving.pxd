# ROOM 3  LEAVING   what is taken back from a peer that goes, and from a worker that gives something up: step by step.

from gearfast.broker.job cimport Waiter
from gearfast.broker.life cimport Life
from gearfast.broker.party cimport Party
from gearfast.broker.peer cimport Peer
from gearfast.ground.ring cimport Ring

cdef class Leaving(Life):
    cdef void disconnect(self, Peer peer, double now) noexcept nogil
    cdef void discard_worker(self, Party* party, double now) noexcept nogil
    cdef void take_back(self, Party* party, double now) noexcept nogil
    cdef void taken_back(self, Party* party) noexcept nogil
    cdef void stop_waiting(self, Waiter* waiter) noexcept nogil
    cdef void take_one_back(self, const Party* party, Ring* link, double now) noexcept nogil
