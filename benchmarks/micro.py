"""`python -m benchmarks micro`: each room of the server by itself, in nanoseconds and in instructions."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks import callgrind, instructions
from benchmarks.build import BuildFailed, build
from benchmarks.instructions import Change, Counts
from benchmarks.results import Spread

OPERATIONS = 20_000
ROUNDS = 9
PROFILED = 30
"""functions shown of a profile"""
NARROW = 96
"""columns, below which the spread is left out"""


def names(only: str = "") -> list[str]:
    """Return the benchmarks whose name contains this."""
    from benchmarks.conversations import CONVERSATIONS
    from benchmarks.rooms import ROOMS

    return [name for name in ROOMS | CONVERSATIONS if only in name]


def time_all(chosen: Sequence[str]) -> dict[str, Spread]:
    """Return nanoseconds per operation; the benchmarks take turns, so that a bad moment does not hit one alone."""
    from benchmarks.conversations import CONVERSATIONS
    from benchmarks.rooms import ROOMS

    everything = ROOMS | CONVERSATIONS
    figures: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(ROUNDS):
        for name in chosen:
            figures[name].append(everything[name].play(OPERATIONS) / OPERATIONS)
    return {name: spread for name in chosen if (spread := Spread.of(figures[name])) is not None}


def table(times: Mapping[str, Spread], changes: Mapping[str, Change], width: int) -> Table:
    """Build the table; without counts it has no columns for them."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    shown.add_column("one operation", no_wrap=True)
    heads = [
        "ns",
        *(["min..max"] if width >= NARROW else []),
        *(["instructions", "recorded", "change"] if changes else []),
    ]
    for head in heads:
        shown.add_column(head, justify="right", no_wrap=True)
    for name in [*times, *(name for name in changes if name not in times)]:
        cells = [name]
        spread, change = times.get(name), changes.get(name)
        cells.append(f"{spread.median:.1f}" if spread else "")
        if width >= NARROW:
            cells.append(f"{spread.min:.1f}..{spread.max:.1f}" if spread else "")
        if changes:
            cells += counted(change) if change else ["", "", ""]
        shown.add_row(*cells)
    return shown


def counted(change: Change) -> list[str]:
    """Return the cells of a count."""
    cells = [
        "gone" if change.now is None else f"{change.now:.1f}",
        "" if change.before is None else f"{change.before:.1f}",
    ]
    if change.share is None:
        return [*cells, "new" if change.before is None else ""]
    style = (
        "red" if change.complaint else "green" if change.share < -0.01 else "dim" if abs(change.share) < 0.0005 else ""
    )
    words = f"{change.share:+.1%}"
    return [*cells, f"[{style}]{words}[/]" if style else words]


def keep(counts: Counts, record: bool, whole: bool) -> str:
    """Write counts down where they belong, if they do; return what there is to say about it.

    Only a run of all benchmarks forgets those that are gone.
    """
    name = instructions.key()
    path = instructions.COMMITTED if record else instructions.FOUND
    committed = instructions.read(instructions.COMMITTED)
    if name in committed and not record:
        return f"Recorded: {name}"
    known = committed if record else {}
    known[name] = dict(counts) if whole else known.get(name, {}) | counts
    instructions.write(path, known)
    if record:
        return f"Recorded in {path.relative_to(instructions.ROOT)}: {name}"
    return f"{instructions.unknown(name)}\nTo commit it: {instructions.RECORD}"


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    made = argparse.ArgumentParser(prog="python -m benchmarks micro", description=__doc__)
    made.add_argument("--only", default="", metavar="TEXT", help="those whose name contains this")
    made.add_argument("--no-callgrind", action="store_true", help="no instructions, only nanoseconds")
    made.add_argument("--profile", metavar="NAME", help="where the instructions of this one go, by function")
    made.add_argument("--record", action="store_true", help="write the instructions into the committed file")
    return made


def show_profile(name: str, console: Console) -> None:
    """Show where one benchmark's instructions go. Raises CannotCountError."""
    if name not in names():
        raise callgrind.CannotCountError(f"there is no benchmark {name!r}, but {', '.join(map(repr, names()))}")
    spent = callgrind.profile(name, callgrind.find())
    whole = sum(spent.values())
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("instructions", "share"):
        shown.add_column(head, justify="right")
    shown.add_column(f"function, in {name}", no_wrap=True)
    for function, instructions_spent in list(spent.items())[:PROFILED]:
        shown.add_row(f"{instructions_spent:.1f}", f"{instructions_spent / whole:.1%}", readable(function))
    shown.add_row(f"{whole:.1f}", "100%", "in all")
    console.print(shown)


def readable(symbol: str) -> str:
    """Return a C symbol of Cython's as module and function: __pyx_f_8gearfast_6broker_6Broker_grab."""
    found = re.match(r"__pyx_(?:f|pw|pf)_(.+)", symbol)
    if found is None:
        return symbol
    parts, rest = [], found[1]
    while (size := re.match(r"\d+", rest)) is not None:
        end = size.end() + int(size[0])
        parts.append(rest[size.end() : end])
        rest = rest[end:].removeprefix("_")
    return ".".join([*parts, rest])


def main(words: Sequence[str]) -> int:
    """Measure, count, compare, show; return the exit status."""
    asked = parser().parse_args(words)
    console = Console(highlight=False)
    try:
        build()
        if asked.profile is not None:
            show_profile(asked.profile, console)
        else:
            show_all(asked, console)
    except (BuildFailed, callgrind.CannotCountError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    return 0


def show_all(asked: argparse.Namespace, console: Console) -> None:
    """Show the table of those asked for, and keep the counts. Raises CannotCountError."""
    chosen = names(asked.only)
    if not chosen:
        raise callgrind.CannotCountError(f"no benchmark has {asked.only!r} in its name")
    counts = {} if asked.no_callgrind and not asked.record else callgrind.count(chosen, callgrind.find())
    recorded = instructions.read(instructions.COMMITTED).get(instructions.key(), {})
    before = {name: count for name, count in recorded.items() if asked.only in name}
    changes = {change.name: change for change in instructions.compare(counts, before)} if counts else {}
    console.print(table(time_all(chosen), changes, console.width))
    if counts:
        console.print(f"\n{keep(counts, asked.record, not asked.only)}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
