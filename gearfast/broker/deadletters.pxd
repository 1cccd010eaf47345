# DEADLETTERS   jobs that have used up their tries, for an administrator: looked at, tried anew, forgotten.

cimport cython

from gearfast.broker.broker cimport Broker
from gearfast.broker.functions cimport Function
from gearfast.broker.job cimport Job
from gearfast.ground.slice cimport Slice

@cython.final
cdef class DeadLetters:
    cdef Broker broker

    cdef Job* find(self, Slice handle) noexcept nogil        # NULL: it is none, or not known
    cdef Function* function(self, Slice name) noexcept nogil
    cdef tuple dead_row(self, const Job* job)
