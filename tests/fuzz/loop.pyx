"""The event loop of a played server."""

cdef enum:
    LONG_AFTER = 1_000_000_000    # seconds: no machine's clock is there, so whoever asked that one would stand out


cdef void begin_anew() noexcept:
    global now, wall, look
    now = LONG_AFTER
    wall = 4.0 * LONG_AFTER
    look = 0


begin_anew()


cdef double monotonic() noexcept nogil:
    global now
    now += look
    return now


cdef double wall_now() noexcept nogil:
    return wall


clock = Clock(monotonic, wall_now)


cdef class Timer:
    def cancel(self):
        self.callback = None


cdef class Watched:
    pass


cdef class Loop:
    def __cinit__(self, list descriptors not None):
        self.descriptors = descriptors
        self.soon = []
        self.timers = []

    # --- what a server asks of it ---

    def call_soon(self, callback):
        self.soon.append(callback)

    def call_later(self, double delay, callback):
        cdef Timer timer = Timer()
        timer.when = now + delay
        timer.callback = callback
        self.timers.append(timer)
        return timer

    cdef Watched watched(self, int descriptor):
        return self.descriptors[descriptor - FIRST_DESCRIPTOR]

    def add_reader(self, int descriptor, callback):
        self.watched(descriptor).reader = callback

    def remove_reader(self, int descriptor):
        self.watched(descriptor).reader = None

    def add_writer(self, int descriptor, callback):
        self.watched(descriptor).writer = callback

    def remove_writer(self, int descriptor):
        self.watched(descriptor).writer = None

    # --- what goes on ---

    cdef int run_soon(self) except -1:
        """What was asked for before; what that asks for is for the next time."""
        cdef list soon
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()
        return 0

    cdef int run_timers(self) except -1:
        cdef Timer timer
        cdef list timers
        timers, self.timers = self.timers, []
        for timer in timers:
            if timer.callback is None:
                continue
            if timer.when > now:
                self.timers.append(timer)
            else:
                timer.callback()
        return 0

    cdef bint rests(self) noexcept:
        return not self.soon
