# SUBMIT   what a submit packet asks for, its parameters included, and what it is answered.

from gearfast.broker.estate cimport Submission
from gearfast.ground.slice cimport Slice
from gearfast.protocol.packet cimport Packet
from gearfast.server.session cimport Row, Session

cdef inline Submission submission(const Packet* packet, const Row* row) noexcept nogil:
    return Submission(packet.argument[0], packet.argument[1], Slice(NULL, 0), packet.payload, Slice(NULL, 0),
                      row.priority, row.background, 0, False, 0, NULL)

cdef int submit(Session session, Submission* wanted) except -1
# `fields`: of the packet, as bytes.
cdef int submit_sched(Session session, Submission* wanted, tuple fields) except -1
