# PEER   whoever takes part in the life of jobs: as a client, as a worker, or as both.
#
# An interface: it is called for two reasons only, to wake it, and to tell it what a worker
# reported. Whether a socket or this process stands behind it is not the broker's business.

from libc.stdint cimport uint32_t, uint64_t

from gearfast.jobqueue cimport Job, Waiter
from gearfast.late cimport Late
from gearfast.ring cimport Ring
from gearfast.roster cimport Worker

cpdef enum Report:                # what a worker says of a job in its hands
    DATA = 0
    WARNING = 1
    STATUS = 2
    COMPLETE = 3                  # this and the following end the job
    FAIL = 4
    EXCEPTION = 5

cdef class Peer:
    cdef Worker worker
    cdef Ring runs                # jobs in its hands, newest first
    cdef Ring waits               # jobs whose reports it gets
    cdef Late late

    cdef void wake(self) noexcept
    # `body` is what the worker sent, to be handed on as it is; NULL if the broker itself says FAIL.
    cdef void report(self, Report kind, uint64_t number, const char* body, size_t size) noexcept

# --- who waits for a job ---

cdef int attach(Job* job, Peer client) except -1          # once more, if it waits already
cdef void detach(Waiter* waiter) noexcept
cdef void tell(Job* job, Report kind, const char* body, size_t size) noexcept
