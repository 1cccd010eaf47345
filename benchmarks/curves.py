"""Curves in a picture: lines with bands of their spread, each named at its right end, and the scales beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from benchmarks import figures
from benchmarks.figures import OURS
from benchmarks.paper import MARKERS, apart, colour_of, fine, ticks
from benchmarks.results import Spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, Spread]
Lines = dict[str, list[Point]]


def draw(
    axes: Axes,
    lines: Lines,
    said: dict[str, str],
    ink: str,
    height: float,
    span: tuple[float, float] | None = None,
    flat: Collection[str] = (),
) -> None:
    """Draw lines with bands of their spread, each named at its right end; the y axis is logarithmic.

    `span`: what the axis has room for, if not just for the lines; `flat`: whose lines are dashed and have no points,
    being the same for every x.
    """
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
            linestyle="--" if subject in flat else "-",
            marker=MARKERS.get(subject, "v") if few and subject not in flat else None,
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
    name(axes, lines, said, height)


def name(axes: Axes, lines: Lines, said: dict[str, str], height: float) -> None:
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


def mark_x(axes: Axes, marks: dict[float, str]) -> None:
    """Mark the measured points on a logarithmic x axis, as many as can be read."""
    axes.set_xscale("log")
    low, high = min(marks), max(marks)
    whole = math.log(high / low) or 1.0
    shown: list[float] = []
    for point in sorted(marks):
        if not shown or math.log(point / shown[-1]) / whole > 0.13:
            shown.append(point)
    axes.set_xticks(shown, [marks[point] for point in shown])


def mark_y(axes: Axes, write: Callable[[float], str]) -> None:
    """Mark a logarithmic y axis with round numbers."""
    low, high = axes.get_ylim()
    marks = ticks(low, high)
    axes.set_yticks(marks, [fine(figures.bare(write(mark))) for mark in marks])
    axes.minorticks_off()
    axes.tick_params(length=3, pad=3)
