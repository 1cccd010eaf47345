# NOTES   what is to be said in the log when the turn is over: what writes a log is somebody else's Python.

#
# Lines are bytes, and written down without the interpreter; who has that may leave what logging makes a line of.

from gearfast.broker.broker cimport Broker
from gearfast.ground.gathered cimport Gathered
from gearfast.ground.slice cimport Slice

cdef class Notes:
    cdef object log               # a logging.Logger
    cdef Broker broker
    cdef Gathered written         # lines
    cdef size_t lines             # as many
    cdef list said                # (text, values): what is said in those that hold no bytes
    cdef list listeners           # (callback, a bit for each kind of event that it hears of)
    cdef public bint jobs         # each accepted job is to be said, and each that is given up

    # A line of so many parts. False: there is no memory, and it is missing.
    cdef bint write_down(self, int level, const Slice* part, int count) noexcept nogil
    cdef int say(self, int level, str text, tuple values) except -1          # takes the lock
    cdef int log_lines(self, const char* at, const char* end, list said) except -1
    cdef int log_endings(self, list events, size_t missed) except -1
    cdef int inform(self, object callback, list events, size_t missed) except -1
    cdef inline bint has_news(self) noexcept nogil:
        return self.lines > 0 or self.broker.events.notes.size > 0
    # To write it takes about as long as a peer's share of a turn.
    cdef inline bint is_full(self) noexcept nogil:
        return self.lines >= 100 or self.broker.events.notes.size >= 10_000
