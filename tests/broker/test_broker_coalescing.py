"""Which submissions are one job, and what is known of it (protocol sections 2.7, 3.2, 3.3)."""

from __future__ import annotations

import pytest

from gearfast.broker.broker import Broker, Reported
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report
from tests.support.brokering import WAKE, payloads, peer_for, submitted

# --- coalescing (3.2, 3.3) ---


def test_an_empty_unique_never_coalesces(broker: Broker, client: InProcessPeer) -> None:
    assert submitted(client, b"f", b"same") != submitted(client, b"f", b"same")
    assert broker.job_count == 2


def test_a_unique_is_scoped_by_its_function(client: InProcessPeer) -> None:
    assert submitted(client, b"f", b"", b"u") != submitted(client, b"g", b"", b"u")
    assert submitted(client, b"f", b"-", b"-") != submitted(client, b"g", b"-", b"-")


def test_the_same_unique_joins_the_job_whatever_its_payload_and_priority(
    client: InProcessPeer, worker: InProcessPeer
) -> None:
    handle = submitted(client, b"f", b"first", b"u", priority=2)
    assert submitted(client, b"f", b"second", b"u", priority=0) == handle
    assert payloads(worker) == [b"first"]


def test_a_dash_joins_by_payload(client: InProcessPeer) -> None:
    first = submitted(client, b"f", b"p", b"-")
    assert submitted(client, b"f", b"p", b"-") == first
    assert submitted(client, b"f", b"q", b"-") != first


def test_a_dash_with_an_empty_payload_joins_nothing(client: InProcessPeer) -> None:
    assert submitted(client, b"f", b"", b"-") != submitted(client, b"f", b"", b"-")


def test_a_dash_joins_a_job_whose_unique_is_the_payloads_own_text(client: InProcessPeer) -> None:
    literal = submitted(client, b"f", b"lit", b"lit")
    assert submitted(client, b"f", b"lit", b"-") == literal
    other = submitted(client, b"f", b"another payload", b"key")
    assert submitted(client, b"f", b"key", b"-") != other


def test_a_unique_does_not_join_a_dash_job_of_that_payload(client: InProcessPeer) -> None:
    assert submitted(client, b"f", b"lit", b"-") != submitted(client, b"f", b"lit", b"lit")


def test_a_hash_is_a_unique_like_any_other(client: InProcessPeer) -> None:
    assert submitted(client, b"f", b"1", b"#") == submitted(client, b"f", b"2", b"#")


@pytest.mark.parametrize("state", ["queued", "delayed", "running"])
def test_a_job_is_joined_in_every_state(client: InProcessPeer, worker: InProcessPeer, state: str) -> None:
    handle = client.submit(b"f", b"", b"u", background=True, due=10.0 if state == "delayed" else 0.0)
    assert handle is not None
    if state == "running":
        worker.grab()
    assert submitted(client, b"f", b"", b"u") == handle
    assert client.status(handle) == (state == "running", 0, 0, 1)


@pytest.mark.parametrize("end", [Report.COMPLETE, Report.FAIL, Report.EXCEPTION])
def test_a_unique_is_free_when_its_job_has_ended(client: InProcessPeer, worker: InProcessPeer, end: Report) -> None:
    handle = submitted(client, b"f", b"", b"u")
    worker.grab()
    worker.tell(handle, end)
    assert submitted(client, b"f", b"", b"u") != handle


def test_a_unique_is_free_when_its_job_was_cancelled(broker: Broker, client: InProcessPeer) -> None:
    handle = submitted(client, b"f", b"", b"u")
    assert broker.cancel_job(handle)
    assert submitted(client, b"f", b"", b"u") != handle


def test_a_unique_is_free_when_its_job_was_abandoned(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    for take in (False, True):
        handle = submitted(client, b"f", b"", b"u")
        if take:
            worker.grab()
        client.disconnect()
        again = submitted(client, b"f", b"", b"u")
        assert again != handle
        assert worker.grab() == (again, b"f", b"u", b"")
        worker.tell(again, Report.COMPLETE)


def test_a_unique_is_free_when_its_job_failed_for_good(client: InProcessPeer) -> None:
    strict = Broker(b"H:test", job_retries=1)
    submitter = InProcessPeer(strict)
    handle = submitted(submitter, b"f", b"", b"u", background=True)
    worker = peer_for(strict, b"f")
    worker.grab()
    worker.disconnect()
    assert submitted(submitter, b"f", b"", b"u") != handle


def test_a_client_that_attached_twice_hears_everything_twice(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f", b"", b"u")
    submitted(client, b"f", b"", b"u")
    worker.grab()
    worker.tell(handle, Report.DATA, b"d")
    worker.tell(handle, Report.COMPLETE, b"c")
    assert client.heard == [(Report.DATA, handle, b"d")] * 2 + [(Report.COMPLETE, handle, b"c")] * 2


def test_a_late_attacher_hears_only_what_comes_from_then_on(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    handle = submitted(client, b"f", b"", b"u")
    worker.grab()
    worker.tell(handle, Report.DATA, b"1")
    late = InProcessPeer(broker)
    submitted(late, b"f", b"", b"u")
    worker.tell(handle, Report.DATA, b"2")
    assert [body for _, _, body in client.heard] == [b"1", b"2"]  # type: ignore[misc]
    assert late.heard == [(Report.DATA, handle, b"2")]


def test_a_background_submission_hears_nothing(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f", background=True)
    worker.grab()
    assert worker.tell(handle, Report.DATA, b"x") is Reported.TAKEN
    assert worker.tell(handle, Report.COMPLETE, b"x") is Reported.TAKEN
    assert client.heard == []


def test_a_coalesced_submission_wakes_nobody(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    sleepers = [worker, peer_for(broker, b"f")]
    for sleeper in sleepers:
        sleeper.sleep()
    submitted(client, b"f", b"", b"u")
    submitted(client, b"f", b"", b"u")
    assert [sleeper.heard for sleeper in sleepers] == [[WAKE], []]


# --- status (2.7) ---


def test_status_of_an_unknown_handle_is_none(client: InProcessPeer) -> None:
    handle = submitted(client, b"f")
    for unknown in (b"", b"H:test:", b"H:test:0", b"H:test:01", b"H:test:2", b"H:other:1", handle + b"\0", b"x" * 70):
        assert client.status(unknown) is None
    assert client.status(handle) == (False, 0, 0, 1)


def test_status_shows_the_last_progress_and_a_requeue_forgets_it(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f", b"", b"u")
    worker.grab()
    assert client.status(handle) == (True, 0, 0, 1)
    worker.progress(handle, 1, 2**32 - 1)
    assert client.status(handle) == client.status_unique(b"u") == (True, 1, 2**32 - 1, 1)
    worker.disconnect()
    assert client.status(handle) == (False, 0, 0, 1)
    worker.can_do(b"f")
    worker.grab()
    assert client.status(handle) == (True, 0, 0, 1)


def test_status_counts_waiting_clients_by_attachment(broker: Broker, client: InProcessPeer) -> None:
    handle = submitted(client, b"f", b"", b"u", background=True)
    assert client.status(handle) == (False, 0, 0, 0)
    submitted(client, b"f", b"", b"u")
    submitted(client, b"f", b"", b"u")
    assert InProcessPeer(broker).status_unique(b"u") == (False, 0, 0, 2)


def test_an_ended_job_is_unknown_at_once(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f", b"", b"u")
    worker.grab()
    worker.tell(handle, Report.COMPLETE)
    assert client.status(handle) is None
    assert client.status_unique(b"u") is None


def test_status_unique_looks_into_every_function_but_not_for_nothing(client: InProcessPeer) -> None:
    for number in range(200):
        submitted(client, b"f%d" % number, b"payload", b"u%d" % number, background=True)
    submitted(client, b"g", b"payload", b"-")
    submitted(client, b"g", b"payload", b"")
    assert all(client.status_unique(b"u%d" % number) for number in range(200))
    assert client.status_unique(b"") is client.status_unique(b"-") is client.status_unique(b"payload") is None


def test_status_unique_shows_the_newest_namesake_and_then_the_next(broker: Broker, client: InProcessPeer) -> None:
    worker = InProcessPeer(broker)
    handles: dict[int, bytes] = {}
    for number in range(5):
        function = b"f%d" % number
        handles[number] = submitted(client, function, b"", b"u", background=True)
        worker.can_do(function)
        assert worker.grab() is not None
        worker.progress(handles[number], number, 10)
    for ended in (4, 3, 0, 2, 1):
        assert client.status_unique(b"u") == (True, max(handles), 10, 0)
        worker.tell(handles.pop(ended), Report.COMPLETE)
    assert client.status_unique(b"u") is None
