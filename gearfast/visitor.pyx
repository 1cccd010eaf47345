"""A connection beyond the server's limits: it may send admin lines, and nothing else."""

from gearfast.packet cimport LAST_TYPE, Packet
from gearfast.peer cimport DATA
from gearfast.session cimport Row, Session

cdef Row ONLY_LINES[LAST_TYPE + 1]


cdef int on_packet(Session session, const Packet* packet, const Row* row) except -1:
    session.refuse(b"TOO_MANY_CONNECTIONS", b"This server has as many connections as it takes; this one may only ask")
    session.ended = True
    return 0


cdef void prepare() noexcept:
    cdef int type
    for type in range(LAST_TYPE + 1):
        ONLY_LINES[type] = Row(on_packet, 0, False, DATA, NULL)


prepare()


def make_visitor(Session session not None):
    session.table = ONLY_LINES
    session.refused_before = True                 # the log has a line of it already
