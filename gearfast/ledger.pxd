# LEDGER   what goes from the broker to the store, and back at the start.
#
# It is the side that Python sees of the journal: batches out, the outcome of each in.

from libc.stdint cimport uint64_t

from gearfast.broker cimport Broker
from gearfast.jobqueue cimport Job

cdef class Ledger:
    cdef readonly Broker broker
    cdef bytes function           # the name asked for last: most often it is the next
    cdef set aside                # numbers of stored jobs that have changed; the store did not take that
    cdef set again                # those of them that it is given once more

    cdef Job* background(self, uint64_t number) noexcept
    cdef object record(self, const Job* job)
    cdef int restore_one(self, record) except -1
    cdef int set_aside(self, Job* job) except -1
