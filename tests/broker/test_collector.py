"""Python's collector may end a forgotten peer at any allocation, and no walk over its jobs is harmed by that."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from gearfast.broker.broker import Broker, Dropped
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report
from tests.support.brokering import functions, grabbed, jobs, peer_for, submitted
from tests.support.compiled import faces


class Forgetful(InProcessPeer):
    """A peer that can be part of a circle."""

    itself: InProcessPeer


@pytest.fixture(autouse=True)
def _thresholds() -> Iterator[None]:
    """Leave the collector as it was."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.enable()


def collect_after(allocations: int) -> None:
    """Have the collector run after so many allocations from now on."""
    gc.set_threshold(gc.get_count()[0] + allocations, 1000, 1000)
    gc.enable()


def test_peers_ended_while_jobs_are_listed(broker: Broker) -> None:
    gc.collect()
    gc.disable()
    for number in range(300):
        peer = Forgetful(broker)
        peer.itself = peer
        for job in range(3):
            peer.submit(b"f", b"x" * 100, b"u%d-%d" % (number, job))
    del peer
    collect_after(400)
    _, rows = broker.scan_jobs(0, 1000)
    assert len({row[4] for row in rows}) == len(rows) >= 3
    gc.collect()
    assert broker.job_count == 0


def test_holder_ended_while_its_jobs_clients_are_told() -> None:
    broker = Broker(b"H:test", job_retries=0)
    clients = [InProcessPeer(broker) for _ in range(400)]
    gc.collect()
    gc.disable()
    handle = None
    for client in clients:
        handle = client.submit(b"f", b"x", b"u")
    holder = Forgetful(broker)
    holder.itself = holder
    holder.can_do(b"f")
    assert holder.grab() is not None
    del holder
    collect_after(200)
    assert handle is not None
    assert broker.cancel_job(handle)
    assert broker.job_count == 0
    assert all(len(client.heard) == 1 for client in clients)


# --- in the middle of a verb ---


def careless(broker: Broker, *functions: bytes) -> Any:
    """A peer that lets go of whom it holds as soon as it is woken, or told something."""
    peer = faces().Careless(broker)
    for function in functions:
        peer.can_do(function)
    return peer


def all_gone(broker: Broker) -> bool:
    """Whether nothing is left of anything."""
    assert broker.job_count == broker.running == broker.unkept == 0
    for name in functions(broker):
        assert broker.drop_function(name) is Dropped.DROPPED
    return functions(broker) == {}


def test_clients_are_forgotten_while_they_are_told(broker: Broker) -> None:
    """Whichever of them the one is that holds the others: none of those is told, and the walk goes on behind them."""
    for place in range(6):
        before = [InProcessPeer(broker) for _ in range(place)]
        holder = careless(broker)
        behind = [InProcessPeer(broker) for _ in range(5 - place)]
        for client in (*before, holder, *behind):
            handle = submitted(client, b"f", b"x", b"u")
        last = behind.pop() if behind else None
        holder.held = [*before, *behind]
        del before, behind, client
        assert broker.cancel_job(handle)
        assert last is None or last.heard == [(Report.FAIL, handle, None)]
        assert holder.held is None
        assert broker.job_count == 0
    assert all_gone(broker)


@pytest.mark.parametrize("job_retries", [-1, 0])
def test_a_holder_is_forgotten_while_its_jobs_end_is_told(job_retries: int) -> None:
    """A job is not lost by its worker in the moment in which it ends: it would end twice."""
    broker = Broker(b"H:test", job_retries=job_retries)
    client = careless(broker)
    handle = submitted(client, b"f")
    other = submitted(client, b"f")
    client.held = [peer_for(broker, b"f")]
    assert {grabbed(client.held[0]), grabbed(client.held[0])} == {handle, other}
    assert broker.cancel_job(handle)
    assert broker.job_count == (0 if job_retries == 0 else 1), "the other one was lost, and queued again or given up"
    assert broker.running == 0
    client.disconnect()
    assert all_gone(broker)


def test_a_reporter_is_forgotten_while_it_reports(broker: Broker) -> None:
    """It is the last thing that it does; its other job is queued again."""
    client = careless(broker)
    handle, other = submitted(client, b"f"), submitted(client, b"f")
    worker = peer_for(broker, b"f")
    assert (grabbed(worker), grabbed(worker)) == (handle, other)
    client.held = [worker]
    tell = worker.tell
    del worker
    tell(handle, Report.COMPLETE)
    del tell
    assert client.held is None
    assert {handle: row[0] for handle, row in jobs(broker).items()} == {other: 1}
    client.disconnect()
    assert all_gone(broker)


def test_sleepers_are_forgotten_while_one_is_woken() -> None:
    """A job that one of them answers for wakes the next."""
    broker = Broker(b"H:test", worker_wakeup=0)
    holder = careless(broker, b"f")
    holder.held = [peer_for(broker, b"f") for _ in range(3)]
    last = careless(broker, b"f")
    for sleeper in (*holder.held, holder, last):
        assert sleeper.sleep()
    del sleeper
    client = InProcessPeer(broker)
    submitted(client, b"f")
    assert (holder.wakes, last.wakes) == (1, 1)
    assert functions(broker)[b"f"][2] == 2, "so many workers are left"
    client.disconnect()
    holder.disconnect()
    last.disconnect()
    assert all_gone(broker)


def test_the_one_who_was_woken_is_forgotten_before_it_grabs(broker: Broker) -> None:
    woken, next_one = careless(broker, b"f"), careless(broker, b"f")
    assert next_one.sleep()
    assert woken.sleep()
    client = careless(broker)
    client.held = [woken]
    del woken
    told = submitted(client, b"g")
    submitted(client, b"f", background=True)
    assert next_one.wakes == 0
    assert broker.cancel_job(told)
    assert client.held is None
    assert next_one.wakes == 1


def test_a_worker_that_is_forgotten_together_with_its_broker_gives_its_job_back() -> None:
    """The collector may clear the broker first: what it is made of is there until its last peer has gone."""
    gc.collect()
    gc.disable()
    broker = Broker(b"H:test")
    worker = Forgetful(broker)
    worker.can_do(b"f")
    submitted(worker, b"f", background=True)
    assert grabbed(worker)
    gone = weakref.ref(worker)
    circle: list[object] = [broker, worker]
    circle.append(circle)
    del broker, worker, circle
    gc.collect()
    assert gone() is None
