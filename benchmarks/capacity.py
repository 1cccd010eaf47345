"""The picture of what a server can do with more threads: jobs per second over their number, a panel per scenario."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from benchmarks import figures, threads
from benchmarks.curves import Lines, Point, draw, mark_x, mark_y
from benchmarks.figures import CAPACITY, LIMIT, OURS, RATE, STOCK, Figure
from benchmarks.labels import threaded
from benchmarks.paper import GUTTER, NAMES, PHONE, QUIET, Paper, Picture
from benchmarks.results import Results, Row, Spread

HEIGHT = 152.0
LEFT = 44.0
"""points for what stands beside the y axis"""
LABELS = NAMES + 28


def pictures(results: Results, columns: int = 1) -> list[Picture]:
    """Return them for a run that has figures by threads, `columns` panels beside each other."""
    rows = threads.rows_of(results)
    draws = [("threads", "What the busiest thread could do, as there are more of them", CAPACITY, COULD)]
    if threads.real(results):
        draws.insert(0, ("rates", "Jobs per second, as the server has more threads", RATE, DID))
    return [
        Picture(f"{name}{columns}", says, partial(_panels, heading, rows, figure, columns))
        for name, says, figure, heading in draws
        if rows
    ]


COULD = (
    "Capacity with more threads: higher is better",
    "One second through the CPU per job of the busiest thread.",
)
DID = (
    "Jobs per second by threads: higher is better",
    "A core for each thread, and the load on others.",
)


def lines_of(row: Row, figure: Figure) -> tuple[Lines, set[str]]:
    """Return a line for each program over its numbers of threads, and whose are flat: those that come as they are."""
    numbers = threads.numbers(row)
    lines: Lines = {}
    flat = set()
    for program in (OURS, STOCK, LIMIT):
        found = [(float(many), figure.spread(row, threaded(program, many))) for many in numbers]
        line = [(many, spread) for many, spread in found if spread]
        alone = figure.spread(row, program) if program != OURS else None
        if line:
            lines[program] = line
        elif alone:
            lines[program] = [(float(numbers[0]), alone), (float(numbers[-1]), alone)]
            flat.add(program)
    return lines, flat


def _panels(heading: Sequence[str], rows: Sequence[Row], figure: Figure, columns: int, ink: str) -> Paper:
    drawn = [(row, *lines_of(row, figure)) for row in rows]
    words = [*heading, _how(drawn)]
    top = 22.0 + 12 * (len(words) - 1)
    width = columns * PHONE + (columns - 1) * GUTTER
    paper = Paper(width, top + 8 + -(-len(rows) // columns) * HEIGHT, ink)
    paper.heading(*words)
    for at, (row, lines, flat) in enumerate(drawn):
        x, y = at % columns * (PHONE + GUTTER), top + at // columns * HEIGHT
        paper.text(x, y + 10, row.name, 9, weight="bold")
        axes = paper.axes(x + LEFT, y + 20, PHONE - LEFT - LABELS, HEIGHT - 50)
        points = sorted({many for line in lines.values() for many, _ in line})
        ideal = _ideal(lines.get(OURS, []), points)
        axes.plot(points[: len(ideal)], ideal, color=ink, linewidth=0.9, linestyle=":", alpha=QUIET)
        said = {subject: _said(subject, [spread for _, spread in line], flat) for subject, line in lines.items()}
        draw(axes, lines, said, ink, HEIGHT - 50, _span(lines, ideal), flat)
        mark_x(axes, {many: f"{many:.0f}" for many in points})
        mark_y(axes, figures.rate)
    return paper


def _ideal(line: Sequence[Point], points: Sequence[float]) -> list[float]:
    """Return what threads would do that cost each other nothing, for each number of them; nothing without a line."""
    return [line[0][1].median * many / line[0][0] for many in points] if line else []


def _how(drawn: Sequence[tuple[Row, Lines, set[str]]]) -> str:
    """Say how to read it."""
    dashed = " Dashed: servers as they come." if any(flat for _, _, flat in drawn) else ""
    return f"Dotted: as many times what one thread does.{dashed}"


def _said(subject: str, line: Sequence[Spread], flat: set[str]) -> str:
    """Write beside a line whose it is, and how far it comes."""
    if subject in flat:
        return f"{subject} {figures.rate(line[-1].median)}"
    return f"{subject} × {figures.factor(line[-1].median / line[0].median)}"


def _span(lines: Lines, ideal: Sequence[float]) -> tuple[float, float]:
    spreads = [spread for line in lines.values() for _, spread in line]
    return min(one.min for one in spreads), max([*ideal, *(one.max for one in spreads)])
