# CENSUS   functions and jobs as rows, for whoever wants to look: a slice at a time.
#
# Each returns (cursor, rows); the cursor is 0 when the last row was among them.

from libc.stdint cimport uint64_t

from gearfast.handle cimport Handles
from gearfast.index cimport Index
from gearfast.numbers cimport Numbers

# (name, total, running, workers, (queued high, normal, low)); delayed jobs count as queued
cdef tuple function_rows(const Index* functions, uint64_t cursor, int most)
# (handle, attempts lost, orphan, background, unique)
cdef tuple job_rows(const Numbers* jobs, Handles handles, uint64_t cursor, int most)
