# RECORD   a job as a store keeps it: the contract's StoredJob, and what a later version may add to it.

from gearfast.broker.job cimport Job
from gearfast.ground.slice cimport Slice

cdef object record_of(const Job* job, bytes function, double due)
# The reducer, empty if there is none. Raises ValueError for what a later version wrote.
cdef int read_more(bytes more, Slice* reducer) except -1
