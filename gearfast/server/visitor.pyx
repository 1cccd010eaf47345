"""A connection beyond the server's limits: it may send admin lines, and nothing else."""

from gearfast.protocol.packet cimport (
    ECHO_REQ, GET_STATUS, GET_STATUS_UNIQUE, LAST_TYPE, SUBMIT_JOB, SUBMIT_JOB_BG, SUBMIT_JOB_EPOCH,
    SUBMIT_JOB_HIGH, SUBMIT_JOB_HIGH_BG, SUBMIT_JOB_LOW, SUBMIT_JOB_LOW_BG, SUBMIT_JOB_SCHED, SUBMIT_REDUCE_JOB,
    SUBMIT_REDUCE_JOB_BACKGROUND, Packet,
)
from gearfast.broker.peer cimport DATA
from gearfast.server.session cimport Row, Session

# An ERROR is an answer. A peer that has not asked is a worker: Perl's dies of it, but comes again when its connection has just
# ended. After an ERROR for OPTION_REQ libgearman would go on with the connection, and meet its end in another request,
# which may then wait for ever.
QUESTIONS = frozenset((
    SUBMIT_JOB, SUBMIT_JOB_BG, SUBMIT_JOB_HIGH, SUBMIT_JOB_HIGH_BG, SUBMIT_JOB_LOW, SUBMIT_JOB_LOW_BG,
    SUBMIT_JOB_SCHED, SUBMIT_JOB_EPOCH, SUBMIT_REDUCE_JOB, SUBMIT_REDUCE_JOB_BACKGROUND,
    GET_STATUS, GET_STATUS_UNIQUE, ECHO_REQ,
))
CODE = b"TOO_MANY_CONNECTIONS"
REASON = b"This server has as many connections as it takes"

cdef const char* CODE_TEXT = <bytes>CODE          # both live as long as this room
cdef const char* REASON_TEXT = <bytes>REASON
cdef Row ONLY_LINES[LAST_TYPE + 1]


cdef bint on_question(Session session, const Packet* packet, const Row* row) noexcept nogil:
    return session.refuse(CODE_TEXT, REASON_TEXT) and on_packet(session, packet, row)


cdef bint on_packet(Session session, const Packet* packet, const Row* row) noexcept nogil:
    session.closing = True
    session.outlet.ready()
    return True


cdef void prepare():
    cdef int type
    for type in range(LAST_TYPE + 1):
        ONLY_LINES[type] = Row(on_packet, 0, False, DATA, NULL)
    for type in QUESTIONS:
        ONLY_LINES[type].handler = on_question


prepare()


def make_visitor(Session session not None):
    session.table = ONLY_LINES
    session.refused_before = True                 # the log has a line of it already
