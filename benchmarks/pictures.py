"""The pictures of a run: bars per scenario, growth curves, latency curves and memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import figures
from benchmarks.bars import ROUND_TRIP
from benchmarks.figures import AFTER, CPU, FRESH, MEMORY, OURS, RATE, STOCK, WAIT, Figure
from benchmarks.paper import MARKERS, PHONE, QUIET, Paper, Picture, apart, colour_of, fine, round_below, ticks
from benchmarks.results import Group, Results, Row, Spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GUTTER = 26.0
"""points between two columns of panels"""
NAMES = 64.0
"""points for the subjects' names, left of their bars and right of their lines"""
BAR, GAP = 8.5, 3.5
SCALE = 11.0
"""points under the bars of a panel, for the scale that they have"""

Point = tuple[float, Spread]
Lines = dict[str, list[Point]]
Curves = dict[str, Lines]


def pictures(results: Results, columns: int = 1) -> list[Picture]:
    """Return all that the results give reason for, `columns` panels beside each other: 1 for a phone, 2 otherwise."""
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
    return [Picture(f"{name}{columns}", says, draw) for name, says, given, draw in draws if given]


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
        _draw(axes, moved, {subject: said[curve, subject] for subject in lines}, ink, height - 50, span)
        points = {point for line in moved.values() for point, _ in line}
        count = figures.size if "bytes" in curve else figures.count
        _count(axes, {point: "0" if point == zero else figures.bare(count(point)) for point in points})
        _scale(axes, write)
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
        _draw(axes, lines, {subject: subject for subject in lines}, ink, height - 54)
        marks = {-math.log10(1 - percent / 100): f"{percent:g} %" for percent in (50, 90, 99, 99.9, 99.99)}
        axes.set_xticks(list(marks), list(marks.values()))
        _scale(axes, figures.duration)
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


def _draw(
    axes: Axes,
    lines: Lines,
    said: dict[str, str],
    ink: str,
    height: float,
    span: tuple[float, float] | None = None,
) -> None:
    """Draw lines with bands of their spread, each named at its right end; the y axis is logarithmic."""
    axes.set_yscale("log")
    for subject, line in lines.items():
        at, colour = [point for point, _ in line], colour_of(subject)
        few = len(line) < 8
        axes.fill_between(at, [s.min for _, s in line], [s.max for _, s in line], color=colour, alpha=0.22, linewidth=0)
        axes.plot(
            at,
            [spread.median for _, spread in line],
            color=colour,
            linewidth=2.0 if subject == OURS else 1.4,
            marker=MARKERS.get(subject, "v") if few else None,
            markersize=3.5,
            zorder=3 if subject == OURS else 2,
        )
    least, most = span or (
        min(spread.min for line in lines.values() for _, spread in line),
        max(spread.max for line in lines.values() for _, spread in line),
    )
    room = (most / least) ** 0.06 * 1.15
    axes.set_ylim(least / room, most * room)
    axes.grid(axis="y", color=ink, alpha=0.14, linewidth=0.6)
    _name(axes, lines, said, height)


def _name(axes: Axes, lines: Lines, said: dict[str, str], height: float) -> None:
    """Write beside the end of each line whose it is; those that reach the right edge one below the other."""
    low, high = axes.get_ylim()
    edge = max(line[-1][0] for line in lines.values())
    reach = [subject for subject, line in lines.items() if line[-1][0] == edge]
    ends = [math.log(lines[subject][-1][1].median / low) / math.log(high / low) * height for subject in reach]
    places = dict(zip(reach, apart(ends, 11), strict=True))
    for subject, line in lines.items():
        how: dict[str, Any] = {"weight": "bold"} if subject == OURS else {}
        place = (1.0, min(max(places.get(subject, 0), 2), height - 2) / height)
        axes.annotate(
            said[subject],
            place if subject in places else (line[-1][0], line[-1][1].median),
            xycoords="axes fraction" if subject in places else "data",
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=colour_of(subject),
            annotation_clip=False,
            **how,
        )


def _count(axes: Axes, marks: dict[float, str]) -> None:
    """Mark the measured points on a logarithmic x axis, as many as can be read."""
    axes.set_xscale("log")
    low, high = min(marks), max(marks)
    whole = math.log(high / low) or 1.0
    shown: list[float] = []
    for point in sorted(marks):
        if not shown or math.log(point / shown[-1]) / whole > 0.13:
            shown.append(point)
    axes.set_xticks(shown, [marks[point] for point in shown])


def _scale(axes: Axes, write: Callable[[float], str]) -> None:
    low, high = axes.get_ylim()
    marks = ticks(low, high)
    axes.set_yticks(marks, [fine(figures.bare(write(mark))) for mark in marks])
    axes.minorticks_off()
    axes.tick_params(length=3, pad=3)


def _amount(value: float) -> str:
    return figures.count(value) if value > 999 else figures.number(value)
