# TURN   the loop: wait for what is ready, hear each peer, let it go on, until nothing is owed.

from benchmarks.generator.course cimport Course

# Play one run, as the course is set. Raises WrongAnswer, Stalled, ConnectionError.
cdef int play(Course course) except -1 nogil
# Wait until every echo that was asked for has come.
cdef int settle(Course course) except -1 nogil
