"""Admin commands for jobs that have used up their tries."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gearfast import Admin, Config, InProcessPeer, Report, Server, StoreSettings, make_store
from gearfast.broker.deadletters import DeadLetters
from gearfast.store.batches import Batches
from gearfast.store.contract import StoredJob
from tests.plugins.test_jobs import lines, shown, submitted
from tests.support import wire
from tests.support.inside import LOCAL, Talk, play, played
from tests.support.peers import HOST
from tests.support.records import DEAD, POLICY, STATE, field

FOR_GOOD = "retries=0"


async def bury(
    server: Server, client: Talk, name: str = "f", unique: str = "", payload: str = "x", why: bytes = b"why"
) -> str:
    """Bury a job by a worker's exception; return its handle."""
    function = name.encode()
    handle = await submitted(client, f"{name};{FOR_GOOD}", unique, payload)
    worker = InProcessPeer(server.broker)
    worker.can_do(function)
    grabbed = worker.grab(time.monotonic())
    assert grabbed is not None
    assert grabbed[0].decode() == handle
    worker.tell(grabbed[0], Report.EXCEPTION, why, time.monotonic())
    worker.disconnect()
    return handle


async def told(client: Talk, line: str) -> dict[str, str]:
    """A `key: value` per line."""
    return dict(one.split(": ", 1) for one in await lines(client, line))


def moment(text: str) -> float:
    """In seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def test_all_of_a_buried_job_is_shown() -> None:
    async def scene(server: Server, client: Talk) -> None:
        before = time.time()
        handle = await bury(server, client, "f", "one", "y" * 2000, b"the mail server is down")
        found = await told(client, f"show buried {handle}")
        times = [moment(found.pop(key)) for key in ("submitted", "first started", "last failed")]
        assert before - 0.01 <= times[0] <= times[1] + 0.01 <= times[2] + 0.02 <= time.time() + 0.03
        assert found == {
            "handle": handle,
            "function": "f",
            "unique": "one",
            "priority": "normal",
            "bytes": "2000",
            "attempts": "1",
            "last error": "the mail server is down",
            "payload": "y" * 1000,
        }
        told_too = await shown(client, handle)
        assert (told_too["state"], told_too["last error"]) == ("buried", "the mail server is down")
        assert await lines(client, "status") == ["f\t0\t0\t0"]
        assert await lines(client, "show jobs") == await lines(client, "show unique jobs") == []
        status = await client.call(wire.GET_STATUS, handle)
        assert status.args(5) == [handle.encode(), b"0", b"0", b"0", b"0"]
        status = await client.call(wire.GET_STATUS_UNIQUE, "one")
        assert status.args(6) == [b"one", b"0", b"0", b"0", b"0", b"0"]

    played(scene)


def test_buried_jobs_are_listed_the_latest_first() -> None:
    """By function, up to a limit; a thousand others are in nobody's way."""

    async def scene(server: Server, client: Talk) -> None:
        handles = []
        for number in range(300):
            handles.append(await bury(server, client, f"f{number % 2}", f"u{number}", why=b"e" * 100))
            await submitted(client, "other")
        found = [line.split("\t") for line in await lines(client, "buried 300")]
        assert [row[1] for row in found] == handles[::-1]
        assert [row[5] for row in found] == [f"u{number}" for number in reversed(range(300))]
        assert {(row[2], row[3], row[6]) for row in found} == {("1", "1", "e" * 70)}
        times = [moment(row[0]) for row in found]
        assert times == sorted(times, reverse=True)
        assert len(await lines(client, "buried")) == 100
        of_one = [line.split("\t") for line in await lines(client, "buried f1 5")]
        assert [row[1] for row in of_one] == handles[::-2][:5]
        assert await lines(client, "buried none") == []

    played(scene)


@pytest.mark.parametrize("name", ["job", "Job"])
def test_a_function_may_be_called_job(name: str) -> None:
    """What is behind it is a handle, unless it is a number, or nothing."""

    async def scene(server: Server, client: Talk) -> None:
        handles = [await bury(server, client, name) for _ in range(8)]
        other = await bury(server, client, "other")
        assert await lines(client, f"kick {name} {handles[7]}") == ["OK"]
        assert await lines(client, f"kick {name} {other}") == ["OK"]
        assert await lines(client, f"kick {name} 2") == ["OK 2"]
        assert await lines(client, f"kick {name} 2 --json") == ['{"ok": true, "count": 2}']
        assert await lines(client, f"kick {name}") == ["OK 3"]
        assert await lines(client, f"kick {name} --json") == ['{"ok": true, "count": 0}']
        assert await lines(client, f"kick {name} x") == [
            "ERR UNKNOWN_JOB no job x is buried: `buried` lists those that are"
        ]
        assert await lines(client, f"kick {name} 1 2") == [
            "ERR INVALID_ARGUMENTS write: kick job HANDLE; or kick NAME [N]"
        ]
        assert server.broker.dead == 0

    played(scene)


def test_jobs_are_kicked_purged_and_deleted() -> None:
    async def scene(server: Server, client: Talk) -> None:
        letters = DeadLetters(server.broker)
        handles = [await bury(server, client) for _ in range(8)]
        other = await bury(server, client, "other")
        assert await lines(client, "kick f 2") == ["OK 2"]
        assert [line.split("\t")[0] for line in await lines(client, "show jobs")] == handles[:2]
        assert await lines(client, f"Kick Job {handles[3]}") == ["OK"]
        assert (await shown(client, handles[3]))["state"] == "queued"
        assert await lines(client, f"kick job {handles[3]}") == [
            f"ERR UNKNOWN_JOB no job {handles[3]} is buried: `buried` lists those that are"
        ]
        assert await lines(client, f"delete job {handles[2]}") == ["OK"]
        assert await lines(client, f"show job {handles[2]}") == [f"ERR UNKNOWN_JOB there is no job {handles[2]}"]
        assert await lines(client, "kick f 0") == ["OK 0"]
        assert await lines(client, "kick f") == ["OK 4"]
        assert await lines(client, "kick f 99") == await lines(client, "kick none") == ["OK 0"]
        assert letters.count(b"f") == 0
        assert await lines(client, "purge other") == ["OK 1"]
        assert await lines(client, "purge other") == await lines(client, "purge none") == ["OK 0"]
        assert await lines(client, f"show buried {other}") == [
            f"ERR UNKNOWN_JOB no job {other} is buried: `buried` lists those that are"
        ]
        assert server.broker.dead == 0

    played(scene)


def test_a_kick_wakes_a_worker() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = await bury(server, client)
        async with Talk(server) as worker:
            worker.say(wire.CAN_DO, "f")
            worker.say(wire.PRE_SLEEP)
            await worker.call(wire.ECHO_REQ, payload="it sleeps")
            assert await lines(client, f"kick job {handle}") == ["OK"]
            assert (await worker.hear()).name == "NOOP"
            assert (await worker.call(wire.GRAB_JOB)).args(2)[0].decode() == handle

    played(scene)


def test_many_are_kicked_a_slice_at_a_time_and_others_are_served_between() -> None:
    async def scene(server: Server, client: Talk) -> None:
        for _ in range(50):
            await bury(server, client)
        letters = DeadLetters(server.broker)
        for line, lefts in ((b"kick f 30", [40, 30, 20]), (b"purge f", [10, 0])):
            answer: Any = server.commands.answer(None, line)  # type: ignore[arg-type]
            assert isinstance(answer, Iterator)
            steps = [(part, letters.count(b"f")) for part in answer]
            assert steps[:-1] == [(b"", left) for left in lefts]
            assert steps[-1] == (b"OK %d\r\n" % (10 * len(lefts)), lefts[-1])
        assert server.broker.job_count == 30

    played(scene, replace(LOCAL, answer_slice=10))


def test_what_is_kicked_while_buried_jobs_are_listed_is_told_once_or_not_at_all() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handles = [await bury(server, client) for _ in range(1000)]
        answer: Any = server.commands.answer(None, b"buried 10000")  # type: ignore[arg-type]
        parts = [next(answer)]
        assert await lines(client, "kick f 500") == ["OK 500"]
        assert await lines(client, f"delete job {handles[999]}") == ["OK"]
        found = [line.split(b"\t")[1].decode() for line in b"".join([*parts, *answer]).splitlines()[:-1]]
        assert len(found) == len(set(found))
        assert set(handles[500:999]) <= set(found) <= set(handles)

    played(scene)


def test_rows_for_programs_are_json_and_end_with_a_dot() -> None:
    r"""Bytes that are no UTF-8 come as Python's `surrogateescape` has them."""

    async def scene(server: Server, client: Talk) -> None:
        why = b"no\xff \n.\n\x1b[2J" + "für".encode()
        handle = await bury(server, client, "f\n.\nx", ".", 'a"\n.\nb', why)
        later = await submitted(client, "later;at=4000000000", "\r\n.")
        for line, count in (
            ("buried --json", 1),
            ("buried 5 --json", 1),
            ("buried none --json", 0),
            (f"show buried {handle} --json", 1),
            (f"show job {handle} --json", 1),
            ("show delayed --json", 1),
            ("show delayed none --json", 0),
            (f"show job {later} --json", 1),
        ):
            rows = [json.loads(row) for row in await lines(client, line)]
            assert len(rows) == count, line
            for row in rows:
                assert row["handle"] in (handle, later)
                name = "later" if row["handle"] == later else "f\n.\nx"
                assert row["function"] == name
                assert row["unique"] == ("\r\n." if row["handle"] == later else ".")
        (row,) = [json.loads(one) for one in await lines(client, f"show buried {handle} --json")]
        assert row["last error"].encode("utf-8", "surrogateescape") == why
        assert (row["payload"], row["bytes"], row["attempts"]) == ('a"\n.\nb', 6, 1)
        (row,) = [json.loads(one) for one in await lines(client, f"show job {later} --json")]
        assert (row["background"], row["clients"], row["holder"]) == (True, 0, None)
        assert 0 <= row["age"] < 10

    played(scene)


def test_names_and_errors_forge_no_line() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = await bury(server, client, "f\n.\nx", ".", "\n.\n", b".\nOK\r\n\x1b[2J")
        found = await told(client, f"show buried {handle}")
        assert (found["function"], found["unique"], found["payload"]) == (r"f\x0a.\x0ax", r"\x2e", r"\x0a.\x0a")
        assert found["last error"] == r".\x0aOK\x0d\x0a\x1b[2J"
        assert [line.split("\t")[4:] for line in await lines(client, "buried")] == [
            [r"f\x0a.\x0ax", r"\x2e", r".\x0aOK\x0d\x0a\x1b[2J"]
        ]
        assert (await shown(client, handle))["last error"] == r".\x0aOK\x0d\x0a\x1b[2J"

    played(scene)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("buried a b", "INVALID_ARGUMENTS write: buried [NAME] [LIMIT], with a limit from 1 to 10000"),
        ("buried f 0", "INVALID_ARGUMENTS write: buried [NAME] [LIMIT], with a limit from 1 to 10000"),
        ("buried 10001", "INVALID_ARGUMENTS write: buried [NAME] [LIMIT], with a limit from 1 to 10000"),
        (f"buried {'9' * 5000} --json", "INVALID_ARGUMENTS write: buried [NAME] [LIMIT], with a limit"),
        ("buried a b c d e f g", "INVALID_ARGUMENTS write: buried [NAME] [LIMIT], with a limit from 1 to 10000"),
        ("show buried", "INVALID_ARGUMENTS write: show buried HANDLE"),
        ("show buried --json", "INVALID_ARGUMENTS write: show buried HANDLE"),
        ("show buried a b", "INVALID_ARGUMENTS write: show buried HANDLE"),
        ("show buried H:x:1", "UNKNOWN_JOB no job H:x:1 is buried: `buried` lists those that are"),
        ("show buried \x1b[2J", "UNKNOWN_JOB no job \\x1b[2J is buried"),
        ("kick", "INVALID_ARGUMENTS write: kick NAME [N]"),
        ("kick f x", "INVALID_ARGUMENTS write: kick NAME [N]"),
        ("kick f -1", "INVALID_ARGUMENTS write: kick NAME [N]"),
        ("kick f 1 2", "INVALID_ARGUMENTS write: kick NAME [N]"),
        ("kick f 10000000000", "INVALID_ARGUMENTS write: kick NAME [N]"),
        ("kick job 10000000000", "INVALID_ARGUMENTS write: kick NAME [N]"),
        ("kick job a b c d e", "INVALID_ARGUMENTS write: kick job HANDLE"),
        ("kick job H:x:1", "UNKNOWN_JOB no job H:x:1 is buried"),
        ("purge", "INVALID_ARGUMENTS write: purge NAME"),
        ("purge a b", "INVALID_ARGUMENTS write: purge NAME"),
        ("delete", "INVALID_ARGUMENTS write: delete job HANDLE"),
        ("delete jobs H:x:1", "INVALID_ARGUMENTS write: delete job HANDLE"),
        ("delete job", "INVALID_ARGUMENTS write: delete job HANDLE"),
        ("delete job a b", "INVALID_ARGUMENTS write: delete job HANDLE"),
        ("delete job H:x:1", "UNKNOWN_JOB no job H:x:1 is buried"),
    ],
)
def test_a_mistake_is_named(line: str, said: str) -> None:
    async def scene(server: Server, client: Talk) -> None:
        (answer,) = await lines(client, line)
        assert answer.startswith(f"ERR {said}"), answer

    played(scene)


def test_a_job_that_is_not_buried_is_not_kicked_and_a_buried_one_is_not_moved() -> None:
    async def scene(server: Server, client: Talk) -> None:
        alive, dead = await submitted(client, "g"), await bury(server, client)
        for line in (f"kick job {alive}", f"delete job {alive}", f"show buried {alive}"):
            assert await lines(client, line) == [
                f"ERR UNKNOWN_JOB no job {alive} is buried: `buried` lists those that are"
            ]
        for line in (f"run now {dead}", f"move {dead} priority=high", f"move {dead} due=1h"):
            assert await lines(client, line) == [
                f"ERR JOB_IS_BURIED it has used up its tries: kick job {dead} makes it a job again"
            ]
        assert await lines(client, f"cancel job {dead}") == ["ERR UNKNOWN_JOB"]
        assert await lines(client, "drop function f") == ["ERR there are still connected workers or executing clients"]
        assert await lines(client, "purge f") == ["OK 1"]
        assert await lines(client, "drop function f") == ["OK"]

    played(scene)


def test_whoever_holds_a_job_is_shown() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = await submitted(client, "f")
        worker = InProcessPeer(server.broker)
        worker.can_do(b"f")
        assert worker.grab() is not None
        assert (await shown(client, handle))["holder"] == "this process"
        worker.disconnect()
        async with Talk(server) as talk:
            talk.say(wire.CAN_DO, "f")
            await talk.call(wire.GRAB_JOB)
            assert (await shown(client, handle))["holder"] == HOST
            talk.say(wire.CANT_DO, "f")
            await talk.call(wire.ECHO_REQ, payload="it has given it back")
            assert (await shown(client, handle))["holder"] == ""

    played(scene)


@pytest.mark.parametrize("stored", [False, True])
def test_a_drain_waits_for_no_buried_job(stored: bool, tmp_path: Path) -> None:
    async def scene() -> None:
        store = make_store(StoreSettings(url=f"sqlite:{tmp_path}/jobs.db")) if stored else None
        server = Server(LOCAL, [Admin()], store)
        await server.start()
        async with Talk(server) as client:
            await bury(server, client)
            server.drain()
            await server.wait_closed()
            assert server.broker.dead == 1

    play(scene())


def test_they_survive_the_end_of_the_server(tmp_path: Path) -> None:
    """With all that is known of them; one that was kicked is a job, and what was forgotten stays forgotten."""

    async def life(known: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        store = make_store(StoreSettings(url=f"sqlite:{tmp_path}/jobs.db"))
        async with Server(Config(listen=(HOST,), port=0), [Admin()], store) as server, Talk(server) as client:
            if known:
                for handle, before in known.items():
                    state = (await shown(client, handle))["state"]
                    assert state == ("buried" if before else "queued")
                    if before:
                        now = await told(client, f"show buried {handle}")
                        for key in ("submitted", "first started", "last failed"):
                            assert moment(now.pop(key)) == pytest.approx(moment(before.pop(key)), abs=0.05)
                        assert now == before
                assert server.broker.dead + server.broker.job_count == len(known)
                kicked = [handle for handle, before in known.items() if not before]
                assert [await submitted(client, "f", "one")] == kicked
                return {}
            handles = [await bury(server, client, "f", "one", f"{at}", b"why \xff %d" % at) for at in range(4)]
            while server.unwritten():  # so that what follows is a change of what the store has
                await client.call(wire.ECHO_REQ, payload="")
            assert await lines(client, f"kick job {handles[1]}") == ["OK"]
            assert await lines(client, f"delete job {handles[2]}") == ["OK"]
            return {
                handle: {} if handle == handles[1] else await told(client, f"show buried {handle}")
                for handle in handles
                if handle != handles[2]
            }

    async def twice() -> None:
        await life(await life({}))

    play(twice())


def test_what_a_store_does_not_know_is_not_made_up() -> None:
    """A record of a buried job with no times and no error: nobody wrote such a one, and it is shown."""

    async def scene(server: Server, client: Talk) -> None:
        more = b"\2" + field(POLICY, b"retries=0") + field(STATE, DEAD)
        assert Batches(server.broker).restore([StoredJob(7, b"f", b"", 1, 0.0, 1, b"x", more)]) == []
        handle = server.broker.handles.format(7).decode()
        found = await told(client, f"show buried {handle}")
        assert (found["first started"], found["last failed"], found["last error"]) == ("", "", "")
        assert (await lines(client, "buried")) == [f"\t{handle}\t1\t1\tf\t\t"]

    played(scene)
