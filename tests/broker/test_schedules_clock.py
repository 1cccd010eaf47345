"""Schedules when the clock is set, and when very many are due at once."""

from __future__ import annotations

import math

import pytest

from tests.broker.test_schedules import HOUR, Play, number_of, rows
from tests.support.brokering import grabbed

DAY = 24 * HOUR
YEAR = 365 * DAY


# --- the clock is set ---


@pytest.mark.parametrize("seconds", [60.0, HOUR, DAY, 10 * YEAR])
def test_it_is_due_at_once_when_the_clock_is_set_beyond_its_date(seconds: float) -> None:
    play = Play()
    handle = play.submit(due=30.0)
    play.set_clock(seconds)
    assert play.figures(handle) == (1, 0), "once, whatever it has missed"
    assert play.undated() == [1]


@pytest.mark.parametrize("seconds", [60.0, HOUR, DAY, 10 * YEAR])
def test_all_get_another_date_when_the_clock_is_set_back_and_none_was_missed(seconds: float) -> None:
    play = Play()
    fired, waits, never = play.submit(due=1.0), play.submit(unique=b"v"), play.submit(unique=b"w", due=0)
    play.wait(1.0)
    play.complete(grabbed(play.worker, play.now))
    play.date(fired, HOUR)
    play.timetable.date(number_of(never), math.inf, play.now)
    assert play.undated() == []
    play.set_clock(-seconds)
    assert sorted(play.undated()) == [number_of(fired), number_of(waits)]
    assert [(row[3] <= row[4], row[5]) for row in play.timetable.undated(9)] == [(True, False)] * 2
    play.wait(seconds + 2 * HOUR)
    assert [play.figures(handle)[0] for handle in (fired, waits, never)] == [1, 0, 0]


def test_a_clock_that_is_corrected_by_less_than_a_second_changes_no_date() -> None:
    play = Play()
    handle = play.submit(due=10.0)
    for _ in range(20):
        play.set_clock(-0.75)
    assert play.undated() == []
    play.set_clock(15.0)
    play.wait(10.0)
    assert play.figures(handle) == (1, 0)


def test_that_the_clock_was_set_is_seen_before_the_next_tick() -> None:
    """So that nothing is waited for that is too far away."""
    play = Play()
    play.submit()
    assert play.broker.wait(play.now, play.wall - DAY) == DAY + HOUR
    assert play.undated() == [1]


# --- very many ---

MANY = 10_000


def test_of_very_many_a_thousand_fire_at_a_tick_and_each_once() -> None:
    play = Play()
    for number in range(MANY):
        play.submit(unique=b"%d" % number)
    play.now += HOUR
    play.wall += HOUR
    for left in range(MANY - 1000, -1, -1000):
        assert play.broker.wait(play.now, play.wall) == 0
        play.broker.tick(play.now, play.wall)
        assert play.broker.job_count == MANY - left
        assert len(play.timetable.undated(MANY)) == MANY - left
    assert play.broker.wait(play.now, play.wall) > 0
    assert {row[8:] for row in rows(play.timetable)} == {(1, 0)}
    assert [row[0] for row in play.timetable.undated(50)] == list(range(1, 51)), "as few as were asked for"


def test_nothing_is_held_when_all_of_it_has_ended() -> None:
    play = Play(function_rest=math.inf)
    for turn in range(3):
        handles = [play.submit(b"retries=%d" % (at % 3), b"%d" % at, bytes(at), due=at % 2) for at in range(2000)]
        assert play.broker.held_bytes > 2000 * 1000
        assert handles == [play.submit(b"overlap=queue", b"%d" % at, b"new", due=at % 2) for at in range(2000)]
        assert play.broker.held_bytes < 2000 * 1000
        play.wait(1.0)
        assert play.broker.job_count == 1000
        while (job := play.worker.grab(play.now)) is not None:
            play.complete(job[0])
        for handle in handles[:: 1 if turn else -1]:
            assert play.timetable.cancel(handle)
        assert play.broker.held_bytes == 0
        assert len(play.timetable) == 0


def test_a_broker_may_be_forgotten_with_schedules_in_every_state() -> None:
    for _ in range(20):
        play = Play()
        for number in range(100):
            handle = play.submit(unique=b"%d" % number, due=number % 3)
            if number % 5 == 0:
                play.timetable.date(number_of(handle), math.inf, play.now)
        play.wait(1.0)
        assert len(play.timetable) == 100
