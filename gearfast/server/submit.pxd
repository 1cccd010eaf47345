# SUBMIT   what a submit packet asks for, its parameters included, and what it is answered.

from gearfast.broker.estate cimport Submission, submission_of
from gearfast.ground.slice cimport Slice
from gearfast.protocol.packet cimport Packet
from gearfast.server.session cimport Row, Session

cdef inline Submission submission(const Packet* packet, const Row* row) noexcept nogil:
    cdef Submission wanted = submission_of(packet.argument[0], packet.argument[1], packet.payload)
    wanted.priority = row.priority
    wanted.background = row.background
    return wanted

# False: there is no memory for the answer.
cdef bint submit(Session session, Submission* wanted) noexcept nogil
# `fields`: the five of the packet.
cdef bint submit_sched(Session session, Submission* wanted, const Slice* fields) noexcept nogil
