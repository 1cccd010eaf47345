# CENSUS   functions and jobs as rows, for whoever wants to look: a slice at a time.
#
# Each returns (cursor, rows); the cursor is 0 when the last row was among them.

from gearfast.handle cimport Handles
from gearfast.index cimport Index
from gearfast.numbers cimport Numbers

# (name, total, running, workers, (queued high, normal, low)); delayed jobs count as queued
cdef tuple function_rows(const Index* functions, object start, int most)
# (handle, attempts lost, orphan, background, unique)
cdef tuple job_rows(const Numbers* jobs, Handles handles, object start, int most)
