"""What a run says in three figures."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from benchmarks.bars import Plain
from benchmarks.figures import CPU, LIMIT, MEMORY, OURS, P99, STOCK, count, factor
from benchmarks.results import Results, Row, Spread

MAX_LINES = 3


@dataclass(frozen=True)
class Telling:
    """A figure large, and what it is."""

    figure: str
    says: str


def telling(results: Results) -> list[Telling]:
    """Return the most telling figures that the run has."""
    found = (_to_stock(results), _to_limit(results), _cliff(results), _latency(results), _memory(results))
    return [one for one in found if one][:MAX_LINES]


def versus(value: float) -> tuple[str, str]:
    """Write a ratio as how many times, and whether less or more."""
    return (times(1 / value), "less") if value < 1 else (times(value), "more")


def times(value: float) -> str:
    """Write a factor, not to be broken between two lines."""
    return f"{factor(value)}\N{NO-BREAK SPACE}×"


def _mean(results: Results, other: str) -> Spread | None:
    mean = Plain("", other, 0, statistics.geometric_mean).find(results)
    return mean.spread if mean else None


def _each(results: Results, other: str) -> list[tuple[float, Row]]:
    ratios = ((CPU.ratio(row, OURS, other), row) for row in results.rows if row.group == "plain")
    return sorted(((ratio.median, row) for ratio, row in ratios if ratio), key=lambda each: each[0])


def _to_stock(results: Results) -> Telling | None:
    mean, each = _mean(results, STOCK), _each(results, STOCK)
    if not mean:
        return None
    figure, which = versus(mean.median)
    says = f"{which} server CPU per job than {STOCK}"
    (best, row), (worst, _) = each[0], each[-1]
    if len(each) == 1:
        return Telling(figure, f"{says} ({row.name})")
    between = f"from {' '.join(versus(worst))} to {' '.join(versus(best))}"
    return Telling(figure, f"{says}: mean of {len(each)} plain scenarios, {between}")


def _to_limit(results: Results) -> Telling | None:
    mean, each = _mean(results, LIMIT), _each(results, LIMIT)
    if not mean:
        return None
    worst, row = each[-1]
    says = "the least that one thread can do"
    if len(each) > 1:
        says += f": mean of {len(each)} plain scenarios, at worst {times(worst)}"
    return Telling(times(mean.median), f"{says} ({row.name})")


def _cliff(results: Results) -> Telling | None:
    """Return the growth curve that stock climbs most steeply, and how we do on it."""
    found: list[tuple[float, float, str]] = []
    for curve in dict.fromkeys(row.curve for row in results.rows if row.curve):
        rows = sorted((row for row in results.rows if row.curve == curve), key=lambda row: row.x or 0.0)
        rows = [row for row in rows if CPU.spread(row, OURS) and CPU.spread(row, STOCK)]
        if len(rows) > 1:
            ours, stock = (_grown(rows[0], rows[-1], subject) for subject in (OURS, STOCK))
            found.append((stock, ours, f"{curve} from {count(rows[0].x or 0)} to {count(rows[-1].x or 0)}"))
    if not found:
        return None
    stock, ours, where = max(found)
    return Telling(times(ours), f"the CPU per job, {where}; {STOCK}: {times(stock)}")


def _grown(first: Row, last: Row, subject: str) -> float:
    start, end = CPU.spread(first, subject), CPU.spread(last, subject)
    return end.median / start.median if start and end else 1.0


def _latency(results: Results) -> Telling | None:
    ratios = [(P99.ratio(row, OURS, STOCK), row) for row in results.rows if row.group == "latency"]
    for ratio, row in ratios:
        if ratio:
            figure, which = versus(ratio.median)
            return Telling(figure, f"{which} than {STOCK} at the 99th percentile ({row.name})")
    return None


def _memory(results: Results) -> Telling | None:
    for row in results.rows:
        spread = MEMORY.spread(row, OURS)
        if spread:
            return Telling(MEMORY.write(spread.median), f"each ({row.name})")
    return None
