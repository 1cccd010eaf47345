# EVENTS   what happens to jobs, and who is woken: counted always; written down, while the broker works, for those who
# listen, and told when it rests.

from libc.stdint cimport uint64_t

from gearfast.broker.job cimport Job
from gearfast.ground.gathered cimport Gathered
from gearfast.ground.slice cimport Slice

cpdef enum Kind:
    SUBMITTED = 0                 # a new job; one that joins another makes none
    STARTED = 1                   # in a worker's hands
    PROGRESSED = 2                # its worker said how far it is
    COMPLETED = 3
    FAILED = 4                    # its worker said so; it has ended, as after all that follow but TIMED_OUT and REQUEUED
    RAISED = 5                    # its worker raised an exception
    TIMED_OUT = 6                 # taken from its worker; REQUEUED, LOST or ABANDONED follows
    REQUEUED = 7                  # its worker lost it
    LOST = 8                      # given up: as many workers have lost it as may
    ABANDONED = 9                 # nobody waits for it any more
    CANCELLED = 10                # by an administrator
    WOKEN = 11                    # a worker, for a function; no job
    BURIED = 12                   # kept after its last try
    KICKED = 13                   # it was buried, and its tries begin anew
    DISCARDED = 14                # it was buried, and is gone
    EXPIRED = 15                  # no worker has started it in time; it has ended
    SKIPPED = 16                  # a schedule was due, and its last run had not ended, or no job could be made

cdef enum:
    KINDS = 17

cdef class Events:
    cdef unsigned int wanted      # a bit for each kind that somebody listens to
    cdef uint64_t counted[KINDS]
    cdef Gathered notes
    cdef size_t missed[KINDS]     # for which there was no room

    cdef inline void note(self, Kind kind, const Job* job, const Slice* function) noexcept nogil:
        self.counted[<int>kind] += 1
        if self.wanted >> <int>kind & 1:
            self.write_down(kind, job, function[0])
    cdef void write_down(self, Kind kind, const Job* job, Slice function) noexcept nogil
