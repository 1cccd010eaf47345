# GATE   functions that are there follow the book of rules: what comes out of them, and what goes in.

from gearfast.broker.functions cimport Function, Functions

# False: there is no memory, and it stays as it was.
cdef bint gate_follow(Functions* functions, Function* function) noexcept nogil
