"""What a worker reports, and how a job is cancelled (protocol sections 2.8, 3.8)."""

from __future__ import annotations

import math

import pytest

from gearfast.broker.broker import Broker, Reported
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report
from tests.support.brokering import WAKE, functions, peer_for, submitted

# --- reports (2.8) ---


def test_a_thousand_pieces_of_data_and_the_result_arrive_in_order(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    for number in range(1000):
        worker.tell(handle, Report.DATA, b"%d" % number)
    worker.tell(handle, Report.COMPLETE, b"end")
    assert client.heard == [(Report.DATA, handle, b"%d" % number) for number in range(1000)] + [
        (Report.COMPLETE, handle, b"end")
    ]


@pytest.mark.parametrize("kind", [Report.DATA, Report.WARNING])
def test_progress_leaves_the_job_running(client: InProcessPeer, worker: InProcessPeer, kind: Report) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    assert worker.tell(handle, kind, b"x") is Reported.TAKEN
    assert client.heard == [(kind, handle, b"x")]
    assert client.status(handle) == (True, 0, 0, 1)


def test_progress_has_numbers_and_is_told_as_the_wire_has_it(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    assert worker.progress(handle, 3, 10) is Reported.TAKEN
    assert client.heard == [(Report.STATUS, handle, b"3\x0010")]
    assert client.status(handle) == (True, 3, 10, 1)
    with pytest.raises(ValueError, match=r"progress\(\)"):
        worker.tell(handle, Report.STATUS, b"3")


@pytest.mark.parametrize("kind", sorted(set(Report) - {Report.STATUS}))
def test_a_report_on_a_job_never_held_is_unknown(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer, kind: Report
) -> None:
    queued = submitted(client, b"f")
    assert worker.tell(queued, kind) is Reported.UNKNOWN
    worker.grab()
    stranger = peer_for(broker, b"f")
    for handle in (queued, b"H:test:99", b"", b"nonsense"):
        assert stranger.tell(handle, kind) is Reported.UNKNOWN
    assert client.heard == []
    assert client.status(queued) == (True, 0, 0, 1)


def test_a_second_end_of_a_finished_job_is_unknown(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    worker.tell(handle, Report.COMPLETE)
    assert worker.tell(handle, Report.COMPLETE) is Reported.UNKNOWN
    assert worker.tell(handle, Report.FAIL) is Reported.UNKNOWN


def test_the_fail_behind_an_exception_is_swallowed_once(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    assert worker.tell(handle, Report.EXCEPTION, b"oops") is Reported.TAKEN
    assert worker.tell(handle, Report.COMPLETE) is Reported.UNKNOWN
    assert worker.tell(handle, Report.DATA) is Reported.UNKNOWN
    assert worker.tell(handle, Report.FAIL) is Reported.LATE
    assert worker.tell(handle, Report.FAIL) is Reported.UNKNOWN
    assert client.heard == [(Report.EXCEPTION, handle, b"oops")]


def test_only_the_worker_that_sent_the_exception_may_send_the_fail(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    worker.tell(handle, Report.EXCEPTION)
    assert peer_for(broker, b"f").tell(handle, Report.FAIL) is Reported.UNKNOWN


@pytest.mark.parametrize("end", [Report.FAIL, Report.EXCEPTION])
def test_failing_is_final_for_a_background_job_too(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer, end: Report
) -> None:
    handle = submitted(client, b"f", background=True)
    worker.grab()
    worker.tell(handle, end)
    assert broker.job_count == 0


def test_a_kind_of_report_that_is_none_is_refused(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    for kind in (-1, 6, 99):
        with pytest.raises(ValueError, match=str(kind)):
            worker.tell(handle, kind)
    assert client.status(handle) == (True, 0, 0, 1)


def test_a_peer_may_work_for_itself(broker: Broker) -> None:
    peer = peer_for(broker, b"f")
    peer.sleep()
    handle = submitted(peer, b"f", b"x")
    assert peer.heard == [WAKE]
    peer.grab()
    peer.tell(handle, Report.COMPLETE, b"y")
    assert peer.heard == [WAKE, (Report.COMPLETE, handle, b"y")]


# --- cancel (3.8) ---


@pytest.mark.parametrize("state", ["queued", "delayed", "running"])
def test_cancel_removes_the_job_now_and_tells_its_clients_once(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer, state: str
) -> None:
    worker.can_do(b"f", 1000)
    handle = client.submit(b"f", b"", b"u", background=True, due=10.0 if state == "delayed" else 0.0)
    assert handle is not None
    submitted(client, b"f", b"", b"u")
    if state == "running":
        worker.grab(0.0)
    assert broker.cancel_job(handle) is True
    assert broker.job_count == 0
    assert functions(broker)[b"f"] == (0, 0, 1, (0, 0, 0))
    assert broker.wait(0.0, 0.0) == math.inf
    assert broker.cancel_job(handle) is False
    assert client.heard == [(Report.FAIL, handle, None)]
    assert worker.grab() is None


def test_results_of_a_cancelled_job_are_swallowed_until_its_end(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    broker.cancel_job(handle)
    assert worker.tell(handle, Report.DATA) is Reported.LATE
    assert worker.progress(handle, 1, 2) is Reported.LATE
    assert worker.tell(handle, Report.COMPLETE) is Reported.LATE
    assert worker.tell(handle, Report.COMPLETE) is Reported.UNKNOWN
    assert client.heard == [(Report.FAIL, handle, None)]


def test_a_cancelled_running_job_is_not_run_again_when_its_worker_dies(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    handle = submitted(client, b"f", background=True)
    worker.grab()
    broker.cancel_job(handle)
    worker.disconnect()
    assert broker.job_count == 0


@pytest.mark.parametrize("handle", [b"", b"H:test:1", b"H:test:0", b"nonsense", b"H:test:18446744073709551616"])
def test_cancelling_what_is_not_there_does_nothing(broker: Broker, handle: bytes) -> None:
    assert broker.cancel_job(handle) is False
