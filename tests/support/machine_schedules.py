"""Schedules among the jobs: submitted by clients, dated as a calendar does it, and seen to by administrators."""

from __future__ import annotations

import math

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.support import model_parts as model
from tests.support.machine_administrators import Administrators
from tests.support.machine_peers import functions, payloads, peers, picks, priorities, soon, uniques, yes
from tests.support.model_parts import PREFIX, Asked

coming_again = st.builds(
    Asked,
    retries=st.sampled_from([-1, -1, 0, 1]),
    backoff=soon,
    timeout=soon,
    ttl=soon,
    free=yes,
    comes_again=st.just(True),
    queues=yes,
    catches_up=yes,
)
dates = st.sampled_from([0.5, 1.0, 1.0, 30.0, math.inf])


class Schedules(Administrators):
    """All have the same cron: what a date is stands with whoever gives it."""

    @rule(
        number=peers,
        name=functions,
        payload=payloads,
        unique=uniques,
        priority=priorities,
        delay=st.sampled_from([0.0, 0.0, 0.5, 1.0, 30.0]),
        asked=coming_again,
    )
    def submit_schedule(
        self, number: int, name: bytes, payload: bytes, unique: bytes, priority: int, delay: float, asked: Asked
    ) -> None:
        due = self.wall + delay if delay else 0.0
        handle = self.peers[number].submit(
            name, payload, unique, priority=priority, background=True, due=due, parameters=asked.text, now=self.now
        )
        assert handle == self.model.schedule(name, payload, unique, priority, due, self.now, asked)

    @rule(offsets=st.lists(dates, min_size=2, max_size=2))
    def date(self, offsets: list[float]) -> None:
        """Never for what it has fired for already."""
        for offset, schedule in zip(offsets, self.model.undated(), strict=False):
            schedule.due = max(self.wall, schedule.fired) + offset
            self.timetable.date(schedule.number, schedule.due, self.now)

    @rule(
        number=peers,
        unique=uniques,
        payload=payloads,
        asked=coming_again,
        jobs=st.integers(0, 2),
        replaced=st.sampled_from([False, False, True]),
    )
    def come_due(self, number: int, unique: bytes, payload: bytes, asked: Asked, jobs: int, replaced: bool) -> None:
        """Again and again, while a worker takes some of what came, and a client replaces it."""
        self.submit_schedule(number, b"f", payload, unique, 1, 0.5, asked)
        for _ in range(2):
            self.time_goes_on(0.5, True)
            self.date([0.5, 0.5])
            self.can_do(number, b"f", 0)
            for _ in range(jobs):
                self.grab(number)
            if replaced:
                self.submit_asking(number, b"f", payload, unique, Asked(replaces=True), True, 0.0)

    def schedule(self, pick: int) -> model.Schedule:
        return self.model.schedules[pick % len(self.model.schedules)]

    @precondition(lambda self: self.model.schedules)
    @rule(pick=picks)
    def run_now(self, pick: int) -> None:
        schedule = self.schedule(pick)
        schedule.fired_by_hand += 1
        assert self.timetable.run(schedule.handle, self.now) is self.model.fire(schedule, self.now)

    @precondition(lambda self: self.model.schedules)
    @rule(pick=picks)
    def cancel_schedule(self, pick: int) -> None:
        schedule = self.schedule(pick)
        assert self.timetable.cancel(schedule.handle)
        self.model.schedules.remove(schedule)

    @rule(pick=picks)
    def take_something_else_for_a_schedule(self, pick: int) -> None:
        handle = self.handle(pick)
        if self.model.find_schedule(handle) is None:
            assert self.timetable.run(handle, self.now) is None
            assert not self.timetable.cancel(handle)
            if handle.startswith(PREFIX):
                self.timetable.date(int(handle.rpartition(b":")[2]), self.wall, self.now)
