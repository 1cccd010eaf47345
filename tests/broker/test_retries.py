"""Jobs that are tried again: after a lost worker, a time-out, and what a worker calls a failure."""

from __future__ import annotations

import pytest

from gearfast import Broker, InProcessPeer, Report
from gearfast.broker.broker import Reported

GONE = None


def state(broker: Broker, handle: bytes) -> str | None:
    """Of a job; None: it is gone."""
    found = broker.show_job(handle)
    return None if found is None else found[0]


class Play:
    """A broker, a client, a worker for `f`, and a clock."""

    def __init__(self, parameters: bytes, **more: int) -> None:
        self.broker = Broker(b"H:t", **more)
        self.client, self.worker = InProcessPeer(self.broker), InProcessPeer(self.broker)
        self.worker.can_do(b"f")
        self.now = 1000.0
        self.handle = self.client.submit(b"f", b"x", b"u", background=True, parameters=parameters, now=self.now) or b""

    def grab(self) -> bool:
        """Whether the worker gets it."""
        found = self.worker.grab(self.now)
        assert found in (None, (self.handle, b"f", b"u", b"x"))
        return found is not None

    def fail(self, kind: Report = Report.FAIL) -> Reported:
        """Grab it, and say that it failed."""
        assert self.grab()
        return self.worker.tell(self.handle, kind, b"why" if kind == Report.EXCEPTION else b"", self.now)

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.broker.tick(self.now, 0.0)

    @property
    def state(self) -> str | None:
        return state(self.broker, self.handle)


@pytest.mark.parametrize("kind", [Report.FAIL, Report.EXCEPTION])
def test_a_job_that_failed_is_tried_again_as_often_as_it_may(kind: Report) -> None:
    play = Play(b"retries=2")
    for _ in range(2):
        assert play.fail(kind) == Reported.TAKEN
        assert play.state == "queued"
    assert play.fail(kind) == Reported.TAKEN
    assert play.state == "buried"
    assert play.broker.job_count == 0


def test_without_retries_a_failure_is_the_end_as_in_stock() -> None:
    for parameters in (b"", b"backoff=fixed:1s", b"timeout=1h"):
        play = Play(parameters)
        assert play.fail() == Reported.TAKEN
        assert play.state is GONE


def test_it_waits_between_two_tries_longer_each_time() -> None:
    play = Play(b"retries=5;backoff=exponential:1s..3s")
    for wait in (1.0, 2.0, 3.0, 3.0, 3.0):
        play.fail()
        assert play.state == "retrying"
        assert not play.grab()
        assert play.broker.wait(play.now, 0.0) == pytest.approx(wait)
        play.wait(wait - 0.001)
        assert play.state == "retrying"
        play.wait(0.001)
        assert play.state == "queued"
    play.fail()
    assert play.state == "buried"


def test_jitter_is_a_part_of_the_wait_from_a_half_on() -> None:
    waits = set()
    play = Play(b"retries=1000;backoff=fixed:8s+jitter")
    for _ in range(200):
        play.fail()
        wait = play.broker.wait(play.now, 0.0)
        assert 4.0 <= wait <= 8.0
        waits.add(wait)
        play.wait(8.0)
    assert len(waits) > 190
    assert min(waits) < 5.0 < 7.0 < max(waits)


def test_a_sleeping_worker_is_woken_when_the_wait_is_over() -> None:
    play = Play(b"retries=1;backoff=fixed:1s")
    play.fail()
    assert play.worker.sleep()
    play.wait(1.0)
    assert play.worker.heard == [("wake",)]
    assert play.grab()


def test_lost_workers_count_as_tries_and_wait_as_well() -> None:
    """Stronger than what the server was told for all jobs."""
    play = Play(b"retries=2;backoff=fixed:1s", job_retries=1)
    for _ in range(2):
        assert play.grab()
        play.worker.disconnect(play.now)
        assert play.state == "retrying"
        play.worker = InProcessPeer(play.broker)
        play.worker.can_do(b"f")
        play.wait(1.0)
    assert play.grab()
    play.worker.disconnect(play.now)
    assert play.state == "buried"


@pytest.mark.parametrize(
    ("own", "of_worker", "after"), [(b"timeout=2s", 0, 2.0), (b"timeout=2s", 500, 0.5), (b"timeout=2s", 9000, 2.0)]
)
def test_the_shorter_time_out_holds(own: bytes, of_worker: int, after: float) -> None:
    play = Play(own)
    play.worker.can_do(b"f", of_worker)
    assert play.grab()
    play.wait(after - 0.001)
    assert play.state == "running"
    play.wait(0.001)
    assert play.state == "queued"


def test_who_waits_for_it_too_is_told_the_end_alone() -> None:
    play = Play(b"retries=1")
    waiting = InProcessPeer(play.broker)
    assert waiting.submit(b"f", b"x", b"u") == play.handle
    play.fail(Report.EXCEPTION)
    assert waiting.heard == []
    assert play.grab()
    play.worker.tell(play.handle, Report.COMPLETE, b"done", play.now)
    assert waiting.heard == [(Report.COMPLETE, play.handle, b"done")]


def test_a_worker_that_fails_twice_over_is_not_told_off() -> None:
    """Perl's says WORK_EXCEPTION and then WORK_FAIL; the second one is of the same try."""
    play = Play(b"retries=3")
    assert play.fail(Report.EXCEPTION) == Reported.TAKEN
    assert play.worker.tell(play.handle, Report.FAIL, b"", play.now) == Reported.LATE
    found = play.broker.show_job(play.handle)
    assert found is not None
    assert found[5] == 1, "one attempt"


def test_a_failure_of_who_has_lost_it_changes_nothing() -> None:
    play = Play(b"retries=1;timeout=1s")
    other = InProcessPeer(play.broker)
    other.can_do(b"f")
    assert play.grab()
    play.wait(1.0)
    assert other.grab(play.now) is not None
    assert play.worker.tell(play.handle, Report.FAIL, b"", play.now) == Reported.LATE
    assert play.state == "running"
    assert other.tell(play.handle, Report.COMPLETE, b"", play.now) == Reported.TAKEN
    assert play.state is GONE


def test_what_waits_can_be_cancelled_moved_and_counted() -> None:
    play = Play(b"retries=9;backoff=fixed:1h")
    play.fail()
    assert play.broker.scan_functions(0, 100)[1] == [(b"f", 1, 0, 1, (0, 1, 0))]
    play.broker.move_job(play.handle, priority=0, now=play.now)
    assert play.state == "retrying"
    assert play.broker.scan_functions(0, 100)[1] == [(b"f", 1, 0, 1, (1, 0, 0))]
    play.broker.move_job(play.handle, due=0.0, now=play.now)
    assert play.state == "queued"
    play.fail()
    play.broker.move_job(play.handle, due=5.0, now=play.now)
    assert play.state == "delayed"
    assert play.broker.cancel_job(play.handle)
    assert play.broker.job_count == 0
    assert play.broker.wait(play.now, 0.0) > 10


@pytest.mark.parametrize("text", [b"delay=5s", b"retries=x", b"backoff=fixed", b"timeout=0s", b"x", b"retries=1;at=0"])
def test_a_mistake_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"submit parameter|a job keeps"):
        Play(text)
