"""`python -m benchmarks compare A.json B.json`: what got faster or slower from A to B, beyond the noise."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from benchmarks import results
from benchmarks.change import MIN_CHANGE, MIN_ROUNDS, Change, changes
from benchmarks.figures import OURS, is_ours
from benchmarks.results import Results

SURE = 5
"""rounds in each run, with which chance seldom looks like a change"""
COLOURS = {"faster": "green", "slower": "bold red", "machine": "yellow"}


def main(argv: Sequence[str]) -> int:
    """Compare two files; return 0, 1 where `--fail` is given and something of ours got slower, 2 for a bad file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description=__doc__)
    parser.add_argument("before", type=Path, metavar="A.json")
    parser.add_argument("after", type=Path, metavar="B.json")
    parser.add_argument("--fail", action="store_true", help="end with status 1 if anything of gearfast got slower")
    parser.add_argument("--all", action="store_true", help="also list what did not change")
    asked = parser.parse_args(argv)
    read = results.read_for("compare", asked.before, asked.after)
    if read is None:
        return 2
    before, after = read
    found = changes(before, after)
    show(before, after, found, everything=asked.all)
    slower = any(change.word == "slower" and is_ours(change.subject) for change in found)
    return 1 if asked.fail and slower else 0


def show(
    before: Results,
    after: Results,
    found: Sequence[Change],
    *,
    everything: bool = False,
    console: Console | None = None,
) -> None:
    """Print what differs between the runs themselves, then the changes, the largest first, and their count."""
    console = console or Console(highlight=False)
    for line in differences(before, after):
        console.print(line, markup=False, soft_wrap=True)
    ours = [change for change in found if is_ours(change.subject)]
    others = [change for change in found if not is_ours(change.subject)]
    for line in moves(others):
        console.print(line, markup=False, soft_wrap=True)
    told = [change for change in ours if everything or change.word in ("faster", "slower")]
    _list(f"{OURS}: what changed by more than {MIN_CHANGE:.0%}, its rounds apart", told, console)
    _list("the others", others if everything else [], console)
    console.print(summary(ours), soft_wrap=True)


def differences(before: Results, after: Results) -> list[str]:
    """Say in what the runs differ other than in their figures."""
    lines = [f"from {before.made}, commit {before.commit}", f"to   {after.made}, commit {after.commit}"]
    for what, one, two in (("machine", before.machine, after.machine), ("options", before.options, after.options)):
        for key in dict.fromkeys((*one, *two)):
            if one.get(key) != two.get(key) and key not in ("busy before", "command"):
                lines.append(f"another {what}: {key}: {one.get(key, '-')} -> {two.get(key, '-')}")
    versions = {subject.label: subject.version for subject in before.subjects}
    for subject in after.subjects:
        if not is_ours(subject.label) and versions.get(subject.label, subject.version) != subject.version:
            lines.append(f"another {subject.label}: {versions[subject.label] or '-'} -> {subject.version or '-'}")
    names = [{row.name: None for row in run.rows} for run in (before, after)]
    for where, here, there in (("first", *names), ("second", *reversed(names))):
        only = [name for name in here if name not in there]
        if only:
            lines.append(f"only in the {where}: {'; '.join(only)}")
    fewest = min(
        (
            len(one.rounds)
            for run in (before, after)
            for row in run.rows
            for one in row.measured
            # some of the others are context only; and nobody waits twice for who does not answer
            if one.subject == OURS and one.rounds and not any(round_.endless for round_ in one.rounds)
        ),
        default=0,
    )
    if fewest < SURE:
        lines.append(f"some have only {fewest} rounds: chance looks like a change more often than with {SURE}")
    return lines


def moves(others: Sequence[Change]) -> list[str]:
    """Say how the other subjects changed, which tells what the machine did."""
    lines = []
    for subject, figure in dict.fromkeys((change.subject, change.figure.name) for change in others):
        all_ = [change for change in others if (change.subject, change.figure.name) == (subject, figure)]
        moved = [change.part for change in all_ if change.word in ("faster", "slower")]
        if moved:
            part = statistics.median(moved)
            lines.append(f"{subject} changed too: {figure} in {len(moved)} of {len(all_)}, by {part:+.1%} (median)")
    return sorted(lines)


def summary(ours: Sequence[Change]) -> str:
    """Count what became of ours."""
    count = {word: sum(change.word == word for change in ours) for word in ("faster", "slower", "unchanged")}
    text = ", ".join(f"{number} {word}" for word, number in count.items())
    machine = sum(change.word == "machine" for change in ours)
    few = sum(change.word == "too few rounds" for change in ours)
    text += f", {machine} as much as the others: the machine changed" if machine else ""
    return text + (f", {few} not told: fewer than {MIN_ROUNDS} rounds" if few else "")


def _list(title: str, found: Sequence[Change], console: Console) -> None:
    if not found:
        return
    console.print(Text(f"\n{title}", style="bold"))
    for change in found:
        line = Text(f"{change.word:15}", style=COLOURS.get(change.word, "dim"))
        text = f"{change.part:+8.1%}  {change.figure.name:7}{change.figure.write(change.before):>10} -> "
        text += f"{change.figure.write(change.after):10} {change.scenario}"
        text += f", {change.subject}" if change.subject != OURS else ""
        console.print(line.append(text, style="not bold default"), soft_wrap=True)
    console.print()
