"""The figures that a run is told in: what each is called, where it stands in a round, and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.labels import program_of, threads_of
from benchmarks.results import Measured, Round, Row, Spread

OURS = "gearfast"
STOCK = "gearmand"
LIMIT = "limit"


def number(value: float) -> str:
    """Write a number as people read it: 0.012, 0.37, 6.8, 19.3, 126, 6,350."""
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    if size >= 0.995:
        return f"{value:.1f}"
    if size >= 0.0995 or size == 0:
        return f"{value:.2f}" if size else "0"
    return f"{value:.2g}"


def microseconds(value: float) -> str:
    """Write processor time per job, always in the one unit: 0.37 us, 6.8 us, 126 us."""
    return f"{number(value)} us"


def duration(value: float) -> str:
    """Write so many microseconds in the unit that fits: 85.0 us, 1.4 ms, 12.3 s."""
    for unit, size in (("us", 1.0), ("ms", 1e3)):
        if value / size < 999.5:
            return f"{number(value / size)} {unit}"
    return f"{number(value / 1e6)} s"


def count(value: float) -> str:
    """Write a number of things: 1.3, 10, 300, 8.7 k, 167 k, 1.75 M."""
    if value < 9.95:
        return bare(f"{value:.1f}")
    if value < 999.5:
        return f"{value:.0f}"
    if value < 99_950:
        return bare(f"{value / 1e3:.1f}") + " k"
    if value < 999_500:
        return f"{value / 1e3:.0f} k"
    return bare(f"{value / 1e6:.2f}" if value < 9_995_000 else f"{value / 1e6:,.1f}") + " M"


def bare(text: str) -> str:
    """Take off the decimals that say nothing: 1.50 becomes 1.5, 1/8.0 becomes 1/8, "4.0 KB" becomes "4 KB"."""
    head, space, unit = text.partition(" ")
    return (head.rstrip("0").rstrip(".") if "." in head else head) + space + unit


def rate(value: float) -> str:
    """Write jobs per second: 62/s, 8.7 k/s, 1.75 M/s."""
    return f"{count(value)}/s"


def share(value: float) -> str:
    """Write a part of one core: 7 %, 98 %; 240 % with several threads."""
    return f"{value * 100:.0f} %"


def size(value: float) -> str:
    """Write bytes: 154 B, 10.9 KB, 41.5 MB (a KB is 1,024 B)."""
    if abs(value) < 1023.5:
        return f"{value:.0f} B"
    for unit, bytes_ in (("KB", 1 << 10), ("MB", 1 << 20)):
        if abs(value) / bytes_ < 1023.5:
            return f"{number(value / bytes_)} {unit}"
    return f"{number(value / (1 << 30))} GB"


def ratio(value: float) -> str:
    """Write how a figure stands to another: 1/17 and 1/2.5 for less, 0.92 and 1.08 for about the same, 3.4 for more."""
    if value <= 0:
        return "0"
    if 1 / value >= 1.45:
        return f"1/{_turned(1 / value)}"
    return f"{value:.2f}" if value < 1.995 else number(value)


def _turned(value: float) -> str:
    """Write a number that is at least 1, without decimals that say nothing."""
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def factor(value: float) -> str:
    """Write how many times something is something else: 0.97, 1.02, 2.8, 17, 1,150."""
    return f"{value:.2f}" if value < 1.995 else _turned(value)


@dataclass(frozen=True)
class Figure:
    """One kind of figure."""

    name: str
    unit: str
    pick: Callable[[Round], float | None]
    write: Callable[[float], str]
    less_is_better: bool = True

    def of(self, measured: Measured | None) -> list[float]:
        """Return it for every round that has it."""
        return measured.figures(self.pick) if measured else []

    def spread(self, row: Row, subject: str) -> Spread | None:
        """Return a subject's median, least and most; None where it was not measured."""
        return Spread.of(self.of(row.of(subject)))

    def ratio(self, row: Row, subject: str, other: str) -> Spread | None:
        """Return subject's through other's: that of the medians, and the least and most of all rounds."""
        rounds = Spread.of(row.ratios(subject, other, self.pick))
        one, two = self.spread(row, subject), self.spread(row, other)
        return Spread(one.median / two.median, rounds.min, rounds.max) if rounds and one and two else None

    def there(self, row: Row) -> bool:
        """Tell whether any subject of the row has it."""
        return any(self.of(measured) for measured in row.measured)

    def between(self, spread: Spread) -> str:
        """Write least and most."""
        return between(self.write, spread)


def between(write: Callable[[float], str], spread: Spread) -> str:
    """Write least and most, a unit that both have only once: "6.5..7.1 us"."""
    least, most = write(spread.min), write(spread.max)
    number_, _, unit = least.partition(" ")
    return f"{number_}..{most}" if unit and most.endswith(f" {unit}") else f"{least}..{most}"


CPU = Figure("CPU", "us per job", lambda one: one.cpu, microseconds)
BUSIEST = Figure("busiest", "us per job", lambda one: one.busiest, microseconds)
CAPACITY = Figure(
    "capacity", "jobs per second", lambda one: 1e6 / one.busiest if one.busiest else None, rate, less_is_better=False
)
BUSY = Figure("busy", "of one core", lambda one: one.cpu * one.rate / 1e6 if one.cpu and one.rate else None, share)
LOADED = Figure(
    "loaded", "of its core", lambda one: one.busiest * one.rate / 1e6 if one.busiest and one.rate else None, share
)
RATE = Figure("rate", "jobs per second", lambda one: one.rate, rate, less_is_better=False)
P50 = Figure("p50", "latency", lambda one: one.latency.p50 if one.latency else None, duration)
P99 = Figure("p99", "latency", lambda one: one.latency.p99 if one.latency else None, duration)
P999 = Figure("p99.9", "latency", lambda one: one.latency.p999 if one.latency else None, duration)
WORST = Figure("max", "latency", lambda one: one.latency.max if one.latency else None, duration)
MEMORY = Figure("memory", "bytes each", lambda one: one.memory, size)
FRESH = Figure("fresh", "resident bytes", lambda one: one.fresh, size)
TIME = Figure("time", "us per job", lambda one: 1e6 / one.rate if one.rate else None, microseconds)
START = Figure("start", "seconds", lambda one: one.start * 1e6 if one.start else None, duration)
WAIT = Figure("wait", "the longest", lambda one: one.wait, duration)
CALM = Figure("alone", "p50 alone", lambda one: one.calm.p50 if one.calm else None, duration)
CALM_WORST = Figure("max alone", "the longest alone", lambda one: one.calm.max if one.calm else None, duration)
GROWN = Figure("grown", "resident bytes", lambda one: one.grown, size)
COMMITS = Figure("commits", "transactions per second", lambda one: one.commits, rate, less_is_better=False)
AFTER = Figure("after", "resident bytes", lambda one: one.after, size)

LATENCIES = (P50, P99, P999, WORST)
MEMORIES = (MEMORY, FRESH, AFTER)
EACH = (CPU, RATE, *LATENCIES, *MEMORIES, START, WAIT)


def is_ours(subject: str) -> bool:
    """Tell whether a subject is gearfast, with however many threads."""
    return program_of(subject) == OURS


def subjects(rows: list[Row]) -> list[str]:
    """Return the subjects that were measured in any of the rows: ours first, then stock's, the limit last.

    A program with so many threads comes behind itself without a word of them.
    """
    seen = {measured.subject: None for row in rows for measured in row.measured if measured.rounds}
    rank = {OURS: 0, STOCK: 1, LIMIT: 3}
    return sorted(seen, key=lambda subject: (rank.get(program_of(subject), 2), threads_of(subject)))
