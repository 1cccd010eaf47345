"""How many threads serve the connections, and which of them serves which.

The loop's thread serves all of them until it is saturated, or as many others as were asked for are there. What is
decided here is decided seldom: at most once a second, and once for a connection.
"""

import asyncio
import atexit
import logging
import random
import signal
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from gearfast.config import IO_BUSY, IO_IDLE, IO_LOOK, IO_SAMPLE, Config
from gearfast.ground.clock import monotonic
from gearfast.server.iothread import IoThread
from gearfast.server.plain import SocketTransport
from gearfast.server.turn import Turn

log = logging.getLogger("gearfast")

LOOP = "loop"
"""What the loop's thread is called."""


class Load(NamedTuple):
    """What one thread does."""

    name: str
    connections: int
    """From which it reads."""
    seconds: float
    """CPU time since the server began."""
    load: float
    """The part of a core that it used when that was last looked at."""
    reads: int
    """How often it has read something."""


class Meter:
    """How much of a core a thread uses."""

    def __init__(self, used: Callable[[], float], clock: Callable[[], float] = monotonic) -> None:
        """``used``: seconds of CPU time of the thread."""
        self.used = used
        self.clock = clock
        self.begin = self.before = used()
        self.at = clock()
        self.load = 0.0

    def look(self, least: float = IO_SAMPLE) -> float:
        """Return the part of a core used since the last look; if that was no ``least`` seconds ago, what that found."""
        now = self.clock()
        if now - self.at >= least:
            used = self.used()
            self.load = (used - self.before) / (now - self.at)
            self.at, self.before = now, used
        return self.load

    def seconds(self) -> float:
        """Return the CPU time since it began to look."""
        return self.used() - self.begin


def cpu_time_of(thread: int) -> Callable[[], float]:
    """Return what tells the CPU time of another thread, by its identifier."""
    number = time.pthread_getcpuclockid(thread)
    return lambda: time.clock_gettime(number)


class Worker:
    """One of the other threads, at work."""

    def __init__(self, turn: Turn, config: Config, name: str) -> None:
        """Start it. Raises OSError or RuntimeError if the system has no such threads, or no more of them."""
        self.station = IoThread(turn, config)
        self.name = name
        self.thread = threading.Thread(target=self.run, name=name, daemon=True)
        self.thread.start()
        atexit.register(self.end)  # it must not run on in a program that ends without having stopped the server
        assert self.thread.ident is not None
        self.meter = Meter(cpu_time_of(self.thread.ident))

    def run(self) -> None:
        """Signals are the main thread's."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self.station.run()

    def end(self) -> None:
        """End it."""
        self.station.end()
        self.thread.join()

    def stop(self) -> None:
        """End it; its connections are the loop's again."""
        atexit.unregister(self.end)
        self.end()
        self.station.call_home(self.station.connections)


class Threads:
    """The threads of a server beside the loop's, which has to call all of this."""

    def __init__(
        self,
        turn: Turn,
        config: Config,
        loop: asyncio.AbstractEventLoop,
        begin: Callable[[Turn, Config, str], Worker] = Worker,
        meter: Meter | None = None,
    ) -> None:
        """Nothing is started yet. ``begin`` starts one, ``meter`` is that of the loop's thread."""
        self.turn = turn
        self.config = config
        self.loop = loop
        self.begin = begin
        self.meter = meter or Meter(time.thread_time)
        self.workers: list[Worker] = []
        self.auto = config.io_threads == "auto"
        self.most = config.threads if config.io_threads == "auto" else config.io_threads
        """With the loop's; fewer, once the system has refused one."""
        self.placed = self.moved = 0
        self.late: list[SocketTransport] = []
        """Who could not be moved when it was to be, as somebody whose answers wait to be taken."""
        self.found: list[SocketTransport] | None = None
        """Who makes the loop's thread work; None: that is not asked at the moment."""
        self.shuffling: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start as many as are asked for, or as many of them as the system gives."""
        self.turn.lookout.threads = self
        while not self.auto and len(self.workers) + 1 < self.most:
            self.add()
        if self.workers:
            self.turn.lookout.look_for_busy()
        if self.auto or self.workers:
            self.turn.lookout.look_again(IO_LOOK)
        if self.config.io_shuffle > 0:
            self.shuffle()

    def add(self) -> None:
        """Start one more. If that fails the log says so, and it is not tried again."""
        try:
            self.turn.hear_stations()
            self.workers.append(self.begin(self.turn, self.config, f"gearfast-io-{len(self.workers) + 1}"))
        except (OSError, RuntimeError) as error:
            have = len(self.workers) + 1
            log.error("There are %d of %d threads, and they serve all connections: %s", have, self.most, error)
            self.most = have
        self.turn.share_with(len(self.workers))

    def end_last(self) -> None:
        """The connections of the last one are the loop's, and it ends."""
        self.workers.pop().stop()
        self.turn.share_with(len(self.workers))

    def stop(self) -> None:
        """End all of them; their connections are the loop's again."""
        self.turn.lookout.threads = None
        if self.shuffling is not None:
            self.shuffling.cancel()
        while self.workers:
            self.end_last()

    # --- which thread serves which connection ---

    def place(self, busy: list[SocketTransport]) -> None:
        """These have turned out to be busy."""
        if not self.auto:
            self.late += self.spread(busy)
        elif self.found is not None:
            self.found += busy

    def look(self) -> None:
        """The time is over for which something was looked at; there was something to do."""
        self.spread(self.late)
        self.late = []
        if self.found is not None:
            busy, self.found = self.found, None
            self.relieve(busy)
        else:
            self.weigh()
        self.turn.lookout.look_again(IO_LOOK if self.found is None else IO_SAMPLE)

    def spread(self, members: list[SocketTransport]) -> list[SocketTransport]:
        """Have each thread read from as many of them, the loop's too; return whom that is not possible for just now."""
        late = []
        for member in members:
            thread = (self.placed + 1) % (len(self.workers) + 1)
            if thread == 0 or self.workers[thread - 1].station.lend(member):
                self.placed = thread
                self.moved += thread > 0
            else:
                late.append(member)
        return late

    def weigh(self) -> None:
        """Find out whether a thread has too much to do where another one has not, or one too many is there."""
        load = self.meter.look()
        loads = [worker.meter.look() for worker in self.workers]
        if load > IO_BUSY:
            if self.may_grow() or min(loads, default=load) < load / 2:
                self.found = [] if self.auto else None
                self.turn.lookout.look_for_busy()
        elif loads and max(loads) > IO_BUSY:
            if self.may_grow() or min(load, *loads) < max(loads) / 2:
                station = self.workers[loads.index(max(loads))].station
                station.call_home(station.connections // 2)  # if they are too much here, another one gets half of them
        elif self.auto and loads and load < IO_IDLE and load + loads[-1] < IO_BUSY:
            self.end_last()

    def may_grow(self) -> bool:
        """Tell whether there may be one more."""
        return self.auto and len(self.workers) + 1 < self.most

    def relieve(self, busy: list[SocketTransport]) -> None:
        """Half of those who make the loop's thread work are given to a new one, or to whoever has the least to do."""
        if len(busy) < 2:
            return
        if self.may_grow():
            self.add()
        if self.workers:
            least = min(self.workers, key=lambda worker: worker.meter.load)
            for member in busy[::2]:
                least.station.lend(member)

    def shuffle(self) -> None:
        """Move connections about at random, so that every moment of a move is met (``Config.io_shuffle``)."""
        self.shuffling = self.loop.call_later(self.config.io_shuffle, self.shuffle)
        self.turn.lookout.look_for_busy(often=1)
        for worker in self.workers:
            worker.station.call_home(random.randrange(worker.station.connections + 1))
        sessions = list(self.turn.service.sessions.values())
        for session in random.sample(sessions, min(len(sessions), 8)) if self.workers else ():
            self.moved += random.choice(self.workers).station.lend_session(session)

    # --- what an administrator sees ---

    def loads(self) -> list[Load]:
        """Return what every thread does that serves connections, the loop's first.

        The load is from the last second in which there was something to do; where nobody looks that often, from the
        time since it was last asked for.
        """
        least = IO_LOOK if self.auto or self.workers else IO_SAMPLE
        connections = len(self.turn.service.sessions)
        there = []
        for worker in self.workers:
            load, station = worker.meter.look(least), worker.station
            there.append(Load(worker.name, station.connections, worker.meter.seconds(), load, station.reads))
            connections -= there[-1].connections
        load = self.meter.look(least)
        return [Load(LOOP, max(connections, 0), self.meter.seconds(), load, self.turn.lookout.reads), *there]
