"""Schedules of functions that are full, drained, paused, or have rules for all their jobs."""

from __future__ import annotations

import math

from tests.broker.test_schedules import START, Play, follow, number_of
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


def test_those_are_misdated_whose_zone_has_changed_since_they_got_their_date() -> None:
    play = Play()
    follows, own = play.submit(), play.submit(b"tz=Asia/Tokyo", b"own")
    undated = play.submit(unique=b"undated", due=0)
    never = play.submit(unique=b"never")
    play.date(never, math.inf)
    over = play.submit(unique=b"over", due=1.0)

    def misdated(wall: float = play.wall) -> set[int]:
        cursor, found = play.timetable.misdated(0, wall)
        assert cursor == 0
        assert {row[1:] for row in found} <= {(b"* * * * *", b"Asia/Tokyo", 0.0), (b"* * * * *", b"", 0.0)}
        return {row[0] for row in found}

    assert misdated() == set()
    follow(play, b"tz=Asia/Tokyo", None)
    assert misdated() == {number_of(handle) for handle in (follows, never, over)}
    assert misdated(play.wall + 1.0) == {number_of(handle) for handle in (follows, never)}
    for handle in (follows, never, undated):
        play.date(handle)
    assert misdated() == {number_of(over)}
    follow(play, b"retries=1", None)
    assert misdated() == {number_of(handle) for handle in (follows, never, undated)}
    play.timetable.cancel(never)
    assert misdated() == {number_of(handle) for handle in (follows, undated)}
    assert play.row(own)[5] == b"Asia/Tokyo"
