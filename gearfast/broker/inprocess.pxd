# INPROCESS   a peer inside this process: the broker from Python, without a socket.

from libc.stdint cimport uint32_t, uint64_t

from gearfast.ground.gathered cimport Gathered
from gearfast.broker.broker cimport Broker
from gearfast.broker.peer cimport Peer, Report

cdef struct Told:                 # what it was told while the broker worked; the bytes of a report follow
    int kind                      # a Report, or WAKE
    uint32_t count
    uint64_t number
    size_t size
    bint empty                    # the broker itself says it: there is no report

cdef class InProcessPeer(Peer):
    cdef readonly Broker broker
    cdef list news                    # ("wake",) and (Report, handle, body), oldest first
    cdef Gathered told
    cdef bint deaf                    # there was no memory for something that it was told

    cdef void keep(self, Told told, const char* body) noexcept nogil
