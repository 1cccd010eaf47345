"""What is to be said in the log, gathered while packets are handled."""

from gearfast import logs
from gearfast.broker.endings import Reason

cdef dict WHY = {
    Reason.LOST: "was given up: it has been lost by %d workers",
    Reason.TIMED_OUT: "was taken from its worker, which has had it for longer than it said (lost %d times before)",
    Reason.FAILED: "was given up: its worker says that it failed (lost %d times before)",
    Reason.RAISED: "was given up: its worker says that it raised an exception (lost %d times before)",
    Reason.CANCELLED: "was cancelled by an administrator (lost %d times before)",
}


cdef class Notes:
    def __cinit__(self, log not None, Broker broker not None):
        self.log = log
        self.broker = broker
        self.said = []

    def log_jobs(self, bint on):
        self.jobs = self.broker.endings.on = on

    cdef int say(self, int level, str text, tuple values) except -1:
        self.said.append((level, text, values))
        return 0

    def tell(self):
        cdef list said, ended
        said, self.said = self.said, []
        for level, text, values in said:
            self.log.log(level, text, *values)
        if self.broker.endings.size > 0:
            ended, missed = self.broker.endings.take()
            for number, function, unique, attempts, reason in ended:
                self.log.log(logs.NOTICE, "job %s of %s (unique id %s) " + WHY[reason],
                             name(self.broker.handles.format(number)), name(function), name(unique), attempts)
            if missed:
                self.log.log(logs.NOTICE, "%d more jobs were given up", missed)


cdef str name(bytes text):
    return text.decode("utf-8", "backslashreplace")
