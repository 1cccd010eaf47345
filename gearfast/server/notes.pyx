"""What is to be said in the log, gathered while packets are handled."""

from libc.stdlib cimport free
from libc.string cimport memcpy

from gearfast.ground.gathered cimport Gathered, gathered_make_room, gathered_put, gathered_take
from gearfast.ground.lock cimport lock_enter, lock_leave

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

cdef enum:
    FIRST_ROOM = 1024

cdef size_t ANY = <size_t>-1      # bytes

cdef struct Line:
    int level
    bint by_python                # the next that is `said`, and no bytes
    size_t size                   # bytes, which follow


cdef class Notes:
    def __cinit__(self, log not None, Broker broker not None):
        self.log = log
        self.broker = broker
        self.said = []
        self.listeners = []

    def __dealloc__(self):
        free(self.written.data)

    def log_jobs(self, bint on):
        self.jobs = on
        self.listen()

    def listen(self, callback=None, kinds=()):
        if callback is not None:
            self.listeners.append((callback, sum([1 << kind for kind in set(kinds)])))
        cdef unsigned int all_wanted = LOGGED if self.jobs else 0
        for _, wanted in self.listeners:
            all_wanted |= wanted
        lock_enter()
        self.broker.events.wanted = all_wanted
        lock_leave()

    cdef bint write_down(self, int level, const Slice* part, int count) noexcept nogil:
        cdef Line line = Line(level, False, 0)
        cdef int at
        for at in range(count):
            line.size += part[at].size
        if not gathered_make_room(&self.written, sizeof(Line) + line.size, FIRST_ROOM, ANY):
            return False
        gathered_put(&self.written, &line, sizeof(Line))
        for at in range(count):
            gathered_put(&self.written, part[at].data, part[at].size)
        self.lines += 1
        return True

    cdef int say(self, int level, str text, tuple values) except -1:
        cdef Line line = Line(level, True, 0)
        cdef tuple what = (text, values)           # no Python but this is made while others wait for the lock
        lock_enter()
        try:
            if not gathered_make_room(&self.written, sizeof(Line), FIRST_ROOM, ANY):
                raise MemoryError("no memory for a line of the log")
            self.said.append(what)
            gathered_put(&self.written, &line, sizeof(Line))
            self.lines += 1
        finally:
            lock_leave()
        return 0

    def tell(self):
        cdef list said, none_yet = []
        cdef Gathered written
        cdef bint has_events
        lock_enter()
        written, said = gathered_take(&self.written), self.said
        self.said, self.lines = none_yet, 0
        has_events = self.broker.events.notes.size > 0
        lock_leave()
        try:
            self.log_lines(written.data, written.data + written.size, said)
        finally:
            free(written.data)
        if has_events:
            events, missed = self.broker.events.take()
            if self.jobs:
                self.log_endings(events, sum([missed[kind] for kind in WHY]))
            for callback, wanted in self.listeners:
                self.inform(callback, [Event(Kind(event[0]), *event[1:]) for event in events if wanted >> event[0] & 1],
                            sum([count for kind, count in enumerate(missed) if wanted >> kind & 1]))

    cdef int log_lines(self, const char* at, const char* end, list said) except -1:
        cdef Line line
        cdef Py_ssize_t told = 0
        while at < end:
            memcpy(&line, at, sizeof(Line))
            at += sizeof(Line)
            if line.by_python:
                text, values = said[told]
                told += 1
                self.log.log(line.level, text, *values)
            else:
                self.log.log(line.level, "%s", at[:line.size].decode("utf-8", "backslashreplace"))
                at += line.size
        return 0

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
