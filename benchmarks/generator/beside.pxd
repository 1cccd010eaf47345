# BESIDE   clients that submit background jobs at a rate of their own while the others play; nobody works those jobs.

from libc.stdint cimport uint64_t

from benchmarks.generator.course cimport Course
from benchmarks.generator.peer cimport Peer
from benchmarks.generator.talk cimport Answer

# When the next of these jobs is due.
cdef uint64_t beside_due(Course course) noexcept nogil
# Submit what is due, the clients in turn; then one send each.
cdef int send_beside(Course course) except -1 nogil
cdef int beside_told(Course course, Peer* client, const Answer* answer) except -1 nogil
