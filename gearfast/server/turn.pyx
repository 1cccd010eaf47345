"""The end of a turn of the event loop, and the one timer (house rule: one send per peer and turn)."""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport errno
from libc.math cimport INFINITY
from libc.stdlib cimport free, malloc
from posix.unistd cimport close

from gearfast.server.bell cimport bell_heard, bell_open, bell_ring
from gearfast.server.fenced cimport pass_fences
from gearfast.server.lookout cimport Lookout
from gearfast.server.round cimport Pause, round_share, round_waits
from gearfast.ground.allocator cimport give_memory_back
from gearfast.ground.lock cimport lock_enter, lock_leave
from gearfast.ground.ring cimport Ring, ring_append, ring_append_all, ring_empty, ring_leave, ring_open

from gearfast import config

cdef double MAX_WAIT = config.CLOCK_CHECK
cdef double MIN_SHARE = config.MIN_PEER_TIME

cdef double MOMENT = 0.0005             # seconds by which the timer is not set anew

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
            lock_enter()
            ring_leave(&self.patience)
            ring_leave(&self.place)
            lock_leave()

    cdef void ready(self) noexcept nogil:
        cdef Round* round = self.turn.service.round if self.shared else self.turn.round
        if self.sending:
            self.more = True
        elif ring_empty(&self.place):
            ring_append(&round.backlog if round.present == <void*>self else &round.queue, &self.place)

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
        self.round = &service.own
        self.bell = -1
        ring_open(&self.unfinished, NULL)
        ring_open(&self.leaving, NULL)
        self.armed = INFINITY
        self.lookout = Lookout(service)
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
        service.broker.wait(self.round.now, service.clock.wall())         # so that it knows by how much the clocks differ

    def __dealloc__(self):
        free(self.buffer)
        if self.unfinished.next != NULL:          # else it was not made; members that are still there are among themselves
            ring_leave(&self.unfinished)
            ring_leave(&self.leaving)
            if self.bell >= 0:
                close(self.bell)

    # --- who has something to send ---

    cdef void begin(self) noexcept:
        self.round.now = self.service.clock.monotonic()
        self.round.until = self.round.now + self.peer_time
        if self.idle is not None:                 # the last job may end without any reply
            self.schedule()

    cdef bint is_full(self) noexcept:
        return self.round.work >= FULL

    cdef void broker_rests(self) noexcept:
        if self.serving is None and self.present is None and (round_waits(self.round) or self.has_news()):
            self.schedule()

    cdef object ask_loop(self, object method, tuple arguments):
        cdef Pause pause
        lock_enter()
        pause = self.service.pause()
        try:
            return method(*arguments)
        finally:
            self.service.resume(pause)
            lock_leave()

    cdef void leave(self) noexcept:
        self.broker_rests()
        lock_leave()

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
        self.round.reads += 1
        if self.present is None:                  # else it has its share of the turn's end
            self.begin()

    cdef int served(self, bint waits) except -1:
        cdef Member member = self.serving
        self.serving = None
        if self.present is not None:
            return 0
        self.round.work += A_RECV
        self.tell()
        if self.scheduled:
            return 0
        if round_waits(self.round):
            if waits or not is_alone(&self.round.queue, &member.place) or not ring_empty(&self.round.backlog):
                self.schedule()
                return 0
            self.let(&self.round.queue)
        return self.arm()

    cdef void serve_no_more(self, Member member) noexcept:
        if self.serving is member:
            self.serving = None

    cdef void let(self, Ring* line) noexcept:
        """The first of a line does what it waited for. What it has left to do then is the backlog's."""
        self.present = <Member>line.next.owner
        self.round.present = <void*>self.present
        ring_leave(line.next)
        self.present.turn_over()
        self.round.present = NULL
        self.present = None
        self.broker_rests()

    cdef bint has_news(self) noexcept nogil:
        return (self.service.has_news() or self.lookout.has_news(self.service.round.now) or self.service.notes.has_news()
                or self.memory.next <= self.service.round.now or self.service.broker.shrunk
                or (not ring_empty(&self.service.broker.schedules.undated) and self.service.date is not None))

    cdef void tell(self) noexcept:
        """What the store and the log have to hear; and what was taken of the memory."""
        cdef Pause pause
        cdef bint stores, dates, shrunk = self.service.broker.shrunk
        if not self.has_news():
            return
        stores = self.service.has_news()          # looked at as long as nobody else changes it
        dates = not ring_empty(&self.service.broker.schedules.undated) and self.service.date is not None
        self.service.broker.shrunk = False
        pause = self.service.pause()
        try:
            if shrunk:
                give_memory_back()
            self.memory.watch()
            if stores:
                self.service.write()
            self.lookout.tell()
            if dates:
                self.service.date()
            self.service.notes.tell()
        except Exception as error:
            self.trouble(error)
        self.service.resume(pause)

    # --- other threads ---

    def share_with(self, int threads):
        lock_enter()
        self.service.threads = threads
        lock_leave()

    def hear_stations(self):
        if self.bell >= 0:
            return
        self.bell = bell_open()
        if self.bell < 0:
            raise OSError(errno, "other threads cannot call the loop's")
        self.loop.add_reader(self.bell, self.called)

    def called(self):
        lock_enter()
        bell_heard(self.bell)
        self.rung = False
        lock_leave()
        self.over()

    cdef bint must_be_called(self) noexcept nogil:
        cdef double due
        if self.rung:
            return False
        due = self.due(self.service.round.now + self.service.broker.ahead)        # the clock is asked by the loop's thread
        self.rung = (round_waits(self.round) or self.has_news() or self.idle is not None
                     or (due < INFINITY and self.service.round.now + min(due, MAX_WAIT) + MOMENT < self.armed))
        return self.rung

    cdef void call(self) noexcept nogil:
        bell_ring(self.bell)

    # --- the end of a turn ---

    cdef void schedule(self) noexcept:
        cdef Pause pause
        if self.scheduled or self.end is None:
            return
        lock_enter()
        self.scheduled = True
        pause = self.service.pause()
        try:
            self.call_soon(self.end)
        except Exception as error:
            self.scheduled = False                # whatever happens next tries again
            self.trouble(error)
        self.service.resume(pause)
        lock_leave()

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
        idle = None
        lock_enter()
        try:
            self.scheduled = True                 # by what follows, whoever has called
            self.begin()                          # who goes on now may have been stopped long ago
            self.scheduled = False
            end = self.round.now + self.turn_time
            self.go_through(&self.round.queue, end, 0)
            self.go_through(&self.round.backlog, end, 1)
            self.tell()
            self.arm()
            if self.idle is not None and self.service.broker.is_idle():
                idle, self.idle = self.idle, None
        except Exception as error:
            self.trouble(error)
        self.round.work = 0
        self.last_answers = self.turn_time
        self.leave()
        if idle is not None:
            idle()

    cdef void go_through(self, Ring* line, double end, size_t least) noexcept:
        """Each of a line in its order, with an equal share of the time, until that is up; whoever comes meanwhile waits."""
        cdef Ring these
        cdef double share
        if ring_empty(line):
            return
        ring_open(&these, NULL)
        ring_append_all(&these, line)
        share = round_share(&these, self.peer_time, self.turn_time, MIN_SHARE)
        self.room = max(MIN_ROOM, <size_t>(self.buffer_size * min(1.0, share / self.peer_time)))
        while not ring_empty(&these) and (least > 0 or self.round.now < end):
            self.round.until = self.round.now + share
            self.let(&these)
            self.tell()
            self.round.now = self.service.clock.monotonic()
            least -= least > 0
        self.room = self.buffer_size
        ring_append_all(&these, line)             # behind those who are left
        ring_append_all(line, &these)

    def when_idle(self, idle):
        lock_enter()
        self.idle = idle
        lock_leave()
        self.schedule()

    def answer_fenced(self):
        self.enter()
        lock_enter()
        self.begin()
        self.scheduled = True                     # by what follows
        pass_fences(self.service)
        lock_leave()
        self.over()

    # --- time ---

    cdef double due(self, double wall) noexcept nogil:
        """Or somebody has been waited for long enough."""
        cdef double now = self.service.round.now
        cdef double wait = self.service.broker.time_left(now, wall)
        if not ring_empty(&self.unfinished):
            wait = min(wait, (<Member>self.unfinished.next.owner).since + self.packet_patience - now)
        if not ring_empty(&self.leaving):
            wait = min(wait, (<Member>self.leaving.next.owner).since + self.leaving_patience - now)
        if self.memory.wants_ticks():
            wait = min(wait, MAX_WAIT)
        return wait

    cdef int arm(self) except -1:
        """See to it that the timer fires no later than something is due."""
        cdef double now = self.round.now, wait = self.due(self.service.clock.wall()), before = self.armed
        if wait == INFINITY:
            return 0
        wait = max(0.0, min(wait, MAX_WAIT))     # the wall clock may be set forward meanwhile
        if now + wait >= self.armed:
            return 0
        self.armed = now + wait
        try:
            timer = self.ask_loop(self.loop.call_later, (wait + MOMENT, self.tick))
            if self.timer is not None:
                self.ask_loop(self.timer.cancel, ())
            self.timer = timer
        except Exception:
            self.armed = before                   # all is as it was
            raise
        return 0

    def tick(self):
        cdef Pause pause
        lock_enter()
        try:
            self.timer = None
            self.armed = INFINITY
            self.begin()
            self.service.broker.pass_time(self.round.now, self.service.clock.wall())
            self.service.broker.take_from_forgotten()
            pause = self.service.pause()
            self.memory.tick()
            self.service.resume(pause)
            self.give_up_on(&self.unfinished, self.packet_patience)
            self.give_up_on(&self.leaving, self.leaving_patience)
            self.tell()
            self.arm()
        except Exception as error:
            self.trouble(error)
            self.schedule()                       # whose end arms the timer
        self.leave()

    # --- who is waited for ---

    cdef void wait_for_packet(self, Member member) noexcept nogil:
        ring_leave(&member.patience)
        ring_append(&self.unfinished, &member.patience)
        member.since = self.service.round.now

    cdef void wait_to_leave(self, Member member) noexcept:
        if not member.leaving:
            member.leaving = True
            Py_INCREF(member)
        self.took_some(member)

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
            if member.since + patience > self.round.now:
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
        lock_enter()
        while not ring_empty(&self.round.queue):
            ring_leave(self.round.queue.next)
        while not ring_empty(&self.round.backlog):
            ring_leave(self.round.backlog.next)
        lock_leave()
        if self.bell >= 0:
            self.loop.remove_reader(self.bell)
            close(self.bell)
            self.bell = -1
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.idle = None
        self.end = None
        self.service.broker.aftermath = None


cdef inline bint is_alone(const Ring* head, const Ring* link) noexcept nogil:
    return head.next == link and head.prev == link

