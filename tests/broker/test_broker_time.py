"""Deadlines and delayed jobs (protocol sections 2.5, 2.9)."""

from __future__ import annotations

import math

import pytest

from gearfast.broker.broker import Broker, Reported
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report
from tests.support.brokering import WAKE, functions, grabbed, payloads, submitted

# --- deadlines (2.9) ---


def test_a_deadline_takes_the_job_away_and_nobody_is_told(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    worker.can_do(b"f", 1500)
    handle = submitted(client, b"f")
    worker.grab(10.0)
    assert broker.wait(10.0, 0.0) == 1.5
    broker.tick(11.25, 0.0)
    assert client.status(handle) == (True, 0, 0, 1)
    assert broker.wait(11.25, 0.0) == 0.25
    broker.tick(11.5, 0.0)
    assert client.status(handle) == (False, 0, 0, 1)
    assert broker.wait(11.5, 0.0) == math.inf
    assert client.heard == worker.heard == []
    assert worker.tell(handle, Report.COMPLETE, b"late") is Reported.TAKEN
    assert client.heard == [(Report.COMPLETE, handle, b"late")]


@pytest.mark.parametrize("end", [Report.COMPLETE, Report.FAIL, Report.EXCEPTION])
def test_an_ended_job_has_no_deadline(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer, end: Report
) -> None:
    worker.can_do(b"f", 1000)
    handle = submitted(client, b"f")
    worker.grab(0.0)
    worker.tell(handle, end)
    assert broker.wait(0.0, 0.0) == math.inf
    broker.tick(2.0, 0.0)
    assert functions(broker)[b"f"] == (0, 0, 1, (0, 0, 0))


def test_every_running_job_has_a_deadline_of_its_own(broker: Broker, client: InProcessPeer) -> None:
    worker = InProcessPeer(broker)
    worker.can_do(b"slow", 5000)
    worker.can_do(b"quick", 1000)
    worker.can_do(b"any")
    handles = {name: submitted(client, name) for name in (b"slow", b"quick", b"any")}
    for _ in handles:
        grabbed(worker, 0.0)
    broker.tick(1.0, 0.0)
    running = {name for name, handle in handles.items() if (client.status(handle) or (False,))[0]}
    assert running == {b"slow", b"any"}
    broker.tick(5.0, 0.0)
    assert (client.status(handles[b"slow"]), client.status(handles[b"any"])) == ((False, 0, 0, 1), (True, 0, 0, 1))


def test_a_sleeping_worker_keeps_the_deadline_of_the_job_in_its_hands(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    worker.can_do(b"f", 1000)
    handle = submitted(client, b"f")
    worker.grab(0.0)
    assert worker.sleep()
    broker.tick(1.0, 0.0)
    assert client.status(handle) == (False, 0, 0, 1)
    assert worker.heard == [WAKE]


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_of_nothing_or_less_is_none(broker: Broker, client: InProcessPeer, timeout: int) -> None:
    worker = InProcessPeer(broker)
    worker.can_do(b"f", timeout)
    submitted(client, b"f")
    worker.grab(0.0)
    assert broker.wait(0.0, 0.0) == math.inf


def test_more_deadlines_than_one_tick_handles_are_left_to_the_next(broker: Broker, client: InProcessPeer) -> None:
    worker = InProcessPeer(broker)
    worker.can_do(b"f", 1000)
    for _ in range(1500):
        submitted(client, b"f", background=True)
        worker.grab(0.0)
    broker.tick(1.0, 0.0)
    assert functions(broker)[b"f"][1] == 500
    assert broker.wait(1.0, 0.0) == 0.0
    broker.tick(1.0, 0.0)
    assert functions(broker)[b"f"][1] == 0


# --- delayed jobs (2.5) ---


def test_a_delayed_job_is_counted_but_not_grabbed_until_it_is_due(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    handle = client.submit(b"f", b"later", background=True, due=100.0)
    assert handle is not None
    assert functions(broker)[b"f"] == (1, 0, 1, (0, 1, 0))
    assert client.status(handle) == (False, 0, 0, 0)
    assert worker.grab() is None
    assert worker.sleep()
    assert broker.wait(0.0, 90.0) == 10.0
    broker.tick(0.0, 99.875)
    assert worker.heard == []
    broker.tick(0.0, 100.0)
    assert worker.heard == [WAKE]
    assert grabbed(worker) == handle
    assert broker.wait(0.0, 100.0) == math.inf


def test_delayed_jobs_are_in_nobodys_way(client: InProcessPeer, worker: InProcessPeer) -> None:
    for _ in range(1000):
        client.submit(b"f", b"later", background=True, due=100.0)
    submitted(client, b"f", b"low", priority=2)
    assert not worker.sleep()
    assert payloads(worker) == [b"low"]
    assert worker.sleep()


def test_delayed_jobs_are_queued_by_their_time_and_then_in_order_of_submission(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    for number, due in enumerate((30.0, 10.0, 20.0, 10.0, 30.0, 10.0)):
        client.submit(b"f", b"%d at %d" % (number, due), background=True, due=due)
    broker.tick(0.0, 50.0)
    assert payloads(worker) == [b"1 at 10", b"3 at 10", b"5 at 10", b"2 at 20", b"0 at 30", b"4 at 30"]


def test_a_due_job_goes_behind_those_already_queued(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    client.submit(b"f", b"later", background=True, due=10.0)
    submitted(client, b"f", b"now")
    broker.tick(0.0, 10.0)
    submitted(client, b"f", b"last")
    assert payloads(worker) == [b"now", b"later", b"last"]


def test_a_foreground_submission_onto_a_delayed_job_waits_with_it(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    handle = client.submit(b"f", b"", b"u", background=True, due=10.0)
    assert client.submit(b"f", b"", b"u") == handle
    assert worker.grab() is None
    broker.tick(0.0, 10.0)
    assert handle is not None
    assert grabbed(worker) == handle
    worker.tell(handle, Report.COMPLETE)
    assert client.heard == [(Report.COMPLETE, handle, b"")]


def test_more_due_jobs_than_one_tick_handles_are_left_to_the_next(broker: Broker, client: InProcessPeer) -> None:
    for _ in range(2500):
        client.submit(b"f", background=True, due=10.0)
    waits = []
    for _ in range(3):
        broker.tick(0.0, 10.0)
        waits.append(broker.wait(0.0, 10.0))
    assert waits == [0.0, 0.0, math.inf]


def test_only_a_background_job_can_be_due_later(broker: Broker, client: InProcessPeer) -> None:
    with pytest.raises(ValueError, match="background"):
        client.submit(b"f", due=10.0)
    assert broker.job_count == 0
