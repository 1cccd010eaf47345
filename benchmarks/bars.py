"""The bars: the speed and the memory that gearfast has to reach, each judged by the median of all rounds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.text import Text

from benchmarks.figures import (
    COMMITS,
    CPU,
    GROWN,
    LIMIT,
    MEMORY,
    OURS,
    P99,
    START,
    STOCK,
    TIME,
    WAIT,
    Figure,
    bare,
    between,
    count,
    factor,
    ratio,
    size,
)
from benchmarks.results import Results, Row, Spread


@dataclass(frozen=True)
class Found:
    """What was found where a bar looks, and what it was taken from."""

    spread: Spread
    among: str = ""


class Bar(Protocol):
    """A figure that must not be more than `most`."""

    @property
    def most(self) -> float:
        """The bar."""

    def what(self) -> str:
        """Say what is judged."""

    def find(self, results: Results) -> Found | None:
        """Return the figures, or None when there are none."""

    def write(self, value: float) -> str:
        """Write one figure."""


@dataclass(frozen=True)
class Against:
    """A figure of gearfast through that of another subject, round by round."""

    scenario: str
    other: str
    most: float
    figure: Figure = CPU

    def what(self) -> str:
        """Say what is judged."""
        return f"{self.scenario}: {self.figure.name} to {self.other}"

    def find(self, results: Results) -> Found | None:
        """Return the ratio."""
        row = _row(results, self.scenario)
        spread = self.figure.ratio(row, OURS, self.other) if row else None
        return Found(spread) if spread else None

    def write(self, value: float) -> str:
        """Write one figure."""
        return ratio(value)


@dataclass(frozen=True)
class Plain:
    """The CPU of gearfast through that of another subject, over all plain scenarios: their mean or the worst."""

    name: str
    other: str
    most: float
    over: Callable[[Iterable[float]], float]

    def what(self) -> str:
        """Say what is judged."""
        return f"plain scenarios, {self.name}: CPU to {self.other}"

    def find(self, results: Results) -> Found | None:
        """Return the mean, its least and most those of all rounds; or the worst."""
        rows = [row for row in results.rows if row.group == "plain"]
        ratios = [(ratio, row) for row in rows if (ratio := CPU.ratio(row, OURS, self.other))]
        if not ratios:
            return None
        if self.over is max:
            worst, row = max(ratios, key=lambda each: each[0].median)
            return Found(worst, row.name)
        rounds = zip(*(row.ratios(OURS, self.other, CPU.pick) for _, row in ratios), strict=False)
        means = [self.over(one) for one in rounds]
        mean = self.over(ratio.median for ratio, _ in ratios)
        return Found(Spread(mean, min(*means, mean), max(*means, mean)), f"over {len(ratios)}")

    def write(self, value: float) -> str:
        """Write one figure."""
        return factor(value)


@dataclass(frozen=True)
class Grows:
    """The CPU of gearfast at one point of a growth curve through that at an earlier one."""

    curve: str
    start: float
    end: float
    most: float

    def what(self) -> str:
        """Say what is judged."""
        return f"{self.curve}, from {count(self.start)} to {count(self.end)}: CPU"

    def find(self, results: Results) -> Found | None:
        """Return the ratios."""
        points = {row.x: row.of(OURS) for row in results.rows if row.curve == self.curve}
        start, end = CPU.of(points.get(self.start)), CPU.of(points.get(self.end))
        return _found([last / first for first, last in zip(start, end, strict=False)])

    def write(self, value: float) -> str:
        """Write one figure."""
        return factor(value)


@dataclass(frozen=True)
class Takes:
    """What gearfast takes for each: bytes, or another figure."""

    scenario: str
    most: float
    figure: Figure = MEMORY
    commits: float = 0.0
    """transactions per second: judged only on a disk that does so many"""

    def what(self) -> str:
        """Say what is judged."""
        on = f", on a disk with {count(self.commits)} commits/s" if self.commits else ""
        return f"{self.scenario}: {'each' if self.figure is MEMORY else self.figure.name}{on}"

    def find(self, results: Results) -> Found | None:
        """Return the figures."""
        row = _row(results, self.scenario)
        disk = COMMITS.spread(row, OURS) if row and self.commits else None
        if row is None or (self.commits and (disk is None or disk.median < self.commits)):
            return None
        return _found(self.figure.of(row.of(OURS)))

    def write(self, value: float) -> str:
        """Write one figure."""
        return self.figure.write(value)


@dataclass(frozen=True)
class Besides:
    """A figure of gearfast in one scenario against that in another: through it, or less it."""

    scenario: str
    plain: str
    most: float
    figure: Figure
    less: bool = False

    def what(self) -> str:
        """Say what is judged."""
        return f"{self.scenario}: {self.figure.name} {'less' if self.less else 'to'} that of {self.plain}"

    def find(self, results: Results) -> Found | None:
        """Return the ratios or differences, round by round."""
        rows = [_row(results, name) for name in (self.scenario, self.plain)]
        one, two = (self.figure.of(row.of(OURS)) if row else [] for row in rows)
        pairs = zip(one, two, strict=False)
        return _found([a - b if self.less else a / b for a, b in pairs])

    def write(self, value: float) -> str:
        """Write one figure."""
        return self.figure.write(value) if self.less else factor(value)


@dataclass(frozen=True)
class GivesBack:
    """The resident bytes of gearfast afterwards, through `times` those of the fresh server and `plus`."""

    scenario: str
    times: float
    plus: float
    most: float = 1.0

    def what(self) -> str:
        """Say what is judged."""
        return f"{self.scenario}: resident, to {self.times:g} x fresh + {bare(size(self.plus))}"

    def find(self, results: Results) -> Found | None:
        """Return the ratios."""
        row = _row(results, self.scenario)
        ours = row.of(OURS) if row else None
        rounds = [(one.after, one.fresh) for one in ours.rounds] if ours else []
        return _found([after / (self.times * fresh + self.plus) for after, fresh in rounds if after and fresh])

    def write(self, value: float) -> str:
        """Write one figure."""
        return factor(value)


@dataclass(frozen=True)
class Stands:
    """The longest that anybody waits for gearfast while somebody attacks, at whatever size that was measured."""

    curve: str
    most: float

    def what(self) -> str:
        """Say what is judged."""
        return f"{self.curve}: the longest wait"

    def find(self, results: Results) -> Found | None:
        """Return it where it was worst."""
        rows = [row for row in results.rows if row.curve == self.curve]
        points = {row.x or 0.0: spread for row in rows if (spread := WAIT.spread(row, OURS))}
        if not points:
            return None
        worst, spread = max(points.items(), key=lambda point: point[1].median)
        return Found(spread, f"at {count(worst)}")

    def write(self, value: float) -> str:
        """Write one figure."""
        return WAIT.write(value)


MB = 1 << 20
ROUND_TRIP = 25e3
"""microseconds: two turns for each of the two requests of a round trip (the one that runs when it comes, and its own)
at 5 ms each, and 5 ms that a machine with two cores is late by itself"""
STOPPED = 1e6
"""microseconds until a server has ended, with what Python needs for that"""

# all but those that are a matter of how long it takes to copy so many megabytes
WAITS = (
    "jobs held, abilities change",
    "jobs held, the worker leaves",
    "jobs awaited, the client leaves",
    "jobs due in one second",
    "abilities, all said at once",
    "abilities, the worker leaves",
    "abilities, all taken back",
    "abilities, a job is asked for",
    "one job awaited, its progress",
    "one job awaited, its end",
    "clients of one job, its progress",
    "functions alike but for case, dropped",
    "MB of names, workers",
    "MB of names, workers for ten",
    "peers with empty lines",
    "peers with empty lines, cancel job",
    "peers that ask for all jobs",
    "peers over TLS that ask for all jobs and leave",
    "peers that begin with TLS",
    "connections full of packets",
    "connections full of bad packets",
    "connections that come and go",
    "connections that all go",
)

BARS: tuple[Bar, ...] = (
    Against("submit 1 x 1", STOCK, 1 / 2.5),
    Against("submit 8 x 100", STOCK, 1 / 8),
    Against("drain, 1 worker of 100 k", STOCK, 1 / 5),
    Against("drain, 16 workers of 900 k", STOCK, 1 / 20),
    Against("round trip 1 x 1, 1 worker", STOCK, 1 / 2.4),
    Against("round trip 16 x 1, 16 workers", STOCK, 1.0),
    Against("round trip 8 x 16, 8 workers", STOCK, 1 / 2.3),
    Against("submit and drain 4 x 100, 8 workers", STOCK, 1 / 8),
    Against("round trip 1 x 1, 500 sleepers", STOCK, 1 / 80),
    Against("round trip 4 x 4, 1 k functions", STOCK, 1 / 2),
    Against("submit 4 x 100, 300 k unique", STOCK, 1 / 40),
    Against("round trip 4 x 4, 64 KiB", STOCK, 1.0),
    Plain("geometric mean", LIMIT, 1.2, statistics.geometric_mean),
    Plain("the worst", LIMIT, 1.5, max),
    Grows("queue depth", 1e4, 1e7, 1.5),
    Grows("functions per worker", 10, 1e4, 1.2),
    Grows("sleeping workers", 10, 5e3, 1.2),
    Grows("idle connections", 10, 1e4, 1.2),
    Grows("delayed jobs waiting", 10, 1e6, 1.2),
    *(Stands(curve, ROUND_TRIP) for curve in WAITS),
    Stands("functions alike but for case, stopped", STOPPED),
    Takes("MB of names, workers for ten 16", 64.0 * MB, GROWN),
    Takes("memory, queued jobs of 64 B", 165),
    Takes("memory, queued jobs with a unique id", 260),
    Takes("memory, idle workers", 4096),
    GivesBack("memory, 10 M queued and drained", 1.5, 20 * MB),
    Against("durable, SQLite, 8 x 50", STOCK, 1 / 40, TIME),
    Takes("durable, SQLite, 8 x 50", 10.0, TIME, commits=5_000.0),
    Against("durable, SQLite, 1 x 1", STOCK, 1.0, TIME),
    Against("durable, SQLite, 4 x 100, 8 workers", STOCK, 1 / 30, TIME),
    Against("durable, PostgreSQL, 8 x 50", STOCK, 1 / 20, TIME),
    Against("durable, MariaDB, 8 x 50", STOCK, 1 / 20, TIME),
    Against("durable, Redis, 8 x 50", STOCK, 1 / 20, TIME),
    Besides("durable, SQLite, foreground beside 50 k/s", "durable, SQLite, foreground alone", 2.0, P99),
    Takes("durable, SQLite, 1 M jobs", 5e6, START),
    Besides("durable, SQLite, 1 M jobs", "durable, 1 M jobs in memory", 16.0, MEMORY, less=True),
    Against("latency, round trip, 8 clients, 8 workers", STOCK, 1 / 2, P99),
    Against("latency, submit, 8 clients", STOCK, 1 / 2, P99),
)


@dataclass(frozen=True)
class Verdict:
    """A bar, and what came of it; `met` is None where nothing was measured."""

    what: str
    asked: str
    found: str = ""
    between: str = ""
    met: bool | None = None

    @property
    def word(self) -> str:
        """Met, NOT met, or not measured."""
        return "not measured" if self.met is None else "met" if self.met else "NOT met"


def judge(bar: Bar, results: Results) -> Verdict:
    """Hold results against one bar."""
    what, asked = bar.what(), bare(bar.write(bar.most))
    found = bar.find(results)
    if found is None:
        return Verdict(what, asked)
    spread = found.spread
    met = spread.median <= bar.most or math.isclose(spread.median, bar.most)
    what += f" ({found.among})" if found.among else ""
    return Verdict(what, asked, bar.write(spread.median), between(bar.write, spread), met)


def verdicts(results: Results) -> list[Verdict]:
    """Hold results against every bar."""
    return [judge(bar, results) for bar in BARS]


def show(results: Results, console: Console | None = None) -> None:
    """Print each bar: met or not, the most that was asked, median and spread of what was found."""
    console = console or Console(highlight=False)
    colours = {True: "green", False: "bold red", None: "dim"}
    judged = verdicts(results)
    console.print(Text(f"\nThe bars\n{'':14}{'at most':9}{'found':9}min..max", style="bold"))
    for one in judged:
        line = Text(f"{one.word:14}", style=colours[one.met])
        line.append(f"{one.asked:9}{one.found:9}{one.between:17} {one.what}", style="not bold default")
        console.print(line, soft_wrap=True)
    console.print(summary(judged))


def summary(judged: Sequence[Verdict]) -> str:
    """Count them."""
    met, missed, unknown = (sum(one.met is word for one in judged) for word in (True, False, None))
    return f"{met} met, {missed} NOT met, {unknown} not measured"


def _row(results: Results, name: str) -> Row | None:
    return next((row for row in results.rows if row.name == name), None)


def _found(figures: list[float]) -> Found | None:
    spread = Spread.of(figures)
    return Found(spread) if spread else None
