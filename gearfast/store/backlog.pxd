# BACKLOG   what the store has yet to be told, as Python sees it: how much it is, and what of a job is known there.
#
# Each of its doors has the lock for itself.

from libc.stdint cimport uint64_t

from gearfast.broker.broker cimport Broker
from gearfast.broker.job cimport Job

cdef class Backlog:
    cdef readonly Broker broker

    cdef Job* background(self, uint64_t number) noexcept nogil
    cdef Job* gathered(self, uint64_t number) noexcept nogil

cdef int check_line(int which) except -1         # raises ValueError: there is none such
