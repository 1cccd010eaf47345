"""The end of a turn of the event loop, and the one timer (house rule: one send per peer and turn)."""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.math cimport INFINITY
from libc.stdlib cimport free, malloc

from gearfast.server.fenced cimport pass_fences
from gearfast.ground.ring cimport Ring, ring_append, ring_append_all, ring_empty, ring_leave, ring_open

from gearfast import config

cdef double MAX_WAIT = config.CLOCK_CHECK
cdef double MIN_SHARE = config.MIN_PEER_TIME

cdef enum:
    MIN_ROOM = 4096     # bytes that a peer may always send in one go
    FULL = 4096           # packets' worth of work after which those who have not been read from are put off to the turn's end
    A_RECV = 32           # packets that a system call or two cost as much as
    GIVEN_UP = 100        # members that one tick gives up on


cdef class Member(Outlet):
    def __cinit__(self):
        ring_open(&self.place, <void*>self)
        ring_open(&self.patience, <void*>self)

    def __dealloc__(self):
        if self.patience.next != NULL:
            ring_leave(&self.patience)
            ring_leave(&self.place)

    cdef void ready(self) noexcept nogil:
        if ring_empty(&self.place):
            self.turn.join(self)

    cdef void turn_over(self) noexcept:
        pass

    cdef void time_out(self) noexcept:
        pass


cdef class Turn:
    def __cinit__(self, Service service not None, loop not None, settings not None):
        service.broker.belongs_here()
        self.service = service
        self.memory = Memory(service, settings)
        self.loop = loop
        self.call_soon = loop.call_soon
        self.end = self.over
        ring_open(&self.queue, NULL)
        ring_open(&self.backlog, NULL)
        ring_open(&self.unfinished, NULL)
        ring_open(&self.leaving, NULL)
        self.armed = INFINITY
        self.peer_time = settings.peer_time
        self.turn_time = self.last_answers = settings.turn_time
        self.packet_patience = settings.idle_packet_timeout
        self.leaving_patience = settings.leaving_timeout
        self.buffer_size = self.room = settings.receive_buffer
        self.buffer = <char*>malloc(self.buffer_size)
        if self.buffer == NULL:
            raise MemoryError("no memory for the receive buffer")
        service.broker.aftermath = self
        self.begin()
        service.broker.wait(service.now, service.clock.wall())         # so that it knows by how much the clocks differ

    def __dealloc__(self):
        free(self.buffer)
        if self.queue.next != NULL:               # else it was not made; members that are still there are among themselves
            ring_leave(&self.queue)
            ring_leave(&self.backlog)
            ring_leave(&self.unfinished)
            ring_leave(&self.leaving)

    # --- who has something to send ---

    cdef void begin(self) noexcept:
        self.service.now = self.service.clock.monotonic()
        self.service.until = self.service.now + self.peer_time
        if self.idle is not None:                 # the last job may end without any reply
            self.schedule()

    cdef bint is_full(self) noexcept:
        return self.service.work >= FULL

    cdef bint has_waiting(self) noexcept nogil:
        return not (ring_empty(&self.queue) and ring_empty(&self.backlog))

    cdef void join(self, Member member) noexcept nogil:
        if self.end is None:                      # there are no turns any more
            return
        ring_append(&self.backlog if member is self.present else &self.queue, &member.place)
        if not self.service.broker.working:       # else it is not done yet, and says so when it is
            with gil:
                self.broker_rests()

    cdef void broker_rests(self) noexcept:
        if self.serving is None and self.present is None and not self.service.broker.working and self.has_waiting():
            self.schedule()

    cdef void rest_soon(self) noexcept:
        try:
            self.loop.call_soon_threadsafe(self.rest)
        except Exception:
            pass                                  # the next tick takes what is left

    def rest(self):
        self.service.broker.enter()
        self.service.broker.rest()
        self.schedule()                           # whose end arms the timer for the rest of it

    cdef void serve(self, Member member) noexcept:
        self.serving = member
        if self.present is None:                  # else it has its share of the turn's end
            self.begin()

    cdef int served(self, bint waits) except -1:
        cdef Member member = self.serving
        self.serving = None
        if self.present is not None:
            return 0
        self.service.work += A_RECV
        self.tell()
        if self.scheduled:
            return 0
        if self.has_waiting():
            if waits or not is_alone(&self.queue, &member.place) or not ring_empty(&self.backlog):
                self.schedule()
                return 0
            self.let(&self.queue)
        return self.arm()

    cdef void serve_no_more(self, Member member) noexcept:
        if self.serving is member:
            self.serving = None

    cdef void let(self, Ring* line) noexcept:
        """The first of a line does what it waited for. What it has left to do then is the backlog's."""
        self.present = <Member>line.next.owner
        ring_leave(line.next)
        self.present.turn_over()
        self.present = None
        self.broker_rests()

    cdef void tell(self) noexcept:
        """What the store and the log have to hear; and what was taken of the memory."""
        self.memory.watch()
        try:
            self.service.tell_store()
            if not ring_empty(&self.service.broker.schedules.undated) and self.service.date is not None:
                self.service.date()
            if self.service.notes.has_news():
                self.service.notes.tell()
        except Exception as error:
            self.trouble(error)

    # --- the end of a turn ---

    cdef void schedule(self) noexcept:
        if self.scheduled or self.end is None:
            return
        try:
            self.scheduled = True
            self.call_soon(self.end)
        except Exception as error:
            self.scheduled = False                # whatever happens next tries again
            self.trouble(error)

    cdef int enter(self) except -1:
        self.service.broker.belongs_here()
        if self.serving is not None or self.present is not None:
            raise RuntimeError("a peer is being served: call it when that is done, such as from call_soon of the loop")
        return 0

    def over(self):
        cdef double end
        self.enter()
        if self.end is None:
            return
        try:
            self.begin()                          # who goes on now may have been stopped long ago
            self.scheduled = False
            end = self.service.now + self.turn_time
            self.go_through(&self.queue, end, 0)
            self.go_through(&self.backlog, end, 1)
            self.tell()
            self.arm()
            if self.idle is not None and self.service.broker.is_idle():
                idle, self.idle = self.idle, None
                idle()
        except Exception as error:
            self.trouble(error)
        self.service.work = 0
        self.last_answers = self.turn_time
        self.broker_rests()

    cdef void go_through(self, Ring* line, double end, size_t least) noexcept:
        """Each of a line in its order, with an equal share of the time, until that is up; whoever comes meanwhile waits."""
        cdef Ring these
        cdef double share
        if ring_empty(line):
            return
        ring_open(&these, NULL)
        ring_append_all(&these, line)
        share = max(MIN_SHARE, min(self.peer_time, self.turn_time / ring_length(&these)))
        self.room = max(MIN_ROOM, <size_t>(self.buffer_size * min(1.0, share / self.peer_time)))
        while not ring_empty(&these) and (least > 0 or self.service.now < end):
            self.service.until = self.service.now + share
            self.let(&these)
            self.tell()
            self.service.now = self.service.clock.monotonic()
            least -= least > 0
        self.room = self.buffer_size
        ring_append_all(&these, line)             # behind those who are left
        ring_append_all(line, &these)

    def when_idle(self, idle):
        self.idle = idle
        self.schedule()

    def answer_fenced(self):
        self.enter()
        self.begin()
        self.scheduled = True                     # by what follows
        pass_fences(self.service)
        self.over()

    # --- time ---

    cdef int arm(self) except -1:
        """See to it that the timer fires no later than something is due, or somebody has been waited for long enough."""
        cdef double now = self.service.now
        cdef double wait = self.service.broker.wait(now, self.service.clock.wall())
        if not ring_empty(&self.unfinished):
            wait = min(wait, (<Member>self.unfinished.next.owner).since + self.packet_patience - now)
        if not ring_empty(&self.leaving):
            wait = min(wait, (<Member>self.leaving.next.owner).since + self.leaving_patience - now)
        if self.memory.wants_ticks():
            wait = min(wait, MAX_WAIT)
        if wait == INFINITY:
            return 0
        wait = max(0.0, min(wait, MAX_WAIT))     # the wall clock may be set forward meanwhile
        if now + wait >= self.armed:
            return 0
        timer = self.loop.call_later(wait + 0.0005, self.tick)     # may fail: then all is as it was
        if self.timer is not None:
            self.timer.cancel()
        self.timer = timer
        self.armed = now + wait
        return 0

    def tick(self):
        try:
            self.timer = None
            self.armed = INFINITY
            self.begin()
            self.service.broker.tick(self.service.now, self.service.clock.wall())
            self.memory.tick()
            self.give_up_on(&self.unfinished, self.packet_patience)
            self.give_up_on(&self.leaving, self.leaving_patience)
            self.tell()
            self.arm()
        except Exception as error:
            self.trouble(error)
            self.schedule()                       # whose end arms the timer

    # --- who is waited for ---

    cdef void wait_for_packet(self, Member member) noexcept:
        ring_leave(&member.patience)
        ring_append(&self.unfinished, &member.patience)
        member.since = self.service.now

    cdef void wait_to_leave(self, Member member) noexcept:
        if not member.leaving:
            member.leaving = True
            Py_INCREF(member)
        ring_leave(&member.patience)
        ring_append(&self.leaving, &member.patience)
        member.since = self.service.now

    cdef void wait_no_more(self, Member member) noexcept:
        ring_leave(&member.patience)
        if member.leaving:
            member.leaving = False
            Py_DECREF(member)

    cdef void give_up_on(self, Ring* patients, double patience) noexcept:
        cdef Member member
        cdef int left
        for left in range(GIVEN_UP):
            if ring_empty(patients):
                return
            member = <Member>patients.next.owner
            if member.since + patience > self.service.now:
                return
            self.wait_no_more(member)
            member.time_out()

    # --- the end, and what should not happen ---

    cdef void trouble(self, object error) noexcept:
        if isinstance(error, MemoryError):
            self.memory.spend_reserve()
        try:
            self.service.notes.log.critical("This should not happen; the server goes on: %r", error, exc_info=error)
        except Exception:
            pass                                  # there is nobody left to be told

    def spend_reserve(self):
        self.memory.spend_reserve()
        self.schedule()                           # whose end arms the timer, which looks for memory again

    def close(self):
        while not ring_empty(&self.leaving):
            (<Member>self.leaving.next.owner).abort()
        while not ring_empty(&self.queue):
            ring_leave(self.queue.next)
        while not ring_empty(&self.backlog):
            ring_leave(self.backlog.next)
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.idle = None
        self.end = None
        self.service.broker.aftermath = None


cdef inline bint is_alone(const Ring* head, const Ring* link) noexcept nogil:
    return head.next == link and head.prev == link


cdef inline size_t ring_length(const Ring* head) noexcept nogil:
    cdef const Ring* link = head.next
    cdef size_t length = 0
    while link != head:
        length += 1
        link = link.next
    return length
