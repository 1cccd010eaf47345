# RECORD   a job as a store keeps it: the contract's StoredJob, and what a later version may add to it.

from gearfast.broker.job cimport Job
from gearfast.broker.estate cimport Restored, Submission

# `ahead`: by how many seconds the wall clock is ahead of the monotonic one, which counts from the start of the machine.
cdef object record_of(const Job* job, bytes function, double due, double ahead)
# What `more` says, or nothing where it says nothing. Raises ValueError for what a later version wrote.
cdef int read_more(bytes more, Submission* wanted, Restored* kept, double ahead) except -1
