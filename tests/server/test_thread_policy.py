"""Which thread serves whom: what is decided, by made-up loads; and what becomes of that in a server."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from gearfast import Config, Server
from gearfast.config import IO_BUSY, IO_IDLE, IO_LOOK, IO_SAMPLE
from gearfast.plugins.admin import Admin
from gearfast.server import threads as room
from gearfast.server.threads import Meter, Threads
from tests.support import wire
from tests.support.inside import LOCAL, Talk, play

# --- decisions ------------------------------------------------------------------------------------------


class Clock:
    """Two that a test sets: the time, and what was used of it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.used = 5.0

    def meter(self) -> Meter:
        return Meter(lambda: self.used, lambda: self.now)

    def pass_time(self, seconds: float, load: float) -> None:
        self.now += seconds
        self.used += seconds * load


class MadeTurn:
    """What is asked of a turn, written down."""

    def __init__(self) -> None:
        self.threads: Threads | None = None
        self.service = type("Service", (), {"sessions": dict.fromkeys(range(100))})()
        self.lookout = self
        self.shared = 0
        self.next_look = 0.0
        self.samples = 0
        self.heard = 0
        self.reads = 7

    def share_with(self, threads: int) -> None:
        self.shared = threads

    def look_again(self, seconds: float) -> None:
        self.next_look = seconds

    def look_for_busy(self) -> None:
        self.samples += 1

    def hear_stations(self) -> None:
        self.heard += 1


class MadeWorker:
    """A thread that only has members and a load; it is its own station."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.name = name
        self.station = self
        self.clock = Clock()
        self.meter = self.clock.meter()
        self.members: list[str] = []
        self.reads = 3
        self.stopped = False
        self.refused = ""

    @property
    def connections(self) -> int:
        return len(self.members)

    def lend(self, member: str) -> bool:
        if member in self.refused:
            return False
        self.members.append(member)
        return True

    def call_home(self, most: int) -> int:
        called, self.members = self.members[:most], self.members[most:]
        self.stage.home += called
        return len(called)

    def stop(self) -> None:
        self.stopped = True
        self.call_home(len(self.members))


class Stage:
    """A server's threads, all of them made up but who decides."""

    def __init__(self, io_threads: Any = "auto", threads: int = 4) -> None:
        self.turn = MadeTurn()
        self.clock = Clock()
        self.made: list[MadeWorker] = []
        self.home: list[str] = []
        """Whose connections are the loop's again."""
        self.refusal: Exception | None = None
        config = Config(io_threads=io_threads, threads=threads, io_shuffle=0.0)
        turn: Any = self.turn
        loop: Any = None
        self.threads = Threads(turn, config, loop, self.begin, self.clock.meter())
        self.threads.start()

    def begin(self, turn: Any, config: Config, name: str) -> Any:
        if self.refusal is not None:
            raise self.refusal
        self.made.append(MadeWorker(self, name))
        return self.made[-1]

    @property
    def at_work(self) -> list[str]:
        return [worker.name for worker in self.threads.workers]

    def second(self, *loads: float, busy: str = "") -> None:
        """A second in which the loop's thread, then each other one, has such a load; then a sample, if one is taken."""
        self.clock.pass_time(IO_LOOK, loads[0])
        for worker, load in zip(self.made, loads[1:], strict=False):
            worker.clock.pass_time(IO_LOOK, load)
        before = self.turn.samples
        self.threads.look()
        sampling = self.threads.auto and self.turn.samples > before
        assert self.turn.next_look == (IO_SAMPLE if sampling else IO_LOOK)
        found: Any = list(busy)
        self.threads.place(found)
        if sampling:
            self.threads.look()
            assert self.turn.next_look == IO_LOOK


def test_a_saturated_loop_has_half_of_its_busy_connections_read_by_a_new_thread() -> None:
    stage = Stage()
    assert (stage.at_work, stage.turn.next_look, stage.turn.samples) == ([], IO_LOOK, 0)
    stage.second(0.98, busy="abcdefg")
    assert stage.at_work == ["gearfast-io-1"]
    assert stage.made[0].members == ["a", "c", "e", "g"]
    assert (stage.turn.shared, stage.turn.heard) == (1, 1)


def test_what_is_shared_stays_shared() -> None:
    """Half of a load is no reason to give it back."""
    stage = Stage()
    stage.second(0.86, busy="ab")
    for _ in range(10):
        stage.second(0.43, 0.43)
    assert (stage.at_work, stage.made[0].members, stage.turn.samples) == (["gearfast-io-1"], ["a"], 1)


@pytest.mark.parametrize("busy", ["", "a"])
def test_one_busy_connection_cannot_be_shared(busy: str) -> None:
    stage = Stage()
    stage.second(1.0, busy=busy)
    assert (stage.at_work, stage.made) == ([], [])


def test_who_is_found_when_nobody_asks_is_nobody() -> None:
    stage = Stage()
    stage.second(0.5, busy="abcd")
    stage.second(0.98)
    assert stage.at_work == []


def test_there_are_as_many_as_allowed_at_most() -> None:
    stage = Stage(threads=3)
    stage.second(1.0, busy="abcd")
    stage.second(1.0, 1.0, busy="bd")
    assert stage.at_work == ["gearfast-io-1", "gearfast-io-2"]
    samples = stage.turn.samples
    stage.second(1.0, 1.0, 1.0, busy="ef")
    assert (len(stage.made), stage.turn.samples) == (2, samples), "no thread has room for more"
    stage.second(1.0, 1.0, 0.2, busy="ef")
    assert stage.made[1].members == ["b", "e"], "but that one has"


@pytest.mark.parametrize("threads", [1, 2])
def test_the_loops_thread_counts(threads: int) -> None:
    stage = Stage(threads=threads)
    stage.second(1.0, busy="abcd")
    assert len(stage.at_work) == threads - 1


def test_a_thread_ends_when_the_loop_has_room_for_what_it_does() -> None:
    stage = Stage()
    stage.second(1.0, busy="abcd")
    stage.second(1.0, 0.5, busy="bd")
    stage.second(IO_IDLE - 0.01, 0.5, IO_BUSY - IO_IDLE + 0.02)
    assert len(stage.at_work) == 2, "together they were too much"
    stage.second(0.2, 0.5, 0.3)
    assert stage.at_work == ["gearfast-io-1"]
    assert (stage.made[1].stopped, stage.made[0].stopped) == (True, False)
    assert (stage.home, stage.turn.shared) == (["b"], 1)
    stage.second(0.2, 0.2)
    assert (stage.at_work, stage.turn.shared) == ([], 0)
    stage.second(1.0, busy="ab")
    assert stage.at_work == ["gearfast-io-1"], "and begins anew when it is needed"


def test_half_of_a_saturated_thread_comes_home() -> None:
    stage = Stage()
    stage.second(1.0, busy="abcdefgh")
    stage.second(0.6, 0.9)
    assert (stage.home, stage.made[0].members) == (["a", "c"], ["e", "g"])
    stage.second(1.0, 0.5, busy="abcd")
    assert (len(stage.at_work), stage.made[1].members) == (2, ["a", "c"]), "the loop's thread is relieved of them again"


def test_a_saturated_thread_stays_so_where_nobody_has_room() -> None:
    stage = Stage(threads=2)
    stage.second(1.0, busy="abcd")
    stage.second(0.6, 1.0)
    assert stage.home == []
    stage.second(0.45, 1.0)
    assert stage.home == ["a"]


def test_a_number_of_threads_is_that_number() -> None:
    """They are there from the start, and whoever turns out to be busy gets one in turn."""
    stage = Stage(3)
    assert stage.at_work == ["gearfast-io-1", "gearfast-io-2"]
    assert (stage.turn.shared, stage.turn.samples) == (2, 1)
    found: Any = list("abcdef")
    stage.threads.place(found)
    assert [worker.members for worker in stage.made] == [["a", "d"], ["b", "e"]]
    for loads in ((1.0, 0.5, 0.5), (0.0, 0.0, 0.0), (0.5, 1.0, 1.0)):
        stage.second(*loads)
    assert (len(stage.at_work), stage.home) == (2, [])
    stage.threads.stop()
    assert (stage.at_work, stage.turn.shared, stage.turn.threads) == ([], 0, None)
    assert all(worker.stopped for worker in stage.made)


def test_a_number_of_threads_is_balanced_when_one_is_saturated_and_another_one_is_not() -> None:
    """As when many have left who belonged to one of them."""
    stage = Stage(3)
    found: Any = list("abcdefghi")
    stage.threads.place(found)
    stage.second(0.5, 1.0, 0.4)
    assert (stage.home, stage.made[0].members) == (["a"], ["d", "g"])
    samples = stage.turn.samples
    stage.second(1.0, 0.6, 0.4, busy="jkl")
    assert stage.turn.samples == samples + 1, "who makes the loop's thread work is found out once more"
    assert [worker.members for worker in stage.made] == [["d", "g", "j"], ["b", "e", "h", "k"]]


def test_a_third_one_relieves_a_saturated_thread() -> None:
    """The loop's thread has little room, and is relieved in turn."""
    stage = Stage(threads=3)
    stage.second(1.0, busy="abcdefgh")
    stage.second(1.0, 0.6, busy="bd")
    stage.second(0.6, 1.0, 0.2)
    assert stage.home == ["a", "c"]
    stage.second(1.0, 0.5, 0.2, busy="ac")
    assert stage.made[1].members == ["b", "a"]


def test_who_cannot_be_moved_is_tried_once_more() -> None:
    stage = Stage(2)
    stage.made[0].refused = "ac"
    found: Any = list("abc")
    stage.threads.place(found)
    assert stage.made[0].members == ["b"]
    stage.made[0].refused = "c"
    stage.second(0.5)
    assert stage.made[0].members == ["b", "a"]
    stage.made[0].refused = ""
    stage.second(0.5)
    assert stage.made[0].members == ["b", "a"], "not for ever: it may be gone"


@pytest.mark.parametrize("refusal", [OSError("no descriptors"), RuntimeError("no threads")])
def test_the_system_may_refuse_one(refusal: Exception, caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    stage.second(1.0, busy="abcd")
    stage.refusal = refusal
    stage.second(1.0, 0.2, busy="bd")
    assert stage.made[0].members == ["a", "c", "b"], "those that are there serve them"
    assert [record.getMessage() for record in caplog.records] == [
        f"There are 2 of 4 threads, and they serve all connections: {refusal}"
    ]
    stage.second(1.0, 0.2, busy="d")
    assert len(caplog.records) == 1, "it is not tried for ever"


def test_a_meter_looks_at_times_that_mean_something() -> None:
    clock = Clock()
    meter = clock.meter()
    assert (meter.look(), meter.seconds()) == (0.0, 0.0)
    clock.pass_time(2.0, 0.25)
    assert (meter.look(), meter.seconds()) == (0.25, 0.5)
    clock.pass_time(IO_SAMPLE / 2, 1.0)
    assert meter.look() == 0.25, "too short"
    clock.pass_time(IO_SAMPLE * 1.5, 1.0)
    assert meter.look(IO_LOOK) == 0.25, "not asked about so short a time"
    assert meter.look() == pytest.approx(1.0)


def test_what_an_administrator_sees_decides_nothing() -> None:
    stage = Stage(2)
    stage.made[0].members = ["a", "b"]
    stage.second(0.9, 0.3)
    stage.clock.pass_time(IO_LOOK / 2, 0.1)
    loop, other = stage.threads.loads()
    assert list(loop) == ["loop", 98, pytest.approx(0.95), pytest.approx(0.9), 7]
    assert list(other) == ["gearfast-io-1", 2, pytest.approx(0.3), pytest.approx(0.3), 3]
    stage.clock.pass_time(IO_LOOK, 0.1)
    assert stage.threads.loads()[0].load == pytest.approx(0.1), "nobody has looked for long"


# --- a server -------------------------------------------------------------------------------------------

THREE = dataclasses.replace(LOCAL, io_threads=3)


def others() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("gearfast-io"))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def talk_often(*peers: Talk) -> None:
    for _ in range(12):
        for peer in peers:
            assert (await peer.call(wire.ECHO_REQ, payload="x")).body == b"x"


def spread(server: Server) -> list[int]:
    return [load.connections for load in server.loads()]


async def until(server: Server, wanted: list[int]) -> None:
    while spread(server) != wanted:
        await asyncio.sleep(0.01)


def test_connections_are_spread_and_text_comes_home_for_good() -> None:
    async def scene() -> None:
        async with Server(THREE, [Admin()]) as server, Talk(server) as a, Talk(server) as b, Talk(server) as c:
            assert others() == ["gearfast-io-1", "gearfast-io-2"]
            await until(server, [3, 0, 0])
            await talk_often(a, b, c)
            assert spread(server) == [1, 1, 1]
            for peer in (a, b):
                peer.writer.write(b"version\n")
                assert (await peer.reader.readline()).startswith(b"OK ")
            assert spread(server) == [3, 0, 0]
            await talk_often(a, b)
            assert spread(server) == [3, 0, 0], "who has sent text stays"
        assert others() == []

    play(scene())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="nobody counts descriptors here")
@pytest.mark.parametrize("again", [False, True], ids=["once", "a second one"])
def test_nothing_is_left_of_threads(again: bool) -> None:
    async def server_with_peers() -> None:
        async with Server(THREE, [Admin()]) as server, Talk(server) as a, Talk(server) as b:
            await talk_often(a, b)
            assert spread(server) == [0, 1, 1]

    async def scene() -> None:
        await server_with_peers()
        gc.collect()
        before = descriptors(), threading.active_count()
        for _ in range(1 + again):
            await server_with_peers()
            gc.collect()
        assert (descriptors(), threading.active_count()) == before
        assert others() == []

    play(scene())


def test_peers_that_are_there_at_the_end_are_closed() -> None:
    async def scene() -> None:
        server = Server(THREE, [Admin()])
        await server.start()
        async with Talk(server) as a, Talk(server) as b:
            await talk_often(a, b)
            await server.shutdown()
            for peer in (a, b):
                assert await peer.reader.read() == b""

    play(scene())


@pytest.fixture
def none_to_be_had(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A system without such threads."""
    asked: list[int] = []

    def refuse(*given: object) -> None:
        asked.append(1)
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(room, "IoThread", refuse)
    return asked


def test_without_such_threads_one_serves_everybody(none_to_be_had: list[int], caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with Server(THREE, [Admin()]) as server, Talk(server) as a, Talk(server) as b:
            await talk_often(a, b)
            assert spread(server) == [2]

    with caplog.at_level(logging.ERROR, "gearfast"):
        play(scene())
    assert len(none_to_be_had) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "There are 1 of 3 threads, and they serve all connections: [Errno 38] Function not implemented"
    ]


def test_auto_begins_threads_and_ends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop's thread that is always saturated, then one that never is."""
    for name, figure in (("IO_BUSY", -1.0), ("IO_IDLE", -1.0), ("IO_LOOK", 0.02), ("IO_SAMPLE", 0.02)):
        monkeypatch.setattr(room, name, figure)

    async def scene() -> None:
        auto = dataclasses.replace(LOCAL, io_threads="auto", threads=2, io_shuffle=0.0)
        async with Server(auto, [Admin()]) as server, Talk(server) as a, Talk(server) as b:
            for _ in range(2):
                while not others():
                    await talk_often(a, b)
                assert others() == ["gearfast-io-1"]
                assert spread(server) == [1, 1]
                monkeypatch.setattr(room, "IO_BUSY", 1000.0)
                monkeypatch.setattr(room, "IO_IDLE", 1000.0)
                while others():
                    await talk_often(a, b)
                assert spread(server) == [2]
                monkeypatch.setattr(room, "IO_BUSY", -1.0)
                monkeypatch.setattr(room, "IO_IDLE", -1.0)

    play(scene())
