"""Workers and clients that are lost (protocol sections 3.5, 3.6)."""

from __future__ import annotations

import gc
import math

import pytest

from gearfast.broker.broker import Broker, Reported
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report
from tests.support.brokering import functions, grabbed, jobs, payloads, peer_for, submitted

# --- a worker is lost (3.6) ---


def test_a_lost_workers_jobs_go_to_the_tail_newest_first(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    for payload in (b"1", b"2", b"3"):
        submitted(client, b"f", payload)
    grabbed(worker)
    grabbed(worker)
    worker.disconnect()
    assert payloads(peer_for(broker, b"f")) == [b"3", b"2", b"1"]


def test_a_requeued_job_keeps_its_priority_and_counts_an_attempt(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    handle = submitted(client, b"f", b"high", priority=0)
    submitted(client, b"f", b"normal")
    grabbed(worker)
    worker.disconnect()
    assert jobs(broker)[handle][0] == 1
    assert client.heard == []
    assert payloads(peer_for(broker, b"f")) == [b"high", b"normal"]


def lose(broker: Broker, now: float) -> None:
    """A worker takes the only job and dies."""
    worker = peer_for(broker, b"f")
    assert worker.grab(now)
    worker.disconnect(now)


@pytest.mark.parametrize(("job_retries", "attempts"), [(0, 1), (1, 1), (2, 2), (3, 3)])
@pytest.mark.parametrize("background", [False, True])
def test_job_retries_counts_attempts_and_then_the_job_fails(job_retries: int, attempts: int, background: bool) -> None:
    broker = Broker(b"H:test", job_retries=job_retries)
    client = InProcessPeer(broker)
    handle = submitted(client, b"f", background=background)
    for attempt in range(1, attempts):
        lose(broker, 0.0)
        assert jobs(broker)[handle][0] == attempt
        assert client.heard == []
    lose(broker, 0.0)
    assert broker.job_count == 0
    assert client.heard == ([] if background else [(Report.FAIL, handle, None)])


def test_without_a_limit_a_job_is_tried_for_ever(broker: Broker, client: InProcessPeer) -> None:
    handle = submitted(client, b"f")
    for _ in range(300):
        lose(broker, 0.0)
    assert jobs(broker)[handle][0] == 300


@pytest.mark.parametrize("how", ["death", "deadline", "cant_do", "reset"])
def test_every_way_to_lose_a_job_counts_the_same(how: str) -> None:
    broker = Broker(b"H:test", job_retries=2)
    client, worker = InProcessPeer(broker), InProcessPeer(broker)
    handle = submitted(client, b"f", b"", b"u")
    for attempt in (1, 2):
        worker.can_do(b"f", 1000)
        assert grabbed(worker) == handle
        match how:
            case "death":
                worker.disconnect()
            case "deadline":
                broker.tick(1.0, 0.0)
            case "cant_do":
                worker.cant_do(b"f")
            case _:
                worker.reset_abilities()
        if attempt == 1:
            assert jobs(broker) == {handle: (1, False, False, b"u")}
            assert client.heard == []
    assert client.heard == [(Report.FAIL, handle, None)]
    assert broker.job_count == 0


# --- the first result counts, whoever held the job (2.8) ---


@pytest.mark.parametrize("end", [Report.COMPLETE, Report.FAIL, Report.EXCEPTION])
def test_a_late_result_ends_a_job_that_waits_for_another_worker(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer, end: Report
) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    worker.cant_do(b"f")
    assert worker.tell(handle, Report.DATA, b"half") is Reported.TAKEN
    assert worker.tell(handle, end, b"late") is Reported.TAKEN
    body = b"" if end is Report.FAIL else b"late"
    assert client.heard == [(Report.DATA, handle, b"half"), (end, handle, body)]
    assert broker.job_count == 0
    assert peer_for(broker, b"f").grab() is None
    assert worker.tell(handle, Report.COMPLETE) is Reported.UNKNOWN


@pytest.mark.parametrize("late_is_first", [True, False])
def test_of_two_who_held_a_job_the_first_result_counts_and_the_other_is_swallowed(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer, late_is_first: bool
) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    worker.cant_do(b"f")
    other = peer_for(broker, b"f")
    other.grab()
    first, second = (worker, other) if late_is_first else (other, worker)
    assert first.tell(handle, Report.COMPLETE, b"first") is Reported.TAKEN
    assert second.tell(handle, Report.DATA, b"more") is Reported.LATE
    assert second.tell(handle, Report.COMPLETE, b"second") is Reported.LATE
    assert second.tell(handle, Report.COMPLETE, b"second") is Reported.UNKNOWN
    assert client.heard == [(Report.COMPLETE, handle, b"first")]
    assert functions(broker)[b"f"] == (0, 0, 1, (0, 0, 0))


def test_both_results_of_a_worker_that_ran_a_job_twice_are_expected(
    client: InProcessPeer, worker: InProcessPeer
) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    worker.cant_do(b"f")
    worker.can_do(b"f")
    assert grabbed(worker) == handle
    assert worker.tell(handle, Report.COMPLETE, b"one") is Reported.TAKEN
    assert worker.tell(handle, Report.COMPLETE, b"two") is Reported.LATE
    assert client.heard == [(Report.COMPLETE, handle, b"one")]


def test_late_progress_is_told_and_not_taken_for_that_of_the_new_holder(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    worker.cant_do(b"f")
    assert worker.progress(handle, 1, 2) is Reported.TAKEN
    assert client.status(handle) == (False, 0, 0, 1)
    other = peer_for(broker, b"f")
    other.grab()
    assert worker.progress(handle, 3, 4) is Reported.TAKEN
    assert client.status(handle) == (True, 0, 0, 1)
    assert client.heard == [(Report.STATUS, handle, b"1\x002"), (Report.STATUS, handle, b"3\x004")]


def test_a_late_result_of_one_who_left_counts_for_nothing(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    worker.disconnect()
    assert worker.tell(handle, Report.COMPLETE) is Reported.UNKNOWN
    assert client.status(handle) == (False, 0, 0, 1)


# --- a great many at once: what is left of them is taken by ticks ---


def take_rest(broker: Broker) -> int:
    """Tick until nothing is left to be done at once; how many ticks it took."""
    ticks = 0
    while broker.wait(0.0, 0.0) == 0.0:
        broker.tick(0.0, 0.0)
        ticks += 1
    return ticks


@pytest.mark.parametrize("how", ["death", "cant_do", "reset"])
def test_a_worker_loses_five_thousand_jobs_in_slices(how: str) -> None:
    broker = Broker(b"H:test", function_rest=math.inf)
    client, worker, other = InProcessPeer(broker), peer_for(broker, b"f"), peer_for(broker, b"f")
    handles = [submitted(client, b"f", background=True) for _ in range(5000)]
    assert [grabbed(worker) for _ in handles] == handles
    match how:
        case "death":
            worker.disconnect()
        case "cant_do":
            worker.cant_do(b"f")
        case _:
            worker.reset_abilities()
    total, running, workers, (_, queued, _) = functions(broker)[b"f"]
    assert (total, workers) == (5000, 1)
    assert 0 < queued <= 1000
    assert running == 5000 - queued
    assert other.grab() is not None, "what was taken already can be had"
    assert take_rest(broker) > 2
    assert functions(broker)[b"f"] == (5000, 1, 1, (0, 4999, 0))


def test_a_result_for_a_job_that_is_still_to_be_taken_counts() -> None:
    broker = Broker(b"H:test", function_rest=math.inf, remembered_results=1000)
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    handles = [submitted(client, b"f") for _ in range(3000)]
    assert [grabbed(worker) for _ in handles] == handles
    worker.reset_abilities()
    assert client.status(handles[0]) == (True, 0, 0, 1)
    for handle in handles:
        assert worker.tell(handle, Report.COMPLETE) is Reported.TAKEN
    assert take_rest(broker) > 0
    assert broker.job_count == 0
    assert len(client.heard) == 3000


def test_a_client_of_five_thousand_jobs_leaves_in_slices_and_hears_nothing_more() -> None:
    broker = Broker(b"H:test", function_rest=math.inf)
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    handles = [submitted(client, b"f") for _ in range(5000)]
    assert grabbed(worker) == handles[0]
    client.disconnect()
    assert 4000 <= broker.job_count < 5000
    assert take_rest(broker) > 2
    assert broker.job_count == 1, "the one that runs ends with its worker"
    assert worker.tell(handles[0], Report.COMPLETE) is Reported.TAKEN
    assert broker.job_count == 0
    assert client.heard == []


def test_a_peer_that_is_forgotten_with_thousands_of_jobs_leaves_them_behind() -> None:
    broker = Broker(b"H:test", function_rest=math.inf)
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    handles = [submitted(client, b"f") for _ in range(3000)]
    assert [grabbed(worker) for _ in handles] == handles
    del worker
    other = peer_for(broker, b"f")
    assert take_rest(broker) > 0
    assert sorted(grabbed(other) for _ in handles) == sorted(handles)
    del client
    assert take_rest(broker) > 0
    for handle in handles:
        assert other.tell(handle, Report.COMPLETE) is Reported.TAKEN
    assert broker.job_count == 0


def test_a_worker_of_five_thousand_functions_gives_them_up_in_slices() -> None:
    broker = Broker(b"H:test", function_rest=math.inf)
    worker = InProcessPeer(broker)
    for number in range(5000):
        worker.can_do(b"f%d" % number)
    worker.reset_abilities()
    worker.can_do(b"f4")
    assert worker.abilities() == [b"f4"]
    take_rest(broker)
    assert worker.abilities() == [b"f4"]
    submitted(InProcessPeer(broker), b"f4", background=True)
    assert worker.grab() is not None


def test_a_broker_ends_before_its_peers_and_in_the_middle_of_taking() -> None:
    broker = Broker(b"H:test")
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    for _ in range(3000):
        submitted(client, b"f")
        grabbed(worker)
    worker.cant_do(b"f")
    client.disconnect()
    del worker, client, broker  # no crash, and nothing that a sanitizer would see


def test_a_worker_that_gets_its_lost_job_again_holds_it(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    worker.cant_do(b"f")
    worker.can_do(b"f")
    assert grabbed(worker) == handle
    assert worker.tell(handle, Report.COMPLETE, b"x") is Reported.TAKEN
    assert client.heard == [(Report.COMPLETE, handle, b"x")]


# --- a client is lost (3.5) ---


def test_a_queued_job_leaves_with_its_last_foreground_client(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    other = InProcessPeer(broker)
    submitted(client, b"f", b"", b"u")
    submitted(other, b"f", b"", b"u")
    client.disconnect()
    assert broker.job_count == 1
    other.disconnect()
    assert broker.job_count == 0
    assert functions(broker)[b"f"] == (0, 0, 1, (0, 0, 0))
    assert worker.grab() is None


def test_a_client_that_attached_twice_leaves_once(broker: Broker, client: InProcessPeer) -> None:
    submitted(client, b"f", b"", b"u")
    submitted(client, b"f", b"", b"u")
    client.disconnect()
    assert broker.job_count == 0


def test_a_background_job_outlives_every_client(broker: Broker, client: InProcessPeer) -> None:
    handle = submitted(client, b"f", b"", b"u", background=True)
    visitor = InProcessPeer(broker)
    submitted(visitor, b"f", b"", b"u")
    visitor.disconnect()
    client.disconnect()
    assert jobs(broker) == {handle: (0, False, True, b"u")}


def test_a_background_submission_onto_a_foreground_job_keeps_it_alive(broker: Broker, client: InProcessPeer) -> None:
    handle = submitted(client, b"f", b"", b"u")
    submitted(InProcessPeer(broker), b"f", b"", b"u", background=True)
    client.disconnect()
    assert jobs(broker) == {handle: (0, False, True, b"u")}


def test_a_running_orphan_is_finished_by_its_worker(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    handle = submitted(client, b"f", b"", b"u")
    worker.grab()
    client.disconnect()
    assert jobs(broker) == {handle: (0, True, False, b"u")}
    assert client.status(handle) == (True, 0, 0, 0)
    assert client.status_unique(b"u") is None
    assert worker.tell(handle, Report.COMPLETE) is Reported.TAKEN
    assert broker.job_count == 0


def test_a_running_orphan_goes_with_its_worker(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    sleeper = peer_for(broker, b"f")
    sleeper.sleep()
    submitted(client, b"f")
    sleeper.heard.clear()
    worker.grab()
    client.disconnect()
    worker.disconnect()
    assert broker.job_count == 0
    assert sleeper.heard == []


def test_an_orphan_and_its_namesake_live_side_by_side(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    orphan = submitted(client, b"f", b"", b"u")
    worker.grab()
    client.disconnect()
    namesake = submitted(client, b"f", b"", b"u")
    worker.tell(orphan, Report.COMPLETE, b"for nobody")
    assert client.heard == []
    assert submitted(client, b"f", b"", b"u") == namesake


def test_a_worker_killed_with_a_job_in_hand_while_coalesced_clients_wait(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    others = [InProcessPeer(broker) for _ in range(3)]
    handle = submitted(client, b"f", b"", b"u")
    for other in others:
        submitted(other, b"f", b"", b"u")
    worker.grab()
    worker.disconnect()
    others[0].disconnect()
    second = peer_for(broker, b"f")
    assert grabbed(second) == handle
    second.tell(handle, Report.COMPLETE, b"x")
    assert [peer.heard for peer in (client, *others)] == [
        [(Report.COMPLETE, handle, b"x")],
        [],
        [(Report.COMPLETE, handle, b"x")],
        [(Report.COMPLETE, handle, b"x")],
    ]


@pytest.mark.parametrize("client_first", [True, False])
def test_client_and_worker_lost_at_once(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer, client_first: bool
) -> None:
    submitted(client, b"f")
    worker.grab()
    for peer in (client, worker) if client_first else (worker, client):
        peer.disconnect()
    assert broker.job_count == 0
    assert functions(broker)[b"f"] == (0, 0, 0, (0, 0, 0))


def test_a_peer_that_runs_its_own_job_leaves_nothing_behind(broker: Broker) -> None:
    peer = peer_for(broker, b"f")
    submitted(peer, b"f")
    submitted(peer, b"f")
    peer.grab()
    peer.disconnect()
    assert broker.job_count == 0


def test_a_peer_that_runs_a_job_it_shares_leaves_it_to_the_others(broker: Broker, client: InProcessPeer) -> None:
    peer = peer_for(broker, b"f")
    handle = submitted(peer, b"f", b"", b"u")
    submitted(client, b"f", b"", b"u")
    peer.grab()
    peer.disconnect()
    assert client.status(handle) == (False, 0, 0, 1)
    assert jobs(broker)[handle][0] == 1


def test_a_forgotten_peer_disconnects(broker: Broker, worker: InProcessPeer) -> None:
    client = InProcessPeer(broker)
    submitted(client, b"f")
    submitted(client, b"f", background=True)
    worker.grab()
    del client
    gc.collect()
    assert sorted(jobs(broker).values()) == [(0, False, True, b""), (0, True, False, b"")]


def test_a_disconnected_peer_is_like_a_new_one(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    worker.sleep()
    worker.disconnect()
    worker.disconnect()
    submitted(client, b"f")
    assert worker.heard == []
    worker.can_do(b"f")
    assert not worker.sleep()
    assert worker.grab() is not None
