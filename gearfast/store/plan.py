"""What goes into the next batch for the store.

What was in a batch that failed is tried again in smaller ones, at last by itself, and in turn with what came since. So
it is found out which job it is that the store does not take, and the others wait no longer than these attempts take.
"""

import math
from collections import deque
from enum import Enum
from typing import NamedTuple

from gearfast.broker.outbox import Waits
from gearfast.config import Config
from gearfast.ground.clock import monotonic
from gearfast.store.batches import Batches
from gearfast.store.contract import CEILING, Batch
from gearfast.store.lone import Lone, Loner

REMOVES_PER_ADD = 4
"""In a batch: a number costs so much less than a job."""
HURRY = 8
"""The part of ``store_timeout`` in which what was in a batch that failed is to be written, if it can be."""


class Kind(Enum):
    """What a batch is made of."""

    FRESH = "fresh"
    """What came since the last one; with what is to be forgotten, unless something failed."""
    REMOVES = "removes"
    """What is to be forgotten."""
    AGAIN = "again"
    SINGLY = "singly"
    HEAVY = "heavy"
    ANEW = "anew"
    LONE = "lone"
    """One that failed by itself, to be kept or to be forgotten."""
    METADATA = "metadata"


LINES = {kind: Waits[kind.name] for kind in (Kind.FRESH, Kind.AGAIN, Kind.SINGLY, Kind.HEAVY, Kind.ANEW)}


class Planned(NamedTuple):
    """A batch that is to be written, and what it is made of."""

    kind: Kind
    batch: Batch
    behind: int = 0
    """How many other numbers are to be forgotten before anybody is told of it, as things stand."""
    loner: Loner | None = None

    @property
    def keeps(self) -> bool:
        """Whether there are jobs to keep in it: what is remembered of ended ones goes with the numbers to forget."""
        forgets = self.kind == Kind.REMOVES or (self.loner is not None and self.loner.forget)
        return bool(self.batch.adds) and not forgets


class Plan:
    """Makes them: what came since, and one of everything else, in turn."""

    def __init__(self, batches: Batches, config: Config) -> None:
        self.batches = batches
        self.config = config
        self.lone = Lone(*config.store_retry)
        self.metadata: dict[str, str] = {}
        """To be written."""
        self.most = {Kind.FRESH: config.store_batch, Kind.AGAIN: 1, Kind.SINGLY: 1, Kind.HEAVY: 1}
        self.most[Kind.ANEW] = config.store_batch
        """Jobs in a batch of each kind."""
        self.most_removes = config.store_batch * REMOVES_PER_ADD
        self.apart = False
        """Something failed: jobs, numbers to forget and metadata are written apart, so that it is seen which it was."""
        self.turns: deque[Kind] = deque(kind for kind in Kind if kind != Kind.FRESH)
        self.fresh_last = False
        self.last_ones = False
        """The server ends, and needs no more numbers of jobs."""
        self.overtaken = 0
        """So many numbers were to be forgotten before something that was written meanwhile."""
        self.written = 0
        """Plan."""
        self.stuck: dict[int, int] = {}
        """Numbers that were not forgotten when each was all there was in a batch, and ``written`` then."""

    @property
    def waits(self) -> bool:
        """Whether there is anything for the store."""
        return self.batches.waits or bool(self.lone) or bool(self.metadata)

    # --- what is next ---

    def next(self) -> Planned | None:
        """Return what is written next; None: nothing is, now."""
        if self.batches.crowded and not self.last_ones:
            self.metadata[CEILING] = str(self.batches.last + self.config.store_numbers)
        others = list(self.turns)
        kinds = [*others, Kind.FRESH] if self.fresh_last else [Kind.FRESH, *others]
        for kind in [*kinds, Kind.HEAVY]:  # once more: some may have been among those that came since
            planned = self.of(kind)
            if planned is not None:
                self.fresh_last = kind == Kind.FRESH
                if not self.fresh_last:
                    self.turns.rotate(-1 - self.turns.index(kind))
                return planned
        return None

    def of(self, kind: Kind) -> Planned | None:
        """Return a batch of this kind, if there is one."""
        if kind == Kind.LONE:
            return self.loner()
        if kind == Kind.METADATA:
            return Planned(kind, Batch([], [], dict(self.metadata))) if self.apart and self.metadata else None
        if kind == Kind.REMOVES:
            return self.removes() if self.apart else None
        if kind == Kind.FRESH and not self.apart:
            return self.collected(kind, self.most_removes, self.metadata)
        return self.collected(kind, 0, {}) if self.batches.count(LINES[kind]) else None

    def collected(self, kind: Kind, most_removes: int, metadata: dict[str, str]) -> Planned | None:
        """Return the next batch of a line; jobs that ended meanwhile are none."""
        line = LINES[kind]
        while True:
            size = self.config.store_batch_bytes
            removes, adds = self.batches.collect(line, self.most[kind], size, most_removes)
            if removes or adds or metadata:
                # The metadata may change while it is written.
                return Planned(kind, Batch(removes, adds, dict(metadata)), self.behind(removes))
            self.batches.written()
            if not self.batches.count(line):
                return None

    def behind(self, removes: list[int]) -> int:
        """Return how many numbers besides these are to be forgotten, and have not failed by themselves already.

        For those that have, nobody waits: another attempt, which may take longer, is not to keep them.
        """
        others = self.stuck.keys() - removes if self.stuck else ()
        failed = sum(not self.is_asked_for_again(number) for number in others)  # such a one is not to be forgotten
        return self.batches.removes - len(removes) - failed

    def removes(self) -> Planned | None:
        """Return a batch of numbers to forget, and nothing else."""
        size = self.config.store_batch_bytes
        numbers, remembered = self.batches.collect(Waits.FRESH, 0, size, self.most_removes)
        return Planned(Kind.REMOVES, Batch(numbers, remembered, {})) if numbers else None

    def overtook(self) -> Planned | None:
        """Return what has to be written before anybody is told of what was.

        Who knows of a job in the store may rely on it that what had ended before is not there any more.
        """
        planned = self.removes() if self.overtaken else None
        if planned is None:
            self.overtaken = 0
        return planned

    def loner(self) -> Planned | None:
        """Return the next one of those that failed by themselves, if it is time."""
        now = monotonic()
        while (loner := self.lone.first_due()) is not None and max(loner.due, self.lone.after) <= now:
            if loner.forget:
                if not self.is_asked_for_again(loner.number):
                    remembered = self.batches.collect_ended(loner.number)
                    return Planned(Kind.LONE, Batch([loner.number], remembered, {}), loner=loner)
            elif adds := self.batches.collect_one(loner.number):
                return Planned(Kind.LONE, Batch([], adds, {}), self.behind([]), loner)
            self.drop(loner)
        return None

    def due(self) -> float:
        """Return when there is something to be tried again, in monotonic seconds; infinity: not of itself."""
        loner = self.lone.first_due()
        return math.inf if loner is None else max(loner.due, self.lone.after)

    # --- how it went ---

    def taken(self, planned: Planned, took: float) -> None:
        """It was written, in ``took`` seconds: what is left goes in larger batches again."""
        self.batches.written()
        self.written += 1
        kind, batch, behind, loner = planned
        most_removes = self.config.store_batch * REMOVES_PER_ADD
        if loner is not None:
            self.loner_taken(loner)
        elif kind == Kind.REMOVES:
            self.most_removes = min(self.most_removes * 2, most_removes)
        elif kind in (Kind.AGAIN, Kind.SINGLY):
            self.most[kind] = max(self.most[kind], self.enough(self.batches.count(LINES[kind]), took))
        elif kind == Kind.ANEW:
            self.most[kind] = min(self.most[kind] * 2, self.config.store_batch)
        self.metadata = {name: value for name, value in self.metadata.items() if batch.metadata.get(name) != value}
        if loner is None:
            self.overtaken = max(0, self.overtaken - len(batch.removes))
        if planned.keeps:
            self.overtaken = max(self.overtaken, behind)
        for number in self.stuck.keys() & set(batch.removes) if self.stuck else ():
            del self.stuck[number]
        if self.apart and self.most_removes == most_removes and not self.metadata:
            self.apart = bool(self.batches.count(Waits.AGAIN) + self.batches.count(Waits.SINGLY))

    def enough(self, jobs: int, took: float) -> int:
        """Return how large batches must be for the jobs of a line to be written in time; one takes ``took`` seconds."""
        return min(math.ceil(jobs * took * HURRY / self.config.store_timeout), self.config.store_batch)

    def failed(self, planned: Planned, reason: str, took: float, *, slow: bool) -> None:
        """Let what was in it wait again; ``slow``: an attempt that fails takes long."""
        removes, adds, metadata = planned.batch
        alone = self.batches.failed(bool(metadata))
        self.apart = True
        if removes:
            self.overtaken = 0
        now = monotonic()
        if planned.loner is not None:
            self.loner_failed(planned.loner, reason, now, took)
        elif alone is not None:
            number, since, size, stored = alone
            if number in self.lone.jobs:
                since = min(since, self.lone.jobs[number].since)
                self.drop(self.lone.jobs[number])
            self.lone.add(Loner(number=number, since=since, size=size, stored=stored, reason=reason), now)
        elif len(removes) == 1 and not metadata and (planned.kind == Kind.REMOVES or not adds):
            self.not_forgotten(removes[0], reason, now)
        else:
            self.make_smaller(planned, slow)

    def make_smaller(self, planned: Planned, slow: bool) -> None:
        """Its jobs are tried in batches of about the square root of their number: few attempts find one among many.

        One by one, if an attempt that fails takes long.
        """
        removes, adds, _ = planned.batch
        if adds and planned.kind != Kind.REMOVES:
            kind = Kind.ANEW if planned.kind == Kind.ANEW else Kind.AGAIN
            self.most[kind] = 1 if slow else math.isqrt(len(adds))
            self.most[Kind.SINGLY] = 1
        if removes:
            self.most_removes = math.isqrt(len(removes))

    def loner_taken(self, loner: Loner) -> None:
        """It was written, perhaps as it was before its last change."""
        if not self.lone.remove(loner):
            return
        self.batches.count_out(loner.size)
        if loner.again:
            again = Loner(number=loner.number, size=loner.again, stored=True, reason=loner.reason)
            self.lone.add(again, monotonic())

    def loner_failed(self, loner: Loner, reason: str, now: float, took: float) -> None:
        """It failed by itself once more."""
        self.lone.failed_again(loner, reason, now, took)
        if not loner.told or now < loner.begun + self.config.store_timeout:  # it may be a moment's trouble only
            return
        if loner.forget:
            self.batches.forget(loner.number)
        elif loner.stored and loner.since == math.inf and self.batches.may_be_left_out(loner.number):
            self.batches.leave_out(loner.number)  # it stays in the store as it was
            self.drop(loner)

    def not_forgotten(self, number: int, reason: str, now: float) -> None:
        """Let the others go first; if it fails again, and they did not, it is this one's fault."""
        if self.stuck.get(number, self.written) < self.written:
            del self.stuck[number]
            self.batches.pass_over(False)
            if not self.is_asked_for_again(number):
                self.lone.add(Loner(number=number, forget=True, reason=reason, suspect=True), now)
        else:
            self.stuck[number] = self.written
            self.batches.pass_over(True)

    def is_asked_for_again(self, number: int) -> bool:
        """Return whether a job whose number was to be forgotten is to be kept by now."""
        return self.batches.is_kept(number) and bool(self.batches.unfinished([number]))

    def drop(self, loner: Loner) -> None:
        """It waits no longer."""
        if self.lone.remove(loner):
            self.batches.count_out(loner.size)
            self.batches.count_out(loner.again)
