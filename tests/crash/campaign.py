"""Many kills in many worlds, and what came of it."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.nursery import Nursery
from tests.crash.place import DatabasePlace, Place, SqlitePlace
from tests.crash.powercut import PowerCutPlace
from tests.crash.world import World
from tests.support.databases import MariaDb, PostgreSql, Redis

WRONG = (
    *("lost", "changed", "returned", "reused", "twice", "doubled", "strange", "refused", "closed", "damaged"),
    *("early", "unburied", "miscounted", "stale", "forgotten", "orphaned", "died", "hung"),
)
"""What must not happen, not once."""
COUNTED = (
    *("kills", "killed before it served", "killed while it stopped", "real starts", "looks"),
    *("submitted", "acknowledged", "coalesced", "finished"),
    *("cancelled", "repeated", "ended and not heard", "kept though nobody was told", "jobs found"),
    *("delayed", "run now", "retried", "buried", "kicked", "deleted", "purged", "scheduled", "replaced", "remembered"),
    *("buried jobs found", "remembered jobs found", "schedules found", "audited jobs"),
    *("integrity checks", "audits", "orderly stops"),
    *("lost to a power cut", "numbers lost to a power cut", "files lost to a power cut"),
)
MakePlace = Callable[[Path, str], Place]
"""In an empty folder, with a durability."""
STORES: dict[str, MakePlace] = {
    "sqlite": SqlitePlace,
    "postgresql": lambda folder, durability: DatabasePlace(PostgreSql(), durability),
    "mysql": lambda folder, durability: DatabasePlace(MariaDb(), durability),
    "redis": lambda folder, durability: DatabasePlace(Redis(), durability),
}


@dataclass
class Plan:
    """How a campaign goes."""

    kills: int
    seed: int
    store: str = "sqlite"
    durability: str = "full"
    lives: int = 100
    """Kills in one world before the next one begins."""
    early: float = 0.2
    """The part of the kills that fall into the start of the server."""
    late: float = 0.1
    """The part of the others that fall into an orderly stop."""
    longest: float = 0.3
    """Seconds in which the other kills fall, from when it serves."""
    real: float = 0.1
    """The part of the starts that do all their imports."""
    replay: float = 0.1
    """The part of the kills that fall into a store of so many jobs:"""
    many: int = 100_000
    power_cuts: bool = False
    """Every kill is one: what is not on the disk is lost with it."""
    large: float = 0.01
    """The part of the payloads that are large."""
    sabotage: str = ""
    seconds: float = 1e9
    """After which no new life begins."""


@dataclass
class Outcome:
    """What came of it."""

    plan: Plan
    count: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, world: World) -> None:
        """One world more."""
        self.count += world.count
        self.count["worlds"] += 1
        self.complaints += world.complaints

    def figures(self) -> dict[str, object]:
        """For a machine to read."""
        counted = {name: self.count[name] for name in (*COUNTED, "worlds")}
        wrong = {name: self.count[name] for name in WRONG}
        plan = {"seed": self.plan.seed, "store": self.plan.store, "durability": self.plan.durability}
        return {**plan, "seconds": round(self.seconds, 1), **counted, **wrong, "complaints": self.complaints[:20]}

    def text(self) -> str:
        """For a person to read."""
        lines = [f"{name:<30}{value:>12}" for name, value in self.figures().items() if name != "complaints"]
        return "\n".join(lines + [f"! {line}" for line in self.complaints[:20]])

    def json(self) -> str:
        """As text of JSON."""
        return json.dumps(self.figures(), indent=2)


class Campaign:
    """Runs the plan. The random seed decides everything but what the machine's timing does."""

    def __init__(self, plan: Plan, make_place: MakePlace | None = None) -> None:
        self.plan = plan
        self.make_place = make_place or (PowerCutPlace if plan.power_cuts else STORES[plan.store])
        self.chance = random.Random(plan.seed)
        self.outcome = Outcome(plan)
        self.began = time.monotonic()

    def run(self) -> Outcome:
        """All of it; it ends early when something is wrong."""
        heavy = int(self.plan.kills * self.plan.replay)
        self.run_worlds(self.plan.kills - heavy, 0)
        self.run_worlds(heavy, self.plan.many)
        self.outcome.seconds = time.monotonic() - self.began
        return self.outcome

    def run_worlds(self, kills: int, jobs: int) -> None:
        """So many kills, in worlds that begin with so many jobs."""
        left = kills
        while left > 0 and not self.outcome.complaints and not self.late():
            lives = min(left, self.plan.lives)
            left -= lives
            with self.world() as world:
                self.run_world(world, lives, jobs)

    def run_world(self, world: World, lives: int, jobs: int) -> None:
        """One world, from its beginning to its end."""
        plan = self.plan
        world.longest = plan.longest
        world.large = plan.large
        if jobs:
            world.fill(jobs)
            world.most += jobs
        for life in range(lives):
            if world.complaints or self.late():
                break
            early = self.chance.random() < (0.8 if jobs else plan.early)
            real = self.chance.random() < plan.real
            late = not early and self.chance.random() < plan.late
            world.live(early=early, late=late, real=real, look=not jobs or life % 4 == 3 or life == lives - 1)
        if not world.complaints and not jobs:
            world.end()

    def late(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() - self.began > self.plan.seconds

    @contextlib.contextmanager
    def world(self) -> Iterator[World]:
        """A world in a folder of its own."""
        folder = Path(tempfile.mkdtemp(prefix="crash-"))
        place = self.make_place(folder, self.plan.durability)
        nursery = Nursery(folder / "log", place.environment)
        try:
            world = World(place, nursery, self.chance, sabotage=self.plan.sabotage)
            yield world
            self.outcome.add(world)
        finally:
            nursery.close()
            place.close()
            shutil.rmtree(folder, ignore_errors=True)
