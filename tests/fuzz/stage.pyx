"""Plays an input: players speak and leave, time goes on, and all is held against the rules."""

from libc.stdint cimport uint64_t

from gearfast.broker.broker cimport Broker
from gearfast.broker.job cimport Waiter
from gearfast.ground.ring cimport Ring
from gearfast.server.session cimport Session

from tests.fuzz cimport account, loop as clocks
from tests.fuzz.audit cimport audit, audit_empty
from tests.fuzz.buffer cimport buffer_left
from tests.fuzz.complaint cimport complain, tell, telling
from tests.fuzz.script cimport (
    BUSY, BYTES, COME, DRAIN, FILL, HANG_UP, LEAVE, LOOKS, NETWORK, PIECES, PLAYERS, READ, STORE, TIME, TURN, WALL,
    Script, script_next, script_of, seconds_of,
)

import logging

from gearfast.broker.deadletters import DeadLetters
from gearfast.broker.timetable import Timetable
from gearfast.plugins.admin import Admin
from gearfast.server.commands import Commands
from gearfast.server.policies import Policies
from gearfast.server.request import answer_requests
from gearfast.server.turn import Turn as make_turn

from tests.fuzz import complaint as complaints
from tests.fuzz.script import Op as OpName

cdef enum:
    MAX_CELLS = 2000
    MAX_TURNS = 200_000          # until a server has done all that there is to do
    AUDIT = 16                    # cells between two walks through all there is

cdef size_t[8] PIECES_OF = [<size_t>-1, 1, 2, 5, 11, 13, 100, 1000]


class Log:
    """What a server says: an error is one, and every line can be put together."""

    def log(self, level, text, *values):
        line = text % values if values else text
        if telling:
            tell(f"    log: {line}")
        if level >= logging.ERROR:
            complain(f"logged: {line}")

    def error(self, text, *values, **more):
        self.log(logging.ERROR, text, *values)

    def critical(self, text, *values, **more):
        self.log(logging.CRITICAL, text, *values)


class Host:
    """As much of a server as a plugin asks for."""

    def __init__(self, service, config, commands):
        self.service = service
        self.broker = service.broker
        self.sessions = service.sessions
        self.config = config
        self.commands = commands
        self.policies = Policies(service.broker, config.policy)

    def memory(self):
        return {"limit": self.config.max_memory}

    def loads(self):
        return []                                  # there is one thread, of which nobody tells anything


cdef object LOG = Log()
cdef object ADMIN = Admin()       # it is in a circle with its commands: one for all plays


def started(coroutine):
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    complain("the start of a plugin waits for something")


cdef class Stage:
    def __cinit__(self, Scene scene not None):
        cdef Broker broker
        cdef Player player
        config = scene.config
        clocks.begin_anew()
        account.plain = True
        self.scene = scene
        self.players = [Player(place) for place in range(PLAYERS)]
        self.loop = Loop(self.players)
        broker = Broker(
            b"H:fuzz", job_retries=config.job_retries, worker_wakeup=config.worker_wakeup,
            remembered_results=config.remembered_results, memory_step=config.memory_step,
        )
        commands = Commands()
        self.service = Service(broker, config, LOG, commands.answer)
        self.service.clock = clocks.clock
        answer_requests(self.service)
        self.timetable = Timetable(broker)
        self.service.date = self.date_soon
        started(ADMIN.start(Host(self.service, config, commands)))
        self.service.notes.log_jobs(scene.logs_jobs)
        self.turn = make_turn(self.service, self.loop, config)
        if scene.has_second:
            self.second = Second(self.turn, config)
            self.turn.share_with(1)
        for player in self.players:
            self.come(player)

    # --- the script ---

    cdef int step(self, const Cell* cell) except -1:
        cdef Player player = self.players[cell.player]
        if telling:
            tell(f"player {cell.player}: {OpName(cell.op).name} {cell.a} {cell.b} {cell.c}")
        if cell.op == PIECES:
            player.piece = PIECES_OF[cell.a & 7]
        elif cell.op == NETWORK:
            player.holds_back = cell.a & 1
        elif cell.op == READ:
            player.take(cell.a)
        elif cell.op == LEAVE:
            player.leave(cell.a)
        elif cell.op == COME:
            self.come(player)
        elif cell.op == HANG_UP:
            if player.wire is not None:
                player.account.dead = True
                player.wire.session.abort()
        elif cell.op in (TURN, TIME, WALL, LOOKS, BUSY, DRAIN, STORE):
            return self.step_of_time(cell)
        else:
            player.speak(cell, clocks.wall)
        return 0 if self.scene.by_hand else self.pass_turn()

    cdef int step_of_time(self, const Cell* cell) except -1:
        cdef int time
        if cell.op == TURN:
            for time in range(1 + (cell.a & 3)):
                self.pass_turn()
            if self.second is not None:
                self.second.call_home(cell.b & 3)
        elif cell.op == TIME:
            self.pass_seconds(seconds_of(cell.a))
        elif cell.op == WALL:
            clocks.wall += seconds_of(cell.a) * (-1 if cell.b & 1 else 1)
        elif cell.op == LOOKS:
            clocks.look = seconds_of(cell.a & 1) if cell.a & 2 else 0
        elif cell.op == BUSY:
            self.service.round.work = 100_000
        elif cell.op == DRAIN:
            self.turn.when_idle(nothing)
        return 0

    cdef int come(self, Player player) except -1:
        if player.wire is None:
            player.account.open(self.scene.config.max_packet_size, None)
            player.come(self.turn, self.scene.config.linger)
        return 0

    # --- time ---

    cdef int pass_turn(self) except -1:
        cdef Player player
        self.loop.run_timers()
        for player in self.players:
            player.see()
        if self.second is not None:
            self.second.see(self.players[::2])
        return self.loop.run_soon()

    def date_soon(self):
        self.loop.call_soon(self.date_all)

    def date_all(self):
        """As a calendar does: never a date for which it has fired."""
        for number, _, _, _, fired, _ in self.timetable.undated(50):
            self.timetable.date(number, max(clocks.wall, fired) + 1 + number % 100, clocks.now)
        self.turn.rest()

    cdef int pass_seconds(self, double seconds) except -1:
        clocks.now += seconds
        clocks.wall += seconds
        return self.pass_turn()

    cdef int rest(self) except -1:
        cdef Player player
        cdef int left
        cdef bint busy
        for left in range(MAX_TURNS):
            self.pass_turn()
            busy = not self.loop.rests() or self.service.broker.wait(clocks.now, clocks.wall) == 0
            if busy and self.loop.rests():
                self.pass_seconds(0.001)
            for player in self.players:
                busy = busy or player.is_read_from() or player.writer is not None
            busy = busy or (self.second is not None and not self.second.rests(self.players))
            if not busy:
                return 0
        complain("the server does not come to rest")
        return 0

    # --- the end ---

    cdef int let_all_speak(self) except -1:
        cdef Player player
        clocks.look = 0
        for player in self.players:
            player.holds_back = False
            player.window = player.piece = <size_t>-1
        self.rest()
        for player in self.players:
            if player.wire is not None and not player.silent and not player.account.dead:
                self.settle(player)
        return 0

    cdef void settle(self, Player player):
        cdef Session session = player.wire.session
        cdef Ring* link
        cdef uint64_t waits = 0
        if buffer_left(&player.saying) > 0 or session.stopped or session.closing:
            complain(f"player {player.place} is not listened to any more")
        if session.out.waiting() > 0 or session.answer is not None:
            complain(f"player {player.place} is not told what there is for it")
        if not player.account.is_settled():
            complain(f"player {player.place} is owed an answer")
        if session.party != NULL:
            link = session.party.waits.next
            while link != &session.party.waits:
                waits += (<Waiter*>link.owner).count
                link = link.next
        if waits != player.account.waits:
            complain(f"player {player.place} waits for {player.account.waits} results, the server knows of {waits}")

    cdef int clear(self) except -1:
        cdef Broker broker = self.service.broker
        cdef Player player
        letters = DeadLetters(broker)
        for player in self.players:
            player.leave(0)
        self.rest()
        self.pass_seconds(100)
        self.rest()
        audit(broker)
        for player in self.players:
            if player.wire is not None:
                complain(f"player {player.place} has left, and its connection is still there")
        cursor = -1
        while cursor:
            cursor, rows = broker.scan_jobs(max(cursor, 0), 1000)
            for row in rows:
                broker.cancel_job(row[0])
        self.clear_aside()
        cursor = -1
        while cursor:
            cursor, rows = broker.scan_functions(max(cursor, 0), 1000)
            for row in rows:
                broker.limit_function(row[0], (0, 0, 0))
                letters.discard(row[0], letters.count(row[0]))
                broker.drop_function(row[0])
        self.rest()
        for _ in range(3):
            self.pass_seconds(61)
            self.rest()
        audit(broker)
        audit_empty(broker)
        if self.service.sessions:
            complain("sessions are left over")
        self.turn.close()
        self.service.date = None
        ADMIN.broker = ADMIN.sessions = ADMIN.commands = ADMIN.loads = None
        return 0


    cdef int clear_aside(self) except -1:
        """Schedules and dead letters."""
        letters = DeadLetters(self.service.broker)
        for looks in (self.timetable, letters):
            cursor = -1
            while cursor:
                cursor, rows = looks.scan(max(cursor, 0))
                for row in rows:
                    done = looks.cancel(row[1]) if looks is self.timetable else looks.discard_job(row[0])
                    if not done:
                        complain("what is listed cannot be taken away")
        return 0


def nothing():
    """Of this a server that is idle may be told."""


cdef int play(const uint8_t* data, size_t size) except -1:
    cdef Cell cell
    cdef Script script = script_of(data, size, &cell)
    cdef Stage stage = Stage(scene_of(&cell))
    cdef int count = 0
    while count < MAX_CELLS and script_next(&script, &cell):
        stage.step(&cell)
        count += 1
        if count % AUDIT == 0:
            audit(stage.service.broker)
    audit(stage.service.broker)
    stage.let_all_speak()
    audit(stage.service.broker)
    stage.clear()
    return 0


def perform(bytes script not None):
    """Play an input. Raises AssertionError with what was found to be wrong."""
    play(script, len(script))
    raise_found()


def slander():
    """Send a player what it has not asked for. Raises AssertionError, if that is noticed."""
    cdef Cell first
    script_of(b"", 0, &first)
    cdef Stage stage = Stage(scene_of(&first))
    cdef Player player = stage.players[0]
    player.account.heard(b"\0RES\0\0\0\x0a\0\0\0\0", 12)
    stage.clear()
    raise_found()


def tell_all():
    """Print from now on what happens."""
    complaints.tell_all(True)


cdef int raise_found() except -1:
    found = complaints.take()
    if found is not None:
        raise AssertionError(found)
    return 0
