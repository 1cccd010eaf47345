"""The pictures of a run: bars per scenario, growth curves, latency curves and memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from benchmarks import capacity, figures
from benchmarks.bars import ROUND_TRIP
from benchmarks.curves import Lines, Point, draw, mark_x, mark_y
from benchmarks.figures import AFTER, CPU, FRESH, MEMORY, OURS, RATE, STOCK, WAIT, Figure
from benchmarks.labels import threads_of
from benchmarks.paper import GUTTER, NAMES, PHONE, QUIET, Paper, Picture, colour_of, round_below
from benchmarks.results import Group, Results, Row, Spread

BAR, GAP = 8.5, 3.5
SCALE = 11.0
"""points under the bars of a panel, for the scale that they have"""

Curves = dict[str, Lines]


def pictures(results: Results, columns: int = 1) -> list[Picture]:
    """Return all that the results give reason for, `columns` panels beside each other: 1 for a phone, 2 otherwise."""
    by_threads = capacity.pictures(results, columns)
    # a server by its threads has pictures of its own: among the others it would be one line too many
    rows = [row.only(lambda subject: not threads_of(subject)) for row in results.rows]
    results = msgspec.structs.replace(results, rows=rows)
    plain = [row for row in results.rows if row.group == "plain" and CPU.there(row)]
    stored = [row for row in results.rows if row.group == "durable" and CPU.there(row)]
    kept = [row for row in results.rows if MEMORY.there(row)]
    drained = [row for row in results.rows if AFTER.there(row)]
    late = [row for row in results.rows if row.group == "latency" and any(one for one in _percentiles(row).values())]
    curves, waits = lines_of(results, "growth", CPU), lines_of(results, "standstill", WAIT)
    width = columns * PHONE + (columns - 1) * GUTTER
    draws: list[tuple[str, str, object, Callable[[str], Paper]]] = [
        ("bars", "Server CPU per job in each plain scenario, by server", plain, partial(_plain, plain, width, columns)),
        (
            "durable",
            "Durable jobs per second with each store, by server",
            stored,
            partial(_durable, stored, width, columns),
        ),
        (
            "growth",
            "Server CPU per job as there is more of something",
            curves,
            partial(_growth, curves, width, columns),
        ),
        (
            "standstill",
            "The longest wait while somebody attacks, as there is more of something",
            waits,
            partial(_standing, waits, endless(results), width, columns),
        ),
        ("latency", "Latency percentiles at a fixed rate, by server", late, partial(_latency, late, width, columns)),
        ("memory", "Resident memory for each, by server", kept, partial(_memory, kept, width, columns)),
        ("drained", "Resident memory after the queue was drained", drained, partial(_drained, drained, width, columns)),
    ]
    drawn = [Picture(f"{name}{columns}", says, draw) for name, says, given, draw in draws if given]
    return [*drawn[:1], *by_threads, *drawn[1:]]


def lines_of(results: Results, group: Group, figure: Figure) -> Curves:
    """Return each curve of a group: its subjects, and their points in order."""
    curves: Curves = {}
    rows = [row for row in results.rows if row.group == group and row.curve]
    for row in sorted(rows, key=lambda row: row.x or 0.0):
        for measured in row.measured:
            spread = figure.spread(row, measured.subject)
            if spread:
                lines = curves.setdefault(row.curve, {})
                lines.setdefault(measured.subject, []).append((row.x or 0.0, spread))
    first = {row.curve: at for at, row in reversed(list(enumerate(results.rows)))}
    return {curve: curves[curve] for curve in sorted(curves, key=lambda curve: first[curve])}


def endless(results: Results) -> set[tuple[str, str]]:
    """Return the curves, each with the subject, at whose end nobody waited long enough."""
    last: dict[tuple[str, str], bool] = {}
    for row in sorted((row for row in results.rows if row.curve), key=lambda row: row.x or 0.0):
        for measured in row.measured:
            if measured.rounds:
                last[row.curve, measured.subject] = any(one.endless for one in measured.rounds)
    return {which for which, is_so in last.items() if is_so}


# --- bars -----------------------------------------------------------------------------------------------


def _plain(rows: Sequence[Row], width: float, columns: int, ink: str) -> Paper:
    heading = ("Server CPU per job: less is better", *_scales(columns))
    return _bars(heading, rows, CPU, width, columns, ink)


def _durable(rows: Sequence[Row], width: float, columns: int, ink: str) -> Paper:
    heading = ("Durable jobs per second: more is better", *_scales(columns))
    return _bars(heading, rows, RATE, width, columns, ink)


def _memory(rows: Sequence[Row], width: float, columns: int, ink: str) -> Paper:
    heading = ("Resident memory for each: less is better", *_scales(columns))
    return _bars(heading, rows, MEMORY, width, columns, ink)


def _drained(rows: Sequence[Row], width: float, columns: int, ink: str) -> Paper:
    note = "The upright line is the server when fresh."
    heading = ("Resident memory once all is gone: less is better", *_scales(columns), note)
    return _bars(heading, rows, AFTER, width, columns, ink, mark=FRESH)


def _scales(columns: int) -> list[str]:
    lines = [
        "Medians; whiskers are the least and the most of all rounds.",
        "Each scenario has a scale of its own, drawn under its bars.",
    ]
    return [" ".join(lines)] if columns > 1 else lines


def _bars(
    heading: Sequence[str],
    rows: Sequence[Row],
    figure: Figure,
    width: float,
    columns: int,
    ink: str,
    mark: Figure | None = None,
) -> Paper:
    """Draw a panel of bars for each row, column by column."""
    heights = [18 + (BAR + GAP) * len(_subjects(row, figure)) + SCALE + 9 for row in rows]
    most = -(-len(rows) // columns)
    split = [range(start, min(start + most, len(rows))) for start in range(0, len(rows), most)]
    top = 24.0 + 12 * (len(heading) - 1) + 4
    paper = Paper(width, top + max(sum(heights[at] for at in part) for part in split), ink)
    paper.heading(*heading)
    for column, part in enumerate(split):
        y = top
        for at in part:
            _panel(paper, column * (PHONE + GUTTER), y, rows[at], figure, mark)
            y += heights[at]
    return paper


def _subjects(row: Row, figure: Figure) -> list[str]:
    return [subject for subject in figures.subjects([row]) if figure.spread(row, subject)]


def _panel(paper: Paper, x: float, y: float, row: Row, figure: Figure, mark: Figure | None) -> None:
    """Draw the bars of one row, the longest of them as long as there is room for."""
    paper.text(x, y + 10, row.name, 9, weight="bold")
    against = figure.ratio(row, OURS, STOCK)
    if against:
        stands = figures.ratio(against.median)
        words = f"{stands} of {STOCK}" if "/" in stands else f"{stands} × {STOCK}"
        paper.text(x + PHONE, y + 10, words, 8.5, ha="right", color=colour_of(OURS), weight="bold")
    found = {subject: figure.spread(row, subject) for subject in _subjects(row, figure)}
    scale = (PHONE - NAMES - 62) / max(spread.max for spread in found.values() if spread)
    for at, (subject, spread) in enumerate(found.items()):
        if spread is None:
            continue
        above = y + 17 + at * (BAR + GAP)
        left, base = x + NAMES, above + BAR - 1.2
        ours = "bold" if subject == OURS else "normal"
        paper.text(x + NAMES - 5, base, subject, 8.5, ha="right", weight=ours)
        paper.bar(left, above, spread.median * scale, BAR, colour_of(subject))
        paper.whisker(left + spread.min * scale, left + spread.max * scale, above + BAR / 2, 4)
        paper.text(left + spread.max * scale + 5, base, figure.write(spread.median), 8.5, weight=ours)
        fresh = mark.spread(row, subject) if mark else None
        if fresh:
            paper.line([left + fresh.median * scale] * 2, [above - 1.5, above + BAR + 1.5], 1.6)
    _measure(paper, x + NAMES, y + 18 + len(found) * (BAR + GAP), scale, (PHONE - NAMES - 62) / scale, figure)


def _measure(paper: Paper, left: float, y: float, scale: float, most: float, figure: Figure) -> None:
    """Draw the scale under a panel's bars, from 0 to a round figure: panels that look alike need not be."""
    unit = 1024.0 ** max(math.floor(math.log(most, 1024)), 0) if figure.write is figures.size else 1.0
    end = unit * round_below(most / unit)
    right = left + end * scale
    paper.line([left, left, right, right], [y - 2, y, y, y - 2], 0.6, alpha=QUIET)
    paper.text(left - 5, y + 5, "0", 7.5, ha="right", alpha=QUIET)
    paper.text(right, y + 8, figures.bare(figure.write(end)), 7.5, ha="center", alpha=QUIET)


# --- curves ---------------------------------------------------------------------------------------------


def _growth(curves: Curves, width: float, columns: int, ink: str) -> Paper:
    heading = ("What a job costs as there is more: flat is better", "Server CPU, µs per job; both scales logarithmic.")
    said = {
        (curve, subject): f"{subject} × {_grown(line)}"
        for curve, lines in curves.items()
        for subject, line in lines.items()
    }
    return _panels(heading, curves, said, _amount, 34, width, columns, ink)


def _standing(curves: Curves, endless: set[tuple[str, str]], width: float, columns: int, ink: str) -> Paper:
    heading = (
        "The longest wait under attack: lower is better",
        f"Of a round trip; logarithmic, the same scale for all; dashed: {_bare(ROUND_TRIP)}.",
    )
    said = {}
    for curve, lines in curves.items():
        for subject, line in lines.items():
            over = "> " if (curve, subject) in endless else ""
            said[curve, subject] = f"{subject} {over}{_bare(line[-1][1].median)}"
    spreads = [spread for lines in curves.values() for line in lines.values() for _, spread in line]
    ends = [ROUND_TRIP, *(spread.min for spread in spreads), *(spread.max for spread in spreads)]
    span = min(ends), max(ends)
    return _panels(heading, curves, said, figures.duration, 44, width, columns, ink, span, ROUND_TRIP)


def _bare(microseconds: float) -> str:
    return figures.bare(figures.duration(microseconds))


def _panels(
    heading: Sequence[str],
    curves: Curves,
    said: dict[tuple[str, str], str],
    write: Callable[[float], str],
    left: float,
    width: float,
    columns: int,
    ink: str,
    span: tuple[float, float] | None = None,
    mark: float | None = None,
) -> Paper:
    """Draw a panel for each curve; `left`: points for what stands beside its y axis.

    `span`: the least and the most of all panels, if they have one scale; `mark`: where a dashed line is drawn.
    """
    height, labels = 152.0, NAMES + 28
    paper = Paper(width, 54 + -(-len(curves) // columns) * height, ink)
    paper.heading(*heading)
    for at, (curve, lines) in enumerate(curves.items()):
        x, y = at % columns * (PHONE + GUTTER), 46 + at // columns * height
        paper.text(x, y + 10, curve, 9, weight="bold")
        axes = paper.axes(x + left, y + 20, PHONE - left - labels, height - 50)
        zero = _below(lines)
        moved = {subject: [(point or zero, spread) for point, spread in line] for subject, line in lines.items()}
        if mark:
            axes.axhline(mark, color=ink, linewidth=0.8, linestyle="--", alpha=QUIET)
        draw(axes, moved, {subject: said[curve, subject] for subject in lines}, ink, height - 50, span)
        points = {point for line in moved.values() for point, _ in line}
        count = figures.size if "bytes" in curve else figures.count
        mark_x(axes, {point: "0" if point == zero else figures.bare(count(point)) for point in points})
        mark_y(axes, write)
    return paper


def _below(lines: Lines) -> float:
    """Return where a logarithmic axis shows 0: a little left of the least that there is."""
    points = sorted({point for line in lines.values() for point, _ in line if point})
    return points[0] / (points[-1] / points[0]) ** 0.18 if len(points) > 1 else 0.1


def _grown(line: Sequence[Point]) -> str:
    return figures.factor(line[-1][1].median / line[0][1].median)


def _latency(rows: Sequence[Row], width: float, columns: int, ink: str) -> Paper:
    height = 190.0
    paper = Paper(width, 54 + -(-len(rows) // columns) * height, ink)
    paper.heading(
        "How long an answer takes: lower is better", "So many percent of the answers took no longer; logarithmic."
    )
    for at, row in enumerate(rows):
        x, y = at % columns * (PHONE + GUTTER), 46 + at // columns * height
        rate = RATE.spread(row, figures.subjects([row])[0])
        paper.text(x, y + 10, f"{row.name}{f', {figures.rate(rate.median)}' if rate else ''}", 9, weight="bold")
        axes = paper.axes(x + 44, y + 20, PHONE - 44 - NAMES, height - 54)
        lines = _percentiles(row)
        draw(axes, lines, {subject: subject for subject in lines}, ink, height - 54)
        marks = {-math.log10(1 - percent / 100): f"{percent:g} %" for percent in (50, 90, 99, 99.9, 99.99)}
        axes.set_xticks(list(marks), list(marks.values()))
        mark_y(axes, figures.duration)
    return paper


def _percentiles(row: Row) -> Lines:
    """Return each subject's latencies from the median up: an x for each further nine, and the spread of the rounds."""
    lines: Lines = {}
    for subject in figures.subjects([row]):
        measured = row.of(subject)
        found: dict[float, list[float]] = {}
        for one in measured.rounds if measured else ():
            for percent, value in one.latency.curve if one.latency else ():
                if 50 <= percent <= 99.99:
                    found.setdefault(percent, []).append(value)
        spreads = ((percent, Spread.of(values)) for percent, values in sorted(found.items()))
        line = [(-math.log10(1 - percent / 100), spread) for percent, spread in spreads if spread]
        if line:
            lines[subject] = line
    return lines


def _amount(value: float) -> str:
    return figures.count(value) if value > 999 else figures.number(value)
