"""A trial: one measurement of one subject, on a fresh server, with the load against it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from benchmarks.certificate import secured
from benchmarks.latency import latency
from benchmarks.meter import Meter
from benchmarks.processes import Cores, Tree
from benchmarks.results import Round
from benchmarks.stores import STORES
from benchmarks.subjects import Subject
from benchmarks.subjects.subject import free_port

if TYPE_CHECKING:
    from benchmarks.load import Load, Outcome

# before anything is counted: of the jobs, and of the seconds, but at least so many
WARM_UP = 0.1
WARM_UP_SECONDS = 0.05
FILL_SECONDS = 900.0  # to bring a server into the state that a scenario begins with
FILL_CLIENTS, FILL_IN_FLIGHT = 8, 100


class TooSlowError(Exception):
    """A server that cannot be brought into the state that is to be measured in the time there is for it."""


@dataclass(frozen=True)
class Budget:
    """The most that is played in one measurement: whichever is reached first ends it."""

    jobs: int
    seconds: float


def _never() -> float:
    raise NotImplementedError("this trial's server is started once")


def _nothing() -> None:
    """There is no server to end."""


@dataclass(frozen=True)
class Trial:
    """What a scenario plays with."""

    port: int
    load: Load
    tree: Tree
    budget: Budget
    pace: float = 0.0
    """jobs per second, where the scenario has a fixed rate"""
    again: Callable[[], float] = _never
    """kills the server and starts it again on its store; returns the seconds until it listens"""
    kill: Callable[[], None] = _nothing
    """ends the server at once, for one that does not answer any more"""
    path: str = ""
    """of the Unix socket where it speaks plainly, where its port speaks TLS"""

    def fill(self, jobs: int, *, payload: int = 64, unique: int = 0, in_flight: int = FILL_IN_FLIGHT) -> None:
        """Queue background jobs, and leave; nothing of it is counted. Raises TooSlowError."""
        if jobs:
            self.load.clients(FILL_CLIENTS, in_flight=in_flight, payload=payload, unique=unique)
            self._queue(self.load, jobs)

    def fill_delayed(self, jobs: int, seconds: int) -> None:
        """Queue jobs that are not due for so long, and leave; the load that plays expects none of them."""
        if jobs:
            from benchmarks.load import Load

            load = Load(self.port)
            load.clients(FILL_CLIENTS, in_flight=FILL_IN_FLIGHT, delay=seconds)
            self._queue(load, jobs)

    @staticmethod
    def _queue(load: Load, jobs: int) -> None:
        queued = load.run(jobs, seconds=FILL_SECONDS).jobs
        load.hang_up(["clients"])
        if queued < jobs:
            raise TooSlowError(f"queued only {queued:,} of {jobs:,} jobs in {FILL_SECONDS:.0f} s")

    def restart(self) -> float:
        """Kill the server, start it again on the jobs of its store, and return the seconds until it listened."""
        self.load.hang_up()
        return self.again()

    def warm_up(self) -> None:
        """Play a part of the jobs."""
        self.load.run(
            max(int(self.budget.jobs * WARM_UP), 1), seconds=max(self.budget.seconds * WARM_UP, WARM_UP_SECONDS)
        )

    def closed(self) -> tuple[Round, Outcome]:
        """Warm up, then play the jobs as fast as they are answered."""
        self.warm_up()
        return self.counted(lambda: self.load.run(self.budget.jobs, seconds=self.budget.seconds))

    def paced(self) -> tuple[Round, Outcome]:
        """Warm up, then play the jobs at their pace, whether or not they are answered."""
        self.load.run_at(self.pace, max(int(self.pace * max(self.budget.seconds * WARM_UP, WARM_UP_SECONDS)), 1))
        return self.counted(lambda: self.load.run_at(self.pace, max(int(self.pace * self.budget.seconds), 1)))

    def counted(self, play: Callable[[], Outcome]) -> tuple[Round, Outcome]:
        """Play, and take what the server needed for it."""
        meter = Meter(self.tree)
        outcome = play()
        used, each = meter.used(), 1e6 / outcome.jobs
        busiest = None if used.busiest is None else used.busiest * each
        rate = outcome.jobs / outcome.seconds
        return Round(outcome.jobs, outcome.seconds, cpu=used.total * each, busiest=busiest, rate=rate), outcome

    def timed(self, figures: tuple[Round, Outcome]) -> Round:
        """Return the round with the latencies of the jobs."""
        done, outcome = figures
        return msgspec.structs.replace(done, latency=latency(outcome.latencies))


@contextlib.contextmanager
def trial(
    subject: Subject, cores: Cores, budget: Budget, pace: float = 0.0, store: str = "", tls: bool = False
) -> Iterator[Trial]:
    """Start a server for one trial, on an empty store if one is named, and end it. Raises MissingError, StartError."""
    from benchmarks.load import Load  # only here: it is compiled when a run begins

    with contextlib.ExitStack() as ending:
        with cores.for_servers():
            words = ending.enter_context(STORES[store].running()) if store else {}
        secret, path = ending.enter_context(secured()) if tls else ([], "")
        more = [*words.get(subject.program, []), *secret]
        port = free_port()

        def again() -> float:
            subject.kill()
            began = time.monotonic()
            subject.start(port, cores, more)
            return time.monotonic() - began

        ending.callback(subject.stop)
        tree = subject.start(port, cores, more)
        load = Load(port, protocol=subject.protocol, spin=cores.pinned)
        ending.callback(load.hang_up)
        yield Trial(port, load, tree, budget, pace, again, subject.kill, path)
