"""A store that fails, hangs, or comes back: nobody is told a lie, nobody waits for ever, work goes on."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gearfast.errors import StoreError
from gearfast.store.contract import Batch
from tests.store.test_durable import BACKGROUND, grab, status, worker_of
from tests.support import wire
from tests.support.durable import Contents, Obedient, Served, serving
from tests.support.peers import until

SOON: dict[str, Any] = {"store_timeout": 0.3, "store_retry": (0.01, 0.05)}
"""For tests in which the store stays away."""
LATE: dict[str, Any] = {"store_timeout": 60.0, "store_retry": (0.01, 0.05)}
"""For tests in which it comes back in time, however slow the machine is."""


def said(caplog: pytest.LogCaptureFixture, words: str) -> int:
    """How many lines of the log begin so."""
    return sum(record.getMessage().startswith(words) for record in caplog.records)


def go_away(served: Served) -> None:
    """Have every write fail."""
    served.store.trouble = StoreError("the disk is full")


def test_a_submit_is_refused_with_the_reason_when_the_store_stays_away(caplog: pytest.LogCaptureFixture) -> None:
    with serving(**SOON) as served, served.connect() as client:
        go_away(served)
        answer = client.call(BACKGROUND, "f", "u", payload="1")
        assert answer.name == "ERROR"
        assert answer.args() == [b"QUEUE_ERROR", b"The job could not be stored within 0.3 s: the disk is full"]
        assert status(client, b"H:t:1")[0] == b"0"
        assert client.table("show jobs") == []
        served.store.trouble = None
        assert client.call(BACKGROUND, "f", "u", payload="2").body == b"H:t:2"
        assert served.store.numbers() == [2]
        assert said(caplog, "The store is unavailable: the disk is full") == 1
        assert said(caplog, "The store is available again") == 1


def test_a_client_that_is_gone_before_its_job_is_refused() -> None:
    with serving(**SOON) as served, served.connect() as witness:
        go_away(served)
        client = served.connect()
        client.request(BACKGROUND, "f", "", payload="1")
        until(lambda: "f\t1\t0\t0" in witness.table("status"), "its job waits for the store")
        client.reset()
        until(lambda: "f\t0\t0\t0" in witness.table("status"), "that has taken too long")


def test_a_store_that_comes_back_in_time_costs_nobody_anything(caplog: pytest.LogCaptureFixture) -> None:
    with serving(**LATE) as served, served.connect() as client:
        go_away(served)
        client.send(wire.request(BACKGROUND, "f", "", payload="x") * 10)
        until(lambda: said(caplog, "The store is unavailable") > 0, "it is seen that it is none of the jobs")
        served.store.trouble = None
        assert [client.recv_packet().body for _ in range(10)] == [b"H:t:%d" % number for number in range(1, 11)]
        assert served.store.numbers() == list(range(1, 11))
        assert said(caplog, "The store is unavailable") == said(caplog, "The store is available again") == 1


def test_a_store_that_hangs_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    with serving(**SOON) as served, served.connect() as client, served.connect() as other:
        served.store.gate.clear()
        client.request(BACKGROUND, "f", "", payload="1")
        assert other.sync() == b""
        answer = client.recv_packet()
        assert answer.args()[0] == b"QUEUE_ERROR"
        assert b"it " in answer.args()[1]
        until(lambda: served.store.cancelled > 0, "the write that hangs is given up")
        served.store.gate.set()
        assert client.call(BACKGROUND, "f", "", payload="2").body == b"H:t:2"
        assert served.store.numbers() == [2]
        assert said(caplog, "The store is unavailable: it did not answer for 0.3 s") == 1


def test_replies_stay_in_their_order_when_some_jobs_are_refused() -> None:
    with serving(**SOON) as served, served.connect() as client:
        go_away(served)
        client.request(wire.ECHO_REQ, payload="0")
        client.request(BACKGROUND, "f", "", payload="1")
        client.request(wire.ECHO_REQ, payload="1")
        client.request(wire.SUBMIT_JOB, "f", "", payload="2")
        client.request(BACKGROUND, "f", "", payload="3")
        client.request(wire.ECHO_REQ, payload="3")
        names = [client.recv_packet().name for _ in range(6)]
        assert names == ["ECHO_RES", "ERROR", "ECHO_RES", "JOB_CREATED", "ERROR", "ECHO_RES"]


def test_what_was_written_though_the_store_said_it_failed_is_taken_out_again() -> None:
    with serving(**SOON) as served, served.connect() as client:
        served.store.trouble_afterwards = StoreError("lost the connection during COMMIT")
        assert client.call(BACKGROUND, "f", "", payload="1").name == "ERROR"
        served.store.trouble_afterwards = None
        served.store.wait_gone(1)


def test_the_same_batch_again_after_a_failure_is_harmless() -> None:
    with serving(**LATE) as served, served.connect() as client:
        served.store.trouble_afterwards = StoreError("lost the connection during COMMIT")
        client.request(BACKGROUND, "f", "", payload="1")
        until(lambda: len(served.store.written) > 2, "it is written again")
        served.store.trouble_afterwards = None
        assert client.recv_packet().body == b"H:t:1"
        assert served.store.numbers() == [1]


def test_work_on_jobs_already_held_goes_on_and_is_remembered() -> None:
    contents = Contents()
    with serving(Obedient(contents), **SOON) as served, served.connect() as client, served.connect() as worker:
        for text in "123":
            client.call(BACKGROUND, "f", "", payload=text)
        worker_of(worker, "f")
        go_away(served)
        assert client.call(BACKGROUND, "f", "", payload="4").name == "ERROR"
        for expected in (b"1", b"2"):
            handle, payload = grab(worker)
            assert payload == expected
            worker.request(wire.WORK_COMPLETE, handle, payload="")
        assert client.call(wire.SUBMIT_JOB, "g", "", payload="").name == "JOB_CREATED"
        worker.sync()
        assert sorted(contents.jobs) == [1, 2, 3]
        served.store.trouble = None
        served.store.wait_gone(2)
        assert sorted(contents.jobs) == [3]


def test_a_store_that_is_full_can_still_become_emptier(caplog: pytest.LogCaptureFixture) -> None:
    with serving(**SOON) as served, served.connect() as client, served.connect() as worker:
        for text in "12":
            client.call(BACKGROUND, "f", "", payload=text)
        served.store.full = True
        client.request(BACKGROUND, "f", "", payload="3")
        handle, _ = grab(worker_of(worker, "f"))
        worker.request(wire.WORK_COMPLETE, handle, payload="")
        served.store.wait_gone(1)
        assert client.recv_packet().args()[1].endswith(b"it is full")
        served.store.full = False
        assert client.call(BACKGROUND, "f", "", payload="4").name == "JOB_CREATED"
        assert said(caplog, "The store is unavailable") == said(caplog, "The store is available again") == 1


def test_a_job_in_a_workers_hands_when_its_submit_is_refused_is_done_and_not_stored() -> None:
    with serving(**SOON) as served, served.connect() as client, served.connect() as worker:
        worker_of(worker, "f")
        go_away(served)
        client.request(BACKGROUND, "f", "", payload="1")
        while (held := grab(worker)) == (b"", b""):
            pass
        assert client.recv_packet().name == "ERROR"
        worker.request(wire.WORK_COMPLETE, held[0], payload="")
        assert worker.sync() == b""
        served.store.trouble = None
        assert client.call(BACKGROUND, "f", "", payload="2").body == b"H:t:2"
        assert served.store.numbers() == [2]


def test_a_job_done_before_the_store_was_given_up_is_acknowledged() -> None:
    """It was not lost, and never will be."""
    with serving(**SOON) as served, served.connect() as client, served.connect() as worker:
        worker_of(worker, "f")
        go_away(served)
        client.request(BACKGROUND, "f", "", payload="1")
        while (held := grab(worker)) == (b"", b""):
            pass
        worker.request(wire.WORK_COMPLETE, held[0], payload="")
        assert client.recv_packet().body == b"H:t:1"


def test_a_foreground_client_keeps_its_job_when_the_background_submit_is_refused() -> None:
    with serving(**SOON) as served, served.connect() as client, served.connect() as other, served.connect() as worker:
        assert client.call(wire.SUBMIT_JOB, "f", "u", payload="1").body == b"H:t:1"
        go_away(served)
        assert other.call(BACKGROUND, "f", "u", payload="1").name == "ERROR"
        handle, _ = grab(worker_of(worker, "f"))
        worker.request(wire.WORK_COMPLETE, handle, payload="done")
        assert client.recv_packet().args() == [b"H:t:1", b"done"]


def test_all_who_joined_a_job_are_refused_with_it() -> None:
    with serving(**SOON) as served, served.connect() as client, served.connect() as other:
        served.store.gate.clear()
        client.request(BACKGROUND, "f", "u", payload="1")
        served.store.wait_asked(1)
        other.request(BACKGROUND, "f", "u", payload="1")
        assert client.recv_packet().name == other.recv_packet().name == "ERROR"
        assert client.table("show jobs") == []


def test_each_submit_waits_its_own_time() -> None:
    """Those who came later are still waiting when the first are refused."""
    with serving(store_timeout=1.0, store_retry=(0.01, 0.05)) as served, served.connect() as a, served.connect() as b:
        go_away(served)
        began = time.monotonic()
        a.request(BACKGROUND, "f", "", payload="1")
        until(lambda: time.monotonic() > began + 0.6, "some of the time is over")
        second = time.monotonic()
        b.request(BACKGROUND, "f", "", payload="2")
        assert a.recv_packet().name == "ERROR"
        assert b.recv_packet().name == "ERROR"
        assert time.monotonic() - second >= 1.0


def test_a_lost_worker_while_the_store_is_away_counts_later() -> None:
    contents = Contents()
    with serving(Obedient(contents), **SOON) as served, served.connect() as client:
        client.call(BACKGROUND, "f", "", payload="1")
        go_away(served)
        worker = worker_of(served.connect(), "f")
        grab(worker)
        worker.close()
        assert client.call(BACKGROUND, "f", "", payload="2").name == "ERROR"
        assert client.call(BACKGROUND, "f", "", payload="2").name == "ERROR"
        served.store.trouble = None
        until(lambda: contents.jobs[1].attempts == 1, "the attempt is written")
        assert client.table("show jobs") == ["H:t:1\t1\t0\t1"]


def test_clients_that_send_more_than_may_wait_are_not_read_from() -> None:
    with serving(store_backlog=100_000, **LATE) as served, served.connect() as client, served.connect() as other:
        served.store.gate.clear()
        many = wire.request(BACKGROUND, "f", "", payload="x" * 10_000) * 100
        client.send(many)
        served.store.wait_asked(1)
        other.sync()
        assert len(other.table("show jobs")) < 40
        served.store.gate.set()
        assert [client.recv_packet().name for _ in range(100)] == ["JOB_CREATED"] * 100


def test_an_unexpected_error_of_a_store_is_logged_with_its_trace_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(**LATE) as served, served.connect() as client:
        served.store.trouble = KeyError("oops")
        client.request(BACKGROUND, "f", "", payload="1")
        until(lambda: len(served.store.asked) > 3, "the write is tried again")
        served.store.trouble = None
        assert client.recv_packet().name == "JOB_CREATED"
    assert [bool(record.exc_info) for record in caplog.records if "is unavailable" in record.msg] == [True]


def test_a_stop_while_the_store_is_away_says_what_is_lost() -> None:
    with serving(store_on_shutdown=True, store_last_writes=0.5, **SOON) as served, served.connect() as client:
        for text in "12":
            client.call(BACKGROUND, "f", "", payload=text)
        go_away(served)
        with pytest.raises(StoreError, match=r"unavailable, and 2 acknowledged jobs could not .*: the disk is full"):
            served.stop()


def test_a_stop_with_nothing_to_lose_does_not_wait_long_for_a_store_that_is_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(store_last_removes=0.5, **SOON) as served, served.connect() as client:
        for text in "123":
            client.call(BACKGROUND, "f", "", payload=text)
        go_away(served)
        with served.connect() as worker:
            worker_of(worker, "f")
            for _ in range(2):
                handle, _ = grab(worker)
                worker.request(wire.WORK_COMPLETE, handle, payload="")
            worker.sync()
        served.stop()
        assert said(caplog, "2 ended jobs may be run once more after the next start") == 1


def test_a_full_store_is_not_back_because_it_forgets(caplog: pytest.LogCaptureFixture) -> None:
    with serving(**SOON) as served, served.connect() as client, served.connect() as worker:
        client.call(BACKGROUND, "f", "", payload="1")
        served.store.full = True
        assert client.call(BACKGROUND, "f", "", payload="2").name == "ERROR"
        worker_of(worker, "f")
        handle, _ = grab(worker)
        worker.request(wire.WORK_COMPLETE, handle, payload="")
        served.store.wait_gone(1)
        assert client.call(BACKGROUND, "f", "", payload="3").name == "ERROR"
        assert (said(caplog, "The store is unavailable"), said(caplog, "The store is available again")) == (1, 0)
        served.store.full = False
        until(lambda: client.call(BACKGROUND, "f", "", payload="4").name == "JOB_CREATED", "it is stored")
        until(lambda: said(caplog, "The store is available again") == 1, "that is said")


class Moody(Obedient):
    """Refuses the first batches with jobs, and takes all that comes after them."""

    def __init__(self, refusals: int) -> None:
        super().__init__(Contents())
        self.refusals = refusals

    async def write(self, batch: Batch) -> None:
        """Refuse, or take it."""
        if batch.adds and self.refusals:
            self.refusals -= 1
            raise StoreError("not now")
        await super().write(batch)


@pytest.mark.parametrize("refusals", range(1, 8))
def test_a_stop_gives_no_job_up_that_has_failed_before_others_were_written(refusals: int) -> None:
    store = Moody(refusals)
    with serving(store, store_on_shutdown=True, **LATE) as served, served.connect() as client:
        client.call(BACKGROUND, "f", "", payload="1")
        served.stop()
    assert sorted(store.contents.jobs) == [1]


def test_a_stop_while_the_store_is_away_for_a_moment_writes_everything() -> None:
    contents = Contents()
    with serving(Obedient(contents), store_on_shutdown=True, **LATE) as served, served.connect() as client:
        client.call(BACKGROUND, "f", "", payload="1")
        go_away(served)
        served.loop.call_soon_threadsafe(served.server.stop)
        until(lambda: len(served.store.asked) > 3, "the last write is tried again")
        served.store.trouble = None
        served.stop()
    assert sorted(contents.jobs) == [1]
