"""What ``show threads`` tells of threads that serve connections."""

from __future__ import annotations

import dataclasses
import json

import pytest

from benchmarks import told
from gearfast import Server
from tests.plugins.test_jobs import lines
from tests.support import wire
from tests.support.inside import LOCAL, Talk, played


async def rows(client: Talk) -> list[list[str]]:
    """The columns of an answer."""
    return [line.split("\t") for line in await lines(client, "show threads")]


@pytest.mark.parametrize(("asked", "names"), [(1, []), (3, ["gearfast-io-1", "gearfast-io-2"])])
def test_each_thread_has_a_line(asked: int, names: list[str]) -> None:
    async def scene(server: Server, client: Talk) -> None:
        async with Talk(server) as busy, Talk(server) as other:
            for _ in range(20):
                for peer in (busy, other):
                    assert (await peer.call(wire.ECHO_REQ, payload="x")).body == b"x"
            *threads, lock = await rows(client)
            assert [name for name, *_ in threads] == ["loop", *names]
            assert [int(connections) for _, connections, *_ in threads] == ([3] if asked == 1 else [1, 1, 1])
            assert sum(int(reads) for *_, reads in threads) == 41
            assert all(int(reads) > 0 for *_, reads in threads)
            for _, _, seconds, load, _ in threads:
                assert 0 <= float(seconds) < 60
                assert 0 <= int(load) <= 110
            name, taken, waited, held = lock
            assert name == "lock"
            assert int(taken) > int(waited) >= 0
            assert 0 <= float(held) < 100_000

    played(scene, dataclasses.replace(LOCAL, io_threads=asked))


def test_for_programs() -> None:
    async def scene(server: Server, client: Talk) -> None:
        thread, lock = (json.loads(line) for line in await lines(client, "show threads --json"))
        assert list(thread) == ["name", "connections", "seconds", "load", "reads"]
        assert (thread["name"], thread["connections"], thread["reads"]) == ("loop", 1, 1)
        assert list(lock) == ["name", "taken", "waited", "microseconds"]
        assert lock["name"] == "lock"
        assert await lines(client, "show threads 1") == ["ERR INVALID_ARGUMENTS write: show threads"]

    played(scene)


def test_the_benchmarks_read_it() -> None:
    async def scene(server: Server, client: Talk) -> None:
        before = "\n".join(await lines(client, "show threads"))
        await client.call(wire.ECHO_REQ, payload="x")
        after = "\n".join(await lines(client, "show threads"))
        grown = told.grown(before, after)
        assert list(grown) == ["loop", "gearfast-io-1", "lock"]
        assert (grown["loop"][0], grown["loop"][-1]) == ("0", "2")
        assert int(grown["lock"][0]) > 0

    played(scene, dataclasses.replace(LOCAL, io_threads=2))


def test_a_server_that_does_not_listen_has_none() -> None:
    assert Server(LOCAL).loads() == []
