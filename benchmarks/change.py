"""How a figure changed between two runs, and whether that is more than noise.

A change is told when the rounds of the two runs do not overlap (every round of one lies below every round of the
other, the most that a Mann-Whitney test can say) and the medians differ by more than 3 %. Where nothing changed, rounds
lie apart like that by chance once in 126 times with 5 rounds each, and once in 10 with 3. The longest wait of a run is
the one answer that the machine was latest with: below ten milliseconds no change of it is told.

Machines change too. Where all the other servers moved the same way in the same scenario, and ours did not move against
one of them (the ratios round by round tell, by the same rule), it was the machine.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.figures import BUSIEST, CPU, MEMORY, P99, RATE, START, WAIT, Figure, is_ours
from benchmarks.labels import threads_of
from benchmarks.results import Group, Results, Row

MIN_CHANGE = 0.03
"""a smaller change of the median is none"""
MIN_ROUNDS = 3
"""with fewer rounds nothing can be told"""
COMPARED = (CPU, BUSIEST, RATE, P99, MEMORY, START)
# at a rate that each run found for itself only latency says something, and of those who are attacked how long they wait
TELLING: Mapping[Group, tuple[Figure, ...]] = {"latency": (P99,), "standstill": (WAIT,)}
CHANCE = 10e3
"""microseconds: what somebody waits at most is a matter of chance below it"""

Word = Literal["faster", "slower", "unchanged", "machine", "too few rounds"]


@dataclass(frozen=True)
class Change:
    """What became of one figure of one subject in one scenario."""

    scenario: str
    figure: Figure
    subject: str
    before: float
    after: float
    word: Word

    @property
    def part(self) -> float:
        """By how much the median changed: 0.1 is 10 % more."""
        return self.after / self.before - 1

    @property
    def size(self) -> float:
        """How large the change is, the same for twice as much and half as much."""
        return abs(math.log(self.after / self.before))


def apart(before: Sequence[float], after: Sequence[float]) -> bool:
    """Tell whether a change is more than noise."""
    if max(before) >= min(after) and max(after) >= min(before):
        return False
    return abs(statistics.median(after) / statistics.median(before) - 1) > MIN_CHANGE


def changes(before: Results, after: Results) -> list[Change]:
    """Return what became of every figure that both runs have, the largest change first; ours and the others'."""
    rows = {row.name: row for row in after.rows}
    found: list[Change] = []
    for row in before.rows:
        if row.name in rows:
            for figure in TELLING.get(row.group, COMPARED):
                found += _row(row, rows[row.name], figure)
    return sorted(found, key=lambda change: -change.size)


def _row(before: Row, after: Row, figure: Figure) -> list[Change]:
    found = []
    for measured in before.measured:
        if figure is BUSIEST and not threads_of(measured.subject):
            continue  # told of those whose threads are the question: of the others CPU says it
        one, two = figure.of(measured), figure.of(after.of(measured.subject))
        # what is 0 has no ratio to anything
        if one and two and min(*one, *two) > 0:
            medians = statistics.median(one), statistics.median(two)
            found.append(Change(before.name, figure, measured.subject, *medians, _word(figure, one, two)))
    others = [change for change in found if not is_ours(change.subject)]
    return [
        dataclasses.replace(change, word="machine")
        if is_ours(change.subject) and _went_along(change, others, before, after)
        else change
        for change in found
    ]


def _word(figure: Figure, before: Sequence[float], after: Sequence[float]) -> Word:
    if min(len(before), len(after)) < MIN_ROUNDS:
        return "too few rounds"
    by_chance = figure is WAIT and max(*before, *after) < CHANCE
    if by_chance or not apart(before, after):
        return "unchanged"
    more = statistics.median(after) > statistics.median(before)
    return "slower" if more is figure.less_is_better else "faster"


def _went_along(ours: Change, others: Sequence[Change], before: Row, after: Row) -> bool:
    """Tell whether all others changed as ours did, and ours did not change against one of them."""
    if ours.word not in ("faster", "slower") or not others or any(other.word != ours.word for other in others):
        return False
    pick = ours.figure.pick
    ratios = [[row.ratios(ours.subject, other.subject, pick) for row in (before, after)] for other in others]
    return not all(one and two and apart(one, two) for one, two in ratios)
