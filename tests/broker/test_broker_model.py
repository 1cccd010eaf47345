"""Random commands on the broker and on the model: whatever can be seen must be the same.

GEARFAST_MODEL_EXAMPLES=20000 looks longer: some six minutes.
"""

from __future__ import annotations

import math
import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant

from gearfast.broker.events import Kind
from gearfast.broker.peer import Report
from tests.support.machine_schedules import Schedules

EXAMPLES = int(os.environ.get("GEARFAST_MODEL_EXAMPLES", "800"))


class BrokerAndModel(Schedules):
    """What all of them see."""

    @invariant()
    def everybody_heard_the_same(self) -> None:
        for peer, twin in zip(self.peers, self.model.peers, strict=True):
            assert peer.heard == twin.heard
            peer.heard.clear()
            twin.heard.clear()
            assert peer.abilities() == [function.name for function in twin.abilities]
            assert list(peer.each_ability()) == [function.name for function in twin.known]

    @invariant()
    def the_administrator_sees_the_same(self) -> None:
        cursor, rows = self.broker.scan_functions(0, 1000)
        assert (cursor, set(rows), len(rows)) == (0, self.model.function_rows(), len(self.model.functions))
        cursor, jobs = self.broker.scan_jobs(0, 1000)
        assert (cursor, set(jobs), len(jobs)) == (0, self.model.job_rows(), len(self.model.jobs))
        assert self.broker.job_count == len(self.model.jobs)
        assert self.broker.running == sum(job.state == "running" for job in self.model.jobs)
        assert self.broker.unkept == sum(not job.background for job in self.model.jobs)
        assert self.broker.events.counts[Kind.EXPIRED] == self.model.expired
        assert self.broker.events.counts[Kind.SKIPPED] == self.model.skipped
        later = [job.due for job in self.model.jobs if job.state == "delayed"]
        assert (self.broker.delayed_count, self.broker.soonest) == (len(later), min(later, default=math.inf))

    @invariant()
    def the_same_jobs_are_buried(self) -> None:
        buried = self.model.buried
        assert self.broker.dead == len(self.letters) == len(buried)
        cursor, rows = self.letters.scan(0)
        assert (cursor, sorted(rows)) == (0, sorted(job.dead_row for job in buried))
        for name in (b"f", b"g"):
            assert self.letters.count(name) == len(self.model.buried_of(name))
        for job in self.model.jobs:
            assert self.letters.show(job.handle, 1) is None
        for job in buried:
            assert self.letters.show(job.handle, 1 << 20) == (*job.dead_row, job.payload)

    @invariant()
    def whoever_asks_is_told_the_same(self) -> None:
        for job in self.model.jobs:
            assert self.peers[0].status(job.handle) == job.status
            shown = self.broker.show_job(job.handle)
            assert shown is not None
            holder = None if job.holder is None else self.peers[self.model.peers.index(job.holder)]
            assert (shown[5], *shown[10:13]) == (job.attempts, job.submitted, holder, job.error)
        for job in self.model.buried:
            assert self.peers[0].status(job.handle) is None
        for job in self.model.ended:
            assert self.peers[0].status(job.handle) is None
            shown = self.broker.show_job(job.handle)
            assert shown is not None
            failed = job.ended_as != Report.COMPLETE
            assert (shown[0], bool(shown[5]), shown[7:9]) == ("ended", failed, (job.background, 0))
        for schedule in self.model.schedules:
            assert self.peers[0].status(schedule.handle) == (False, 0, 0, 0)
            assert self.letters.show(schedule.handle, 1) is None
        if not (self.model.jobs or self.model.buried or self.model.ended or self.model.schedules):
            assert self.broker.held_bytes == 0
        for unique in (b"u", b"p"):
            assert self.peers[0].status_unique(unique) in self.model.status_unique(unique)

    @invariant()
    def the_same_comes_again(self) -> None:
        schedules = self.model.schedules
        cursor, rows = self.timetable.scan(0)
        assert (cursor, len(self.timetable)) == (0, len(schedules))
        assert sorted(rows) == sorted(schedule.row for schedule in schedules)
        assert sorted(self.timetable.undated(100)) == sorted(one.undated_row for one in self.model.undated())
        for one in schedules:
            shown = self.broker.show_job(one.handle)
            assert shown is not None
            assert (shown[0], *shown[2:5], shown[9]) == (
                "scheduled", one.priority, one.unique, len(one.payload), one.asked.text,
            )  # fmt: skip
            assert shown[6] == (one.due if one.due < math.inf else 0)
            assert one.runs + one.skipped == one.fired_by_hand + len(one.fired_for)

    @invariant()
    def gates_are_as_they_were_said_to_be(self) -> None:
        for name, *_, schedules, gate, _ in self.broker.scan_figures(0, 1000)[1]:
            assert gate == self.model.gates.get(name)
            assert schedules == sum(one.function.name == name for one in self.model.schedules)

    @invariant()
    def the_same_moment_is_waited_for(self) -> None:
        assert self.broker.wait(self.now, self.wall) == self.model.wait(self.now, self.wall)

    @invariant()
    def no_work_waits_for_a_sleeper_whom_nobody_wakes(self) -> None:
        assert self.model.forgotten() == []


TestBrokerAndModel = pytest.mark.timeout(600)(BrokerAndModel.TestCase)
TestBrokerAndModel.settings = settings(
    deadline=None,
    max_examples=EXAMPLES,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
