# POLICY   what is asked of a job beyond its function, its priority and its time: one record for all jobs that ask the same.
#
# It is known by its text, which is kept as it was given.

from gearfast.ground.index cimport Index, Node
from gearfast.ground.slice cimport Slice
from gearfast.protocol.parameters cimport Parameters

cdef struct Policy:
    Node node             # in the index of texts
    size_t jobs           # that refer to it
    Slice text
    Parameters asked      # of it what this version knows

cdef struct Policies:
    Index texts

cdef bint policies_open(Policies* policies) noexcept nogil       # False, and NULL below: there is no memory
cdef void policies_close(Policies* policies) noexcept nogil
# For one more job; with one less it goes, if none is left.
cdef Policy* policy_take(Policies* policies, Slice text) noexcept nogil
cdef void policy_give(Policies* policies, Policy* policy) noexcept nogil
