# DEAF   a peer that asks for echoes for as long as the server takes it, and never reads one.

from libc.stdint cimport uint32_t

from benchmarks.generator.course cimport Course
from benchmarks.generator.peer cimport Peer

cdef int babble(Course course, Peer* peer, uint32_t events) except -1 nogil
