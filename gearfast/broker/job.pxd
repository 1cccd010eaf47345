# ROOM 2  JOB   the record of a job, and the lanes in which jobs wait.
#
# Three first-in-first-out lanes per function. What is due later waits in a heap (heap.pxd) and
# is in nobody's way. A job is one allocation: its record, then its unique id, reducer, payload.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from gearfast.ground.index cimport Node
from gearfast.ground.ring cimport Ring
from gearfast.broker.policy cimport Policy
from gearfast.broker.rotation cimport PRIORITIES
from gearfast.ground.slice cimport Slice

cpdef enum Priority:
    HIGH = 0
    NORMAL = 1
    LOW = 2

cdef enum State:
    QUEUED = 0            # in a lane; it has no worker
    DELAYED = 1           # in the heap of what is due later
    RUNNING = 2           # a worker holds it
    NOWHERE = 3           # between two of these
    RETRYING = 4          # in the heap of what is tried again later
    DEAD = 5              # among its function's dead letters
    ENDED = 6             # in the heap of what is remembered for a while, so that its unique id stays taken
    SCHEDULED = 7         # no job itself: others come of it (schedules.pxd)

cdef enum Flag:
    OWNS_UNIQUE = 1       # it is what a submit with this unique id finds
    HAS_POLICY = 2        # a pointer to one stands behind its record, and behind its claim
    AHEAD = 0x3C          # what stands between the record and its texts, in words of eight bytes, times four
    HAS_PAST = 0x40       # it is kept apart (past.pxd)
    EXPIRES = 0x80        # it fails if no worker starts it in time: its place in a heap of such stands behind its policy

cdef enum:
    NOT_THERE = 0xFFFFFFFFFFFFFFFF

cdef struct Link:
    Job* next
    Job* prev

cdef union Place:         # which of them holds is told by the job's state
    Link lane
    size_t due            # its position in the heap
    Run* run
    void* schedule

cdef struct Past:         # of a job that has failed; all times are monotonic seconds
    double submitted
    double started        # for the first time; 0: it is not known
    double failed         # for the last time
    size_t error_size     # of what is known of its last failure; it follows

cdef union History:
    double submitted      # monotonic seconds
    Past* past            # told by the job's flags

cdef struct Job:
    Place place
    Lanes* home           # of its function
    uint64_t number
    History history
    Waiter* waiters       # foreground clients, each of them once
    uint32_t waiting      # how often they asked, all together
    uint32_t payload_size
    uint16_t attempts     # how often a worker was given it and lost it
    uint8_t unique_size
    uint8_t reducer_size
    uint8_t priority
    uint8_t state
    uint8_t kept          # why it is kept though nobody waits, and what the store knows of it (keeping.pxd)
    uint8_t flags         # Flag, several of them

cdef struct Claim:        # stands behind the record of a job with a unique id
    Node key              # in the index of functions and unique ids
    Node text             # in the index of unique ids alone, if it stands there for its namesakes
    Job* older            # its namesakes in other functions, in a circle
    Job* newer
    bint stands

cdef struct Run:          # a job in a worker's hands
    Job* job
    void* ability         # of the worker, for this job's function (functions.pxd)
    Ring of_ability
    double started        # monotonic seconds
    double deadline       # the same; 0: none
    size_t position       # in the heap of deadlines, if it has one
    uint32_t numerator
    uint32_t denominator

cdef struct Waiter:       # a client that gets what the worker reports
    Node node             # in the index of jobs and clients, but for the first one of a job
    Job* job
    void* client          # its party (party.pxd)
    Waiter* next
    Waiter* prev
    Ring of_client
    uint32_t count        # how often it asked; it is told as often
    bint indexed

cdef struct Lane:
    Job* head
    Job* tail
    size_t count

cdef struct Lanes:
    Lane lane[PRIORITIES]

# Nothing but unique, reducer, payload (less than 4 GiB), policy (or NULL), and whether it expires, is set, the rest is zero.
# `room`: NULL, or memory that job_room has made for it; then it is the job's. NULL: there is no memory.
cdef Job* job_new(Slice unique, Slice reducer, Slice payload, Policy* policy, bint expires, char* room) noexcept nogil
cdef void job_free(Job* job) noexcept nogil
# One more (1) or less (-1) reads a payload without the lock: large ones stay that long, also those of jobs that end.
cdef void jobs_stay(int more) noexcept nogil
# Memory for a job with such texts and this payload, which is in it already; NULL: there is none. It can be made without the
# lock if the payload is large (LARGE_BODY); `free` frees it.
cdef char* job_room(Slice unique, Slice reducer, Slice payload) noexcept nogil
# With its waiters and its run, at the end of everything: its peers may be gone already, nothing of theirs is touched.
cdef void job_dispose(Job* job) noexcept nogil
# What follows the record: [claim,] [policy,] [expiry,] unique, reducer, payload.
cdef inline char* text_of(const Job* job) noexcept nogil:
    return <char*>(job + 1) + ((job.flags & AHEAD) << 1)

# Bytes of its one allocation.
cdef inline size_t job_size(const Job* job) noexcept nogil:
    return text_of(job) - <const char*>job + job.unique_size + job.reducer_size + job.payload_size

cdef Claim* job_claim(const Job* job) noexcept nogil
cdef Job* job_of_claim(const Claim* claim) noexcept nogil
cdef Slice job_unique(const Job* job) noexcept nogil
cdef Slice job_reducer(const Job* job) noexcept nogil
cdef Slice job_payload(const Job* job) noexcept nogil
cdef Policy* job_policy(const Job* job) noexcept nogil            # NULL: it asks for nothing more
cdef size_t* job_expiry(const Job* job) noexcept nogil           # its position in the heap; NOT_THERE: it is in none

# Each returns whether the lane was, or is now, empty.
cdef inline bint lane_push(Lane* lane, Job* job) noexcept nogil:
    job.place.lane.next = NULL
    job.place.lane.prev = lane.tail
    if lane.tail == NULL:
        lane.head = job
    else:
        lane.tail.place.lane.next = job
    lane.tail = job
    lane.count += 1
    return lane.count == 1

cdef inline bint lane_remove(Lane* lane, const Job* job) noexcept nogil:
    cdef Job* next = job.place.lane.next
    cdef Job* prev = job.place.lane.prev
    if prev == NULL:
        lane.head = next
    else:
        prev.place.lane.next = next
    if next == NULL:
        lane.tail = prev
    else:
        next.place.lane.prev = prev
    lane.count -= 1
    return lane.count == 0
