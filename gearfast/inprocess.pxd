# INPROCESS   a peer inside this process: the broker from Python, without a socket.

from gearfast.broker cimport Broker
from gearfast.peer cimport Peer

cdef class InProcessPeer(Peer):
    cdef readonly Broker broker
    cdef readonly list heard          # ("wake",) and (Report, handle, body), oldest first
