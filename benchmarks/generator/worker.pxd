# WORKER   a peer that takes jobs and completes each before it takes the next.

from benchmarks.generator.course cimport Course
from benchmarks.generator.peer cimport Peer
from benchmarks.generator.talk cimport Answer

# Whether one more job may be asked for: never more than the run has to do.
cdef bint may_take(Course course) noexcept nogil
cdef int grab(Course course, Peer* worker) except -1 nogil
cdef int worker_told(Course course, Peer* worker, const Answer* answer) except -1 nogil
# All jobs are done: have it proved that the server has read all this worker said.
cdef int part(Course course, Peer* worker) except -1 nogil
