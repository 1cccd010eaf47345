"""`unique_ttl=`: the unique id of a job stays taken for a while after its end."""

from __future__ import annotations

import math

import pytest

from gearfast import Broker, InProcessPeer, Report
from gearfast.broker.broker import Dropped, Reported
from gearfast.broker.deadletters import DeadLetters
from gearfast.broker.events import Kind
from gearfast.broker.life import Moved
from tests.support.brokering import functions, grabbed, jobs, payloads, peer_for

MOST = 100_000
TTL = b"unique_ttl=30s"


def put(
    client: InProcessPeer,
    unique: bytes = b"u",
    payload: bytes = b"x",
    *,
    background: bool = True,
    parameters: bytes = TTL,
    now: float = 0.0,
) -> bytes:
    """Submit; its handle."""
    handle = client.submit(b"f", payload, unique, background=background, parameters=parameters, now=now)
    assert handle is not None
    return handle


def done(worker: InProcessPeer, handle: bytes, kind: Report = Report.COMPLETE, now: float = 0.0) -> None:
    """Grab that job, and end it."""
    assert grabbed(worker, now) == handle
    assert worker.tell(handle, kind, b"", now) == Reported.TAKEN


ENDS = [
    (Report.COMPLETE, (Report.COMPLETE, b"")),
    (Report.FAIL, (Report.FAIL, None)),
    (Report.EXCEPTION, (Report.FAIL, None)),
]


@pytest.mark.parametrize(("kind", "told"), ENDS)
@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize(("unique", "payload"), [(b"u", b"x"), (b"-", b"x" * 100_000), (b"u" * 64, b"")])
def test_a_second_submit_is_answered_and_queues_nothing(
    broker: Broker,
    worker: InProcessPeer,
    kind: Report,
    told: tuple[Report, bytes | None],
    background: bool,
    unique: bytes,
    payload: bytes,
) -> None:
    """In the background with the handle, in the foreground with how it ended as well."""
    first, second, third = (InProcessPeer(broker) for _ in range(3))
    handle = put(first, unique, payload, background=background)
    done(worker, handle, kind)
    assert put(second, unique, payload) == handle
    assert put(third, unique, payload, background=False) == handle
    assert put(third, unique, payload, background=False, parameters=b"") == handle
    assert second.heard == []
    assert third.heard == [(told[0], handle, told[1])] * 2
    assert worker.grab() is None
    assert broker.events.counts[Kind.SUBMITTED] == 1
    broker.tick(30.0, 0.0)
    assert put(second, unique, payload, parameters=b"") != handle


def test_a_payload_finds_the_job_that_had_it_as_its_unique_id(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    """After its end as before it: `-` stands for the payload."""
    handle = put(client, b"x", b"x")
    assert put(client, b"-", b"x") == handle
    done(worker, handle)
    assert put(client, b"-", b"x") == handle
    assert put(client, b"-", b"y") != handle


def test_it_is_no_job_any_more(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    """Nobody sees it, counts it, or can do anything with it; only its text is kept."""
    handle = put(client, payload=b"x" * 1_000_000)
    done(worker, handle)
    assert (broker.job_count, jobs(broker), broker.unkept) == (0, {}, 0)
    assert functions(broker)[b"f"] == (0, 0, 1, (0, 0, 0))
    assert client.status(handle) is client.status_unique(b"u") is None
    assert 0 < broker.held_bytes < 1000
    assert not broker.cancel_job(handle)
    assert broker.move_job(handle, due=0.0) == Moved.NO_SUCH_JOB
    assert broker.move_job(handle, function=b"g") == Moved.NO_SUCH_JOB
    assert not DeadLetters(broker).kick_job(handle, 0.0)
    assert worker.tell(handle, Report.COMPLETE, b"once more") == Reported.UNKNOWN
    broker.tick(30.0, 0.0)
    assert broker.held_bytes == 0


def test_it_does_not_count_for_how_many_jobs_a_function_may_have(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    broker.limit_function(b"f", (1, 1, 1))
    done(worker, put(client))
    assert client.submit(b"f", b"", b"other", background=True) is not None
    assert client.submit(b"f", b"", b"third", background=True) is None


def test_its_function_is_kept_as_long_and_cannot_be_dropped() -> None:
    broker = Broker(b"H:test", function_rest=1.0)
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    handle = put(client)
    done(worker, handle)
    worker.disconnect()
    for now in range(1, 30):
        broker.tick(now, 0.0)
    assert broker.drop_function(b"f") == Dropped.IN_USE
    assert put(client) == handle
    broker.tick(30.0, 0.0)
    assert broker.drop_function(b"f") == Dropped.DROPPED
    assert broker.wait(30.0, 0.0) == math.inf


def test_a_schedule_keeps_its_function_too(broker: Broker, client: InProcessPeer) -> None:
    assert client.submit(b"g", b"", b"s", background=True, parameters=b"cron=0 3 * * *")
    assert broker.drop_function(b"g") == Dropped.IN_USE


def test_another_function_has_other_unique_ids(broker: Broker, client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = put(client)
    done(worker, handle)
    assert client.submit(b"g", b"x", b"u", background=True) != handle


@pytest.mark.parametrize("parameters", [b"unique_ttl=0s", b"timeout=30s", b""])
def test_without_it_the_end_frees_the_unique_id(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer, parameters: bytes
) -> None:
    handle = put(client, parameters=parameters)
    done(worker, handle)
    assert broker.held_bytes == 0
    assert put(client) != handle


def test_a_job_without_a_unique_id_is_not_remembered(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    done(worker, put(client, b"", b""))
    done(worker, put(client, b"-", b""))
    assert broker.held_bytes == 0


@pytest.mark.parametrize("how", ["cancelled", "buried", "expired", "abandoned", "an orphan"])
def test_an_end_that_nobody_was_to_wait_for_frees_it_at_once(broker: Broker, worker: InProcessPeer, how: str) -> None:
    client = InProcessPeer(broker)
    more = {"buried": b";retries=0", "expired": b";ttl=1s"}.get(how, b"")
    handle = put(client, parameters=TTL + more, background=how in ("cancelled", "buried", "expired"))
    if how == "cancelled":
        assert broker.cancel_job(handle)
    elif how == "buried":
        done(worker, handle, Report.FAIL)
    elif how == "expired":
        broker.tick(1.0, 0.0)
    elif how == "abandoned":
        client.disconnect()
    else:
        assert grabbed(worker) == handle
        client.disconnect()
        assert worker.tell(handle, Report.COMPLETE) == Reported.TAKEN
    assert put(InProcessPeer(broker), now=1.0) != handle


def test_a_buried_job_that_is_kicked_and_done_is_remembered(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    handle = put(client, parameters=TTL + b";retries=0")
    done(worker, handle, Report.FAIL)
    assert DeadLetters(broker).kick_job(handle, 0.0)
    done(worker, handle)
    assert put(client) == handle
    assert broker.job_count == 0


def test_what_its_lost_worker_says_late_counts_once(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    """The first result is the end, whoever has it; what comes after it is no mistake."""
    handle = put(client, parameters=TTL + b";timeout=5s")
    assert grabbed(worker) == handle
    broker.tick(5.0, 0.0)
    other = peer_for(broker, b"f")
    assert grabbed(other, 6.0) == handle
    assert worker.tell(handle, Report.COMPLETE, b"late", 7.0) == Reported.TAKEN
    assert other.tell(handle, Report.COMPLETE, b"later", 8.0) == Reported.LATE
    waiting = InProcessPeer(broker)
    assert put(waiting, background=False, now=9.0) == handle
    assert waiting.heard == [(Report.COMPLETE, handle, b"")]
    broker.tick(37.0, 0.0)
    assert broker.held_bytes == 0


def test_a_job_that_was_lost_too_often_is_remembered_as_failed(client: InProcessPeer) -> None:
    broker = Broker(b"H:test", job_retries=1)
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    handle = put(client, background=False)
    assert grabbed(worker) == handle
    worker.disconnect()
    assert put(client, background=False) == handle
    assert client.heard == [(Report.FAIL, handle, None)] * 2


def test_who_waits_is_told_before_it_is_put_away(broker: Broker, worker: InProcessPeer) -> None:
    waiting = [InProcessPeer(broker) for _ in range(5)]
    handle = put(waiting[0])
    for client in waiting[1:]:
        assert put(client, background=False) == handle
    done(worker, handle)
    assert [client.heard for client in waiting] == [[], *[[(Report.COMPLETE, handle, b"")]] * 4]
    for client in waiting:
        client.disconnect()
    broker.tick(30.0, 0.0)
    assert (broker.held_bytes, broker.unkept) == (0, 0)


def test_each_goes_at_its_own_time_a_thousand_in_a_tick(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    for number in range(2500):
        done(worker, put(client, b"%d" % number, parameters=b"unique_ttl=%ds" % (10 + number % 2)))
    broker.tick(9.999, 0.0)
    held = broker.held_bytes
    broker.tick(10.0, 0.0)
    assert broker.held_bytes == pytest.approx(held * 1500 / 2500, rel=0.01)
    assert broker.wait(10.0, 0.0) == 0
    broker.tick(10.0, 0.0)
    assert broker.wait(10.0, 0.0) == pytest.approx(1.0)
    broker.tick(11.0, 0.0)
    broker.tick(11.0, 0.0)
    assert broker.held_bytes == 0


def test_no_more_are_remembered_than_fit_and_those_that_would_go_first_go_first(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    late = put(client, b"late", parameters=b"unique_ttl=9s")
    done(worker, late)
    handles = []
    for number in range(MOST + 50):
        handles.append(put(client, b"%d" % number, parameters=b"unique_ttl=1h", now=number / 1e6))
        done(worker, handles[-1], now=number / 1e6)
    assert put(client, b"late", now=1.0) != late
    assert put(client, b"50", now=1.0) == handles[50]
    assert put(client, b"%d" % (MOST + 49), now=1.0) == handles[-1]
    assert put(client, b"49", now=1.0) != handles[49]
    assert len(payloads(worker)) == 2, "those that were forgotten are jobs again"
    worker.disconnect()
    for unique in (b"late", b"49"):
        assert broker.cancel_job(put(client, unique, now=2.0))
    for _ in range(MOST // 1000 + 1):
        broker.tick(3602.0, 0.0)
    assert broker.held_bytes == 0


def test_a_move_takes_what_it_asks_for_along(broker: Broker, client: InProcessPeer) -> None:
    handle = put(client)
    assert broker.move_job(handle, function=b"g") == Moved.MOVED
    done(peer_for(broker, b"g"), handle)
    assert put(client) != handle
    assert client.submit(b"g", b"x", b"u", background=True) == handle
