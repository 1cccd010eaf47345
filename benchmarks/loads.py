"""Several loads against one server at once, each a process on a processor of its own, with functions of its own.

One load is one thread: it does about as many jobs as one thread of a server can. What several did is added up.
`python -m benchmarks.loads '{...}'` is one of them; it says when it is ready, and waits until it is told to play.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.machine import ROOT
from benchmarks.processes import Tree
from benchmarks.results import Round
from benchmarks.scenarios import SCENARIOS
from benchmarks.trial import Budget, Trial

if TYPE_CHECKING:
    from benchmarks.load import Outcome

READY, GO = "ready", "go"
PATIENCE = 10.0
"""seconds in which a server may be silent"""
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class LoadError(Exception):
    """A load that did not come through; the message is what it said."""


class Order(msgspec.Struct, frozen=True):
    """What a load is to do."""

    scenario: str
    port: int
    number: int
    """which of them it is: its functions are named after it"""
    jobs: int
    seconds: float
    cpu: int
    spin: bool


class Done(msgspec.Struct, frozen=True):
    """What a load did."""

    jobs: int
    seconds: float


class Loads:
    """So many loads of a server; they are connected and warm when `ready` returns. Each is one process."""

    def __init__(
        self, scenario: str, port: int, cpus: Sequence[int], jobs: int, seconds: float, *, spin: bool, limit: float
    ) -> None:
        """Start them, `jobs` being those of all together; all of it has to be over in `limit` seconds."""
        orders = [
            Order(scenario, port, number, max(jobs // len(cpus), 1), seconds, cpu, spin)
            for number, cpu in enumerate(cpus)
        ]
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.loads", msgspec.json.encode(order).decode()],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for order in orders
        ]
        self._over = threading.Timer(limit, self._kill)
        self._over.daemon = True
        self._over.start()

    def ready(self) -> None:
        """Wait until all of them are. Raises LoadError."""
        for process in self._processes:
            self._heard(process)

    def play(self) -> Done:
        """Have all of them play, and return what they did together. Raises LoadError."""
        for process in self._processes:
            assert process.stdin is not None
            try:
                process.stdin.write(f"{GO}\n")
                process.stdin.flush()
            except OSError:
                self._heard(process)  # which says why
        each = [msgspec.json.decode(self._heard(process), type=Done) for process in self._processes]
        return Done(sum(one.jobs for one in each), max(one.seconds for one in each))

    def end(self) -> None:
        """Have them hang up."""
        self._over.cancel()
        for process in self._processes:
            try:
                process.communicate(timeout=PATIENCE)
            except (subprocess.TimeoutExpired, ValueError, OSError):
                process.kill()
                process.communicate()

    @staticmethod
    def _heard(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        if line:
            return line
        said = process.stderr.read().strip().splitlines()
        raise LoadError(said[-1] if said else "a load was not done in its time")

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()


def stem(number: int) -> str:
    """Return what the names of a load's functions begin with: "worka", "workb", ... "workaa"."""
    found = ""
    while number >= 0:
        number, letter = divmod(number, len(LETTERS))
        found, number = LETTERS[letter] + found, number - 1
    return f"work{found}"


@dataclass(frozen=True)
class Held(Trial):
    """A trial that waits before what is counted, until all loads are ready; its server is watched by somebody else."""

    def counted(self, play: Callable[[], Outcome]) -> tuple[Round, Outcome]:
        """Say that it is ready, play when it is told, and say what was done."""
        print(READY, flush=True)
        if sys.stdin.readline().strip() != GO:
            sys.exit(0)
        outcome = play()
        done = Done(outcome.jobs, outcome.seconds)
        print(msgspec.json.encode(done).decode(), flush=True)
        # to hang up is work for the server: not before the others are done
        sys.stdin.read()
        return Round(outcome.jobs, outcome.seconds), outcome


def main(words: Sequence[str]) -> int:
    """Be one load."""
    from benchmarks.load import Load

    order = msgspec.json.decode(words[0], type=Order)
    os.sched_setaffinity(0, {order.cpu})
    scenario = next(one for one in SCENARIOS if one.name == order.scenario)
    how: dict[str, Any] = {"spin": order.spin, "patience": PATIENCE, "stem": stem(order.number)}
    load = Load(order.port, **how)
    try:
        scenario.play(Held(order.port, load, Tree(os.getpid()), Budget(order.jobs, order.seconds)))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
