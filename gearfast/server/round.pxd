# ROUND   what one thread has in hand in one turn: its time, its work, and who has something to send at the end of it.
#
# Whoever has the lock of the process (ground/lock) has its round in `service.round`; the loop's thread need not say so, as
# its round lies there whenever no other thread has the lock.

from libc.stdint cimport uint64_t

from gearfast.ground.ring cimport Ring, ring_empty, ring_open
from gearfast.ground.slice cimport Slice

cdef struct Late:                 # a large body of an answer, which is sent when the packet has been handled that led to it
    Slice body                    # where it lies; empty: there is none
    void* outlet                  # for whom
    uint64_t end                  # in the stream of its answers

cdef struct Round:
    Ring queue                    # who has something to send, or has yet to be read from
    Ring backlog                  # who has sent more than its share of a turn can do
    void* present                 # the member whose turn is over at this moment
    double now                    # monotonic seconds
    double until                  # when a peer has had its share of this turn
    size_t work                   # done so far: packets, and what they cost beyond one's usual cost
    uint64_t reads                # how often the thread has read something, in all
    bint python                   # the thread has the interpreter
    bint handling                 # a packet, after which a large body can be sent; nobody else's Python works meanwhile
    Late late

cdef struct Pause:                # the lock is let go: for a system call, or for somebody else's Python
    Round* round
    unsigned int depth
    bint handling

cdef inline void round_open(Round* round, bint python) noexcept nogil:
    ring_open(&round.queue, NULL)
    ring_open(&round.backlog, NULL)
    round.present = NULL
    round.now = round.until = 0
    round.work = 0
    round.reads = 0
    round.python = python
    round.handling = False
    round.late = Late(Slice(NULL, 0), NULL, 0)

cdef inline bint round_waits(const Round* round) noexcept nogil:
    return not (ring_empty(&round.queue) and ring_empty(&round.backlog))

# Seconds for each of a line: an equal part of a turn, but never so little that it only costs.
cdef inline double round_share(const Ring* line, double peer_time, double turn_time, double least) noexcept nogil:
    cdef const Ring* link = line.next
    cdef size_t length = 0
    while link != line:
        length += 1
        link = link.next
    return max(least, min(peer_time, turn_time / length))
