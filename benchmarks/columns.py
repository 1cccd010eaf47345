"""A table of figures: scenarios, under each a line for each subject, and what stands in its columns; in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.text import Text

from benchmarks import figures
from benchmarks.figures import OURS, Figure
from benchmarks.results import Group, Row

NARROW = 72
"""in a terminal of fewer columns, some figures are left to the report"""

Chapter = Group | Literal["threads"]
Cells = Callable[[Row, str], list[str]]
Lines = list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Table:
    """Scenarios, each with a line of cells for each subject that was measured."""

    group: Chapter
    title: str
    heads: list[str]
    telling: int
    """columns that a narrow terminal or a phone shows"""
    blocks: list[tuple[Row, Lines]]
    absences: list[str]
    note: str = ""
    """how to read it"""
    ours: frozenset[str] = frozenset({OURS})
    """whose lines are to be seen first"""


@dataclass(frozen=True)
class Columns:
    """What a table has beside its subjects: the most telling columns first."""

    heads: list[str]
    telling: int
    cells: Cells

    def blocks(self, rows: Sequence[Row]) -> list[tuple[Row, Lines]]:
        """Return the lines of each row that anybody was measured in."""
        found = [(row, [(subject, self.cells(row, subject)) for subject in figures.subjects([row])]) for row in rows]
        return [block for block in found if block[1]]


def text(table: Table, *, narrow: bool) -> Text:
    """Write a table for a terminal: each scenario a line of its own, its subjects under it in columns."""
    shown = table.telling if narrow else len(table.heads)
    lines: Lines = [("", table.heads[:shown])]
    for row, measured in table.blocks:
        lines += [(row.name, []), *((f"  {subject}", cells[:shown]) for subject, cells in measured)]
    full = [line for line in lines if line[1]]
    widths = [max(len(cells[at]) for _, cells in full) for at in range(shown)]
    first = max(len(name) for name, _ in full) + 1
    written = Text(f"\n{table.title}\n", style="bold")
    for name, cells in lines:
        columns = "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=False))
        style = "dim" if not name else "cyan" if name.strip() in table.ours else "not bold"
        written.append(f"{name:<{first if cells else 0}}{columns}".rstrip() + "\n", style=style if cells else "")
    for sentence in filter(None, (table.note, *table.absences)):
        written.append(f"{sentence}\n", style="dim not bold")
    return written


def median(figure: Figure, row: Row, subject: str) -> str:
    """Write the median of a subject's figure, or nothing."""
    spread = figure.spread(row, subject)
    return figure.write(spread.median) if spread else ""


def between(figure: Figure, row: Row, subject: str) -> str:
    """Write the least and the most of it, or nothing."""
    spread = figure.spread(row, subject)
    return figure.between(spread) if spread else ""


def ratio(figure: Figure, row: Row, subject: str, other: str) -> str:
    """Write how it stands to that of another, or nothing."""
    spread = None if subject == other else figure.ratio(row, subject, other)
    return figures.ratio(spread.median) if spread else ""
