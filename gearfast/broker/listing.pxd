# LISTING   functions, jobs, and what a worker can do, for whoever wants to look: a slice at a time.
#
# Rows come as (cursor, rows); the cursor is 0 when the last row was among them. The lock is taken here.

from gearfast.protocol.handle cimport Handles
from gearfast.ground.heap cimport Heap
from gearfast.ground.index cimport Index
from gearfast.broker.job cimport Job
from gearfast.broker.jobtable cimport JobTable
from gearfast.ground.ring cimport Ring
from gearfast.broker.functions cimport Worker

# (name, total, running, workers, (queued high, normal, low)); delayed jobs count as queued
cdef tuple function_rows(const Index* functions, object start, int most)
# (name, total, running, workers, queued high, normal, low, delayed, dead, bytes of those, schedules, gate, its reason)
cdef tuple figure_rows(const Index* functions, object start, int most)
# (handle, attempts lost, orphan, background, unique)
cdef tuple job_rows(const JobTable* jobs, Handles handles, object start, int most)

# Of jobs that wait for a moment: (due, handle, function, priority, unique, bytes of payload, retrying); `due` is wall
# clock time, and monotonic for those that are tried again.
cdef tuple delayed_rows(const JobTable* jobs, Handles handles, const Heap* delayed, const Heap* retrying, object start, int most)
# (state, function, priority, unique, bytes of payload, attempts lost, due, background, clients, parameters,
# submitted, its worker or None, the last error); the lock is the caller's
cdef tuple job_figures(const Job* job, double due, object holder)
# The moment that a job waits for; 0: it waits for none.
cdef double moment_of(const Job* job, const Heap* delayed, const Heap* retrying) noexcept nogil

cdef class Abilities:             # the names of a worker's functions
    cdef Ring place               # behind those that were shown

    cdef void begin(self, Worker* worker) noexcept nogil      # with the lock
