# RECORD   a job as a store keeps it: the contract's StoredJob, and what a later version may add to it.

from gearfast.broker.job cimport Job
from gearfast.broker.life cimport Submission

cdef object record_of(const Job* job, bytes function, double due)
# The reducer and the policy, empty if there is none. Raises ValueError for what a later version wrote.
cdef int read_more(bytes more, Submission* wanted) except -1
