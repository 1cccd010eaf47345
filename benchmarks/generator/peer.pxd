# PEER   one of the many that the load plays: its connection, its part, and what it waits for.

from libc.stdint cimport uint32_t, uint64_t

from benchmarks.generator.flight cimport Flight
from benchmarks.generator.pipe cimport Pipe
from benchmarks.generator.talk cimport Plan
from benchmarks.generator.trail cimport Trail

cdef enum Kind:
    CLIENT = 0
    CALLER = 1
    WORKER = 2
    IDLE = 3
    DEAF = 4
    POLLER = 5
    BESIDE = 6

cdef enum:
    KINDS = 7

# What a worker is about.
cdef enum State:
    READY = 0               # the server owes it nothing, and thinks it awake
    GRABBING = 1            # it asked for a job
    ASLEEP = 2              # it said that it sleeps

# What a poller asks, and how far the answer has come.
cdef struct Question:
    char command[64]
    size_t size
    int tabs                # in each line of the answer; -1: any number
    bint dotted             # the answer ends with a line that is a dot; otherwise it is one line
    bint asked
    uint64_t asked_at
    uint64_t next_at
    uint64_t interval

cdef struct Peer:
    Pipe pipe
    int kind
    int ordinal             # within its kind
    uint32_t events         # that epoll watches for
    bint dirty              # open loop: in the list of those with something new to send
    bint spoke              # sent something in this run that no answer has proved to be read
    bint echoing            # an ECHO_REQ is not answered
    uint64_t token          # that it carries
    # clients, callers and those beside
    Plan plan
    size_t in_flight
    uint32_t origin
    uint64_t acknowledged   # so many jobs of the connection
    uint64_t handle         # the last one's number + 1: they ascend
    bint calling            # a caller's call is not answered
    Flight flight
    # workers
    int state
    int functions
    size_t deleting         # beanstalk: so many deletes are not answered
    Trail trail
    # deaf peers
    size_t pushed           # bytes that went out so far
    # pollers
    Question question
