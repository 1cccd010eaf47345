# PEER   whoever takes part in the life of jobs: as a client, as a worker, or as both.
#
# An interface: it is called for two reasons only, to wake it, and to tell it what a worker
# reported. Whether a socket or this process stands behind it is not the broker's business. Both are called while the
# broker works: no Python may run in them, and whatever else they lead to waits until it rests.

from libc.stdint cimport uint32_t, uint64_t

from gearfast.ground.index cimport Index
from gearfast.broker.job cimport Job
from gearfast.broker.party cimport Party

cpdef enum Report:                # what a worker says of a job in its hands
    DATA = 0
    WARNING = 1
    STATUS = 2
    COMPLETE = 3                  # this and the following end the job
    FAIL = 4
    EXCEPTION = 5

cdef class Peer:
    cdef Party* party             # NULL: it does not take part yet, or any more
    cdef bint forgotten           # by Python: it may wait for the lock to say so, and must not be handed out meanwhile

    cdef void wake(self) noexcept nogil
    # `body` is that of the packet on the wire, to be handed on as it is; NULL if the broker itself says FAIL. It is told
    # `count` times, since it asked as often. False: it does not listen any more.
    cdef bint notify(self, Report kind, uint64_t number, const char* body, size_t size, uint32_t count) noexcept nogil

# To all clients of a job.
# Returns how many there were.
cdef size_t tell(Index* waiters, Job* job, Report kind, const char* body, size_t size) noexcept nogil
