"""Schedules, as far as jobs come of them: how often one was told to run, and what became of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.crash.wanted import Job, Submit

Complain = Callable[[str, str], None]
Key = tuple[bytes, bytes]


@dataclass(eq=False, slots=True)
class Plan:
    """What is known of the schedules with one function and unique id; only one of them is there at a time."""

    told_to_run: int = 0
    """How often, in this life of a server, without the times when it said that it does not."""
    sure: list[int] = field(default_factory=list)
    """When it said that it does."""
    seen: int = 0
    """How many of its jobs have been seen for the first time."""
    by: set[int] = field(default_factory=set)
    """The numbers of the schedules that were told."""
    runs: set[Job] = field(default_factory=set)
    """Those of its jobs that were seen."""


class Plans:
    """All of them."""

    def __init__(self, complain: Complain, is_queued: Callable[[Job], bool]) -> None:
        self.complain = complain
        self.is_queued = is_queued
        self.known: dict[Key, Plan] = {}
        self.texts: dict[Key, Submit] = {}
        """What they are made of, by function and payload."""

    def submitted(self, submit: Submit) -> None:
        """A schedule is being asked for."""
        self.known.setdefault((submit.function, submit.unique), Plan())
        self.texts[submit.function, submit.payload] = submit

    def wish_for(self, function: bytes, payload: bytes) -> Submit | None:
        """What a job is made of that comes of a schedule; None: no schedule is like that."""
        text = self.texts.get((function, payload))
        if text is None:
            return None
        return replace(text, parent=(function, text.unique), number=0, due=0.0)  # the schedule's date is not its own

    def of(self, schedule: Job) -> Plan:
        """What is known of it and of those before it."""
        text = schedule.content or schedule.answers[0]
        return self.known[text.function, text.unique]

    def told(self, schedule: Job) -> None:
        """A schedule is being told to run now."""
        plan = self.of(schedule)
        plan.told_to_run += 1
        plan.by.add(schedule.number)

    def answered(self, schedule: Job, now: int, runs: bool) -> None:
        """It says whether it does, which it must not while its last job has not ended."""
        plan = self.of(schedule)
        if not runs:
            plan.told_to_run -= 1
            return
        plan.sure.append(now)
        for job in plan.runs:  # one that may have been buried may be kicked, and is not its last job then
            if job.parent == schedule.number and job.retries < 0 and self.is_queued(job):
                text = f"schedule {schedule.number} runs again, and its job {job.number} has not ended"
                self.complain("orphaned", text)

    def saw(self, job: Job, key: Key) -> None:
        """A job that came of it is seen for the first time."""
        plan = self.known[key]
        plan.seen += 1
        plan.runs.add(job)
        job.parent = next(iter(plan.by)) if len(plan.by) == 1 else 0
        if plan.seen > plan.told_to_run:
            self.complain("doubled", f"job {job.number} came of schedule {key!r}, which was not told to run so often")

    def went_on(self, jobs: dict[int, Job], barrier: int) -> None:
        """A life is over, and these are in the store: nothing that ran is missing, and the next life begins."""
        for key, plan in self.known.items():
            if plan.seen < sum(when < barrier for when in plan.sure):
                self.complain("lost", f"schedule {key!r} ran, and its job was never seen")
        self.begin_anew(jobs)

    def begin_anew(self, jobs: dict[int, Job]) -> None:
        """Go on from what is in the store."""
        self.known.clear()
        self.texts.clear()
        contents = [(job, job.content) for job in jobs.values() if job.content is not None]
        for _, content in contents:
            if content.is_schedule:
                self.submitted(content)
        for job, content in contents:
            if content.parent is not None:
                self.known.setdefault(content.parent, Plan()).runs.add(job)
