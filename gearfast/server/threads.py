"""How many threads serve the connections, and which of them serves which.

The loop's thread serves all of them until it is saturated, or as many others as were asked for are there. What is decided
here is decided seldom: at most once a second, and once for a connection.
"""

import asyncio
import logging
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from gearfast.config import IO_BUSY, IO_IDLE, IO_LOOK, IO_SAMPLE, Config
from gearfast.ground.clock import monotonic
from gearfast.server.iothread import IoThread
from gearfast.server.session import Session
from gearfast.server.transport import SocketTransport
from gearfast.server.turn import Turn

log = logging.getLogger("gearfast")


class Load(NamedTuple):
    """What one thread does."""

    name: str
    connections: int
    """From which it reads."""
    seconds: float
    """CPU time since it began."""
    load: float
    """The part of a core that it used when that was last looked at."""


class Meter:
    """How much of a core a thread uses."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock``: seconds of CPU time of the thread."""
        self.clock = clock
        self.at, self.used = monotonic(), clock()
        self.load = 0.0

    def look(self) -> float:
        """Return the part of a core used since the last look."""
        now, used = monotonic(), self.clock()
        if now > self.at:
            self.load = (used - self.used) / (now - self.at)
        self.at, self.used = now, used
        return self.load


def clock_of(thread: int) -> Callable[[], float]:
    """Return a clock of the CPU time of a thread, by its identifier."""
    number = time.pthread_getcpuclockid(thread)
    return lambda: time.clock_gettime(number)


class Worker:
    """One of the other threads, at work."""

    def __init__(self, station: IoThread, name: str) -> None:
        """Start it."""
        self.station = station
        self.name = name
        self.thread = threading.Thread(target=self.run, name=name, daemon=True)
        self.thread.start()
        assert self.thread.ident is not None
        self.meter = Meter(clock_of(self.thread.ident))

    def run(self) -> None:
        """Signals are the main thread's."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self.station.run()

    def stop(self) -> None:
        """End it; its connections are the loop's again."""
        self.station.end()
        self.thread.join()
        self.station.call_home(self.station.connections)


class Threads:
    """The threads of a server beside the loop's, which has to call all of this."""

    def __init__(self, turn: Turn, config: Config, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing is started yet."""
        self.turn = turn
        self.config = config
        self.loop = loop
        self.workers: list[Worker] = []
        self.meter = Meter(clock_of(threading.get_ident()))
        self.placed = 0
        self.found: list[SocketTransport] = []
        self.sampling = False
        self.shuffling: asyncio.TimerHandle | None = None
        self.auto = config.io_threads == "auto"

    def start(self) -> None:
        """Start as many as are asked for. Raises OSError where the system has no such threads."""
        self.turn.threads = self
        if not self.auto:
            self.add(int(self.config.io_threads) - 1)
        if self.auto or self.workers:
            self.turn.look_again(IO_LOOK)
        if self.config.io_shuffle > 0:
            self.shuffle()

    def add(self, count: int) -> None:
        """Start so many more."""
        if count > 0 and not self.workers:
            self.turn.hear_stations()
        for _ in range(count):
            self.workers.append(Worker(IoThread(self.turn, self.config), f"gearfast-io-{len(self.workers) + 1}"))
            self.turn.share_with(len(self.workers))
        if self.workers and not self.auto:
            self.turn.look_for_busy()

    def stop(self) -> None:
        """End all of them; their connections are the loop's again."""
        self.turn.threads = None
        if self.shuffling is not None:
            self.shuffling.cancel()
        while self.workers:
            self.workers.pop().stop()
            self.turn.share_with(len(self.workers))

    # --- which thread serves which connection ---

    def place(self, busy: Iterable[SocketTransport]) -> None:
        """These have turned out to be busy."""
        if self.auto:
            self.found += busy
            return
        for member in busy:
            self.placed = (self.placed + 1) % (len(self.workers) + 1)
            if self.placed > 0:
                self.workers[self.placed - 1].station.lend(member)

    def relieve(self) -> None:
        """Half of those who made the loop's thread work are given to another one."""
        busy, self.found = self.found, []
        if len(busy) < 2:
            return
        if len(self.workers) + 1 < self.config.threads:
            self.add(1)
        least = min(self.workers, key=lambda worker: worker.meter.load)
        for member in busy[::2]:
            least.station.lend(member)

    def look(self) -> None:
        """A second is over in which there was something to do."""
        if self.sampling:
            self.sampling = False
            self.relieve()
            self.turn.look_again(IO_LOOK)
            return
        load = self.meter.look()
        for worker in self.workers:
            worker.meter.look()
        if self.auto and load > IO_BUSY and self.config.threads > 1:
            self.found = []
            self.sampling = True
            self.turn.look_for_busy()
        elif self.auto and self.workers and load < IO_IDLE:
            self.take_back(load)
        self.turn.look_again(IO_SAMPLE if self.sampling else IO_LOOK)

    def take_back(self, load: float) -> None:
        """There is room again: the connections of the last thread are the loop's, and it ends."""
        last = self.workers[-1]
        if load + last.meter.load < IO_BUSY:
            self.workers.pop().stop()
            self.turn.share_with(len(self.workers))

    def shuffle(self) -> None:
        """Move connections about at random, so that every moment of a move is met (``Config.io_shuffle``)."""
        self.shuffling = self.loop.call_later(self.config.io_shuffle, self.shuffle)
        for worker in self.workers:
            worker.station.call_home(random.randrange(worker.station.connections + 1))
        sessions = list(self.turn.service.sessions.values())
        for session in random.sample(sessions, min(len(sessions), 8)) if self.workers else ():
            random.choice(self.workers).station.lend_session(session)

    # --- what an administrator sees ---

    def loads(self, sessions: Iterable[Session]) -> list[Load]:
        """Every thread that serves connections, the loop's first."""
        rest = sum(1 for _ in sessions) - sum(worker.station.connections for worker in self.workers)
        loads = [Load("loop", max(rest, 0), self.meter.clock(), self.meter.load)]
        return loads + [
            Load(worker.name, worker.station.connections, worker.meter.clock(), worker.meter.load)
            for worker in self.workers
        ]
