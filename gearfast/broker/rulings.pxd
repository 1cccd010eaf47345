# RULINGS   the broker's book of rules, for an operator: all of it anew, and function by function.

cimport cython

from gearfast.broker.broker cimport Broker

@cython.final
cdef class Rulings:
    cdef Broker broker
