"""`ttl=`: a job that no worker has started in time fails, and is gone."""

from __future__ import annotations

import math

import pytest

from gearfast import Broker, InProcessPeer, Report
from gearfast.broker.broker import Reported
from gearfast.broker.deadletters import DeadLetters
from gearfast.broker.events import Kind
from tests.support.brokering import functions, grabbed, peer_for

BEGAN = 1000.0
AHEAD = 500_000.0
"""By how many seconds the wall clock is ahead of the other one."""


def pass_time(broker: Broker, now: float) -> None:
    """Have it be that late."""
    broker.tick(now, now + AHEAD)


def put(client: InProcessPeer, parameters: bytes = b"ttl=10s", *, later: float = 0.0, background: bool = True) -> bytes:
    """Submit a job at `BEGAN` that is due so many seconds later; its handle."""
    due = BEGAN + AHEAD + later if later else 0.0
    handle = client.submit(b"f", b"x", b"u", background=background, due=due, parameters=parameters, now=BEGAN)
    assert handle is not None
    return handle


def state(broker: Broker, handle: bytes) -> str | None:
    """Of a job; None: it is gone."""
    found = broker.show_job(handle)
    return None if found is None else found[0]


def expires_at(broker: Broker, now: float) -> float:
    """When the broker has something to do next; nothing else waits for time."""
    return now + broker.wait(now, now + AHEAD)


@pytest.mark.parametrize("background", [True, False])
def test_a_queued_job_fails_when_its_time_is_over_and_not_before(broker: Broker, background: bool) -> None:
    client, other = InProcessPeer(broker), InProcessPeer(broker)
    handle = put(client, background=background)
    assert other.submit(b"f", b"", b"u", now=BEGAN + 1) == handle
    assert expires_at(broker, BEGAN) == BEGAN + 10
    pass_time(broker, BEGAN + 9.999)
    assert state(broker, handle) == "queued"
    assert other.heard == []
    pass_time(broker, BEGAN + 10)
    assert state(broker, handle) is None
    assert other.heard == [(Report.FAIL, handle, None)]
    assert client.heard == ([] if background else [(Report.FAIL, handle, None)])
    assert broker.events.counts[Kind.EXPIRED] == 1
    assert sum(broker.events.counts) == 2, "it was submitted, and it expired"
    assert (broker.job_count, broker.held_bytes, broker.unkept) == (0, 0, 0)
    assert expires_at(broker, BEGAN + 10) > BEGAN + 60, "there is only the function to be forgotten"


def test_its_unique_id_is_free_then(broker: Broker) -> None:
    client = InProcessPeer(broker)
    handle = put(client)
    pass_time(broker, BEGAN + 10)
    assert client.status_unique(b"u") is None
    assert put(client) != handle


def test_a_delayed_job_expires_from_when_it_falls_due(broker: Broker) -> None:
    handle = put(InProcessPeer(broker), later=100)
    pass_time(broker, BEGAN + 99)
    assert state(broker, handle) == "delayed"
    pass_time(broker, BEGAN + 100)
    assert state(broker, handle) == "queued"
    assert expires_at(broker, BEGAN + 100) == BEGAN + 110
    pass_time(broker, BEGAN + 110)
    assert state(broker, handle) is None


def test_what_has_been_started_expires_no_more(broker: Broker) -> None:
    """Not while it runs, not when its worker has lost it, and not while it waits for its next try."""
    handle = put(InProcessPeer(broker), b"ttl=10s;retries=3;backoff=fixed:100s")
    worker = peer_for(broker, b"f")
    assert grabbed(worker, BEGAN + 9) == handle
    pass_time(broker, BEGAN + 50)
    assert state(broker, handle) == "running"
    worker.disconnect(BEGAN + 50)
    assert state(broker, handle) == "retrying"
    pass_time(broker, BEGAN + 149)
    pass_time(broker, BEGAN + 150)
    assert state(broker, handle) == "queued"
    pass_time(broker, BEGAN + 1000)
    assert state(broker, handle) == "queued"
    assert broker.events.counts[Kind.EXPIRED] == 0


def test_a_worker_is_in_time_until_the_broker_looks_at_the_clock(broker: Broker) -> None:
    handle = put(InProcessPeer(broker))
    worker = peer_for(broker, b"f")
    assert grabbed(worker, BEGAN + 10) == handle
    pass_time(broker, BEGAN + 10)
    assert worker.tell(handle, Report.COMPLETE, b"", BEGAN + 10) == Reported.TAKEN


def test_a_buried_job_that_is_kicked_has_been_started_as_well(broker: Broker) -> None:
    handle = put(InProcessPeer(broker), b"ttl=10s;retries=0")
    worker = peer_for(broker, b"f")
    grabbed(worker, BEGAN)
    worker.tell(handle, Report.FAIL, b"", BEGAN)
    assert DeadLetters(broker).kick_job(handle, BEGAN)
    pass_time(broker, BEGAN + 100)
    assert state(broker, handle) == "queued"


@pytest.mark.parametrize("how", ["cancel", "grab", "client leaves", "moved to later"])
def test_what_is_not_queued_any_more_does_not_expire(broker: Broker, how: str) -> None:
    client = InProcessPeer(broker)
    handle = put(client, background=how != "client leaves")
    worker = peer_for(broker, b"f")
    if how == "cancel":
        broker.cancel_job(handle)
    elif how == "grab":
        grabbed(worker, BEGAN)
    elif how == "client leaves":
        client.disconnect(BEGAN)
    else:
        assert broker.move_job(handle, due=BEGAN + AHEAD + 1000, now=BEGAN) == 0
    pass_time(broker, BEGAN + 20)
    assert broker.events.counts[Kind.EXPIRED] == 0
    assert state(broker, handle) == {"grab": "running", "moved to later": "delayed"}.get(how)


def test_a_move_to_another_priority_or_function_does_not_prolong_it(broker: Broker) -> None:
    client = InProcessPeer(broker)
    handle = put(client)
    assert broker.move_job(handle, priority=0, now=BEGAN + 5) == 0
    assert expires_at(broker, BEGAN + 5) == BEGAN + 10
    assert broker.move_job(handle, function=b"g", now=BEGAN + 6) == 0
    pass_time(broker, BEGAN + 6)
    assert expires_at(broker, BEGAN + 6) == BEGAN + 10
    pass_time(broker, BEGAN + 10)
    assert state(broker, handle) is None
    assert [row[0] for row in functions(broker).values()] == [0, 0]


def test_what_is_due_at_once_by_a_move_has_its_time_anew(broker: Broker) -> None:
    handle = put(InProcessPeer(broker), later=1000)
    assert broker.move_job(handle, due=0.0, now=BEGAN + 5) == 0
    assert expires_at(broker, BEGAN + 5) == BEGAN + 15


def test_the_function_is_forgotten_afterwards() -> None:
    broker = Broker(b"H:test", function_rest=1.0)
    put(InProcessPeer(broker))
    pass_time(broker, BEGAN + 10)
    assert list(functions(broker)) == [b"f"]
    pass_time(broker, BEGAN + 11)
    pass_time(broker, BEGAN + 13)
    assert functions(broker) == {}
    assert broker.wait(BEGAN + 13, BEGAN + 13 + AHEAD) == math.inf


def test_very_many_expire_over_several_ticks(broker: Broker) -> None:
    """A thousand at a time, the rest at once after that; large ones give their memory back."""
    client = InProcessPeer(broker)
    many = 3500
    for number in range(many):
        payload = b"x" * (200_000 if number % 100 == 0 else 10)
        client.submit(
            b"f", payload + b"%d" % number, b"-", parameters=b"ttl=10s", priority=number % 3, now=BEGAN + number / 1e6
        )
        client.submit(b"f", b"%d" % number, b"u%d" % number, parameters=b"ttl=20s", background=True, now=BEGAN)
    assert broker.job_count == 2 * many
    for later in (11, 20):
        left = []
        while broker.wait(BEGAN + later, BEGAN + later + AHEAD) == 0:
            pass_time(broker, BEGAN + later)
            left.append(broker.job_count)
        begin = many if later == 11 else 0
        assert left == [begin + 2500, begin + 1500, begin + 500, begin]
    assert broker.held_bytes == 0


def test_without_a_ttl_a_job_waits_for_ever(broker: Broker) -> None:
    handle = put(InProcessPeer(broker), b"timeout=1s")
    pass_time(broker, BEGAN + 1e9)
    assert state(broker, handle) == "queued"
