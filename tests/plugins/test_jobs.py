"""Admin commands that look at single jobs and move them."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pytest

from gearfast import Admin, Config, Server, StoreSettings, make_store
from tests.support import wire
from tests.support.inside import Talk, play, played
from tests.support.peers import HOST


async def submitted(client: Talk, name: str, unique: str = "", payload: str = "x") -> str:
    """Its handle."""
    answer = await client.call(wire.SUBMIT_JOB_BG, name, unique, payload=payload)
    assert answer.name == "JOB_CREATED", answer.body
    return answer.body.decode()


async def lines(client: Talk, line: str) -> list[str]:
    """The answer to an admin line, without its dot; or the one line that begins with ERR or OK."""
    client.writer.write(line.encode() + b"\n")
    found: list[str] = []
    while True:
        one = (await client.reader.readline()).decode("utf-8", "surrogateescape")
        if one == ".\n":
            return found
        found.append(one.rstrip("\n"))
        if one.startswith(("ERR ", "OK")):
            return [one.rstrip("\r\n")]


async def shown(client: Talk, handle: str) -> dict[str, str]:
    """What `show job` tells."""
    return dict(line.split(": ", 1) for line in await lines(client, f"show job {handle}"))


def test_one_job_is_shown_from_its_begin_to_its_end() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = await submitted(client, "f;delay=1h;priority=low", "one", "four")
        told = await shown(client, handle)
        due = datetime.fromisoformat(told.pop("due")).timestamp()
        assert due == pytest.approx(server.broker.soonest, abs=0.001)
        assert 0 <= float(told.pop("age")) < 10
        assert told == {
            "handle": handle,
            "state": "delayed",
            "function": "f",
            "unique": "one",
            "priority": "low",
            "bytes": "4",
            "attempts": "0",
            "holder": "",
            "background": "yes",
            "clients": "0",
            "last error": "",
            "parameters": "",
        }
        assert await lines(client, f"run now {handle}") == ["OK"]
        told = await shown(client, handle)
        assert (told["state"], told["due"]) == ("queued", "")
        async with Talk(server) as worker, Talk(server) as waiting:
            worker.say(wire.CAN_DO, "f")
            assert (await worker.call(wire.GRAB_JOB)).args(2)[0].decode() == handle
            await waiting.call(wire.SUBMIT_JOB, "f", "one", payload="")
            told = await shown(client, handle)
            assert (told["state"], told["clients"]) == ("running", "1")
            assert told["holder"] == HOST
            for line in (f"run now {handle}", f"move {handle} priority=high", f"move {handle} due=1h"):
                assert await lines(client, line) == ["ERR JOB_RUNS a worker has it already"]
            worker.say(wire.WORK_COMPLETE, handle, payload="")
            assert (await waiting.hear()).name == "WORK_COMPLETE"
        assert await lines(client, f"show job {handle}") == [f"ERR UNKNOWN_JOB there is no job {handle}"]

    played(scene)


def test_delayed_jobs_are_listed_the_soonest_first() -> None:
    """By function, up to a limit; a thousand others are in nobody's way."""

    async def scene(server: Server, client: Talk) -> None:
        base = 4_000_000_000
        handles = {}
        for number in range(300):
            at = base + (number * 7919) % 300
            handles[at] = await submitted(client, f"f{number % 2};at={at}", f"u{at}")
            await submitted(client, "other")
        found = [line.split("\t") for line in await lines(client, "show delayed 300")]
        assert [row[1] for row in found] == [handles[at] for at in sorted(handles)]
        assert [row[5] for row in found] == [f"u{at}" for at in sorted(handles)]
        assert {(row[2], row[3]) for row in found} == {("normal", "1")}
        assert [datetime.fromisoformat(row[0]).timestamp() for row in found] == sorted(handles)
        assert len(await lines(client, "show delayed")) == 100
        of_one = [line.split("\t") for line in await lines(client, "show delayed f1 5")]
        assert [row[1] for row in of_one] == [row[1] for row in found if row[4] == "f1"][:5]
        assert await lines(client, "show delayed none") == []

    played(scene)


def test_a_job_that_is_moved_is_due_then_and_has_that_priority() -> None:
    async def scene(server: Server, client: Talk) -> None:
        first, second = await submitted(client, "f"), await submitted(client, "f;delay=1h")
        before = time.time()
        assert await lines(client, f"move {first} due=20m priority=high") == ["OK"]
        told = await shown(client, first)
        assert (told["state"], told["priority"]) == ("delayed", "high")
        assert before + 1200 - 0.01 <= datetime.fromisoformat(told["due"]).timestamp() <= time.time() + 1200
        assert await lines(client, f"move {second} due=2099-01-01T00:00:00Z") == ["OK"]
        assert (await shown(client, second))["due"] == "2099-01-01T00:00:00.000+00:00"
        assert await lines(client, f"move {second} priority=low") == ["OK"]
        assert (await shown(client, second))["due"] == "2099-01-01T00:00:00.000+00:00"
        assert await lines(client, "prioritystatus") == ["f\t1\t0\t1\t0"]
        async with Talk(server) as worker:
            worker.say(wire.CAN_DO, "f")
            assert (await worker.call(wire.GRAB_JOB)).name == "NO_JOB"
            worker.say(wire.PRE_SLEEP)
            await worker.call(wire.ECHO_REQ, payload="it sleeps")
            assert await lines(client, f"move {second} due=0s") == ["OK"]
            assert (await worker.hear()).name == "NOOP"
            assert (await worker.call(wire.GRAB_JOB)).args(2)[0].decode() == second

    played(scene)


USAGE = "write: move HANDLE [function=NAME] [priority=high|normal|low] [due=20m|due=MOMENT]"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("show job", "INVALID_ARGUMENTS write: show job HANDLE"),
        ("show job a b", "INVALID_ARGUMENTS write: show job HANDLE"),
        ("show job H:x:1", "UNKNOWN_JOB there is no job H:x:1"),
        ("show job \x1b[2J", "UNKNOWN_JOB there is no job \\x1b[2J"),
        ("show delayed a b", "INVALID_ARGUMENTS write: show delayed [NAME] [LIMIT], with a limit from 1 to 10000"),
        ("show delayed f 0", "INVALID_ARGUMENTS write: show delayed [NAME] [LIMIT], with a limit from 1 to 10000"),
        (
            f"show delayed {'9' * 5000}",
            "INVALID_ARGUMENTS write: show delayed [NAME] [LIMIT], with a limit from 1 to 10000",
        ),
        ("run", "INVALID_ARGUMENTS write: run now HANDLE"),
        ("run now", "INVALID_ARGUMENTS write: run now HANDLE"),
        ("run later H:x:1", "INVALID_ARGUMENTS write: run now HANDLE"),
        ("run now H:x:1", "UNKNOWN_JOB there is no job H:x:1"),
        ("move", f"INVALID_ARGUMENTS {USAGE}"),
        ("move H:x:1", f"INVALID_ARGUMENTS {USAGE}"),
        ("move H:x:1 due=20m", "UNKNOWN_JOB there is no job H:x:1"),
        ("move H:x:1 later", "INVALID_ARGUMENTS 'later' is not function=, priority= or due=, once each"),
        ("move H:x:1 due=1m due=2m", "INVALID_ARGUMENTS 'due=2m' is not function=, priority= or due=, once each"),
        (
            "move H:x:1 priority=",
            "INVALID_PARAMETER the submit parameter priority has to be high, normal or low, and not ''",
        ),
        ("move H:x:1 due=soon", "INVALID_PARAMETER due has to be a duration"),
        ("move H:x:1 due=20m;priority=low", "INVALID_ARGUMENTS 'due=20m;priority=low' is not"),
        ("move H:x:1 priority=low;delay=1h", "INVALID_ARGUMENTS 'priority=low;delay=1h' is not"),
    ],
)
def test_a_mistake_is_named(line: str, said: str) -> None:
    async def scene(server: Server, client: Talk) -> None:
        (answer,) = await lines(client, line)
        assert answer.startswith(f"ERR {said}"), answer

    played(scene)


def test_names_forge_no_line() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = await submitted(client, "f\n.\nx;at=4000000000", "\r\n.")
        told = await shown(client, handle)
        assert (told["function"], told["unique"]) == (r"f\x0a.\x0ax", r"\x0d\x0a.")
        assert [line.split("\t")[4:] for line in await lines(client, "show delayed")] == [
            [r"f\x0a.\x0ax", r"\x0d\x0a."]
        ]

    played(scene)


def test_a_move_is_in_the_store(tmp_path: Path) -> None:
    """After the end of the server the job is due when it was moved to."""

    async def lasting(client: Talk, handle: str) -> str:
        """What does not change as time goes on."""
        return str(sorted((await shown(client, handle) | {"age": ""}).items()))

    async def life(wanted: list[str] | None) -> list[str]:
        store = make_store(StoreSettings(url=f"sqlite:{tmp_path}/jobs.db"))
        async with Server(Config(listen=(HOST,), port=0), [Admin()], store) as server, Talk(server) as client:
            if wanted is None:
                late, low, soon = [await submitted(client, f"f;at={4_000_000_000 + at}", f"u{at}") for at in range(3)]
                assert await lines(client, f"move {late} due=2100-01-01T00:00Z") == ["OK"]
                assert await lines(client, f"move {low} priority=low") == ["OK"]
                assert await lines(client, f"run now {soon}") == ["OK"]
                told = [await lasting(client, handle) for handle in (late, low, soon)]
                assert (await shown(client, soon))["state"] == "queued"
                return [late, low, soon, *told]
            assert [await lasting(client, handle) for handle in wanted[:3]] == wanted[3:]
            return wanted

    async def twice() -> None:
        await life(await life(None))

    play(twice())
