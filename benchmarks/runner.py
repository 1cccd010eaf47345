"""Plays scenarios: every round a fresh server per subject, the subjects in turn, and all failures told."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from benchmarks.disk import commits
from benchmarks.errors import Stalled, WrongAnswer
from benchmarks.figures import is_ours
from benchmarks.labels import program_of
from benchmarks.processes import Cores
from benchmarks.results import Measured, Round, Row
from benchmarks.scenarios import Profile, Scenario
from benchmarks.scenarios.latency import SHARE_OF_MAX
from benchmarks.scenarios.scenario import Play
from benchmarks.stores import folder
from benchmarks.subjects import StartError, Subject
from benchmarks.trial import TooSlowError, trial

PACER = "gearmand"  # whose greatest rate the latency scenarios go by
PACER_TRIALS = 3
# why a subject has no part in a scenario that it does not translate to
NO_PART = {
    "limit": "does nothing of the kind",
    "beanstalkd": "its protocol has no words for it",
    "gearmand": "Debian's speaks no TLS",
}

# and where jobs are kept
NO_STORE = {
    "limit": "keeps nothing",
    "beanstalkd": "has none of these stores",
}


class Progress(Protocol):
    """What is told of a run while it runs."""

    def start(self, total: int) -> None:
        """Say how many measurements there will be."""

    def doing(self, text: str) -> None:
        """Say what is running now."""

    def step(self) -> None:
        """One more is done."""


@dataclass(frozen=True)
class Failure:
    """A subject that could not be measured to the end."""

    label: str
    scenario: str
    message: str
    wrong: bool
    """the server gave a wrong answer"""
    attacked: bool = False
    """it was attacked on purpose"""

    @property
    def surprises(self) -> bool:
        """Tell whether it should not have happened: that others go under when they are attacked is a result."""
        return self.wrong or not self.attacked or is_ours(self.label)


@dataclass
class Runner:
    """One run; what it has found so far is in `rows` and `failures`, also after an interrupt."""

    subjects: Mapping[str, Subject]
    """those that can be measured, by label"""
    unfound: Mapping[str, str]
    """label: why not, of the others that were asked for"""
    scenarios: Sequence[Scenario]
    profile: Profile
    rounds: int
    share: float
    cores: Cores
    missing_stores: Mapping[str, str] = field(default_factory=dict)
    """name: why not, of the stores that cannot be had"""
    missing_tls: str = ""
    """why TLS cannot be had, or "" """
    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def taking_part(self, scenario: Scenario) -> list[str]:
        """Return the labels that a scenario is played with."""
        if self._missing(scenario):
            return []
        return [label for label in self.subjects if self._part(scenario, label)]

    def _missing(self, scenario: Scenario) -> str:
        """Return what it needs and cannot have, or ""."""
        if scenario.store in self.missing_stores:
            return f"{scenario.store}: {self.missing_stores[scenario.store]}"
        return self.missing_tls if scenario.tls else ""

    def _part(self, scenario: Scenario, label: str) -> bool:
        return program_of(label) in scenario.subjects and not scenario.too_much_for(label, self.profile)

    def rounds_of(self, scenario: Scenario) -> dict[str, int]:
        """Return the labels that a scenario is played with, and how many rounds with each."""
        return {label: scenario.rounds(self.rounds, self.profile, label) for label in self.taking_part(scenario)}

    def measurements(self) -> int:
        """Return how many there will be."""
        each = (sum(self.rounds_of(scenario).values()) for scenario in self.scenarios)
        return sum(each) + PACER_TRIALS * sum(scenario.closed is not None for scenario in self.scenarios)

    def run(self, progress: Progress) -> None:
        """Play everything."""
        progress.start(self.measurements())
        with self.cores.for_generator():
            for scenario in self.scenarios:
                self._play(scenario, progress)

    def _play(self, scenario: Scenario, progress: Progress) -> None:
        """Play one scenario; a subject that fails, or does not answer any more, is left out of its further rounds."""
        found: dict[str, list[Round]] = {label: [] for label in self.taking_part(scenario)}
        failed: dict[str, str] = {}
        try:
            pace = self._pace(scenario, progress)
            if isinstance(pace, Failure):
                self.failures.append(pace)
                failed = dict.fromkeys(found, f"no rate to go by, {pace.label}: {pace.message}")
                pace = 0.0
            for label in in_turn(self.rounds_of(scenario)):
                if label not in failed and not any(one.endless for one in found[label]):
                    progress.doing(f"{scenario.name}: {label}")
                    done = self._measure(scenario, scenario.play, label, pace)
                    if isinstance(done, Failure):
                        failed[label] = done.message
                        self.failures.append(done)
                    else:
                        found[label].append(done)
                progress.step()
        finally:
            if any(found.values()) or failed or not found:
                self.rows.append(self._row(scenario, found, failed))

    def _row(self, scenario: Scenario, found: Mapping[str, list[Round]], failed: Mapping[str, str]) -> Row:
        """Return all subjects of a scenario: each with its rounds or with the reason why there are none."""
        reasons = {label: scenario.too_much_for(label, self.profile) for label in self.subjects}
        reasons |= {**self.unfound, **failed}
        if missing := self._missing(scenario):
            reasons = dict.fromkeys(reasons, missing)
        measured = []
        for label in [*self.subjects, *self.unfound]:
            if program_of(label) not in scenario.subjects:
                measured.append(Measured(label, missing=self._no_part(scenario, label)))
            elif reasons.get(label):
                measured.append(Measured(label, missing=reasons[label]))
            elif rounds := found.get(label):
                measured.append(Measured(label, rounds))
            else:
                measured.append(Measured(label, missing="the run was interrupted"))
        return Row(scenario.name, scenario.sentence, scenario.group, measured, scenario.curve, scenario.x)

    @staticmethod
    def _no_part(scenario: Scenario, label: str) -> str:
        return NO_STORE[label] if scenario.group == "durable" else NO_PART[label]

    def pacer(self) -> str:
        """Return the label of the subject that fixed rates go by."""
        return PACER if PACER in self.subjects else next(iter(self.subjects))

    def _pace(self, scenario: Scenario, progress: Progress) -> float | Failure:
        """Return the fixed rate of a scenario that has one, else 0."""
        if scenario.closed is None:
            return 0.0
        label = self.pacer()
        rates = []
        for _ in range(PACER_TRIALS):
            progress.doing(f"{scenario.name}: greatest rate of {label}")
            done = self._measure(scenario, scenario.closed, label, 0.0)
            progress.step()
            if isinstance(done, Failure):
                return done
            rates.append(done.rate or 0.0)
        return SHARE_OF_MAX * statistics.median(rates)

    def _measure(self, scenario: Scenario, play: Play, label: str, pace: float) -> Round | Failure:
        """Measure one subject once."""
        subject = self.subjects[label]
        budget = scenario.budget(self.profile, self.share)
        disk = _disk() if scenario.store else None
        try:
            with trial(subject, self.cores, budget, pace, scenario.store, scenario.tls) as one:
                try:
                    return msgspec.structs.replace(play(one), commits=disk)
                except (WrongAnswer, Stalled, OSError, TooSlowError) as error:
                    message = f"{type(error).__name__}: {error}. {death(subject)}".rstrip(". ")
                    wrong, attacked = isinstance(error, WrongAnswer), scenario.group == "standstill"
                    return Failure(label, scenario.name, message, wrong, attacked)
        except StartError as error:
            return Failure(label, scenario.name, str(error), False)


def in_turn(rounds: Mapping[str, int]) -> Iterator[str]:
    """Yield every label once per round, for as many rounds as it has, each round beginning with another one."""
    labels = list(rounds)
    for first in range(max(rounds.values(), default=0)):
        for at in range(len(labels)):
            label = labels[(first + at) % len(labels)]
            if first < rounds[label]:
                yield label


def _disk() -> float:
    """Return what the disk does just now."""
    with folder() as place:
        return commits(place)


def death(subject: Subject) -> str:
    """Return how a server ended that its peers lost sight of, or "" when it is still running."""
    if subject.process is not None:
        try:
            subject.process.wait(0.5)
        except subprocess.TimeoutExpired:
            return ""
    return subject.death()
