"""What clients hear of `ttl`, `unique_ttl`, `duplicate` and `graceful`, packet by packet."""

from __future__ import annotations

import pytest

from gearfast import Config, Server
from tests.support import wire
from tests.support.inside import Talk, played
from tests.support.peers import HOST

NAMES = {"complete": wire.WORK_COMPLETE, "fail": wire.WORK_FAIL, "exception": wire.WORK_EXCEPTION}


async def put(client: Talk, name: str, unique: str = "u", kind: int = wire.SUBMIT_JOB_BG, payload: str = "x") -> bytes:
    """Submit; its handle."""
    answer = await client.call(kind, name, unique, payload=payload)
    assert answer.name == "JOB_CREATED", answer.body
    return answer.body


async def end(worker: Talk, handle: bytes, how: str) -> None:
    """Grab the job, and end it."""
    worker.say(wire.CAN_DO, "f")
    assert (await worker.call(wire.GRAB_JOB)).args(2)[0] == handle
    worker.say(NAMES[how], handle, payload=None if how == "fail" else "result")
    await worker.call(wire.ECHO_REQ, payload="")


async def silent(client: Talk) -> bool:
    """Whether it hears nothing before what it asks for itself."""
    return (await client.call(wire.ECHO_REQ, payload="nothing else")).body == b"nothing else"


@pytest.mark.parametrize("how", NAMES)
def test_after_the_end_the_handle_comes_first_and_then_how_it_ended(how: str) -> None:
    """In the foreground; in the background the handle alone. The second submit need not ask for it itself."""

    async def scene(server: Server, client: Talk) -> None:
        async with Talk(server) as worker, Talk(server) as other:
            handle = await put(client, "f;unique_ttl=30s")
            await end(worker, handle, how)
            for name in ("f;unique_ttl=1h", "f"):
                assert await put(other, name) == handle
                assert await silent(other)
                assert await put(other, name, kind=wire.SUBMIT_JOB) == handle
                told = await other.hear()
                assert told.name == ("WORK_COMPLETE" if how == "complete" else "WORK_FAIL")
                assert told.args() == ([handle, b""] if how == "complete" else [handle])
            assert await silent(client)
            assert (await worker.call(wire.GRAB_JOB)).name == "NO_JOB"

    played(scene)


def test_status_says_unknown_and_the_tables_show_nothing() -> None:
    async def scene(server: Server, client: Talk) -> None:
        async with Talk(server) as worker:
            handle = await put(client, "f;unique_ttl=30s")
            await end(worker, handle, "complete")
            assert (await client.call(wire.GET_STATUS, handle)).args() == [handle, b"0", b"0", b"0", b"0"]
            assert (await client.call(wire.GET_STATUS_UNIQUE, "u")).args() == [b"u", b"0", b"0", b"0", b"0", b"0"]
            for line, table in ((b"status\n", b"f\t0\t0\t1\n.\n"), (b"show jobs\n", b".\n")):
                client.writer.write(line)
                assert await client.reader.readexactly(len(table)) == table

    played(scene)


def test_a_foreground_job_ends_for_its_client_as_ever_and_then_for_the_next_one() -> None:
    async def scene(server: Server, client: Talk) -> None:
        async with Talk(server) as worker, Talk(server) as other:
            handle = await put(client, "f;unique_ttl=30s", kind=wire.SUBMIT_JOB)
            await end(worker, handle, "complete")
            assert (await client.hear()).args() == [handle, b"result"]
            assert await put(other, "f", kind=wire.SUBMIT_JOB_HIGH) == handle
            assert (await other.hear()).args() == [handle, b""]

    played(scene)


def test_who_waits_for_a_job_that_expires_hears_that_it_failed() -> None:
    async def scene(server: Server, client: Talk) -> None:
        async with Talk(server) as other:
            handle = await put(other, "f;ttl=200ms")
            assert await put(client, "f", kind=wire.SUBMIT_JOB) == handle
            told = await client.hear()
            assert (told.name, told.args()) == ("WORK_FAIL", [handle])
            assert await silent(other)
            assert server.broker.job_count == 0
            handle = await put(client, "f;ttl=1ms", kind=wire.SUBMIT_JOB)
            assert (await client.hear()).args() == [handle]

    played(scene)


def test_a_replaced_job_has_one_handle_and_the_last_payload() -> None:
    async def scene(server: Server, client: Talk) -> None:
        async with Talk(server) as worker:
            handle = await put(client, "f;delay=1h", payload="old")
            assert await put(client, "f;delay=2h;priority=low", payload="kept") == handle
            assert await put(client, "f;duplicate=keep", payload="kept") == handle
            worker.say(wire.CAN_DO, "f")
            assert (await worker.call(wire.GRAB_JOB)).name == "NO_JOB"
            assert await put(client, "f;duplicate=replace", payload="new") == handle
            assert (await worker.call(wire.GRAB_JOB)).args(2)[::2] == [handle, b"new"]
            assert await put(client, "f;duplicate=replace", payload="too late") == handle
            worker.say(wire.WORK_COMPLETE, handle, payload="")
            assert (await worker.call(wire.GRAB_JOB)).name == "NO_JOB"

    played(scene)


def test_a_worker_that_ends_in_order_is_not_counted() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = await put(client, "f;graceful=free")
        for last, counted in ((wire.CANT_DO, 0), (wire.RESET_ABILITIES, 0), (None, 1)):
            async with Talk(server) as worker:
                worker.say(wire.CAN_DO, "f")
                assert (await worker.call(wire.GRAB_JOB)).args(2)[0] == handle
                if last is not None:
                    worker.say(last, *(("f",) if last == wire.CANT_DO else ()))
            while (found := server.broker.show_job(handle)) is not None and found[0] == "running":
                await client.call(wire.ECHO_REQ, payload="")
            assert found is not None
            assert found[5] == counted

    played(scene)


@pytest.mark.parametrize(
    "key", ["delay=5s", "at=9999999999", "retries=1", "backoff=fixed:1s", "duplicate=replace", "graceful=free"]
)
@pytest.mark.parametrize("kind", [wire.SUBMIT_JOB, wire.SUBMIT_JOB_HIGH, wire.SUBMIT_JOB_LOW])
def test_what_is_for_background_jobs_is_refused_to_a_client_that_waits(key: str, kind: int) -> None:
    """By the name of its key; also among others that are allowed."""

    async def scene(server: Server, client: Talk) -> None:
        for name in (f"f;{key}", f"f;timeout=5s;{key};ttl=5s;unique_ttl=5s;priority=low"):
            answer = await client.call(kind, name, "u", payload="x")
            code, said = answer.args()
            assert (answer.name, code) == ("ERROR", b"INVALID_PARAMETER")
            assert said.startswith(f"{key.partition('=')[0]} is for background jobs: a client waits".encode())
        assert server.broker.job_count == 0
        await put(client, "f;timeout=5s;ttl=5s;unique_ttl=5s;priority=low", kind=kind)

    played(scene)


def test_without_submit_parameters_all_is_a_name() -> None:
    async def scene(server: Server, client: Talk) -> None:
        for text in ("ttl=1ms", "unique_ttl=30s", "duplicate=replace", "graceful=free", "duplicate=what"):
            await put(client, f"f;{text}", kind=wire.SUBMIT_JOB)
            assert f"f;{text}".encode() in [figures.name for figures in server.functions()]

    played(scene, Config(listen=(HOST,), port=0, submit_parameters=False))
