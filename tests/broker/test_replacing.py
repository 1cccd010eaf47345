"""`duplicate=replace`: a second submit with a unique id takes the place of a background job that waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from gearfast import Broker, InProcessPeer, Report
from gearfast.broker.broker import Reported
from gearfast.broker.deadletters import DeadLetters
from gearfast.broker.events import Kind
from tests.support.brokering import functions, grabbed, payloads, peer_for
from tests.support.short_memory import without_memory

NOW = 1000.0
REPLACE = b"duplicate=replace"


def put(
    client: InProcessPeer,
    payload: bytes,
    parameters: bytes = REPLACE,
    *,
    unique: bytes = b"u",
    due: float = 0.0,
    priority: int = 1,
    background: bool = True,
) -> bytes:
    """Submit; its handle."""
    handle = client.submit(
        b"f", payload, unique, background=background, due=due, priority=priority, parameters=parameters, now=NOW
    )
    assert handle is not None
    return handle


def figures(broker: Broker, handle: bytes) -> dict[str, object]:
    """What there is to be told of a job."""
    found = broker.show_job(handle)
    assert found is not None
    names = (
        "state",
        "function",
        "priority",
        "unique",
        "bytes",
        "attempts",
        "due",
        "background",
        "clients",
        "parameters",
    )
    return dict(zip(names, found, strict=False))


def waiting(broker: Broker, client: InProcessPeer, state: str) -> bytes:
    """A job that waits in this way; its worker is gone."""
    handle = put(
        client, b"old", b"retries=5;backoff=fixed:50s;unique_ttl=9s", due=5000.0 if state == "delayed" else 0.0
    )
    if state == "retrying":
        worker = peer_for(broker, b"f")
        assert grabbed(worker, NOW) == handle
        worker.tell(handle, Report.FAIL, b"", NOW)
        worker.disconnect(NOW)
    assert figures(broker, handle)["state"] == state
    return handle


@pytest.mark.parametrize("before", ["queued", "delayed", "retrying"])
@pytest.mark.parametrize("after", ["queued", "delayed"])
@pytest.mark.parametrize("size", [0, 3, 300_000])
def test_it_has_all_that_is_new_and_its_old_handle(broker: Broker, before: str, after: str, size: int) -> None:
    """Whoever submitted it, in whatever way it waited."""
    handle = waiting(broker, InProcessPeer(broker), before)
    due = 7000.0 if after == "delayed" else 0.0
    other = InProcessPeer(broker)
    assert put(other, b"n" * size, REPLACE + b";timeout=3s", due=due, priority=0) == handle
    assert figures(broker, handle) == {
        "state": after,
        "function": b"f",
        "priority": 0,
        "unique": b"u",
        "bytes": size,
        "attempts": 0,
        "due": due,
        "background": True,
        "clients": 0,
        "parameters": REPLACE + b";timeout=3s",
    }
    assert broker.job_count == 1
    assert functions(broker)[b"f"][3] == (1, 0, 0)
    assert other.status_unique(b"u") == (False, 0, 0, 0)
    assert broker.events.counts[Kind.SUBMITTED] == 1
    broker.tick(NOW, 7000.0)
    worker = peer_for(broker, b"f")
    assert worker.grab(NOW) == (handle, b"f", b"u", b"n" * size)
    assert worker.grab(NOW) is None
    assert worker.tell(handle, Report.COMPLETE, b"", NOW) == Reported.TAKEN
    assert (broker.held_bytes, broker.unkept) == (0, 0)
    assert broker.wait(NOW, 7000.0) > 50, "neither the old time nor the old wait is left"


@pytest.mark.parametrize("parameters", [b"", b"duplicate=keep", b"timeout=1s"])
@pytest.mark.parametrize("before", ["queued", "delayed", "retrying"])
def test_without_it_the_first_one_stays_as_it_is(broker: Broker, before: str, parameters: bytes) -> None:
    handle = waiting(broker, InProcessPeer(broker), before)
    was = figures(broker, handle)
    assert put(InProcessPeer(broker), b"new", parameters, priority=0, due=9.0) == handle
    assert figures(broker, handle) == was


def test_what_it_was_submitted_with_does_not_matter(broker: Broker, client: InProcessPeer) -> None:
    """It is the second submit that says what becomes of the first one."""
    handle = put(client, b"one", REPLACE)
    assert put(client, b"two", b"") == handle
    assert payloads(peer_for(broker, b"f")) == [b"one"]


def test_its_place_is_behind_those_that_came_meanwhile(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    put(client, b"one")
    put(client, b"two", unique=b"other")
    put(client, b"three")
    assert payloads(worker) == [b"two", b"three"]


def test_a_job_that_runs_is_joined(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = put(client, b"old")
    assert grabbed(worker, NOW) == handle
    assert put(client, b"new") == handle
    assert figures(broker, handle)["bytes"] == 3
    assert worker.tell(handle, Report.COMPLETE, b"", NOW) == Reported.TAKEN
    assert broker.job_count == 0


@pytest.mark.parametrize("state", ["queued", "delayed", "retrying"])
def test_a_job_that_a_client_waits_for_is_joined(broker: Broker, state: str) -> None:
    """Its client asked for the old one; when it has left, the job can be replaced."""
    handle = waiting(broker, InProcessPeer(broker), state)
    client = InProcessPeer(broker)
    assert put(client, b"", b"", background=False) == handle
    assert put(InProcessPeer(broker), b"second") == handle
    assert figures(broker, handle)["bytes"] == 3
    client.disconnect()
    assert put(InProcessPeer(broker), b"second") == handle
    assert figures(broker, handle)["bytes"] == 6


def test_a_foreground_job_becomes_one_for_both(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = put(client, b"old", b"", background=False)
    assert put(InProcessPeer(broker), b"new") == handle
    assert figures(broker, handle)["background"] is True
    assert payloads(worker) == [b"old"]


def test_a_buried_or_ended_job_is_not_replaced(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    buried = put(client, b"old", b"retries=0")
    grabbed(worker, NOW)
    worker.tell(buried, Report.FAIL, b"", NOW)
    ended = put(client, b"new", REPLACE + b";unique_ttl=1h")
    assert ended != buried
    grabbed(worker, NOW)
    worker.tell(ended, Report.COMPLETE, b"", NOW)
    assert put(client, b"newer") == ended
    assert broker.job_count == 0
    assert DeadLetters(broker).kick_job(buried, NOW)
    assert payloads(worker) == [b"old"]


def test_the_payload_is_the_unique_id_of_a_dash(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = put(client, b"the same", unique=b"-", due=5000.0)
    assert put(client, b"another", unique=b"-", due=5000.0) != handle
    assert put(client, b"the same", unique=b"-", priority=0) == handle
    assert worker.grab(NOW) == (handle, b"f", b"-", b"the same")


def test_a_job_is_always_new_without_a_unique_id(broker: Broker, client: InProcessPeer) -> None:
    assert put(client, b"", unique=b"") != put(client, b"", unique=b"")


def test_its_time_to_wait_for_a_worker_begins_anew(broker: Broker, client: InProcessPeer) -> None:
    handle = put(client, b"old", b"ttl=10s")
    broker.tick(NOW + 9, 0.0)
    assert client.submit(b"f", b"new", b"u", background=True, parameters=REPLACE + b";ttl=10s", now=NOW + 9) == handle
    assert broker.wait(NOW + 9, 0.0) == 10
    broker.tick(NOW + 19, 0.0)
    assert (broker.job_count, broker.held_bytes) == (0, 0)
    assert broker.events.counts[Kind.EXPIRED] == 1


def test_a_result_of_a_worker_that_lost_the_old_one_is_none_of_the_new_one(
    broker: Broker, client: InProcessPeer
) -> None:
    """It has its handle, and is another job all the same."""
    handle = put(client, b"old", b"timeout=5s;retries=3")
    worker = peer_for(broker, b"f")
    assert grabbed(worker, NOW) == handle
    broker.tick(NOW + 5, 0.0)
    assert put(client, b"new") == handle
    assert worker.tell(handle, Report.COMPLETE, b"", NOW + 6) == Reported.LATE
    assert payloads(worker) == [b"new"]


def test_a_replacement_that_is_cancelled_or_moved(broker: Broker, client: InProcessPeer) -> None:
    handle = put(client, b"old", due=5000.0)
    put(client, b"new", due=6000.0)
    assert broker.move_job(handle, function=b"g", due=8000.0, now=NOW) == 0
    assert put(client, b"another") != handle, "no job of `f` has this unique id"
    assert client.submit(b"g", b"newest", b"u", background=True, parameters=REPLACE, now=NOW) == handle
    assert broker.cancel_job(handle)
    assert payloads(peer_for(broker, b"f", b"g")) == [b"another"]
    assert broker.scan_delayed(0, 100)[1] == []


def test_sleeping_workers_are_woken_for_it(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = put(client, b"old", due=5000.0)
    assert worker.sleep()
    put(client, b"new")
    assert worker.heard == [("wake",)]
    assert grabbed(worker, NOW) == handle


def test_a_full_queue_takes_a_replacement(broker: Broker, client: InProcessPeer) -> None:
    """There is not one job more."""
    broker.create_function(b"f")
    broker.limit_function(b"f", (1, 1, 1))
    handle = put(client, b"old")
    assert put(client, b"new") == handle
    assert client.submit(b"f", b"", b"other", background=True) is None


def test_ten_thousand_are_replaced_again_and_again(broker: Broker, client: InProcessPeer) -> None:
    for turn in range(3):
        for number in range(10_000):
            due = 5000.0 + number * 7919 % 10_000 if (number + turn) % 2 else 0.0
            put(client, b"%d" % turn, unique=b"%d" % number, due=due, priority=(number + turn) % 3)
    assert broker.job_count == 10_000
    broker.tick(NOW, 20_000.0)
    while broker.wait(NOW, 20_000.0) == 0:
        broker.tick(NOW, 20_000.0)
    worker = peer_for(broker, b"f")
    assert payloads(worker, 20_000) == [b"2"] * 10_000
    assert functions(broker)[b"f"] == (10_000, 10_000, 1, (0, 0, 0))


def test_without_memory_it_stays_as_it_was_and_the_client_is_told(tmp_path: Path) -> None:
    """Whichever request of the broker for memory is refused: see tests/support/replacing_without_memory.py."""
    done = without_memory(tmp_path, "tests.support.replacing_without_memory")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("state", ["queued", "delayed", "retrying"])
def test_when_memory_is_short_none_is_replaced(broker: Broker, state: str) -> None:
    """A replacement may be of any size, so it is refused as another job is; what joins takes nothing."""
    client = InProcessPeer(broker)
    handle = waiting(broker, client, state)
    before = figures(broker, handle)
    broker.crowded = True
    assert client.submit(b"f", b"new", b"u", background=True, parameters=REPLACE, now=NOW) is None
    assert put(client, b"new", b"") == handle
    assert figures(broker, handle) == before
    broker.crowded = False
    assert put(client, b"new") == handle
    assert figures(broker, handle)["bytes"] == 3
