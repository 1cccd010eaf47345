"""The model's schedules, of which jobs come again and again: a room of `model`."""

from __future__ import annotations

import math
from dataclasses import replace

from tests.support.model_line import Line
from tests.support.model_parts import Asked, Function, Job, Schedule


class Timetable(Line):
    """What is due when, and whether a job comes of it then."""

    furthest = 0.0  # the latest moment that the wall clock has shown
    ahead = 0.0  # by how much the wall clock was ahead of the other one when somebody looked at them last

    def schedule(
        self, name: bytes, payload: bytes, unique: bytes, priority: int, due: float, now: float, asked: Asked
    ) -> bytes | None:
        """There is one for a function and a unique id: it is replaced by what is asked for last."""
        function = self.function(name)
        if self.gates.get(name) == "drained":
            return None
        schedule = self.schedule_of(function, unique)
        if schedule is None:
            self.numbers += 1
            schedule = Schedule(self.numbers, function, unique)
            self.schedules.append(schedule)
        else:
            schedule.before = replace(schedule)
        schedule.payload, schedule.priority, schedule.asked, schedule.submitted = payload, priority, asked, now
        schedule.due = due if due > schedule.fired else 0.0
        return schedule.handle

    def schedule_of(self, function: Function, unique: bytes) -> Schedule | None:
        return next((one for one in self.schedules if (one.function, one.unique) == (function, unique)), None)

    def find_schedule(self, handle: bytes) -> Schedule | None:
        return next((one for one in self.schedules if one.handle == handle), None)

    def undated(self) -> list[Schedule]:
        return [one for one in self.schedules if one.due == 0]

    # --- time ---

    def look_at_clocks(self, now: float, wall: float) -> None:
        """When the wall clock is set back, what has a date is to get another one."""
        if wall - now < self.ahead - 1:
            for schedule in self.schedules:
                schedule.due = 0.0 if schedule.due < math.inf else schedule.due
        self.latest, self.ahead, self.furthest = now, wall - now, max(self.furthest, wall)

    def fire_due(self, now: float, wall: float) -> None:
        due = [one for one in self.schedules if 0 < one.due <= wall]
        for schedule in sorted(due, key=lambda one: (one.due, one.number)):
            assert schedule.due not in schedule.fired_for, "twice for one date"
            schedule.fired_for.append(schedule.due)
            schedule.fired, schedule.due = schedule.due, 0.0
            self.fire(schedule, now)

    def fire(self, schedule: Schedule, now: float) -> bool:
        """Whether a job comes of it; else this date is skipped."""
        job = self.come_of(schedule, now)
        if job is None:
            schedule.skipped += 1
            self.skipped += 1
            return False
        schedule.run = job.number
        schedule.runs += 1
        return True

    def come_of(self, schedule: Schedule, now: float) -> Job | None:
        function, queues = schedule.function, schedule.asked.queues
        if self.gates.get(function.name) == "drained":
            return None
        if not queues and any(job.number == schedule.run for job in self.jobs):
            return None
        key = schedule.payload if schedule.unique == b"-" else schedule.unique
        same = self.twin(function, schedule.payload, schedule.unique) if key else None
        if same is not None and same.state != "ended" and same.number != schedule.run:
            is_run_too = queues and same.asked.comes_again
            if not is_run_too:  # somebody has submitted it
                return None
        if self.is_full(function, schedule.priority):
            return None
        if same is not None and same.state == "ended":
            self.ended.remove(same)
            same = None
        self.numbers += 1
        job = Job(self.numbers, function, schedule.payload, schedule.unique, schedule.priority, True, 0.0, "queued")
        job.asked, job.submitted = schedule.asked, now
        if key and same is None:
            self.claim(job)
        self.jobs.append(job)
        self.enqueue(job, now)
        return job
