"""The crash campaign, small enough for every test run: nothing acknowledged is lost, and a loss would be seen."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.campaign import WRONG, Campaign, Outcome, Plan
from tests.crash.nursery import Nursery
from tests.crash.peers import number_of
from tests.crash.place import SqlitePlace
from tests.crash.powercut import PowerCutPlace
from tests.crash.sabotage import KINDS
from tests.crash.takeover import Tally
from tests.crash.wanted import ENDED
from tests.crash.world import World
from tests.support.peers import PROJECT, finish

pytestmark = pytest.mark.timeout(400)

SEED = int(os.environ.get("GEARFAST_CRASH_SEED") or random.randrange(1 << 32))
SHORT = ["--longest=0.05", "--real=0.04", "--early=0.3"]
CAMPAIGNS = (
    ("one long life of a store", ["--kills=210", "--replay=0", "--lives=210", *SHORT]),
    ("fresh stores", ["--kills=190", "--replay=0", "--lives=38", *SHORT]),
    ("fresh stores, and many jobs to replay", ["--kills=104", "--replay=0.1", "--lives=24", "--many=60000", *SHORT]),
)
WITH_PARAMETERS = (
    *("delayed", "run now", "retried", "buried", "kicked", "deleted", "purged", "scheduled", "replaced", "remembered"),
    *("buried jobs found", "remembered jobs found", "schedules found"),
)
"""What a campaign without any of this would not have tried."""


def campaign(**plan: object) -> Outcome:
    """Run one here, and say its seed if it fails."""
    outcome = Campaign(Plan(seed=SEED, replay=0, longest=0.2, **plan)).run()  # type: ignore[arg-type]
    print(outcome.text())
    return outcome


@pytest.fixture(name="nursery")
def make_nursery(tmp_path: Path) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path / "log")
    yield nursery
    nursery.close()


def test_five_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    """Side by side, as the programs that they are; `make test ARGS="-k five_hundred -s"` shows the counts."""
    running = []
    for at, (_, words) in enumerate(CAMPAIGNS):
        command = [sys.executable, "-m", "tests.crash", f"--seed={SEED + at}", f"--json={tmp_path / str(at)}", *words]
        running.append(subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True))
    try:
        told = [process.communicate()[0] for process in running]
    finally:
        for process in running:
            finish(process)
    kills, played = 0, Counter[str]()
    for at, (name, _) in enumerate(CAMPAIGNS):
        print(f"{name}\n{told[at]}")
        assert running[at].returncode == 0, told[at]
        figures = json.loads((tmp_path / str(at)).read_text())
        assert {kind: figures[kind] for kind in WRONG} == dict.fromkeys(WRONG, 0)
        assert figures["acknowledged"] > 1000
        assert figures["finished"] > 500
        assert figures["integrity checks"] == figures["kills"]
        assert 0 < figures["killed before it served"] < figures["kills"]
        assert figures["killed while it stopped"] + figures["orderly stops"] > 0
        for name in WITH_PARAMETERS:
            played[name] += figures[name]
        kills += figures["kills"]
    assert kills >= 500
    assert all(played[name] >= 5 for name in WITH_PARAMETERS), played


def bytes_of(value: str | dict[str, str]) -> bytes:
    """What an exported line has in a field."""
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])


def test_the_command_line_shows_what_survived(tmp_path: Path, nursery: Nursery) -> None:
    place = SqlitePlace(tmp_path)
    world = World(place, nursery, random.Random(SEED))
    while len(world.chronicle.jobs) < 50:
        world.live()
    with place.copied() as path:
        command = [sys.executable, "-m", "gearfast", "store", "export", f"--store=sqlite:{path}"]
        lines = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True).stdout.splitlines()[1:]
    for line in lines:
        shown = json.loads(line)
        job = world.chronicle.jobs.pop(number_of(shown["handle"].encode()))
        wanted = job.content
        assert wanted is not None
        names = [bytes_of(shown[name]) for name in ("function", "unique", "payload")]
        # Of one that has ended only the unique id is remembered.
        assert names == [wanted.function, wanted.unique, b"" if job.state == ENDED else wanted.payload]
        assert shown["priority"] == ("high", "normal", "low")[wanted.priority]
    assert world.chronicle.jobs == {}
    assert world.complaints == []


@pytest.mark.parametrize("sabotage", sorted(KINDS))
def test_a_store_with_a_mistake_is_found_out(sabotage: str) -> None:
    outcome = campaign(kills=60, early=0.05, real=0, sabotage=sabotage)
    found = {kind for kind in WRONG if outcome.count[kind]}
    assert (
        found
        & {
            "early": {"lost"},
            "forgetful": {"lost", "forgotten"},
            "hoarding": {"returned"},
            "uncounted": {"reused"},
            "careless": {"changed", "miscounted"},
            "hasty": {"early"},
            "unburying": {"unburied"},
            "miscounting": {"miscounted"},
            "stubborn": {"stale"},
            "oblivious": {"forgotten"},
            "parentless": {"orphaned"},
        }[sabotage]
    )


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_every_durability_survives_kills(durability: str) -> None:
    outcome = campaign(kills=8, durability=durability)
    assert outcome.complaints == []
    assert outcome.count["acknowledged"] > 0


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_a_power_cut_costs_what_the_durability_says(durability: str) -> None:
    """full: nothing. normal: the newest. off: whatever; but a server starts with what is left."""
    large = 0.01 if durability == "full" else 0.4  # so that some reaches the disk
    outcome = campaign(kills=12, early=0.1, durability=durability, power_cuts=True, large=large)
    assert outcome.complaints == []
    assert outcome.count["acknowledged"] > 0
    if durability == "full":
        assert outcome.count["lost to a power cut"] == 0


def test_a_power_cut_that_costs_something_is_found_out() -> None:
    """The simulation itself: a server that forces nothing to disk must be seen to lose jobs.

    A campaign ends with what it sees first, and one in thirty sees a number used twice before a job is missing.
    """

    def lying(folder: Path, durability: str) -> PowerCutPlace:
        place = PowerCutPlace(folder, "off")
        place.survives = "everything"
        return place

    for seed in range(SEED, SEED + 10):
        outcome = Campaign(Plan(kills=20, seed=seed, replay=0, early=0, real=0, longest=0.2), lying).run()
        if outcome.count["lost"]:
            break
    assert outcome.count["lost"] > 0


def test_kills_during_the_take_over_of_gearmands_jobs_leave_each_there_once(tmp_path: Path, nursery: Nursery) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    between, kills, takes = 0, 0, 0.0
    for at in range(12):
        folder = tmp_path / str(at)
        folder.mkdir()
        take_over = Tally(folder, nursery, chance, 30_000)
        for _ in range(4 if takes else 0):  # the first one only shows how long it takes
            take_over.kill_once(takes)
        takes = max(takes, take_over.finish())
        between += take_over.count["kills between"]
        kills += take_over.count["kills"]
        if between >= 3:
            break
    print(f"{kills} kills, {between} of them when some rows were taken over and some were not")
    assert between > 0
