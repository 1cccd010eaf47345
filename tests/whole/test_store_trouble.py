"""Databases that stop, die, hang and come back under a server that is busy: nothing acknowledged is lost."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.nursery import Nursery
from tests.crash.place import Place
from tests.crash.stage import Stage
from tests.crash.wishes import FUNCTIONS
from tests.crash.world import KILLED, World
from tests.support import wire
from tests.support.databases import Database, MariaDb, PostgreSql, Redis
from tests.support.peers import until
from tests.support.wire import Connection

SEED = int(os.environ.get("GEARFAST_CRASH_SEED") or random.randrange(1 << 32))
TIMEOUT = 1
"""Seconds that a submit waits for the store."""

Trouble = tuple[Callable[[Database], None], Callable[[Database], None]]
TROUBLES: dict[str, Trouble] = {
    "stopped": (Database.stop, Database.start),
    "killed": (Database.kill, Database.start),
    "frozen": (Database.freeze, Database.thaw),
}


@pytest.fixture(name="database", params=[PostgreSql, MariaDb, Redis])
def make_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with request.param() as database:
        yield database


@pytest.fixture(name="world")
def make_world(database: Database, tmp_path: Path) -> Iterator[World]:
    """With a server that runs on this database."""
    print(f"seed {SEED}")
    nursery = Nursery(tmp_path / "log")
    world = World(Place(database.url), nursery, random.Random(SEED))
    world.words.append(f"--store-timeout={TIMEOUT}")
    world.chronicle.store_may_be_away = True
    yield world
    nursery.close()


@pytest.fixture(name="stage")
def make_stage(world: World) -> Iterator[Stage]:
    """The peers of that server."""
    world.nursery.start(world.words)
    stage = Stage(world.port, world.chronicle, world.chance, world.nursery, world.most)
    stage.may_refuse = True
    stage.served = FUNCTIONS[:-1]  # what a worker does at once need not be stored, and is not refused
    yield stage
    stage.close()


def acknowledge(world: World, stage: Stage, jobs: int) -> None:
    """Let everybody work until so many more jobs have been acknowledged."""
    enough = world.count["acknowledged"] + jobs
    stage.run(lambda: world.count["acknowledged"] >= enough)


def others_never_notice(world: World) -> None:
    """Somebody waits for the store; who does not, is served."""
    with (
        Connection("127.0.0.1", world.port) as waiting,
        Connection("127.0.0.1", world.port) as client,
        Connection("127.0.0.1", world.port) as worker,
    ):
        waiting.request(wire.SUBMIT_JOB_BG, "nobody does this", "", payload="x")
        assert client.sync() == b""
        worker.request(wire.CAN_DO, "foreground")
        assert client.call(wire.SUBMIT_JOB, "foreground", "", payload="x").name == "JOB_CREATED"
        handle = worker.call(wire.GRAB_JOB).args(2)[0]
        worker.request(wire.WORK_COMPLETE, handle, payload="y")
        assert client.recv_packet().args() == [handle, b"y"]
        client.send(b"status\n")
        assert b"foreground\t0\t0\t1\n" in client.recv_table()
        code, text = waiting.recv_packet().args(1)
        assert code == b"QUEUE_ERROR"
        assert text.startswith(b"The job could not be stored within 1 s: ")


def the_log(world: World) -> list[str]:
    """When the store was away, and when it was back."""
    lines = [line for line in world.nursery.log.read_text().splitlines() if "The store is " in line]
    return ["away" if "is unavailable" in line else "back" for line in lines]


def kill_and_look(world: World, stage: Stage) -> None:
    """Kill the server, see that the store has all that it must, then let a new server have all of it done."""
    world.nursery.kill(0)
    stage.play()
    assert world.nursery.ended() == KILLED
    world.look()
    assert world.complaints == []
    world.end()
    assert world.complaints == []


@pytest.mark.parametrize("trouble", sorted(TROUBLES))
def test_a_database_goes_away_and_comes_back(world: World, stage: Stage, database: Database, trouble: str) -> None:
    begin, end = TROUBLES[trouble]
    acknowledge(world, stage, 300)
    before = the_log(world)
    begin(database)
    others_never_notice(world)
    stage.run(lambda: world.count["refusals"] >= 2)
    until(lambda: the_log(world) == [*before, "away"], "the log says that the store is away")
    end(database)
    acknowledge(world, stage, 200)
    until(lambda: the_log(world)[: len(before) + 2] == [*before, "away", "back"], "the log says that it is back")
    assert world.complaints == []
    kill_and_look(world, stage)


@pytest.mark.parametrize("trouble", ["frozen", "killed"])
def test_a_server_is_killed_while_its_database_is_away(
    world: World, stage: Stage, database: Database, trouble: str
) -> None:
    begin, end = TROUBLES[trouble]
    acknowledge(world, stage, 300)
    begin(database)
    stage.run(lambda: world.count["refusals"] >= 1)
    world.nursery.kill(0)
    stage.play()
    end(database)
    assert world.nursery.ended() == KILLED
    world.look()
    assert world.complaints == []
    world.end()
    assert world.complaints == []


def test_a_database_that_is_restarted_costs_nobody_anything(world: World, stage: Stage, database: Database) -> None:
    for _ in range(2):
        acknowledge(world, stage, 300)
        database.restart()
    acknowledge(world, stage, 300)
    until(lambda: (log := the_log(world)) == ["away", "back"] * (len(log) // 2), "whenever it was away it is back")
    assert world.complaints == []
    kill_and_look(world, stage)


def test_a_server_that_is_killed_again_and_again(world: World) -> None:
    for _ in range(4):
        world.live()
    world.live(early=True)
    assert world.complaints == []
    assert world.count["acknowledged"] > 0
    world.end()
    assert world.complaints == []
