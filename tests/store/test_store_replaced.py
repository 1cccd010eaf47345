"""A job that its client replaces: the store has the old one or the new one, never none, and no client is told a lie."""

from __future__ import annotations

from typing import Any

import pytest

from gearfast import errors
from gearfast.errors import StoreError
from gearfast.store.contract import Batch
from tests.store.test_durable import BACKGROUND, grab, worker_of
from tests.support import wire
from tests.support.durable import Contents, Obedient, serving
from tests.support.peers import until
from tests.support.wire import Connection

SOON: dict[str, Any] = {"store_timeout": 0.3, "store_retry": (0.01, 0.05)}
LATE: dict[str, Any] = {"store_timeout": 60.0, "store_retry": (0.01, 0.05)}
FIRST = "f;delay=1h"
SECOND = "f;delay=2h;duplicate=replace;timeout=5s"


def put(client: Connection, name: str, payload: str) -> bytes:
    """Submit with the unique id `u`; its handle."""
    answer = client.call(BACKGROUND, name, "u", payload=payload)
    assert answer.name == "JOB_CREATED", answer.args()
    return answer.body


def payloads(contents: Contents) -> list[bytes]:
    """Of the jobs in a store."""
    return [contents.jobs[number].payload for number in sorted(contents.jobs)]


def taken(contents: Contents) -> list[tuple[bytes, bytes]]:
    """Handles and payloads of what a worker gets after a start from these contents, whenever it is due."""
    with serving(Obedient(contents)) as served, served.connect() as worker:
        for line in worker.table("show jobs"):
            handle = line.split("\t")[0]
            assert worker.admin(f"run now {handle}") == b"OK\r\n"
        worker_of(worker, "f")
        found = []
        while (got := grab(worker))[0]:
            found.append(got)
        return found


def test_a_replacement_is_acknowledged_when_the_store_has_it() -> None:
    """The number stays; all that a restart finds is the new one."""
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client, served.connect() as other:
        handle = put(client, FIRST, "old")
        due = contents.jobs[1].due
        served.store.gate.clear()
        other.request(BACKGROUND, SECOND, "u", payload="new")
        until(lambda: len(served.store.asked[-1].adds) == 1, "the replacement is on its way")
        assert payloads(contents) == [b"old"]
        assert client.sync() == b""
        served.store.gate.set()
        assert other.recv_packet().body == handle
        assert payloads(contents) == [b"new"]
        assert contents.jobs[1].due == pytest.approx(due + 3600, abs=60)
    assert taken(contents) == [(b"H:t:1", b"new")]


@pytest.mark.parametrize("after", ["before the write", "after the write"])
def test_a_kill_leaves_the_old_one_or_the_new_one(after: str) -> None:
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client:
        put(client, FIRST, "old")
        served.store.gate.clear()
        client.request(BACKGROUND, SECOND, "u", payload="new")
        until(lambda: bool(served.store.asked[-1].adds), "the replacement is on its way")
        left = Contents(dict(contents.jobs), dict(contents.metadata))
        served.store.gate.set()
        assert client.recv_packet().name == "JOB_CREATED"
        if after == "after the write":
            left = Contents(dict(contents.jobs), dict(contents.metadata))
    assert taken(left) == [(b"H:t:1", b"old" if after == "before the write" else b"new")]


def test_both_wait_when_the_first_one_is_still_being_written() -> None:
    """What is written then is not the last word: the replacement follows, and is told of when it is there."""
    with serving(**LATE) as served, served.connect() as client, served.connect() as other:
        served.store.gate.clear()
        client.request(BACKGROUND, FIRST, "u", payload="old")
        served.store.wait_asked(1)
        other.request(BACKGROUND, SECOND, "u", payload="new")
        with served.connect() as witness:
            until(lambda: "bytes: 3" in witness.table("show job H:t:1"), "it is taken")
        served.store.gate.set()
        assert other.recv_packet().body == client.recv_packet().body == b"H:t:1"
        assert payloads(served.store.contents) == [b"new"]
        assert [job.payload for batch in served.store.written for job in batch.adds] == [b"old", b"new"]


def test_replaced_many_times_while_a_batch_is_in_flight_the_last_one_is_kept() -> None:
    with serving(**LATE) as served, served.connect() as client:
        put(client, FIRST, "old")
        served.store.gate.clear()
        for number in range(500):
            client.request(BACKGROUND, SECOND, "u", payload=str(number))
        until(lambda: bool(served.store.asked[-1].adds), "one of them is on its way")
        served.store.gate.set()
        assert {client.recv_packet().body for _ in range(500)} == {b"H:t:1"}
        assert payloads(served.store.contents) == [b"499"]
        assert served.server.broker.outbox.bytes == 0


def test_when_the_store_is_away_it_is_refused_and_what_was_acknowledged_is_not_lost() -> None:
    """The new one goes on, since the old one is gone from memory; until the store is back it has the old one."""
    contents = Contents()
    with serving(Obedient(contents), **SOON) as served, served.connect() as client:
        put(client, FIRST, "old")
        served.store.trouble = StoreError("away")
        for number in range(3):  # whoever tries again is told again
            answer = client.call(BACKGROUND, SECOND, "u", payload=f"new {number}")
            assert answer.args() == [b"QUEUE_ERROR", b"The job could not be stored within 0.3 s: away"]
            assert client.table("show jobs") == ["H:t:1\t0\t0\t1"]
        left = Contents(dict(contents.jobs), dict(contents.metadata))
        served.store.trouble = None
        until(lambda: payloads(contents) == [b"new 2"], "the store is back, and has what memory has")
        until(lambda: served.server.broker.outbox.bytes == 0, "nothing waits any more")
        assert put(client, SECOND, "newest") == b"H:t:1"
        assert payloads(contents) == [b"newest"]
    assert taken(left) == [(b"H:t:1", b"old")]


def test_a_store_that_hangs_over_it() -> None:
    contents = Contents()
    with serving(Obedient(contents), **SOON) as served, served.connect() as client:
        put(client, FIRST, "old")
        served.store.gate.clear()
        assert client.call(BACKGROUND, SECOND, "u", payload="new").args()[0] == b"QUEUE_ERROR"
        assert payloads(contents) == [b"old"]
        served.store.gate.set()
        until(lambda: payloads(contents) == [b"new"], "it is written after all")


def test_a_store_that_takes_others_and_not_this_one_keeps_the_old_one() -> None:
    """Its client is told, and only its own time is waited."""

    class Small(Obedient):
        async def write(self, batch: Batch) -> None:
            if any(len(job.payload) > 100 for job in batch.adds):
                raise StoreError("no room for that")
            await super().write(batch)

    with serving(Small(), **SOON) as served, served.connect() as client, served.connect() as other:
        put(client, FIRST, "old")
        client.request(BACKGROUND, SECOND, "u", payload="x" * 200)
        answers = {other.call(BACKGROUND, "f", "", payload="y").name for _ in range(30)}
        assert answers == {"JOB_CREATED"}
        refused = client.recv_packet()
        assert refused.name == "ERROR", "although the store is not away"
        assert refused.args() == [b"QUEUE_ERROR", b"The job could not be stored within 0.3 s: no room for that"]
        assert served.store.contents.jobs[1].payload == b"old"
        assert put(client, SECOND, "small") == b"H:t:1"
        assert served.store.contents.jobs[1].payload == b"small"
        until(lambda: served.server.broker.outbox.bytes == 0, "nothing waits any more")


def test_a_client_that_was_never_told_of_the_first_one_either() -> None:
    """Nobody was promised anything: both are refused, and it is gone."""
    with serving(**SOON) as served, served.connect() as client, served.connect() as other:
        served.store.trouble = StoreError("away")
        client.request(BACKGROUND, FIRST, "u", payload="old")
        until(lambda: other.table("show jobs") != [], "it is a job")
        other.request(BACKGROUND, SECOND, "u", payload="new")
        assert client.recv_packet().name == other.recv_packet().name == "ERROR"
        assert client.table("show jobs") == []


def test_a_replacement_that_is_done_before_it_is_stored_is_acknowledged() -> None:
    with serving(**SOON) as served, served.connect() as client, served.connect() as worker:
        put(client, FIRST, "old")
        served.store.trouble = StoreError("away")
        client.request(BACKGROUND, "f;duplicate=replace", "u", payload="new")
        worker_of(worker, "f")
        while not (got := grab(worker))[0]:
            pass
        assert got == (b"H:t:1", b"new")
        worker.request(wire.WORK_COMPLETE, b"H:t:1", payload="")
        assert client.recv_packet().body == b"H:t:1"
        served.store.trouble = None
        served.store.wait_gone(1)


def test_a_store_that_was_emptied_gets_the_new_one() -> None:
    contents = Contents()
    with serving(Obedient(contents), **LATE) as served, served.connect() as client:
        put(client, FIRST, "old")
        served.store.trouble = errors.StoreLostError("its tables are gone")
        client.request(BACKGROUND, SECOND, "u", payload="new")
        until(lambda: served.store.asked[-1].adds != [], "it is asked")
        contents.jobs.clear()
        served.store.trouble = None
        assert client.recv_packet().body == b"H:t:1"
        until(lambda: payloads(contents) == [b"new"], "it is written again")


def test_a_store_that_was_emptied_and_stays_away_refuses_it_too() -> None:
    with serving(**SOON) as served, served.connect() as client:
        put(client, FIRST, "old")
        served.store.trouble = errors.StoreLostError("its tables are gone")
        client.request(BACKGROUND, SECOND, "u", payload="one")
        assert client.recv_packet().args()[0] == b"QUEUE_ERROR"
        answer = client.call(BACKGROUND, SECOND, "u", payload="two")
        assert answer.args()[0] == b"QUEUE_ERROR"
        served.store.trouble = None
        until(lambda: payloads(served.store.contents) == [b"two"], "it is back")


def test_where_all_is_written_at_the_end_it_is_written_once() -> None:
    contents = Contents()
    with serving(Obedient(contents), store_on_shutdown=True) as served, served.connect() as client:
        put(client, FIRST, "old")
        put(client, SECOND, "new")
        served.stop()
    assert payloads(contents) == [b"new"]
    with serving(Obedient(contents), store_on_shutdown=True) as served, served.connect() as client:
        put(client, SECOND, "newer")
        served.stop()
    assert taken(contents) == [(b"H:t:1", b"newer")]
