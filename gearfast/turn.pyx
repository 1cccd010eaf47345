"""The end of a turn of the event loop, and the one timer (house rule: one send per peer and turn)."""

from libc.math cimport INFINITY
from libc.stdlib cimport free, malloc
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

from gearfast import config

cdef double MOST_WAIT = config.CLOCK_CHECK


cdef inline double clock(int which) noexcept:
    cdef timespec at
    clock_gettime(which, &at)
    return at.tv_sec + at.tv_nsec * 1e-9


cdef class Member(Outlet):
    cdef void ready(self) noexcept:
        if not self.queued:
            self.queued = True
            self.turn.join(self)

    cdef void turn_over(self) noexcept:
        pass


cdef class Turn:
    def __cinit__(self, Service service not None, loop not None, size_t receive_buffer):
        self.service = service
        self.loop = loop
        self.call_soon = loop.call_soon
        self.end = self.over
        self.queue = []
        self.leaving = set()
        self.armed = INFINITY
        if receive_buffer < 4096:
            raise ValueError(f"a receive_buffer has at least 4096 bytes, not {receive_buffer}")
        self.buffer_size = receive_buffer
        self.buffer = <char*>malloc(receive_buffer)
        if self.buffer == NULL:
            raise MemoryError("no memory for the receive buffer")
        self.begin()

    def __dealloc__(self):
        free(self.buffer)

    cdef void begin(self) noexcept:
        self.service.now = clock(CLOCK_MONOTONIC)
        if self.idle is not None:                 # the last job may end without any reply
            self.schedule()

    cdef void join(self, Member member) noexcept:
        self.queue.append(member)
        if self.serving is None:
            self.schedule()

    cdef void serve(self, Member member) noexcept:
        self.serving = member
        self.begin()

    cdef int served(self, bint waits) except -1:
        cdef Member member = self.serving
        self.serving = None
        self.service.tell_store()
        if self.scheduled or not self.queue:
            return 0
        if waits or len(self.queue) > 1 or self.queue[0] is not member:
            return self.schedule()
        self.queue.clear()
        member.queued = False
        member.turn_over()
        return self.arm()

    cdef int schedule(self) except -1:
        if not self.scheduled:
            self.scheduled = True
            self.call_soon(self.end)
        return 0

    cdef int news(self) except -1:
        return self.schedule() if self.service.broker.has_news() else 0

    def over(self):
        cdef list queue = self.queue
        cdef Member member
        if self.end is None:
            return
        self.scheduled = False
        self.queue = []
        self.service.now = clock(CLOCK_MONOTONIC) # who goes on now may have been stopped long ago
        for member in queue:
            member.queued = False
            member.turn_over()
        self.service.tell_store()
        self.arm()
        if self.idle is not None and self.service.broker.job_count == 0:
            idle, self.idle = self.idle, None
            idle()

    def when_idle(self, idle):
        self.idle = idle
        self.schedule()

    cdef int arm(self) except -1:
        """See to it that the timer fires no later than the broker needs its next tick."""
        cdef double wait = self.service.broker.wait(self.service.now, clock(CLOCK_REALTIME))
        if wait == INFINITY:
            return 0
        wait = min(wait, MOST_WAIT)               # the wall clock may be set forward meanwhile
        if self.service.now + wait >= self.armed:
            return 0
        if self.timer is not None:
            self.timer.cancel()
        self.armed = self.service.now + wait
        self.timer = self.loop.call_later(wait + 0.0005, self.tick)
        return 0

    def tick(self):
        self.timer = None
        self.armed = INFINITY
        self.begin()
        self.service.broker.tick(self.service.now, clock(CLOCK_REALTIME))
        self.service.tell_store()
        self.arm()

    def settle(self):
        self.begin()
        self.scheduled = True                     # by what follows
        self.service.settle()
        self.over()

    def close(self):
        for member in list(self.leaving):
            member.close()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.idle = None
        self.scheduled = True                     # nothing is any more
        self.end = None
