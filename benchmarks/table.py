"""The results as tables, one for each group of scenarios and one each for latency and memory; and in a terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from benchmarks import figures
from benchmarks.figures import (
    CALM,
    CALM_WORST,
    COMMITS,
    CPU,
    GROWN,
    LATENCIES,
    LIMIT,
    MEMORIES,
    OURS,
    RATE,
    START,
    STOCK,
    WAIT,
    Figure,
)
from benchmarks.results import Group, Results, Row, Subject

NARROW = 72
"""in a terminal of fewer columns, some figures are left to the report"""

STANDSTILL = "Standing still: the longest wait while somebody attacks, less is better"

Cells = Callable[[Row, str], list[str]]
Lines = list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Table:
    """Scenarios, each with a line of cells for each subject that was measured."""

    group: Group
    title: str
    heads: list[str]
    blocks: list[tuple[Row, Lines]]
    absences: list[str]


def tables(results: Results, *, narrow: bool = False) -> list[Table]:
    """Return all tables that there are figures for; `narrow` ones have the most telling columns only."""
    found = []
    names = {"plain": "Plain work", "growth": "Growth", "trouble": "Trouble"}
    groups: tuple[Group, ...] = ("plain", "growth", "trouble")
    for group in groups:
        rows = [row for row in results.rows if row.group == group]
        found.append(
            _table(group, f"{names[group]}: server CPU per job, less is better", rows, results, *_work(narrow))
        )
        if group == "plain":
            found += _durable(results, narrow)
        if group == "growth":
            still = [row for row in results.rows if row.group == "standstill"]
            table = _table("standstill", STANDSTILL, still, results, *_standing(narrow))
            found.append(dataclasses.replace(table, absences=[*cut_off(still), *table.absences]))
    late = [row for row in results.rows if row.group == "latency"]
    found.append(_table("latency", "Latency of jobs due at a fixed rate", late, results, *_latency(narrow)))
    asked = [row for row in results.rows if row.group == "trouble" and figures.P50.there(row)]
    found.append(_table("trouble", "Trouble: latency", asked, results, *_latency(narrow)))
    kept = [row for row in results.rows if any(figure.there(row) for figure in MEMORIES)]
    found.append(_table("memory", "Resident memory", kept, results, *_memory(narrow)))
    return [table for table in found if table.blocks]


def show(results: Results, console: Console | None = None) -> None:
    """Print all tables; without colours when the output is no terminal."""
    console = console or Console(highlight=False)
    console.print("\n".join(header(results)), markup=False)
    for table in tables(results, narrow=console.width < NARROW):
        console.print(_text(table), end="")
    console.print()
    for sentence in results.not_measured:
        console.print(f"Not measured: {sentence}", markup=False, style="dim")


def header(results: Results) -> list[str]:
    """Return what was measured, when, and where, in lines."""
    lines = [f"{results.made}, commit {results.commit}", ", ".join(where(results))]
    for subject in results.subjects:
        lines.append(f"{subject.label} was not measured: {subject.missing}" if subject.missing else named(subject))
    return [line for line in lines if line]


def where(results: Results) -> list[str]:
    """Return what the machine is, in a few words."""
    cores = results.machine.get("cores")
    words = [results.machine.get("processor"), f"{cores} cores" if cores else "", results.machine.get("kernel")]
    return [word for word in words if word]


def named(subject: Subject) -> str:
    """Return a subject's name and version; a version that begins with the name says both."""
    said = subject.version.startswith(subject.label)
    return subject.version if said else f"{subject.label} {subject.version}".rstrip()


def absences(rows: Sequence[Row], results: Results) -> list[str]:
    """Say who took no part in which scenarios, and why: a line for each reason, without names where it is all."""
    absent = {subject.label for subject in results.subjects if subject.missing}
    without: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for one in row.measured:
            if not one.rounds and one.subject not in absent:
                without.setdefault((one.subject, one.missing or "not measured"), []).append(row.name)
    return [
        f"Without {subject} ({reason})" + (f": {'; '.join(names)}." if len(names) < len(rows) else ".")
        for (subject, reason), names in without.items()
    ]


def cut_off(rows: Sequence[Row]) -> list[str]:
    """Say which servers made an end of an attack by closing connections, and of which."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for one in row.measured:
            if any(played.cut for played in one.rounds):
                found.setdefault(one.subject, []).append(row.name)
    return [f"Attackers were cut off by {subject}: {'; '.join(names)}." for subject, names in found.items()]


def _table(group: Group, title: str, rows: list[Row], results: Results, heads: list[str], cells: Cells) -> Table:
    blocks = [(row, [(subject, cells(row, subject)) for subject in figures.subjects([row])]) for row in rows]
    return Table(group, title, heads, [block for block in blocks if block[1]], absences(rows, results))


def _work(narrow: bool) -> tuple[list[str], Cells]:
    def cells(row: Row, subject: str) -> list[str]:
        spread = CPU.spread(row, subject)
        kept = [_median(CPU, row, subject), _ratio(CPU, row, subject, STOCK), _ratio(CPU, row, subject, LIMIT)]
        return kept if narrow else [*kept, CPU.between(spread) if spread else "", _median(RATE, row, subject)]

    heads = ["CPU" if narrow else "CPU per job", f"to {STOCK}", f"to {LIMIT}", "min..max", "jobs"]
    return heads[: 3 if narrow else 5], cells


def _durable(results: Results, narrow: bool) -> list[Table]:
    """Return the tables of the queues that are kept in a store."""
    rows = [row for row in results.rows if row.group == "durable"]
    late = [row for row in rows if figures.P99.there(row)]
    started = [row for row in rows if START.there(row)]
    # with those that nobody could be measured in: their reasons are told below it
    stored = [row for row in rows if row not in late and not MEMORIES[0].there(row)]
    return [
        _table("durable", "Durable: jobs per second; disk: its commits per second", stored, results, *_stored(narrow)),
        _table("durable", "Durable: latency of foreground jobs", late, results, *_latency(narrow)),
        _table("durable", "Durable: from the start, after a kill, to listening", started, results, *_started(narrow)),
    ]


def _stored(narrow: bool) -> tuple[list[str], Cells]:
    def cells(row: Row, subject: str) -> list[str]:
        spread = RATE.spread(row, subject)
        kept = [_median(RATE, row, subject), _ratio(RATE, row, subject, STOCK), _median(CPU, row, subject)]
        between = RATE.between(spread) if spread else ""
        return kept if narrow else [*kept, between, _median(COMMITS, row, subject)]

    heads = ["jobs", f"to {STOCK}", "CPU per job", "min..max", "disk"]
    return heads[: 3 if narrow else 5], cells


def _started(narrow: bool) -> tuple[list[str], Cells]:
    def cells(row: Row, subject: str) -> list[str]:
        spread = START.spread(row, subject)
        kept = [_median(START, row, subject), START.between(spread) if spread else "", _median(COMMITS, row, subject)]
        return kept[: 2 if narrow else 3]

    return ["listens after", "min..max", "disk"][: 2 if narrow else 3], cells


def _standing(narrow: bool) -> tuple[list[str], Cells]:
    def cells(row: Row, subject: str) -> list[str]:
        kept = [waited(row, subject), _ratio(WAIT, row, subject, STOCK), _median(CALM, row, subject)]
        more = (CALM_WORST, figures.P99, GROWN)
        return kept if narrow else [*kept, *(_median(figure, row, subject) for figure in more)]

    heads = ["wait", f"to {STOCK}", "p50 alone", "max alone", "p99", "memory"]
    return heads[: 3 if narrow else 6], cells


def waited(row: Row, subject: str) -> str:
    """Write the longest wait, and that it had no end where somebody lost patience."""
    measured = row.of(subject)
    endless = measured is not None and any(one.endless for one in measured.rounds)
    return f"{'over ' if endless else ''}{_median(WAIT, row, subject)}"


def _latency(narrow: bool) -> tuple[list[str], Cells]:
    shown = LATENCIES[:2] if narrow else LATENCIES

    def cells(row: Row, subject: str) -> list[str]:
        kept = [*(_median(figure, row, subject) for figure in shown), _ratio(figures.P99, row, subject, STOCK)]
        return kept if narrow else [*kept, _median(RATE, row, subject)]

    heads = [*(figure.name for figure in shown), f"p99 to {STOCK}", "jobs"]
    return heads[: 3 if narrow else 6], cells


def _memory(narrow: bool) -> tuple[list[str], Cells]:
    each, fresh, after = MEMORIES

    def cells(row: Row, subject: str) -> list[str]:
        kept = [_median(each, row, subject), _ratio(each, row, subject, STOCK)]
        return kept if narrow else [*kept, _median(fresh, row, subject), _median(after, row, subject)]

    heads = ["each", f"to {STOCK}", "server fresh", "server drained"]
    return heads[: 2 if narrow else 4], cells


def _text(table: Table) -> Text:
    """Write a table for a terminal: each scenario a line of its own, its subjects under it in columns."""
    lines: Lines = [("", table.heads)]
    for row, measured in table.blocks:
        lines += [(row.name, []), *((f"  {subject}", cells) for subject, cells in measured)]
    full = [line for line in lines if line[1]]
    widths = [max(len(cells[at]) for _, cells in full) for at in range(len(table.heads))]
    first = max(len(name) for name, _ in full) + 1
    text = Text(f"\n{table.title}\n", style="bold")
    for name, cells in lines:
        columns = "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=False))
        style = "dim" if not name else "cyan" if name.strip() == OURS else "not bold"
        text.append(f"{name:<{first if cells else 0}}{columns}".rstrip() + "\n", style=style if cells else "")
    for sentence in table.absences:
        text.append(f"{sentence}\n", style="dim not bold")
    return text


def _median(figure: Figure, row: Row, subject: str) -> str:
    spread = figure.spread(row, subject)
    return figure.write(spread.median) if spread else ""


def _ratio(figure: Figure, row: Row, subject: str, other: str) -> str:
    spread = None if subject == other else figure.ratio(row, subject, other)
    return figures.ratio(spread.median) if spread else ""
