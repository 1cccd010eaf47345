"""Schedules: jobs that come again and again, at dates that are given from outside."""

from __future__ import annotations

import math

import pytest

from gearfast import Broker, InProcessPeer, Report
from gearfast.broker.broker import Dropped
from gearfast.broker.life import Moved
from gearfast.broker.rulings import Rulings
from gearfast.broker.timetable import Timetable
from tests.support.brokering import functions, grabbed, payloads

HOUR = 3600.0
START = 1_000_000.0


class Play:
    """A broker with a client, a worker for `f`, and two clocks."""

    def __init__(self, **more: float) -> None:
        self.broker = Broker(b"H:t", **more)  # type: ignore[arg-type]
        self.timetable = Timetable(self.broker)
        self.client, self.worker = InProcessPeer(self.broker), InProcessPeer(self.broker)
        self.worker.can_do(b"f")
        self.now, self.wall = 1000.0, START
        self.wait(0)

    def submit(
        self, asked: bytes = b"", unique: bytes = b"u", payload: bytes = b"x", due: float = HOUR, name: bytes = b"f"
    ) -> bytes:
        """The handle of a schedule; `due` is seconds from now on, 0: it has no date yet."""
        parameters = b"cron=* * * * *" + (b";" + asked if asked else b"")
        when = self.wall + due if due else 0.0
        return (
            self.client.submit(name, payload, unique, background=True, due=when, parameters=parameters, now=self.now)
            or b""
        )

    def date(self, handle: bytes, seconds: float = HOUR) -> None:
        """It is due in so many seconds."""
        self.timetable.date(number_of(handle), self.wall + seconds, self.now)

    def undated(self) -> list[int]:
        """The numbers of those that wait for a date."""
        return [row[0] for row in self.timetable.undated(100)]

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.wall += seconds
        self.broker.tick(self.now, self.wall)

    def set_clock(self, seconds: float) -> None:
        """The wall clock is set by so much."""
        self.wall += seconds
        self.broker.tick(self.now, self.wall)

    def figures(self, handle: bytes) -> tuple[int, int]:
        """Runs, and dates that were skipped."""
        row = self.row(handle)
        return row[8], row[9]

    def row(self, handle: bytes) -> tuple[float, bytes, bytes, bytes, bytes, bytes, float, bytes, int, int]:
        """All that is known of a schedule."""
        (found,) = (row for row in rows(self.timetable) if row[1] == handle)
        return found

    def fire(self, handle: bytes) -> tuple[int, int]:
        """It is due within a second; what `figures` tells then."""
        self.date(handle, 1.0)
        self.wait(1.0)
        return self.figures(handle)

    def complete(self, handle: bytes) -> None:
        """Its worker has done it."""
        self.worker.tell(handle, Report.COMPLETE, b"", self.now)


def rows(timetable: Timetable) -> list[tuple[float, bytes, bytes, bytes, bytes, bytes, float, bytes, int, int]]:
    """Of all schedules."""
    cursor, found = timetable.scan(0)
    while cursor:
        cursor, more = timetable.scan(cursor)
        found += more
    return found


def number_of(handle: bytes) -> int:
    return int(handle.rpartition(b":")[2])


def follow(play: Play, parameters: bytes, gate: str | None) -> None:
    """The function `f` has this rule."""
    rulings = Rulings(play.broker)
    rulings.set([(b"f", parameters, gate, b"it rests")])  # type: ignore[list-item]
    assert rulings.apply(0) == 0


# --- firing ---


def test_it_fires_at_its_date_and_then_waits_for_the_next() -> None:
    play = Play()
    handle = play.submit(b"tz=Europe/Berlin", payload=b"report")
    assert play.broker.wait(play.now, play.wall) == HOUR
    play.wait(HOUR - 0.001)
    assert play.worker.grab(play.now) is None
    assert play.undated() == []
    play.wait(0.001)
    found = play.worker.grab(play.now)
    assert found is not None
    run = found[0]
    assert found == (b"H:t:2", b"f", b"u", b"report")
    due = START + HOUR
    assert play.timetable.undated(9) == [(1, b"* * * * *", b"Europe/Berlin", due, due, False)]
    assert play.row(handle) == (due, handle, b"f", b"u", b"* * * * *", b"Europe/Berlin", due, run, 1, 0)
    assert play.broker.wait(play.now, play.wall) > HOUR
    play.complete(run)
    play.wait(10 * HOUR)
    assert play.worker.grab(play.now) is None, "without a date it does not fire"
    assert play.fire(handle) == (2, 0)


def test_a_sleeping_worker_is_woken() -> None:
    play = Play()
    play.submit()
    assert play.worker.sleep()
    play.wait(HOUR)
    assert play.worker.heard == [("wake",)]


def test_a_schedule_is_no_job_until_it_fires() -> None:
    play = Play()
    handle = play.submit(name=b"g")
    assert play.broker.job_count == play.broker.delayed_count == 0
    assert functions(play.broker)[b"g"] == (0, 0, 0, (0, 0, 0))
    assert sum(row[10] for row in play.broker.scan_figures(0, 10)[1]) == 1
    assert play.broker.scan_jobs(0, 10) == (0, [])
    assert play.client.status(handle) == (False, 0, 0, 0)
    assert play.client.status_unique(b"u") is None
    assert not play.broker.cancel_job(handle)
    assert play.broker.move_job(handle, due=0.0) == Moved.IS_SCHEDULE
    shown = play.broker.show_job(handle)
    assert shown is not None
    assert (shown[0], shown[6], shown[9]) == ("scheduled", START + HOUR, b"cron=* * * * *")
    assert play.worker.tell(handle, Report.COMPLETE).name == "UNKNOWN"


def test_one_that_is_never_due_again_neither_fires_nor_waits_for_a_date() -> None:
    play = Play()
    handle = play.submit()
    for never in (math.inf, math.nan):
        play.timetable.date(number_of(handle), never, play.now)
        assert play.broker.wait(play.now, play.wall) > 1e9
        play.wait(1e9)
        assert play.undated() == []
        assert play.figures(handle) == (0, 0)
    assert play.fire(handle) == (1, 0), "another date counts again"


def test_what_there_is_not_is_not_dated_run_or_cancelled() -> None:
    play = Play()
    job = play.client.submit(b"f", b"", b"", background=True) or b""
    for handle in (job, b"H:t:99", b"", b"nonsense"):
        assert not play.timetable.cancel(handle)
        assert play.timetable.run(handle, play.now) is None
    play.timetable.date(number_of(job), START, play.now)
    play.timetable.date(99, START, play.now)
    play.wait(HOUR)
    assert play.broker.job_count == 1
    with pytest.raises(OverflowError):
        play.timetable.date(-1, START, play.now)


def test_nobody_waits_for_a_schedule() -> None:
    play = Play()
    for asked in (b"cron=* * * * *", b"cron=* * * * *;tz=UTC"):
        with pytest.raises(ValueError, match="only a background job can be due later"):
            play.client.submit(b"f", b"", b"", parameters=asked)
    with pytest.raises(ValueError, match="cron"):
        play.client.submit(b"f", b"", b"", background=True, parameters=b"tz=UTC")
    assert len(play.timetable) == 0


# --- overlap ---


def test_the_next_run_is_skipped_while_the_last_one_is_queued_or_running() -> None:
    play = Play()
    handle = play.submit(due=0)
    assert play.fire(handle) == (1, 0)
    assert play.fire(handle) == (1, 1)
    run = grabbed(play.worker, play.now)
    assert play.fire(handle) == (1, 2)
    assert play.timetable.run(handle, play.now) is False
    play.complete(run)
    assert play.fire(handle) == (2, 3)
    assert play.broker.job_count == 1


def test_runs_that_may_overlap_queue_up_and_each_is_done() -> None:
    """Of those with a unique id, too: it is the first one's, and it is free when that has ended."""
    play = Play()
    for unique in (b"u", b"", b"-"):
        handle = play.submit(b"overlap=queue", unique, due=0)
        first = grabbed(play.worker, play.now) if play.fire(handle) == (1, 0) else b""
        assert [play.fire(handle) for _ in range(4)] == [(2, 0), (3, 0), (4, 0), (5, 0)]
        play.complete(first)
        assert play.fire(handle) == (6, 0)
        assert payloads(play.worker) == [b"x"] * 5
        play.worker.disconnect()
        for job in [row[0] for row in play.broker.scan_jobs(0, 100)[1]]:
            play.broker.cancel_job(job)
        play.timetable.cancel(handle)
        play.worker.can_do(b"f")


def test_a_run_that_is_tried_again_has_not_ended_until_it_is_buried() -> None:
    play = Play()
    handle = play.submit(b"retries=1;backoff=fixed:1h", due=0)
    play.fire(handle)
    for wait in (HOUR, 0.0):
        run = grabbed(play.worker, play.now)
        assert play.fire(handle)[0] == 1, "it runs"
        play.worker.tell(run, Report.FAIL, b"", play.now)
        if wait:
            assert play.fire(handle)[0] == 1, "it waits for its second try"
            play.wait(wait)
    shown = play.broker.show_job(run)
    assert shown is not None
    assert shown[0] == "buried"
    assert play.fire(handle)[0] == 2


def test_a_run_expires_and_the_next_one_comes() -> None:
    play = Play()
    handle = play.submit(b"ttl=10s", due=0)
    assert play.fire(handle) == (1, 0)
    play.wait(9.0)
    assert play.fire(handle)[1] == 1, "the date is skipped, and just then the run expires"
    assert play.broker.job_count == 0
    assert play.fire(handle) == (2, 1)


def test_a_run_that_is_remembered_for_its_unique_id_keeps_no_other_from_running() -> None:
    play = Play()
    follow(play, b"unique_ttl=1d", None)
    handle = play.submit(due=0)
    for runs in (1, 2, 3):
        assert play.fire(handle) == (runs, 0)
        run = grabbed(play.worker, play.now)
        play.complete(run)
        assert play.client.submit(b"f", b"x", b"u", background=True) == run, "a client's submit is that run"
    assert play.broker.job_count == 0


# --- unique ids that others have, too ---


def test_a_job_that_a_client_has_submitted_is_the_run() -> None:
    play = Play()
    handle = play.submit(due=0)
    job = play.client.submit(b"f", b"by hand", b"u", background=True)
    assert play.fire(handle) == (0, 1)
    assert payloads(play.worker) == [b"by hand"]
    assert play.fire(handle) == (0, 2), "it runs"
    play.complete(job or b"")
    assert play.fire(handle) == (1, 2)


def test_a_client_that_submits_the_same_waits_for_the_run() -> None:
    play = Play()
    handle = play.submit(due=0)
    play.fire(handle)
    run = play.row(handle)[7]
    assert play.client.submit(b"f", b"whatever", b"u") == run != handle
    assert grabbed(play.worker, play.now) == run
    play.worker.tell(run, Report.COMPLETE, b"done", play.now)
    assert play.client.heard == [(Report.COMPLETE, run, b"done")]


def test_without_a_unique_id_a_function_has_one_schedule_and_its_runs_join_nobody() -> None:
    play = Play()
    handle = play.submit(unique=b"", due=0)
    assert play.submit(unique=b"", payload=b"new", due=0) == handle
    play.client.submit(b"f", b"new", b"", background=True)
    assert play.fire(handle) == (1, 0)
    assert payloads(play.worker) == [b"new", b"new"]
    assert play.fire(handle) == (1, 1)


def test_with_a_dash_it_is_the_payload_that_others_may_have_submitted() -> None:
    play = Play()
    handle = play.submit(unique=b"-", payload=b"one", due=0)
    assert play.submit(unique=b"-", payload=b"two", due=0) == handle, "there is one schedule for a dash"
    play.client.submit(b"f", b"one", b"-", background=True)
    assert play.fire(handle) == (1, 0)
    play.client.submit(b"f", b"two", b"-", background=True)
    assert payloads(play.worker) == [b"one", b"two"]


def test_schedules_of_two_functions_are_two() -> None:
    play = Play()
    handles = {play.submit(name=name, unique=unique) for name in (b"f", b"g") for unique in (b"u", b"v", b"")}
    assert len(handles) == len(play.timetable) == 6


# --- submitting it again ---


def test_it_is_replaced_with_all_that_was_asked() -> None:
    play = Play()
    handle = play.submit(due=0)
    play.fire(handle)
    last = play.row(handle)[6:]
    again = play.client.submit(
        b"f", b"new", b"u", background=True, priority=0, parameters=b"cron=5 * * * *;overlap=queue", now=play.now
    )
    assert again == handle
    assert len(play.timetable) == 1
    assert play.row(handle)[3:5] == (b"u", b"5 * * * *")
    assert play.row(handle)[6:] == last, "its last run, and its figures"
    assert play.fire(handle) == (2, 0), "now it queues"
    assert payloads(play.worker) == [b"new", b"x"], "a run that is out stays as it was"


@pytest.mark.parametrize("state", ["undated", "dated", "never", "fired", "run queued", "running"])
def test_it_is_replaced_in_every_state(state: str) -> None:
    play = Play()
    handle = in_state(play, state)
    figures = play.figures(handle)
    assert play.submit(payload=b"new", due=0) == handle
    assert play.undated() == [1], "the date that it had was another cron's"
    play.wait(HOUR)
    assert play.figures(handle) == figures
    assert play.submit(payload=b"newest", due=1.0) == handle
    assert play.undated() == []
    play.wait(1.0)
    out = state in ("run queued", "running")
    assert play.figures(handle) == (figures[0] + (not out), figures[1] + out)


def test_a_date_for_which_it_has_fired_is_not_taken_twice() -> None:
    """A client that submits it again after the clock was set back."""
    play = Play()
    handle = play.submit(due=10.0)
    play.wait(10.0)
    play.complete(grabbed(play.worker, play.now))
    play.set_clock(-5.0)
    assert play.submit(due=5.0) == handle
    assert play.undated() == [1]
    play.wait(HOUR)
    assert play.figures(handle) == (1, 0)


def in_state(play: Play, state: str) -> bytes:
    """A schedule that is in this state."""
    handle = play.submit(due=HOUR if state == "dated" else 0)
    if state == "never":
        play.timetable.date(number_of(handle), math.inf, play.now)
    if state in ("fired", "run queued", "running"):
        play.fire(handle)
    if state in ("fired", "running"):
        run = grabbed(play.worker, play.now)
        if state == "fired":
            play.complete(run)
    return handle


# --- its end ---


@pytest.mark.parametrize("state", ["undated", "dated", "never", "fired", "run queued", "running"])
def test_it_is_cancelled_in_every_state_and_what_came_of_it_goes_on(state: str) -> None:
    play = Play(function_rest=0.0)
    handle = in_state(play, state)
    run = play.row(handle)[7]
    assert play.timetable.cancel(handle)
    assert not play.timetable.cancel(handle)
    assert (len(play.timetable), play.undated(), rows(play.timetable)) == (0, [], [])
    assert play.client.status(handle) is None
    assert (play.broker.show_job(run) is not None) == (state in ("run queued", "running"))
    play.wait(2 * HOUR)
    if state == "run queued":
        run = grabbed(play.worker, play.now)
    play.complete(run)
    assert play.broker.job_count == 0
    assert play.submit() not in (handle, run), "a new one has a new handle"


def long(play: Play) -> None:
    """So that functions of no use are forgotten."""
    for _ in range(5):
        play.wait(5.0)


def test_its_function_is_known_as_long_as_it_is_there() -> None:
    play = Play(function_rest=1.0)
    handle = play.submit(name=b"g", unique=b"1")
    other = play.submit(name=b"g", unique=b"2")
    for left in (handle, other):
        long(play)
        assert play.broker.drop_function(b"g") == Dropped.IN_USE
        assert b"g" in functions(play.broker)
        play.timetable.cancel(left)
    long(play)
    assert b"g" not in functions(play.broker)


def test_a_function_whose_unique_ids_stay_taken_is_not_dropped() -> None:
    play = Play()
    job = play.client.submit(b"f", b"", b"u", background=True, parameters=b"unique_ttl=1h") or b""
    assert grabbed(play.worker, play.now) == job
    play.complete(job)
    play.worker.disconnect()
    assert play.broker.drop_function(b"f") == Dropped.IN_USE
    play.wait(HOUR)
    assert play.broker.drop_function(b"f") == Dropped.DROPPED
