"""A scenario: what is measured, said in a sentence, and how it is played on any subject that has words for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from benchmarks.figures import is_ours
from benchmarks.labels import program_of
from benchmarks.results import Group, Round
from benchmarks.trial import Budget, Trial

Play = Callable[[Trial], Round]

GEARMAN = ("gearfast", "gearmand")
PLAIN = ("gearfast", "gearmand", "limit")
ALL = ("gearfast", "gearmand", "limit", "beanstalkd")


class Profile(IntEnum):
    """How much is measured; a larger one measures all that a smaller one does."""

    QUICK = 1
    DEFAULT = 2
    FULL = 3


# the most jobs of one measurement, as a share of a scenario's own number
SHARES = {Profile.QUICK: 0.25, Profile.DEFAULT: 1.0, Profile.FULL: 5.0}
# and the most seconds: chosen so that the whole profile keeps to its minutes; a high percentile needs many answers
SECONDS: Mapping[Group, Mapping[Profile, float]] = {
    "plain": {Profile.QUICK: 0.15, Profile.DEFAULT: 0.7, Profile.FULL: 4.0},
    "durable": {Profile.QUICK: 0.2, Profile.DEFAULT: 1.5, Profile.FULL: 5.0},
    "latency": {Profile.QUICK: 0.5, Profile.DEFAULT: 2.0, Profile.FULL: 10.0},
    "growth": {Profile.QUICK: 0.1, Profile.DEFAULT: 0.4, Profile.FULL: 4.0},
    "standstill": {Profile.QUICK: 5.0, Profile.DEFAULT: 10.0, Profile.FULL: 60.0},  # then a server is given up
    "memory": {Profile.QUICK: 0.0, Profile.DEFAULT: 0.0, Profile.FULL: 0.0},
    "trouble": {Profile.QUICK: 0.15, Profile.DEFAULT: 0.7, Profile.FULL: 4.0},
}


@dataclass(frozen=True)
class TooMuch:
    """Why a subject is not measured where the others are."""

    why: str
    since: Profile | None = None
    """the profile that has the time for it, if any has"""


DUE_SECONDS = 3600  # until a delayed job is due: not while anybody measures


@dataclass(frozen=True)
class Scenario:
    """One row of the results."""

    name: str
    """carries its parameters"""
    sentence: str
    group: Group
    play: Play
    jobs: int
    """at most, in one measurement of the default profile"""
    subjects: tuple[str, ...] = PLAIN
    """labels of those that it translates to"""
    since: Profile = Profile.QUICK
    """the smallest profile that measures it"""
    whole: float = 0.0
    """seconds; not 0: the jobs are part of the name, so all of them are played in every profile, within these"""
    sized: bool = False
    """the jobs are how much of something there is, of whatever kind: all of it in every profile"""
    curve: str = ""
    x: float | None = None
    too_much: Mapping[str, TooMuch] = field(default_factory=dict)
    """label: what is asked too much of that subject"""
    besides: float = 0.0
    """seconds that each measurement takes besides what is counted, for the estimate: filling queues, mostly"""
    closed: Play | None = None
    """for a scenario with a fixed rate: how to find what a server can do at most"""
    store: str = ""
    """where the jobs are kept; empty: in memory"""
    tls: bool = False
    """the server speaks TLS on its port, and plainly at a Unix socket"""
    most_rounds: int = 0
    """so many are enough, where a measurement takes long; 0: as many as are asked for"""
    quick_rounds: int = 0
    """the same for the quick profile"""
    other_rounds: int = 0
    """and for others than ours, where they are context"""

    def too_much_for(self, label: str, profile: Profile) -> str:
        """Return why a subject is not measured, or ""."""
        bound = self.too_much.get(program_of(label))
        if bound is None or (bound.since is not None and profile >= bound.since):
            return ""
        return f"only with --full: {bound.why}" if bound.since else bound.why

    def has(self, text: str) -> bool:
        """Tell whether it is meant by a part of its name or by its group."""
        return text.lower() in self.name.lower() or text == self.group

    def rounds(self, asked: int, profile: Profile, label: str) -> int:
        """Return how many rounds are played with a subject."""
        quick = self.quick_rounds if profile is Profile.QUICK else 0
        other = self.other_rounds if not is_ours(label) else 0
        return min([asked, *filter(None, (quick, other, self.most_rounds))])

    def budget(self, profile: Profile, share: float) -> Budget:
        """Return the most that is played in one measurement."""
        if self.whole:
            return Budget(max(int(self.jobs * share), 1), self.whole)
        part = share if self.sized else SHARES[profile] * share
        return Budget(max(int(self.jobs * part), 1), SECONDS[self.group][profile])


def short(number: float) -> str:
    """Write a number as names have it: 500, 10 k, 3 M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size and number % (size / 10) == 0:
            return f"{number / size:g} {unit}"
    return f"{number:,.0f}"


def submit(clients: int, in_flight: int, *, payload: int = 64, unique: int = 0, queued: int = 0) -> Play:
    """Background jobs, so many unanswered at a time from each client."""

    def play(trial: Trial) -> Round:
        trial.fill(queued, payload=payload, unique=unique)
        trial.load.clients(clients, in_flight=in_flight, payload=payload, unique=unique)
        return trial.closed()[0]

    return play


def drain(workers: int, queued: int) -> Play:
    """Take queued jobs and complete them."""

    def play(trial: Trial) -> Round:
        trial.fill(queued)
        trial.load.workers(workers)
        return trial.closed()[0]

    return play


def round_trip(
    clients: int,
    in_flight: int,
    workers: int,
    *,
    payload: int = 64,
    functions: int = 1,
    delayed: int = 0,
    idle: int = 0,
) -> Play:
    """Foreground jobs: submitted, worked, answered."""

    def play(trial: Trial) -> Round:
        trial.fill_delayed(delayed, DUE_SECONDS)
        if idle:
            trial.load.idle(idle)
        trial.load.workers(workers, functions=functions)
        trial.load.clients(clients, in_flight=in_flight, foreground=True, payload=payload, functions=functions)
        return trial.closed()[0]

    return play


def submit_and_drain(
    clients: int, in_flight: int, workers: int, *, payload: int = 64, unique: int = 0, queued: int = 0
) -> Play:
    """Background jobs come in while others go out."""

    def play(trial: Trial) -> Round:
        trial.fill(queued, payload=payload)
        trial.load.workers(workers)
        trial.load.clients(clients, in_flight=in_flight, payload=payload, unique=unique)
        return trial.closed()[0]

    return play
