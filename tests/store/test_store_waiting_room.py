"""Over a restart: unique ids that stay taken, jobs that expire, and what has been replaced, in a SQLite file too."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from gearfast import Admin, Config, Server, StoreSettings, make_store
from gearfast.errors import StoreError
from gearfast.store.contract import StoredJob
from gearfast.store.stock import row_of
from tests.store.test_durable import BACKGROUND, finish, grab, status, worker_of
from tests.support import wire
from tests.support.durable import Contents, Obedient, serving
from tests.support.inside import Talk, play
from tests.support.peers import HOST, until

SUBMITTED, STARTED, STATE = 3, 4, 7
ENDED = b"\x06"


def field(tag: int, value: bytes) -> bytes:
    return bytes((tag, len(value))) + value


def at(seconds: float) -> bytes:
    """A moment that many seconds from now on, as a record has it."""
    return int((time.time() + seconds) * 1e6).to_bytes(8, "little")


def kept(
    number: int = 1,
    *,
    due: float = 0.0,
    attempts: int = 0,
    submitted: float = 0.0,
    policy: bytes = b"",
    more: bytes = b"",
    unique: bytes = b"u",
) -> StoredJob:
    """A job as a store has it; times are seconds from now on."""
    text = b"\x02" + field(SUBMITTED, at(submitted)) + (field(2, policy) if policy else b"") + more
    return StoredJob(number, b"f", unique, 1, time.time() + due if due else 0.0, attempts, b"x", text)


def ended(number: int = 1, *, left: float = 1000.0, failed: bool = False, unique: bytes = b"u") -> StoredJob:
    """One that has ended, and is remembered so long."""
    return kept(number, due=left, attempts=failed, more=field(STATE, ENDED), unique=unique)


def holding(*jobs: StoredJob) -> Contents:
    return Contents({job.number: job for job in jobs}, {"prefix": "H:t"})


# --- unique ids that stay taken ---


@pytest.mark.parametrize("failed", [False, True])
def test_an_ended_job_is_remembered_over_a_restart(failed: bool) -> None:
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client, served.connect() as worker:
        handle = client.call(BACKGROUND, "f;unique_ttl=1h", "u", payload="x" * 5000).body
        grab(worker_of(worker, "f"))
        kind = wire.WORK_FAIL if failed else wire.WORK_COMPLETE
        worker.request(kind, handle, payload=None if failed else "")
        until(lambda: contents.jobs[1].payload == b"", "the store has no more of it than its unique id")
        assert contents.jobs[1].due == pytest.approx(time.time() + 3600, abs=60)
    with serving(Obedient(contents)) as served, served.connect() as client:
        assert client.call(BACKGROUND, "f", "u", payload="x").body == handle
        assert client.call(wire.SUBMIT_JOB, "f", "u", payload="x").body == handle
        told = client.recv_packet()
        assert (told.name, told.args()) == (("WORK_FAIL", [handle]) if failed else ("WORK_COMPLETE", [handle, b""]))
        assert status(client, handle)[0] == b"0"
        assert client.table("show jobs") == []
        assert grab(worker_of(client, "f")) == (b"", b"")
    assert list(contents.jobs) == [1]


def test_its_time_goes_on_while_no_server_runs() -> None:
    """What has passed meanwhile is forgotten at the start, also in the store."""
    with serving(Obedient(holding(ended(1, left=-1.0), ended(2, unique=b"v")))) as served, served.connect() as client:
        served.store.wait_gone(1)
        assert client.call(BACKGROUND, "f", "u", payload="x").body != b"H:t:1"
        assert client.call(BACKGROUND, "f", "v", payload="x").body == b"H:t:2"


def test_it_leaves_the_store_when_its_time_is_over() -> None:
    with serving(Obedient(holding(ended(left=0.3)))) as served, served.connect() as client:
        assert client.call(BACKGROUND, "f", "u", payload="x").body == b"H:t:1"
        served.store.wait_gone(1)
        assert client.call(BACKGROUND, "f", "u", payload="x").body != b"H:t:1"


def test_one_whose_unique_id_is_taken_leaves_the_store_too() -> None:
    with serving(Obedient(holding(kept(1), ended(2)))) as served, served.connect() as client:
        assert client.call(BACKGROUND, "f", "u", payload="x").body == b"H:t:1"
        served.store.wait_gone(2)


def test_a_foreground_job_is_remembered_and_not_stored() -> None:
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client, served.connect() as worker:
        handle = client.call(wire.SUBMIT_JOB, "f;unique_ttl=1h", "u", payload="x").body
        finish(served, 1)
        assert client.recv_packet().name == "WORK_COMPLETE"
        assert worker.call(BACKGROUND, "f", "u", payload="x").body == handle
        assert worker.call(BACKGROUND, "f", "other", payload="x").name == "JOB_CREATED"
        assert sorted(contents.jobs) == [2]


def test_a_job_that_is_done_before_it_is_stored_is_acknowledged_and_remembered() -> None:
    """Whoever were told that it failed would submit it again, and it would be done twice."""
    with serving(store_timeout=0.3, store_retry=(0.01, 0.05)) as served, served.connect() as client:
        served.store.trouble = StoreError("away")
        client.request(BACKGROUND, "f;unique_ttl=1h", "u", payload="x")
        with served.connect() as worker:
            worker_of(worker, "f")
            while not (got := grab(worker))[0]:
                pass
            worker.request(wire.WORK_COMPLETE, got[0], payload="")
            assert worker.sync() == b""
            assert client.recv_packet().body == got[0]
            assert worker.call(BACKGROUND, "f", "u", payload="x").body == got[0], "it waits for nothing"
        served.store.trouble = None
        assert client.call(BACKGROUND, "f", "v", payload="x").name == "JOB_CREATED"
        until(lambda: served.server.broker.outbox.bytes == 0, "nothing waits any more")


def test_a_job_that_has_ended_is_none_that_gearmand_could_do() -> None:
    with pytest.raises(StoreError, match="gearmand would run it again"):
        row_of(ended())


# --- jobs that expire ---


def test_a_restart_does_not_prolong_the_time_that_a_job_may_wait() -> None:
    """Neither from its submit, nor from when it fell due, while a server ran or not."""
    contents = holding(
        kept(1, submitted=-90, policy=b"ttl=1m", unique=b""),
        kept(2, submitted=-7200, due=-90, policy=b"ttl=1m", unique=b""),
        kept(3, submitted=-90, policy=b"ttl=2m", unique=b""),
        kept(4, submitted=-7200, due=-90, policy=b"ttl=2m", unique=b""),
        kept(5, submitted=-7200, due=90, policy=b"ttl=1m", unique=b""),
    )
    with serving(Obedient(contents)) as served, served.connect() as client:
        served.store.wait_gone(1)
        served.store.wait_gone(2)
        broker = served.server.broker
        wait: list[float] = []
        served.loop.call_soon_threadsafe(lambda: wait.append(broker.wait(time.monotonic(), time.time())))
        until(lambda: bool(wait), "it is asked")
        assert 20 < wait[0] <= 30
        assert len(client.table("show jobs")) == 3
    assert sorted(contents.jobs) == [3, 4, 5]


@pytest.mark.parametrize("more", [{"attempts": 1}, {"more": field(STARTED, at(-100))}])
def test_what_was_started_before_a_restart_does_not_expire(more: dict[str, object]) -> None:
    job = kept(1, submitted=-200, policy=b"ttl=1m;retries=5", **more)  # type: ignore[arg-type]
    with (
        serving(Obedient(holding(job, kept(2, submitted=-200, policy=b"ttl=1m", unique=b"")))) as served,
        served.connect() as client,
    ):
        served.store.wait_gone(2)
        assert grab(worker_of(client, "f")) == (b"H:t:1", b"x")


def test_an_expired_job_is_gone_from_the_store() -> None:
    with serving() as served, served.connect() as client, served.connect() as other:
        handle = client.call(BACKGROUND, "f;ttl=100ms", "u", payload="x").body
        assert other.call(wire.SUBMIT_JOB, "f", "u", payload="x").body == handle
        assert other.recv_packet().name == "WORK_FAIL"
        served.store.wait_gone(1)


def test_one_that_expires_before_it_is_stored_was_a_job() -> None:
    """Its client hears of it, and the store never does; or it forgets it."""
    with serving() as served, served.connect() as client:
        served.store.gate.clear()
        client.request(BACKGROUND, "f", "", payload="x")
        served.store.wait_asked(1)
        client.request(BACKGROUND, "f;ttl=1ms", "u", payload="x")
        with served.connect() as witness:
            until(lambda: len(witness.table("show jobs")) == 1, "it is gone")
        served.store.gate.set()
        assert [client.recv_packet().name for _ in range(2)] == ["JOB_CREATED"] * 2
        assert served.store.numbers() == [1]
        assert [job.number for batch in served.store.written for job in batch.adds] == [1]


# --- a real file ---

Life = Callable[[Server, Talk], Coroutine[None, None, None]]


def lives(path: Path, *scenes: Life) -> None:
    """One server after the other on one file."""

    async def all_of_them() -> None:
        for scene in scenes:
            store = make_store(StoreSettings(url=f"sqlite:{path}"))
            config = Config(listen=(HOST,), port=0, job_handle_prefix="H:t")
            async with Server(config, [Admin()], store) as server, Talk(server) as client:
                await scene(server, client)

    play(all_of_them())


def test_a_file_keeps_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"

    async def submit(server: Server, client: Talk) -> None:
        for name, unique in (("f;unique_ttl=1h", "done"), ("g;delay=1h", "replaced"), ("g;ttl=50ms", "expired")):
            assert (await client.call(wire.SUBMIT_JOB_BG, name, unique, payload="old")).name == "JOB_CREATED"
        answer = await client.call(
            wire.SUBMIT_JOB_BG, "g;delay=2h;duplicate=replace;priority=high", "replaced", payload="new"
        )
        assert answer.body == b"H:t:2"
        async with Talk(server) as worker:
            worker.say(wire.CAN_DO, "f")
            await worker.call(wire.GRAB_JOB)
            worker.say(wire.WORK_COMPLETE, "H:t:1", payload="")
            await worker.call(wire.ECHO_REQ, payload="")
        while server.broker.job_count > 1:
            await client.call(wire.ECHO_REQ, payload="")

    async def look(server: Server, client: Talk) -> None:
        assert (await client.call(wire.SUBMIT_JOB, "f", "done", payload="")).body == b"H:t:1"
        assert (await client.hear()).name == "WORK_COMPLETE"
        found = server.broker.show_job(b"H:t:2")
        assert found is not None
        assert (found[0], found[2], found[4], found[9]) == ("delayed", 0, 3, b"duplicate=replace")
        assert server.broker.job_count == 1

    lives(path, submit, look, look)
