"""The victim: one client and one worker that have one foreground job after the other done, while somebody attacks.

Its longest wait is the longest turn that the server made of it, and a little more.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from benchmarks.attacker import Attacker, Told, attacker
from benchmarks.errors import Stalled
from benchmarks.latency import Counted, latency, together
from benchmarks.results import Round
from benchmarks.scenarios.scenario import Play
from benchmarks.trial import Trial

if TYPE_CHECKING:
    from benchmarks.load import Load

NO_END = 1_000_000_000
"""round trips: the time ends a run, not their number"""
CALM = 0.1
"""seconds of round trips before the attack"""
LOOK = 0.1
"""seconds of round trips between two looks whether the attack is over"""
REST = 0.1
"""seconds of round trips after the attack; of a millionth each for what there was of jobs, functions or abilities"""


@dataclass
class Felt:
    """What the victim felt of an attack."""

    counted: list[Counted] = field(default_factory=list)
    told: Told | None = None
    """how the attack went, if it came to its end in time"""
    endless: bool = False
    """an answer did not come at all"""

    def round(self, patience: float) -> Round:
        """Return it as figures; `patience` in seconds is how long it would have waited."""
        counted = together(self.counted)
        found = latency(counted)
        longest = patience * 1e6 if self.endless or found is None else found.max
        jobs, cut = sum(count for _, count in counted), self.told.cut if self.told else ""
        return Round(jobs, 0.0, latency=found, wait=longest, endless=self.endless, cut=cut)


def waits(attack: str) -> Play:
    """The longest round trip while somebody does that."""

    def play(trial: Trial) -> Round:
        from benchmarks.load import Load

        size, patience = trial.budget.jobs, trial.budget.seconds
        victim = Load(trial.port, patience=patience, path=trial.path)
        with attacker(attack, trial.port, size, patience) as other:
            victim.workers(1)
            victim.clients(1, foreground=True)
            victim.run(NO_END, seconds=CALM / 10)
            calm = latency(victim.run(NO_END, seconds=CALM).latencies)
            trial.tree.forget_peak()
            before = trial.tree.resident()
            felt = attacked(victim, other, size, patience)
            grown = float(max(trial.tree.peak() - before, 0))
        if felt.told is None or felt.endless:
            trial.kill()
        return msgspec.structs.replace(felt.round(patience), calm=calm, grown=grown)

    return play


def attacked(victim: Load, other: Attacker, size: int, patience: float) -> Felt:
    """Have it strike, and return what the victim feels until it is over, and a little longer."""
    felt = Felt()
    limit = time.monotonic() + patience
    other.strike()
    try:
        while felt.told is None and time.monotonic() < limit:
            felt.counted.append(victim.run(NO_END, seconds=LOOK).latencies)
            felt.told = other.told(0.0)
        felt.counted.append(victim.run(NO_END, seconds=REST + min(size / 1e6, 1.0)).latencies)
    except Stalled:
        felt.endless = True
    return felt


def takes(attack: str) -> Play:
    """How long the attacker waits for what it asks for itself."""

    def play(trial: Trial) -> Round:
        patience = trial.budget.seconds
        with attacker(attack, trial.port, trial.budget.jobs, patience) as other:
            other.strike()
            told = other.told(patience)
        if told is None:
            trial.kill()
            return Round(1, patience, wait=patience * 1e6, endless=True)
        if told.took is None:
            raise ConnectionError(told.cut)
        return Round(1, told.took, wait=told.took * 1e6)

    return play
