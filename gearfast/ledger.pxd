# LEDGER   what goes from the broker to the store, and back at the start.
#
# It is the side that Python sees of the journal: batches out, the outcome of each in.

from libc.stdint cimport uint64_t

from gearfast.broker cimport Broker
from gearfast.jobqueue cimport Job

cdef class Ledger:
    cdef readonly Broker broker
    cdef bytes function           # the name asked for last: most often it is the next

    cdef Job* background(self, uint64_t number) noexcept
    cdef object record(self, const Job* job)
    cdef int restore_one(self, record) except -1
