# CLIENT   a peer that submits jobs, over one connection or (a caller) over a new one for each.

from libc.stdint cimport uint64_t

from benchmarks.generator.course cimport Course
from benchmarks.generator.peer cimport Peer
from benchmarks.generator.talk cimport Answer

# Submit one job that is due at this moment.
cdef int submit(Course course, Peer* client, uint64_t due) except -1 nogil
# Closed loop: submit as many as the client may have under way.
cdef int fill(Course course, Peer* client) except -1 nogil
cdef int client_told(Course course, Peer* client, const Answer* answer) except -1 nogil
# All that came is read: go on.
cdef int client_heard(Course course, Peer* client) except -1 nogil
