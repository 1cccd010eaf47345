"""Python's collector may end a forgotten peer at any allocation; never one whose jobs are being walked."""

import gc
from collections.abc import Iterator

import pytest

from gearfast.broker import Broker
from gearfast.inprocess import InProcessPeer


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
