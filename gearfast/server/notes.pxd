# NOTES   what is to be said in the log when the turn is over: what writes a log is somebody else's Python.

from gearfast.broker.broker cimport Broker

cdef class Notes:
    cdef object log               # a logging.Logger
    cdef Broker broker
    cdef list said                # (level, text, values)
    cdef size_t lines             # as many
    cdef list listeners           # (callback, a bit for each kind of event that it hears of)
    cdef public bint jobs         # each accepted job is to be said, and each that is given up

    cdef int say(self, int level, str text, tuple values) except -1
    cdef int log_endings(self, list events, size_t missed) except -1
    cdef int inform(self, object callback, list events, size_t missed) except -1
    cdef inline bint has_news(self) noexcept nogil:
        return self.lines > 0 or self.broker.events.size > 0
    # To write it takes about as long as a peer's share of a turn.
    cdef inline bint is_full(self) noexcept nogil:
        return self.lines >= 100 or self.broker.events.size >= 10_000
