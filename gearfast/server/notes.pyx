"""What is to be said in the log, gathered while packets are handled."""

from gearfast import logs
from gearfast.broker.events import Kind
from gearfast.server.plugin import Event

cdef dict WHY = {
    Kind.LOST: "was given up: %d workers were lost with it",
    Kind.TIMED_OUT: "was taken from its worker, which ran it longer than its time-out (lost %d times before)",
    Kind.FAILED: "was given up: its worker says that it failed (lost %d times before)",
    Kind.RAISED: "was given up: its worker says that it raised an exception (lost %d times before)",
    Kind.CANCELLED: "was cancelled by an administrator (lost %d times before)",
}

cdef tuple HEARD = (Kind.FAILED, Kind.RAISED)      # of a foreground job its clients hear themselves
cdef unsigned int LOGGED = sum([1 << kind for kind in WHY])


cdef class Notes:
    def __cinit__(self, log not None, Broker broker not None):
        self.log = log
        self.broker = broker
        self.said = []
        self.listeners = []

    def log_jobs(self, bint on):
        self.jobs = on
        self.listen()

    def listen(self, callback=None, kinds=()):
        if callback is not None:
            self.listeners.append((callback, sum([1 << kind for kind in set(kinds)])))
        self.broker.events.wanted = LOGGED if self.jobs else 0
        for _, wanted in self.listeners:
            self.broker.events.wanted |= wanted

    cdef int say(self, int level, str text, tuple values) except -1:
        self.said.append((level, text, values))
        self.lines += 1
        return 0

    def tell(self):
        cdef list said
        said, self.said = self.said, []
        self.lines = 0
        for level, text, values in said:
            self.log.log(level, text, *values)
        if self.broker.events.size > 0:
            events, missed = self.broker.events.take()
            if self.jobs:
                self.log_endings(events, sum([missed[kind] for kind in WHY]))
            for callback, wanted in self.listeners:
                self.inform(callback, [Event(Kind(event[0]), *event[1:]) for event in events if wanted >> event[0] & 1],
                            sum([count for kind, count in enumerate(missed) if wanted >> kind & 1]))

    cdef int log_endings(self, list events, size_t missed) except -1:
        """Of jobs that were given up, so far as nobody hears of it by a packet."""
        for kind, number, function, unique, _, attempts, background in events:
            if kind in WHY and (background or kind not in HEARD):
                self.log.log(logs.NOTICE, "job %s of %s (unique id %s) " + WHY[kind],
                             name(self.broker.handles.format(number)), name(function), name(unique), attempts)
        if missed:
            self.log.log(logs.NOTICE, "%d more jobs were given up", missed)
        return 0

    cdef int inform(self, object callback, list events, size_t missed) except -1:
        try:
            if events or missed:
                callback(events, missed)
        except Exception as error:
            self.log.error("%r failed when it was told of events, and is not called any more: %r", callback, error)
            self.listeners = [listener for listener in self.listeners if listener[0] is not callback]
            self.listen()
        return 0


cdef str name(bytes text):
    return text.decode("utf-8", "backslashreplace")
