"""`graceful=free`: a worker that hands its jobs back in order has not tried them; and time-outs that jobs ask for."""

from __future__ import annotations

import pytest

from gearfast import Broker, InProcessPeer, Report
from gearfast.broker.broker import Reported
from gearfast.broker.events import Kind
from tests.support.brokering import grabbed, jobs, peer_for

FREE = b"graceful=free"
MANY = 2500


def put(client: InProcessPeer, parameters: bytes = FREE, *, background: bool = True) -> bytes:
    """Submit; its handle."""
    handle = client.submit(b"f", b"x", b"", background=background, parameters=parameters)
    assert handle is not None
    return handle


def attempts(broker: Broker) -> list[int]:
    """Of all jobs."""
    return [row[0] for row in jobs(broker).values()]


def give_up(worker: InProcessPeer, how: str) -> None:
    """In order, or not."""
    if how in ("cant_do", "cant_do, close"):
        worker.cant_do(b"f")
    if how in ("reset", "reset, close"):
        worker.reset_abilities()
    if how.endswith("close"):
        worker.disconnect()


IN_ORDER = ["cant_do", "reset", "cant_do, close", "reset, close"]


@pytest.mark.parametrize("how", IN_ORDER)
def test_what_is_handed_back_in_order_costs_no_attempt(how: str) -> None:
    """However often: although one lost worker would be the end of it."""
    broker = Broker(b"H:test", job_retries=1)
    handle = put(InProcessPeer(broker))
    for _ in range(5):
        worker = peer_for(broker, b"f")
        assert grabbed(worker) == handle
        give_up(worker, how)
        assert attempts(broker) == [0]
        worker.disconnect()
    assert broker.events.counts[Kind.REQUEUED] == 5


@pytest.mark.parametrize("how", IN_ORDER)
@pytest.mark.parametrize("parameters", [b"graceful=counted", b""])
def test_otherwise_it_costs_one_as_in_stock(broker: Broker, how: str, parameters: bytes) -> None:
    put(InProcessPeer(broker), parameters)
    worker = peer_for(broker, b"f")
    grabbed(worker)
    give_up(worker, how)
    assert attempts(broker) == [1]


def test_a_lost_connection_costs_one(broker: Broker) -> None:
    put(InProcessPeer(broker))
    worker = peer_for(broker, b"f")
    grabbed(worker)
    worker.disconnect()
    assert attempts(broker) == [1]


def test_a_worker_that_gave_up_another_function_and_is_lost_costs_one(broker: Broker) -> None:
    put(InProcessPeer(broker))
    worker = peer_for(broker, b"f", b"g")
    grabbed(worker)
    worker.cant_do(b"g")
    worker.disconnect()
    assert attempts(broker) == [1]


def test_a_time_out_costs_one(broker: Broker) -> None:
    put(InProcessPeer(broker), FREE + b";timeout=5s")
    worker = peer_for(broker, b"f")
    grabbed(worker)
    broker.tick(5.0, 0.0)
    worker.cant_do(b"f")
    assert attempts(broker) == [1]


def test_a_job_that_waits_between_tries_does_not_wait_when_it_was_handed_back(broker: Broker) -> None:
    handle = put(InProcessPeer(broker), FREE + b";retries=1;backoff=fixed:1h")
    worker = peer_for(broker, b"f")
    grabbed(worker)
    worker.reset_abilities()
    other = peer_for(broker, b"f")
    assert grabbed(other) == handle


def test_it_keeps_nothing_of_an_error_and_the_last_real_one_stays(broker: Broker) -> None:
    handle = put(InProcessPeer(broker), FREE + b";retries=3")
    worker = peer_for(broker, b"f")
    grabbed(worker)
    worker.tell(handle, Report.EXCEPTION, b"why")
    grabbed(worker)
    worker.cant_do(b"f")
    found = broker.show_job(handle)
    assert found is not None
    assert (found[5], found[12]) == (1, b"why")


def test_who_waits_for_it_too_hears_its_end_alone(broker: Broker) -> None:
    client, waiting = InProcessPeer(broker), InProcessPeer(broker)
    handle = client.submit(b"f", b"x", b"u", background=True, parameters=FREE)
    assert waiting.submit(b"f", b"x", b"u") == handle
    for _ in range(3):
        worker = peer_for(broker, b"f")
        grabbed(worker)
        worker.cant_do(b"f")
    assert waiting.heard == []
    worker = peer_for(broker, b"f")
    worker.tell(grabbed(worker), Report.COMPLETE, b"done")
    assert waiting.heard == [(Report.COMPLETE, handle, b"done")]


def test_an_orphan_ends_when_it_is_handed_back(broker: Broker) -> None:
    client = InProcessPeer(broker)
    put(client, background=False)
    worker = peer_for(broker, b"f")
    grabbed(worker)
    client.disconnect()
    worker.cant_do(b"f")
    assert (broker.job_count, broker.held_bytes) == (0, 0)
    assert broker.events.counts[Kind.ABANDONED] == 1


@pytest.mark.parametrize("how", ["cant_do", "cant_do, close"])
def test_very_many_are_handed_back_over_several_ticks(broker: Broker, how: str) -> None:
    """Also if the worker closes its connection while that goes on."""
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    for _ in range(MANY):
        put(client)
        grabbed(worker)
    give_up(worker, how)
    while broker.wait(0.0, 0.0) == 0:
        broker.tick(0.0, 0.0)
    assert broker.events.counts[Kind.REQUEUED] == MANY
    assert set(attempts_of_all(broker)) == {0}


def attempts_of_all(broker: Broker) -> list[int]:
    """Of more jobs than one step tells."""
    found: list[int] = []
    cursor = 0
    while True:
        cursor, rows = broker.scan_jobs(cursor, 1000)
        found += [row[1] for row in rows]
        if not cursor:
            return found


@pytest.mark.parametrize(
    ("own", "of_worker", "after"),
    [(b"timeout=5s", 0, 5.0), (b"timeout=5s", 2000, 2.0), (b"timeout=5s", 9000, 5.0), (b"timeout=1500ms", 1501, 1.5)],
)
@pytest.mark.parametrize("background", [True, False])
def test_the_shorter_time_out_holds_for_whoever_waits(
    broker: Broker, own: bytes, of_worker: int, after: float, background: bool
) -> None:
    client, worker = InProcessPeer(broker), InProcessPeer(broker)
    worker.can_do(b"f", of_worker)
    handle = put(client, own, background=background)
    assert grabbed(worker) == handle
    assert broker.wait(0.0, 0.0) == after
    broker.tick(after, 0.0)
    assert broker.events.counts[Kind.TIMED_OUT] == 1
    assert attempts(broker) == [1]
    assert client.heard == []
    assert worker.tell(handle, Report.COMPLETE, b"late", after) == Reported.TAKEN
    assert client.heard == ([] if background else [(Report.COMPLETE, handle, b"late")])


def test_very_many_run_out_of_time_over_several_ticks(broker: Broker) -> None:
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    for _ in range(MANY):
        put(client, b"timeout=5s")
        grabbed(worker)
    counts = []
    while broker.wait(5.0, 0.0) == 0:
        broker.tick(5.0, 0.0)
        counts.append(broker.events.counts[Kind.TIMED_OUT])
    assert counts == [1000, 2000, MANY]
