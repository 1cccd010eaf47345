"""Schedules of functions that are full, drained, paused, or have rules for all their jobs."""

from __future__ import annotations

from tests.broker.test_schedules import START, Play, follow
from tests.support.brokering import payloads


def test_a_full_queue_skips_it() -> None:
    play = Play()
    handle = play.submit(due=0)
    play.broker.limit_function(b"f", (1, 1, 1))
    job = play.client.submit(b"f", b"", b"other", background=True) or b""
    assert play.submit(unique=b"another") != b"", "a schedule is no job: it is not counted"
    assert play.fire(handle) == (0, 1)
    play.broker.cancel_job(job)
    assert play.fire(handle) == (1, 1)


def test_a_drained_function_skips_it_and_takes_no_other() -> None:
    play = Play()
    handle = play.submit(due=0)
    follow(play, b"", "drained")
    assert play.fire(handle) == (0, 1)
    assert play.timetable.run(handle, play.now) is False
    assert play.submit(unique=b"new") == b""
    follow(play, b"", "open")
    assert play.fire(handle) == (1, 2)


def test_a_paused_function_queues_one_run() -> None:
    play = Play()
    handle = play.submit(due=0)
    follow(play, b"", "paused")
    assert [play.fire(handle), play.fire(handle)] == [(1, 0), (1, 1)]
    assert play.worker.grab(play.now) is None
    follow(play, b"", "open")
    assert payloads(play.worker) == [b"x"]


def test_what_holds_for_all_jobs_of_a_function_holds_for_runs() -> None:
    play = Play()
    follow(play, b"delay=1m;priority=high", None)
    handle = play.submit(due=0)
    assert play.fire(handle) == (1, 0)
    assert play.worker.grab(play.now) is None
    assert play.fire(handle) == (1, 1), "a run that waits has not ended"
    shown = play.broker.show_job(play.row(handle)[7])
    assert shown is not None
    assert (shown[0], shown[2], shown[6]) == ("delayed", 0, START + 1 + 60)
