"""`python -m benchmarks threads RESULTS.json`: what a job costs each of several threads, and what that comes to.

A server of several threads can do as many jobs a second as its busiest thread can: that is its capacity, one second
through the CPU per job of that thread. It holds on machines with fewer cores than threads; jobs per second do not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import columns, figures, results
from benchmarks.columns import Columns, Table
from benchmarks.figures import BUSIEST, CAPACITY, CPU, LIMIT, LOADED, OURS, RATE, STOCK, Figure
from benchmarks.labels import counted, program_of, threaded, threads_of
from benchmarks.results import Results, Row, Spread

ONE = threaded(OURS, 1)
"""what more threads are held against: the same build"""


def main(argv: Sequence[str]) -> int:
    """Print the tables; return 0, or 2 for a file without them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks threads", description=__doc__)
    parser.add_argument("results", type=Path, metavar="RESULTS.json", help="of a run with --threads, or of growth")
    asked = parser.parse_args(argv)
    read = results.read_for("threads", asked.results)
    if read is None:
        return 2
    (found,) = read
    shown = tables(found)
    if not shown:
        print(
            f"threads: {asked.results} tells of no server by its threads: measure with --threads=1,2", file=sys.stderr
        )
        return 2
    console = Console(highlight=False)
    for table in shown:
        console.print(columns.text(table, narrow=console.width < columns.NARROW), end="")
    return 0


def rows_of(found: Results) -> list[Row]:
    """Return the plain scenarios in which a server was measured with several numbers of threads.

    Of their subjects there are those by their threads, gearmand as it comes, and the limit.
    """

    def told(subject: str) -> bool:
        return threads_of(subject) > 0 or subject in (STOCK, LIMIT)

    rows = [row.only(told) for row in found.rows if row.group == "plain"]
    return [row for row in rows if len(numbers(row)) > 1]


def numbers(row: Row) -> list[int]:
    """Return how many threads whoever has the most of them was measured with, in order."""
    each: dict[str, set[int]] = {}
    for subject in figures.subjects([row]):
        if threads_of(subject) and BUSIEST.spread(row, subject):
            each.setdefault(program_of(subject), set()).add(threads_of(subject))
    largest: set[int] = set()
    for some in each.values():
        largest = some if len(some) > len(largest) else largest
    return sorted(largest)


def ratio_to_one(figure: Figure, row: Row, subject: str) -> Spread | None:
    """Return how a figure stands to that of the same program with one thread; None for those without a number."""
    threads = threads_of(subject)
    return figure.ratio(row, subject, threaded(program_of(subject), 1)) if threads > 1 else None


def stock_beside(row: Row, subject: str) -> str:
    """Return the gearmand that a subject is held against: as it comes, else with as many threads."""
    return STOCK if BUSIEST.spread(row, STOCK) else threaded(STOCK, threads_of(subject))


def tables(found: Results) -> list[Table]:
    """Return the tables of a run that has figures for them."""
    rows = rows_of(found)
    shown = [
        ("Threads: CPU per job of the busiest one, less is better", BUSY_ONE, ""),
        ("Threads: CPU per job of all, and what the busiest one could do", ALL, bounds(found)),
    ]
    if real(found):
        shown.insert(0, ("Threads: jobs per second; busy: the busiest one, of its core", DONE, ""))
    return [_table(title, rows, kind, note) for title, kind, note in shown if rows]


def real(found: Results) -> bool:
    """Tell whether the threads had cores and load enough for jobs per second to mean something: a run of `growth`."""
    return bool(found.options.get("loads"))


def bounds(found: Results) -> str:
    """Say what the machine could show, and what it could not."""
    said = (
        "Capacity is one second through the CPU per job of the busiest thread: what it could do with a core to itself."
    )
    most = max((number for row in rows_of(found) for number in numbers(row)), default=0)
    cores, there = found.machine.get("cores of the servers", ""), found.machine.get("cores", "")
    if not cores.isdecimal() or int(cores) >= most:
        return said
    where = f"On {cores}{f' of {there}' if there not in ('', cores) else ''} cores"
    if cores == "1":
        taken = "threads take turns: what they lose to each other is not seen"
    else:
        taken = f"{cores} threads run at a time: what more of them lose to each other is not seen"
    return (
        f"{said} {where} {taken}, nor are jobs per second with a core for each, nor how long {most} of them wait for a "
        "lock: python -m benchmarks.growth measures these where there are more."
    )


def _table(title: str, rows: Sequence[Row], kind: Columns, note: str) -> Table:
    """Lay a table out; a number of threads says whose they are, where it is ours."""
    blocks = [
        (row, [(_short(subject), cells) for subject, cells in lines if any(cells)]) for row, lines in kind.blocks(rows)
    ]
    ours = frozenset(name for _, lines in blocks for name, _ in lines if threads_of(f"{OURS} {name}"))
    return Table("threads", title, kind.heads, kind.telling, blocks, [], note, ours)


def _short(subject: str) -> str:
    """Return a label that leaves room for figures."""
    threads, program = threads_of(subject), program_of(subject)
    if not threads:
        return subject
    return counted(threads) if program == OURS else f"{program} {threads}"


def _to_one(figure: Figure, row: Row, subject: str) -> list[str]:
    return _written(ratio_to_one(figure, row, subject))


def _written(spread: Spread | None) -> list[str]:
    """Write a ratio, and the least and the most of it."""
    return [figures.factor(spread.median), figures.between(figures.factor, spread)] if spread else ["", ""]


def _busy_one(row: Row, subject: str) -> list[str]:
    limit = None if subject == LIMIT else BUSIEST.ratio(row, subject, LIMIT)
    return [columns.median(BUSIEST, row, subject), *_to_one(BUSIEST, row, subject), *_written(limit)]


def _all(row: Row, subject: str) -> list[str]:
    stock = stock_beside(row, subject)
    other = None if subject == stock else CAPACITY.ratio(row, subject, stock)
    could = [columns.median(CAPACITY, row, subject), columns.between(CAPACITY, row, subject)]
    return [*_to_one(CPU, row, subject), *could, figures.factor(other.median) if other else ""]


def _done(row: Row, subject: str) -> list[str]:
    did = [columns.median(RATE, row, subject), columns.between(RATE, row, subject)]
    return [*did, *_to_one(RATE, row, subject), columns.median(LOADED, row, subject)]


BUSY_ONE = Columns(["busiest", "to 1", "min..max", f"to {LIMIT}", "min..max"], 3, _busy_one)
ALL = Columns(["all to 1", "min..max", "capacity", "min..max", f"to {STOCK}"], 3, _all)
DONE = Columns(["jobs", "min..max", "to 1", "min..max", "busy"], 3, _done)
