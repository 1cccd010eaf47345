"""What one run of the benchmarks found, and the file it is kept in (JSON; `schema()` describes it).

Everything that the table, the pictures, the report, README and `compare` show is read from here.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

FORMAT = 1

Group = Literal["plain", "durable", "growth", "standstill", "latency", "memory", "trouble"]


class BadResultsError(ValueError):
    """A file is no results file, or one of another format; the message says which and what to do."""


class Latency(msgspec.Struct, frozen=True):
    """How long answers took, in microseconds; `curve` is (percentile, microseconds), ascending."""

    p50: float
    p99: float
    p999: float
    max: float
    curve: list[tuple[float, float]]


class Round(msgspec.Struct, frozen=True, omit_defaults=True):
    """The figures of one subject in one round; what was not measured is None."""

    jobs: int
    """jobs counted"""
    seconds: float
    """from the first request to the last answer"""
    cpu: float | None = None
    """server CPU, user and system, all its processes: microseconds per job"""
    busiest: float | None = None
    """of it, that of the thread that used the most: microseconds per job"""
    threads: dict[str, float] = {}
    """that of each thread, by its name, where it is kept"""
    rate: float | None = None
    """jobs per second"""
    latency: Latency | None = None
    memory: float | None = None
    """resident bytes of the server per queued job, or per connection"""
    fresh: float | None = None
    """resident bytes of the server before the load"""
    after: float | None = None
    """resident bytes of the server after the queue was drained"""
    start: float | None = None
    """seconds from the start of the process until it listens, with all jobs of the store in its queue"""
    beside: float | None = None
    """background jobs per second that were stored beside the load"""
    commits: float | None = None
    """transactions per second that the disk of the store made durable, just before"""
    wait: float | None = None
    """microseconds that somebody waited at most while another peer attacked: for a round trip (`latency` has them all),
    or for what the scenario's sentence says"""
    endless: bool = False
    """nothing had come by then: it would have been longer"""
    cut: str = ""
    """how the server made an end of the attack, if it did"""
    calm: Latency | None = None
    """the same round trips just before the attack"""
    grown: float | None = None
    """resident bytes by which the server grew at most while it was attacked"""
    told: list[str] = []
    """what the server said of its threads just before and just after, in its own words"""


class Measured(msgspec.Struct, frozen=True, omit_defaults=True):
    """One subject in one scenario: a figure per round, or the reason why there is none."""

    subject: str
    rounds: list[Round] = []
    missing: str = ""

    def figures(self, pick: Callable[[Round], float | None]) -> list[float]:
        """Return that figure of every round that has it."""
        return [figure for figure in map(pick, self.rounds) if figure is not None]


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One scenario with all its subjects."""

    name: str
    """carries its parameters: "submit 8 x 100" """
    sentence: str
    group: Group
    measured: list[Measured]
    curve: str = ""
    """the growth curve that this is a point of: "queue depth" """
    x: float | None = None
    """where on that curve"""

    def only(self, wanted: Callable[[str], bool]) -> Row:
        """Return the row with some of its subjects."""
        return msgspec.structs.replace(self, measured=[one for one in self.measured if wanted(one.subject)])

    def of(self, subject: str) -> Measured | None:
        """Return what was measured of a subject."""
        return next((measured for measured in self.measured if measured.subject == subject), None)

    def ratios(self, subject: str, other: str, pick: Callable[[Round], float | None]) -> list[float]:
        """Return subject's figure through other's, round by round."""
        one, two = self.of(subject), self.of(other)
        if one is None or two is None:
            return []
        pairs = ((pick(a), pick(b)) for a, b in zip(one.rounds, two.rounds, strict=False))
        return [a / b for a, b in pairs if a is not None and b]


class Subject(msgspec.Struct, frozen=True, omit_defaults=True):
    """A server that was measured, or the reason why it was not."""

    label: str
    version: str = ""
    command: str = ""
    missing: str = ""


class Results(msgspec.Struct, frozen=True):
    """One run."""

    made: str
    """date and time, UTC, ISO 8601"""
    commit: str
    """of this project; "-dirty" at the end where files were changed"""
    machine: dict[str, str]
    """processor, cores, memory, kernel, python, compiler, pinning, ..."""
    options: dict[str, str]
    """how the run was asked for"""
    subjects: list[Subject]
    rows: list[Row]
    not_measured: list[str]
    """sentences"""
    format: int = FORMAT


class Spread(msgspec.Struct, frozen=True):
    """Median, smallest and largest of some figures."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread | None:
        """Return the spread, or None for no figures."""
        kept = sorted(figures)
        return cls(statistics.median(kept), kept[0], kept[-1]) if kept else None


def save(results: Results, path: Path) -> None:
    """Write the file, readable by people and by `git diff`."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def read(path: Path) -> Results:
    """Read a results file. Raises BadResultsError, OSError."""
    try:
        results = msgspec.json.decode(path.read_bytes(), type=Results)
    except msgspec.DecodeError as error:
        raise BadResultsError(f"{path} is no results file of these benchmarks ({error})") from error
    if results.format != FORMAT:
        raise BadResultsError(f"{path} has format {results.format}, not {FORMAT}: run the benchmarks again")
    return results


def read_for(command: str, *paths: Path) -> list[Results] | None:
    """Read results files for a command; None: one cannot be read, and it was said why."""
    try:
        return [read(path) for path in paths]
    except OSError as error:
        print(f"{command}: {error.filename}: {error.strerror}", file=sys.stderr)
    except BadResultsError as error:
        print(f"{command}: {error}", file=sys.stderr)
    return None


def schema() -> dict[str, Any]:
    """Return the JSON schema of a results file."""
    return msgspec.json.schema(Results)
