"""Limits, functions made by hand, and the broker's own end (protocol sections 3.9, 4.4)."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from gearfast.broker.broker import Broker, Dropped
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report
from tests.support.brokering import functions, grabbed, peer_for, submitted

# --- limits (3.9) ---


def test_a_limit_counts_every_job_of_the_function(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    broker.limit_function(b"f", (3, 0, 5))
    submitted(client, b"f", b"low", priority=2)
    client.submit(b"f", b"later", background=True, due=10.0)
    submitted(client, b"f", b"runs")
    worker.grab()
    assert client.submit(b"f", priority=0) is None
    assert client.submit(b"f", priority=1) is not None
    assert client.submit(b"f", priority=2) is not None
    assert client.submit(b"f", priority=2) is None
    assert client.submit(b"f", priority=1) is not None
    assert client.submit(b"g", priority=0) is not None
    assert broker.job_count == 7


def test_a_refused_submission_leaves_no_trace(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    broker.limit_function(b"f", (1, 1, 1))
    submitted(client, b"f", b"", b"u")
    assert client.submit(b"f", b"", b"v") is None
    assert client.status_unique(b"v") is None
    assert functions(broker)[b"f"] == (1, 0, 1, (0, 1, 0))
    assert submitted(client, b"g") == b"H:test:2"


def test_coalescing_succeeds_when_the_queue_is_full(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    broker.limit_function(b"f", (1, 1, 1))
    handle = submitted(client, b"f", b"", b"u")
    assert client.submit(b"f", b"", b"u") == handle


def test_a_requeue_is_not_refused(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    submitted(client, b"f")
    submitted(client, b"f")
    worker.grab()
    broker.limit_function(b"f", (1, 1, 1))
    worker.disconnect()
    assert broker.job_count == 2


def test_a_limit_vanishes_with_its_function_and_needs_one(broker: Broker, client: InProcessPeer) -> None:
    broker.limit_function(b"f", (1, 1, 1))
    assert functions(broker) == {}
    broker.create_function(b"f")
    broker.limit_function(b"f", (1, 1, 1))
    assert broker.drop_function(b"f") is Dropped.DROPPED
    submitted(client, b"f")
    submitted(client, b"f")


@pytest.mark.parametrize("limits", [(), (1,), (1, 2), (1, 2, 3, 4)])
def test_limits_are_three(broker: Broker, limits: tuple[int, int, int]) -> None:
    broker.create_function(b"f")
    with pytest.raises(ValueError):
        broker.limit_function(b"f", limits)


def test_a_negative_limit_changes_none_of_the_three(broker: Broker, client: InProcessPeer) -> None:
    broker.create_function(b"f")
    with pytest.raises(OverflowError):
        broker.limit_function(b"f", (1, 1, -1))
    submitted(client, b"f", priority=0)
    submitted(client, b"f", priority=0)


# --- functions by hand (4.4) ---


def test_create_function_twice_is_once(broker: Broker) -> None:
    broker.create_function(b"f")
    broker.create_function(b"f")
    assert functions(broker) == {b"f": (0, 0, 0, (0, 0, 0))}


def test_drop_function_refuses_while_there_are_workers_or_jobs(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    assert broker.drop_function(b"f") is Dropped.IN_USE
    worker.disconnect()
    handle = submitted(client, b"f", background=True)
    assert broker.drop_function(b"f") is Dropped.IN_USE
    broker.cancel_job(handle)
    client.submit(b"f", background=True, due=10.0)
    assert broker.drop_function(b"f") is Dropped.IN_USE
    broker.tick(0.0, 10.0)
    worker.can_do(b"f")
    worker.tell(grabbed(worker), Report.COMPLETE)
    worker.disconnect()
    assert broker.drop_function(b"f") is Dropped.DROPPED
    assert broker.drop_function(b"f") is Dropped.NO_SUCH_FUNCTION
    assert functions(broker) == {}


def test_drop_function_prefers_the_exact_name_and_takes_another_case(broker: Broker) -> None:
    for name in (b"Mail", b"mail", b"other"):
        broker.create_function(name)
    assert broker.drop_function(b"mail") is Dropped.DROPPED
    assert set(functions(broker)) == {b"Mail", b"other"}
    assert broker.drop_function(b"MAIL") is Dropped.DROPPED
    assert broker.drop_function(b"MAIL") is Dropped.NO_SUCH_FUNCTION


FOLDING = """
from gearfast import Broker
broker = Broker()
broker.create_function(b"resize-images")
print(broker.drop_function(b"Resize-Images").name)
"""


def test_drop_function_looks_at_a_name_that_is_still_there() -> None:
    """What Python frees is overwritten here at once."""
    told = subprocess.check_output([sys.executable, "-c", FOLDING], env={**os.environ, "PYTHONMALLOC": "debug"})
    assert told.split() == [b"DROPPED"]


def test_a_dropped_function_comes_back_empty(broker: Broker, client: InProcessPeer) -> None:
    submitted(client, b"f", b"", b"u")
    client.disconnect()
    assert broker.drop_function(b"f") is Dropped.DROPPED
    handle = submitted(client, b"f", b"", b"u")
    assert peer_for(broker, b"f").grab() == (handle, b"f", b"u", b"")


def test_a_broker_forgotten_with_jobs_in_every_state_takes_them_along() -> None:
    broker = Broker()
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    worker.can_do(b"f", 1000)
    for number in range(100):
        client.submit(b"f", b"x" * number, b"u%d" % number)
        client.submit(b"f", background=True, due=float(number))
    grabbed(worker)
    del broker, client, worker
    gc.collect()
