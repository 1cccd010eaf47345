"""Schedules when the clock is set, when very many are due at once, and against a model of what they are to do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gearfast import Broker, InProcessPeer, Report
from gearfast.broker.timetable import Timetable
from tests.broker.test_schedules import HOUR, START, Play, number_of, rows
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


# --- against a model ---


@dataclass
class Modelled:
    """One schedule as it is to be."""

    number: int
    unique: bytes
    queues: bool
    due: float = 0.0
    """0: it waits for a date."""
    fired: float = 0.0
    run: int = 0
    runs: int = 0
    skipped: int = 0
    dates: list[float] = field(default_factory=list)
    """That came, and firings by hand."""


class ScheduleMachine(RuleBasedStateMachine):
    """One function, a client, a worker, and schedules with unique ids that clients use as well."""

    def __init__(self) -> None:
        super().__init__()
        self.broker = Broker(b"H:t")
        self.timetable = Timetable(self.broker)
        self.client, self.worker = InProcessPeer(self.broker), InProcessPeer(self.broker)
        self.worker.can_do(b"f")
        self.now, self.wall = 1000.0, START
        self.last = 0
        self.schedules: dict[bytes, Modelled] = {}
        self.queue: list[int] = []
        self.running: list[int] = []
        self.owners: dict[bytes, int] = {}
        self.from_schedule: set[int] = set()
        self.tick()

    # --- the model ---

    def add_job(self, unique: bytes) -> int:
        """One more, at the end of the queue."""
        self.last += 1
        self.queue.append(self.last)
        if unique:
            self.owners.setdefault(unique, self.last)
        return self.last

    def end_job(self, number: int) -> None:
        """Its unique id is free."""
        self.owners = {unique: owner for unique, owner in self.owners.items() if owner != number}

    def fire(self, schedule: Modelled) -> bool:
        """What is to come of it."""
        schedule.dates.append(schedule.fired)
        owner = self.owners.get(schedule.unique)
        blocked = schedule.run in self.queue + self.running and not schedule.queues
        if owner is not None and owner != schedule.run and not (schedule.queues and owner in self.from_schedule):
            blocked = True
        if blocked:
            schedule.skipped += 1
            return False
        schedule.run = self.add_job(schedule.unique)
        self.from_schedule.add(schedule.run)
        schedule.runs += 1
        return True

    def tick(self) -> None:
        """Time has passed; those that are due fire, the earliest first."""
        self.broker.tick(self.now, self.wall)
        dated = [schedule for schedule in self.schedules.values() if 0 < schedule.due <= self.wall]
        for schedule in sorted(dated, key=lambda one: (one.due, one.number)):
            assert schedule.due not in schedule.dates, "twice for one date"
            schedule.fired, schedule.due = schedule.due, 0.0
            self.fire(schedule)

    def handle(self, number: int) -> bytes:
        return b"H:t:%d" % number

    # --- what happens ---

    @rule(unique=st.sampled_from([b"", b"a", b"b"]), queues=st.booleans(), due=st.sampled_from([0, 0, 1, 30, 300]))
    def submit(self, unique: bytes, queues: bool, due: int) -> None:
        when = self.wall + due if due else 0.0
        asked = b"cron=* * * * *;overlap=" + (b"queue" if queues else b"skip")
        handle = self.client.submit(b"f", b"", unique, background=True, due=when, parameters=asked, now=self.now)
        if unique not in self.schedules:
            self.last += 1
            self.schedules[unique] = Modelled(self.last, unique, queues)
        schedule = self.schedules[unique]
        schedule.queues = queues
        schedule.due = when if when > schedule.fired else 0.0
        assert handle == self.handle(schedule.number)

    @rule(offsets=st.lists(st.sampled_from([1.0, 1.0, 60.0, 61.5, 3600.0]), min_size=3, max_size=3))
    def date(self, offsets: list[float]) -> None:
        """As a calendar does: never a date for which it has fired."""
        waiting = {row[0]: row for row in self.timetable.undated(10)}
        assert waiting.keys() == {one.number for one in self.schedules.values() if one.due == 0}
        for schedule, offset in zip(self.schedules.values(), offsets, strict=False):
            if schedule.due == 0:
                _, cron, zone, due, fired, catches_up = waiting[schedule.number]
                assert (cron, zone, due, fired, catches_up) == (
                    b"* * * * *", b"", schedule.fired, schedule.fired, False,
                )  # fmt: skip
                schedule.due = max(self.wall, fired) + offset
                self.timetable.date(schedule.number, schedule.due, self.now)

    @rule(seconds=st.sampled_from([0.5, 1.0, 29.0, 60.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        due = min((one.due for one in self.schedules.values() if one.due), default=math.inf)
        assert self.broker.wait(self.now, self.wall) <= max(due - self.wall, 0.0)
        self.now += seconds
        self.wall += seconds
        self.tick()

    @rule(seconds=st.sampled_from([5.0, 70.0, 86400.0]))
    def set_forward(self, seconds: float) -> None:
        self.wall += seconds
        self.tick()

    @rule(seconds=st.sampled_from([2.0, 30.0, 3000.0]))
    def set_back(self, seconds: float) -> None:
        self.wall -= seconds
        for schedule in self.schedules.values():
            schedule.due = 0.0
        self.tick()

    @rule(unique=st.sampled_from([b"", b"a", b"b"]))
    def submit_a_job(self, unique: bytes) -> None:
        handle = self.client.submit(b"f", b"", unique, background=True, now=self.now)
        number = self.owners.get(unique) or self.add_job(unique)
        assert handle == self.handle(number)

    @rule()
    def grab(self) -> None:
        found = self.worker.grab(self.now)
        assert (found is not None) == bool(self.queue)
        if found is not None:
            number = self.queue.pop(0)
            self.running.append(number)
            assert found[0] == self.handle(number)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.running))
        self.worker.tell(self.handle(number), Report.COMPLETE, b"", self.now)
        self.running.remove(number)
        self.end_job(number)

    @precondition(lambda self: self.schedules)
    @rule(data=st.data())
    def run_now(self, data: st.DataObject) -> None:
        schedule = self.schedules[data.draw(st.sampled_from(sorted(self.schedules)))]
        fired = self.fire(schedule)
        schedule.dates[-1] = -1.0
        assert self.timetable.run(self.handle(schedule.number), self.now) is fired

    @precondition(lambda self: self.schedules)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        schedule = self.schedules.pop(data.draw(st.sampled_from(sorted(self.schedules))))
        assert self.timetable.cancel(self.handle(schedule.number))

    # --- what holds ---

    @invariant()
    def is_as_modelled(self) -> None:
        found = {number_of(row[1]): row for row in rows(self.timetable)}
        assert found.keys() == {one.number for one in self.schedules.values()}
        for one in self.schedules.values():
            due, handle, _, unique, _, _, fired, run, runs, skipped = found[one.number]
            last = self.handle(one.run) if one.run else b""
            assert (handle, unique, fired, run) == (self.handle(one.number), one.unique, one.fired, last)
            assert due == (one.due or one.fired)
            assert (runs, skipped) == (one.runs, one.skipped)
            assert runs + skipped == len(one.dates), "every date is a run or was skipped"
        assert len(self.timetable) == len(self.schedules)
        assert self.broker.job_count == len(self.queue) + len(self.running)


TestScheduleMachine = ScheduleMachine.TestCase
TestScheduleMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
