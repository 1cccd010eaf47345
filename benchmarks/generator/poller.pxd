# POLLER   a peer that asks an admin question again and again.

from benchmarks.generator.course cimport Course
from benchmarks.generator.peer cimport Peer

# Ask, if it is time and the last question is answered.
cdef int ask(Course course, Peer* poller) except -1 nogil
# Read the lines in `size` bytes; return how many bytes were read.
cdef ssize_t poller_told(Course course, Peer* poller, const char* data, size_t size) except -1 nogil
