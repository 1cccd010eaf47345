"""Schedules in a store: durable before they are acknowledged, and known again after a restart."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gearfast import Broker, InProcessPeer
from gearfast.broker.timetable import Timetable
from gearfast.errors import StoreError, StoreLostError
from gearfast.store.batches import Batches
from gearfast.store.contract import StoredJob
from gearfast.store.record import state_of
from tests.store.test_durable import grab, status, worker_of
from tests.support import wire
from tests.support.databases import Database, MariaDb, PostgreSql, Redis
from tests.support.durable import Obedient, Served, serving
from tests.support.peers import start_gearfast, until
from tests.support.states import gathered, one_of_each
from tests.support.wire import Connection

CRON = "cron=0 3 1 1 *;tz=UTC"
HANDLE = b"H:t:1"


def submit(client: Connection, asked: str = CRON, payload: str = "x") -> wire.Packet:
    """The answer to a schedule of `f` with the unique id `u`."""
    return client.call(wire.SUBMIT_JOB_BG, f"f;{asked}", "u", payload=payload)


def admin(connection: Connection, line: str) -> str:
    """The one line of an answer."""
    connection.send(line.encode() + b"\n")
    return connection.recv_line().decode().strip()


def rows(connection: Connection) -> list[list[str]]:
    """What `show schedules` tells."""
    return [line.split("\t") for line in connection.table("show schedules")]


def kept(store: Obedient) -> list[tuple[int, str]]:
    """What the store holds."""
    return [(number, state_of(job.more)) for number, job in sorted(store.contents.jobs.items())]


def again(served: Served) -> Obedient:
    """End the server; a store with what it has left."""
    served.stop()
    return Obedient(served.store.contents)


# --- before it is acknowledged ---


def test_it_is_in_the_store_before_its_answer_and_so_is_what_replaces_it() -> None:
    with serving() as served, served.connect() as client, served.connect() as other:
        for payload in ("one", "two"):
            served.store.gate.clear()
            asked = len(served.store.asked)
            client.request(wire.SUBMIT_JOB_BG, f"f;{CRON}", "u", payload=payload)
            until(lambda: len(served.store.asked) > asked, "it is given to the store")  # noqa: B023
            assert status(other, HANDLE) == (b"1", b"0")
            client.sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                client.recv_packet()
            client.sock.settimeout(10)
            served.store.gate.set()
            assert client.recv_packet().body == HANDLE
            assert served.store.contents.jobs[1].payload == payload.encode()
        assert kept(served.store) == [(1, "schedule")]


def test_one_that_the_store_does_not_take_is_refused_and_gone() -> None:
    with serving(store_timeout=0.3, store_retry=(0.01, 0.05)) as served, served.connect() as client:
        served.store.trouble = StoreError("away")
        assert submit(client).name == "ERROR"
        assert rows(client) == []
        served.store.trouble = None
        assert submit(client).name == "JOB_CREATED"
        assert len(rows(client)) == 1


def test_a_run_waits_for_a_store_that_is_away_for_as_long_as_it_takes() -> None:
    """Nobody could be told that it is not kept."""
    with serving(store_timeout=0.2, store_retry=(0.01, 0.05)) as served, served.connect() as client:
        submit(client)
        served.store.trouble = StoreError("away")
        assert admin(client, f"run now {HANDLE.decode()}") == "OK"
        assert client.call(wire.SUBMIT_JOB_BG, "g", "", payload="x").name == "ERROR", "others are refused by now"
        assert client.table("show jobs") == ["H:t:2\t0\t0\t1"]
        served.store.trouble = None
        until(lambda: (2, "job") in kept(served.store), "it is written")
        with served.connect() as worker:
            handle, payload = grab(worker_of(worker, "f"))
            assert (handle, payload) == (b"H:t:2", b"x")
            worker.request(wire.WORK_COMPLETE, handle, payload="")
            served.store.wait_gone(2)


def test_a_run_that_ends_before_it_is_written_leaves_nothing() -> None:
    with serving() as served, served.connect() as client, served.connect() as worker:
        submit(client)
        served.store.gate.clear()
        assert admin(client, f"run now {HANDLE.decode()}") == "OK"
        handle, _ = grab(worker_of(worker, "f"))
        worker.request(wire.WORK_COMPLETE, handle, payload="")
        worker.sync()
        served.store.gate.set()
        until(lambda: kept(served.store) == [(1, "schedule")], "the run is in no store")
        served.stop()
        assert kept(served.store) == [(1, "schedule")]


# --- after a restart ---


def test_it_is_there_after_a_restart_with_its_handle_its_date_and_its_last_run() -> None:
    with serving() as served, served.connect() as client:
        submit(client, f"{CRON};retries=2")
        ((due, *_),) = rows(client)
        admin(client, f"run now {HANDLE.decode()}")
        store = again(served)
    with serving(store) as served, served.connect() as client:
        assert status(client, HANDLE) == (b"1", b"0")
        assert rows(client) == [[due, "H:t:1", "f", "u", "0 3 1 1 *", "UTC", "", "H:t:2", "0", "0"]]
        assert admin(client, f"run now {HANDLE.decode()}").startswith("ERR SKIPPED"), "its last run is known"
        assert client.table("status") == ["f\t1\t0\t0"]
        assert submit(client, payload="new").body == HANDLE
        assert admin(client, f"cancel schedule {HANDLE.decode()}") == "OK"
        store = again(served)
    assert kept(store) == [(2, "job")]
    with serving(store) as served, served.connect() as client:
        assert rows(client) == []
        assert status(client, HANDLE) == (b"0", b"0")
        assert client.table("status") == ["f\t1\t0\t0"]


@pytest.mark.parametrize(("asked", "runs"), [("", 0), (";catchup=none", 0), (";catchup=once", 1)])
@pytest.mark.parametrize("ago", [1.0, 3600.0, 1e8])
def test_what_was_missed_while_no_server_ran_is_made_up_for_once_or_not(asked: str, runs: int, ago: float) -> None:
    with serving() as served, served.connect() as client:
        submit(client, CRON + asked)
        store = again(served)
    jobs = store.contents.jobs
    next_time = jobs[1].due
    jobs[1] = jobs[1]._replace(due=time.time() - ago)
    for _ in range(2):  # a second restart makes up for nothing again
        with serving(store) as served, served.connect() as client:
            until(lambda: jobs[1].due == next_time, "it has its next date")
            assert client.table("show jobs") == ["H:t:2\t0\t0\t1"][:runs]
            assert bool(rows(client)[0][6]) == bool(runs)
            store = again(served)


def test_one_that_waits_for_its_date_missed_none() -> None:
    with serving() as served, served.connect() as client:
        submit(client, f"{CRON};catchup=once")
        store = again(served)
    due = store.contents.jobs[1].due
    with serving(store) as served, served.connect() as client:
        until(lambda: bool(rows(client)[0][0]), "it has a date")
        assert client.table("show jobs") == []
        store = again(served)
    assert store.contents.jobs[1].due == due


def test_a_start_that_gives_it_the_date_that_it_had_does_not_write_it_again() -> None:
    """Else each start would write every schedule, its payload with it."""
    with serving() as served, served.connect() as client:
        submit(client, payload="x" * 100_000)
        ((due, *_),) = rows(client)
        store = again(served)
    with serving(store) as served, served.connect() as client:
        until(lambda: rows(client)[0][0] == due, "it has a date")
        assert client.call(wire.SUBMIT_JOB_BG, "g", "", payload="").name == "JOB_CREATED"
        assert [job.function for batch in store.asked for job in batch.adds] == [b"g"]
        assert submit(client, "cron=0 4 1 1 *;tz=UTC").body == HANDLE
        assert [job.number for job in store.asked[-1].adds] == [1]


def test_what_is_written_at_the_end_only_is_there_as_well() -> None:
    with serving(store_on_shutdown=True) as served, served.connect() as client:
        submit(client)
        submit(client, payload="new")
        assert kept(served.store) == []
        store = again(served)
    assert kept(store) == [(1, "schedule")]
    with serving(store, store_on_shutdown=True) as served, served.connect() as client:
        assert len(rows(client)) == 1
        store = again(served)
    assert store.contents.jobs[1].payload == b"new"


def test_a_store_that_has_lost_everything_gets_it_again() -> None:
    with serving() as served, served.connect() as client:
        submit(client)
        admin(client, f"run now {HANDLE.decode()}")
        until(lambda: len(kept(served.store)) == 2, "both are in the store")
        served.store.contents.jobs.clear()
        served.store.trouble = StoreLostError("dropped")
        client.request(wire.SUBMIT_JOB_BG, "g", "", payload="x")
        until(lambda: served.store.asked[-1].adds[-1:] != [] and served.store.asked[-1].adds[-1].number == 3, "asked")
        served.store.trouble = None
        until(lambda: kept(served.store) == [(1, "schedule"), (2, "job"), (3, "job")], "all of them are there again")


# --- records ---


def restored(*jobs: StoredJob) -> tuple[Batches, list[tuple[int, str]]]:
    """A broker that has these, and what it says of the bad ones."""
    batches = Batches(Broker(b"H:a"))
    return batches, batches.restore(list(jobs))


def test_every_state_comes_back_as_it_was() -> None:
    batches, bad = restored(*one_of_each())
    assert bad == []
    batches.open(b"H:a", 9, False)
    batches.doubt(True)
    while batches.promise():
        pass
    found = []
    while batches.seek() or batches.count(4):
        found += batches.collect(4, 1000, 1 << 30, 0)[1]
        batches.written()
    for one, wanted in zip(sorted(found), one_of_each(), strict=True):
        assert (one[:4], one.attempts, state_of(one.more)) == (wanted[:4], wanted.attempts, state_of(wanted.more))
    timetable = Timetable(batches.broker)
    assert [row[3:] for row in timetable.undated(9)] == [(4_000_000_000.0, 0.0, False)]
    assert timetable.run(b"H:a:1", 0.0) is False, "its last run is known"


def test_of_two_with_one_name_the_first_one_is_there_and_the_server_starts() -> None:
    schedule, *others = one_of_each()
    batches, bad = restored(schedule, schedule._replace(number=7), schedule._replace(number=8, unique=b"v"), *others)
    assert bad == [(7, "it is a schedule, and there is another one with its function and unique id")]
    assert len(Timetable(batches.broker)) == 2


def test_one_that_does_not_say_when_it_fires_is_refused() -> None:
    bare = b"\x02\x07\x01\x07"  # the state alone
    _, bad = restored(StoredJob(1, b"f", b"u", 1, 0.0, 0, b"", bare))
    assert bad == [(1, "it is a schedule, and does not say when it fires")]


@pytest.mark.parametrize("when", [math.inf, math.nan])
def test_one_that_never_fires_again_is_kept_as_one_without_a_date(when: float) -> None:
    """No database has a number for that; a later server may know better."""
    broker = Broker(b"H:a")
    batches, timetable = Batches(broker), Timetable(broker)
    batches.open(b"H:a", 0, False)
    client = InProcessPeer(broker)
    client.submit(b"f", b"", b"u", background=True, parameters=b"cron=* * * * *", due=4e9)
    gathered(batches)
    timetable.date(1, when, 0.0)
    (job,) = gathered(batches)
    assert job.due == 0.0
    batches, bad = restored(job)
    assert bad == []
    assert [row[0] for row in Timetable(batches.broker).undated(9)] == [1]


# --- real stores ---


@pytest.fixture(name="url", params=["sqlite", PostgreSql, MariaDb, Redis])
def make_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path / 'jobs.db'}"
        return
    database: Database
    with request.param() as database:
        yield database.url


def test_every_store_keeps_them(url: str) -> None:
    place = (f"--store={url}", "--job-handle-prefix=H:t")
    with start_gearfast(*place) as server, server.connect() as client:
        assert submit(client, f"{CRON};retries=2", payload="one").body == HANDLE
        assert submit(client, f"{CRON};overlap=skip", payload="two").body == HANDLE
        assert admin(client, "run now H:t:1") == "OK"
        told = rows(client)
        assert server.stop() == 0
    with start_gearfast(*place) as server, server.connect() as client:
        assert [row[:8] for row in rows(client)] == [row[:8] for row in told]
        assert admin(client, "run now H:t:1").startswith("ERR SKIPPED")
        with server.connect() as worker:
            handle, payload = grab(worker_of(worker, "f"))
            assert (handle, payload) == (b"H:t:2", b"two")
            worker.request(wire.WORK_COMPLETE, handle, payload="")
            worker.sync()
        assert admin(client, "cancel schedule H:t:1") == "OK"
        assert server.stop() == 0
    with start_gearfast(*place) as server, server.connect() as client:
        assert rows(client) == []
        assert client.table("show jobs") == []
