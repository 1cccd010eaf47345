"""The results as tables, one for each group of scenarios and one each for latency and memory; and in a terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich.console import Console

from benchmarks import figures, threads
from benchmarks.columns import NARROW, Columns, Table, between, median, ratio, text
from benchmarks.figures import (
    BUSY,
    CALM,
    CALM_WORST,
    COMMITS,
    CPU,
    GROWN,
    LATENCIES,
    LIMIT,
    MEMORIES,
    RATE,
    START,
    STOCK,
    WAIT,
    Figure,
)
from benchmarks.results import Group, Results, Row, Subject

DECIDES = (
    "CPU per job decides: it is what a job costs you. Busy is how much of one core the server used. Near 100 % the "
    "server sets the jobs per second; below, the load generator does, on a core of its own, or, where one job is sent "
    "at a time, the time in which the kernel wakes one process after the other."
)

STANDSTILL = "Standing still: the longest wait while somebody attacks, less is better"


def tables(results: Results) -> list[Table]:
    """Return all tables that there are figures for."""
    found = []
    names = {"plain": "Plain work", "growth": "Growth", "trouble": "Trouble"}
    groups: tuple[Group, ...] = ("plain", "growth", "trouble")
    for group in groups:
        rows = [row for row in results.rows if row.group == group]
        found.append(
            _table(
                group,
                f"{names[group]}: server CPU per job, less is better",
                rows,
                results,
                _WORK,
                DECIDES if group == "plain" else "",
            )
        )
        if group == "plain":
            found += [*threads.tables(results), *_durable(results)]
        if group == "growth":
            still = [row for row in results.rows if row.group == "standstill"]
            table = _table("standstill", STANDSTILL, still, results, _STANDING)
            found.append(dataclasses.replace(table, absences=[*cut_off(still), *table.absences]))
    late = [row for row in results.rows if row.group == "latency"]
    found.append(_table("latency", "Latency of jobs due at a fixed rate", late, results, _LATENCY))
    asked = [row for row in results.rows if row.group == "trouble" and figures.P50.there(row)]
    found.append(_table("trouble", "Trouble: latency", asked, results, _LATENCY))
    kept = [row for row in results.rows if any(figure.there(row) for figure in MEMORIES)]
    found.append(_table("memory", "Resident memory", kept, results, _MEMORY))
    return [table for table in found if table.blocks]


def show(results: Results, console: Console | None = None) -> None:
    """Print all tables; without colours when the output is no terminal."""
    console = console or Console(highlight=False)
    console.print("\n".join(header(results)), markup=False)
    for table in tables(results):
        console.print(text(table, narrow=console.width < NARROW), end="")
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


def _table(group: Group, title: str, rows: list[Row], results: Results, columns: Columns, note: str = "") -> Table:
    blocks, missing = columns.blocks(rows), absences(rows, results)
    return Table(group, title, columns.heads, columns.telling, blocks, missing, note)


def _work(row: Row, subject: str) -> list[str]:
    ratios = (ratio(CPU, row, subject, other) for other in (STOCK, LIMIT))
    return [median(CPU, row, subject), *ratios, *_more(row, subject, CPU, RATE, BUSY)]


def _more(row: Row, subject: str, figure: Figure, *others: Figure) -> list[str]:
    """Write the least and the most of a figure, and the medians of others."""
    return [between(figure, row, subject), *(median(other, row, subject) for other in others)]


def _durable(results: Results) -> list[Table]:
    """Return the tables of the queues that are kept in a store."""
    rows = [row for row in results.rows if row.group == "durable"]
    late = [row for row in rows if figures.P99.there(row)]
    started = [row for row in rows if START.there(row)]
    # with those that nobody could be measured in: their reasons are told below it
    stored = [row for row in rows if row not in late and not MEMORIES[0].there(row)]
    return [
        _table("durable", "Durable: jobs per second; disk: its commits per second", stored, results, _STORED),
        _table("durable", "Durable: latency of foreground jobs", late, results, _LATENCY),
        _table("durable", "Durable: from the start, after a kill, to listening", started, results, _STARTED),
    ]


def _stored(row: Row, subject: str) -> list[str]:
    kept = [median(RATE, row, subject), ratio(RATE, row, subject, STOCK), median(CPU, row, subject)]
    return [*kept, *_more(row, subject, RATE, COMMITS)]


def _started(row: Row, subject: str) -> list[str]:
    return [median(START, row, subject), *_more(row, subject, START, COMMITS)]


def _standing(row: Row, subject: str) -> list[str]:
    more = (CALM, CALM_WORST, figures.P99, GROWN)
    return [waited(row, subject), ratio(WAIT, row, subject, STOCK), *(median(one, row, subject) for one in more)]


def waited(row: Row, subject: str) -> str:
    """Write the longest wait, and that it had no end where somebody lost patience."""
    measured = row.of(subject)
    endless = measured is not None and any(one.endless for one in measured.rounds)
    return f"{'over ' if endless else ''}{median(WAIT, row, subject)}"


def _latency(row: Row, subject: str) -> list[str]:
    p50, p99, *more = (median(figure, row, subject) for figure in LATENCIES)
    return [p50, p99, ratio(figures.P99, row, subject, STOCK), *more, median(RATE, row, subject)]


def _memory(row: Row, subject: str) -> list[str]:
    each, fresh, after = MEMORIES
    kept = [median(each, row, subject), ratio(each, row, subject, STOCK)]
    return [*kept, median(fresh, row, subject), median(after, row, subject)]


_WORK = Columns(["CPU", f"to {STOCK}", f"to {LIMIT}", "min..max", "jobs", "busy"], 3, _work)
_STORED = Columns(["jobs", f"to {STOCK}", "CPU per job", "min..max", "disk"], 3, _stored)
_STARTED = Columns(["listens after", "min..max", "disk"], 2, _started)
_STANDING = Columns(["wait", f"to {STOCK}", "p50 alone", "max alone", "p99", "memory"], 3, _standing)
_LATENCY = Columns(["p50", "p99", f"p99 to {STOCK}", "p99.9", "max", "jobs"], 3, _latency)
_MEMORY = Columns(["each", f"to {STOCK}", "server fresh", "server drained"], 2, _memory)
