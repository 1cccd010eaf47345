"""After a kill: what the store has, held against what was asked and promised."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from gearfast.store.contract import StoredJob
from tests.crash.chronicle import MOMENT, Chronicle
from tests.crash.wanted import ALIVE, DEAD, ENDED, SCHEDULED, SLACK, Job, Submit, fields_of, state_in
from tests.support.records import ERROR, POLICY, REDUCER, RUN

ERRORS = {b"trouble", b"its worker said WORK_FAIL", b"its worker went away", b"its worker handed it back"}
"""Why a job may be buried."""
LONG_AGO = 1
"""Before all that happens in a life."""


class Inspection:
    """One look. `survives` says what was promised: everything, the oldest (a power cut costs the newest), nothing."""

    def __init__(self, chronicle: Chronicle, survives: str = "everything") -> None:
        self.chronicle = chronicle
        self.survives = survives
        self.complain = chronicle.complain
        self.count = chronicle.count
        self.now = time.time()
        self.last_runs: dict[int, int] = {}
        """Of each schedule: the number of its last job, as it says itself."""

    @property
    def whole(self) -> bool:
        """Whether nothing at all may be missing."""
        return self.survives == "everything"

    @property
    def in_order(self) -> bool:
        """Whether a change is there if something is that came later: not when a batch may have failed."""
        return self.whole and not self.chronicle.store_may_be_away

    def of(self, stored: Sequence[StoredJob]) -> None:
        """Hold this against what is known, and go on from there."""
        chronicle = self.chronicle
        if self.survives == "nothing":
            self.begin_anew(stored)
            return
        for record in stored:
            self.look_at(record, fields_of(record))
        cut = chronicle.now + 1 if self.whole else self.newest_of(stored)
        found = {record.number: record for record in stored}
        for job in list(chronicle.jobs.values()):
            if job.number in found:
                self.still_there(job, chronicle.barrier if self.whole else cut, found[job.number])
            else:
                self.gone(job, cut)
        chronicle.highest = max([chronicle.highest, *chronicle.jobs])
        self.go_on([chronicle.jobs[number] for number in found])

    def go_on(self, jobs: list[Job]) -> None:
        """A new life begins with these."""
        chronicle = self.chronicle
        barrier = chronicle.barrier
        chronicle.jobs = {job.number: job for job in jobs}
        chronicle.met = jobs
        chronicle.schedules = {job.number: job for job in jobs if job.state == SCHEDULED}
        chronicle.graves = {job.number: job for job in jobs if job.state == DEAD}
        chronicle.remembered = {
            (job.content.function, job.content.unique): job
            for job in jobs
            if job.state == ENDED and job.content is not None
        }
        self.look_for_runs()
        if self.whole:
            chronicle.plans.went_on(chronicle.jobs, barrier)
        else:
            chronicle.plans.begin_anew(chronicle.jobs)
        chronicle.unanswered.clear()
        chronicle.refusals.clear()
        chronicle.barrier = chronicle.blind_losses = 0
        chronicle.swept = b""
        chronicle.purged.clear()

    def begin_anew(self, stored: Sequence[StoredJob]) -> None:
        """Nothing was promised; go on from what the store has."""
        chronicle = self.chronicle
        found = {job.number for job in stored}
        lost = sum(job.promised and job.number not in found for job in chronicle.jobs.values())
        self.count["lost to a power cut"] += lost
        jobs = []
        for record in stored:
            more = fields_of(record)
            wish = Submit(
                *(record.function, record.unique, record.payload),
                priority=record.priority,
                due=record.due,
                reducer=more.get(REDUCER, b""),
                parameters=more.get(POLICY, b""),
                number=record.number,
            )
            if "cron" in wish.asked and state_in(more) != SCHEDULED:
                wish.parent = (record.function, record.unique)
            job = Job(record.number, content=wish)
            jobs.append(job)
            self.renew(job, record, more)
        chronicle.highest = max(found, default=0)
        self.go_on(jobs)

    # --- one record of the store ---

    def look_at(self, record: StoredJob, more: Mapping[int, bytes]) -> None:
        """Is it what was asked for?"""
        new = record.number not in self.chronicle.jobs
        job = self.chronicle.known(record.number)
        if state_in(more) == ENDED:
            self.look_at_ended(job, record)
            return
        parts = {"function": record.function, "payload": record.payload}
        same = [one for one in self.chronicle.candidates(job, parts) if one.is_stored_as(record, more)]
        found = [submit for submit in same if not (submit.foreground and submit.alone)]
        if job.content is None:  # of several that look the same it is one that was to run when this one is
            found.sort(key=lambda one: not one.earliest - MOMENT <= record.due <= one.latest + MOMENT)
        if same and not found:
            self.complain("strange", f"job {job.number} is a foreground job, and was stored")
        elif not found:
            self.complain("changed", f"job {job.number} is in the store as {record!r:.300}; known: {job!r:.700}")
        if not found:
            return
        self.chronicle.settle(job, found[0])
        job.content = job.content if job.content in found else found[0]
        # Of several that look the same, the last to be refused may be the one it was made of.
        latest = max(submit.refused or self.chronicle.now for submit in found)
        if not job.acknowledged and latest < self.chronicle.barrier:
            self.complain("refused", f"job {job.number} was refused, and is in the store all the same: {found!r:.700}")
        self.count["kept though nobody was told"] += new
        strict = all(one.is_strict for one in found) and not (job.rushed and not job.is_schedule)
        if self.whole and strict and all(job.overtaken(submit) for submit in found):
            self.complain(
                "stale",
                f"job {job.number} was replaced, and is in the store as before: {record!r:.600}; known: {job!r:.1500}",
            )
        self.look_at_tries(job, record, more)
        if state_in(more) == ALIVE:
            self.look_at_due(job, record, found)
        elif state_in(more) == SCHEDULED:
            self.last_runs[job.number] = int.from_bytes(more[RUN], "little")
            self.count["schedules found"] += 1

    def look_at_ended(self, job: Job, record: StoredJob) -> None:
        """Its unique id is remembered: somebody must have ended it."""
        self.count["remembered jobs found"] += 1
        content = job.content
        if content is None or (content.function, content.unique) != (record.function, record.unique):
            self.complain("changed", f"{record!r:.300} was not asked for: {job!r:.700}")
        elif not job.ended:
            self.complain("lost", f"job {job.number} is taken to have ended, and nobody said so: {job!r:.700}")
        elif job.state != ENDED and not (
            job.remembered_until - SLACK < record.due < self.now + content.remembered + SLACK
        ):
            self.complain("changed", f"job {job.number} is remembered until {record.due}: {job!r:.700}")

    def look_at_tries(self, job: Job, record: StoredJob, more: Mapping[int, bytes]) -> None:
        """Has it as many as it must have, and is it buried if they are used up, and only then?"""
        content, state = job.content, state_in(more)
        if record.attempts > job.losses + self.chronicle.blind_losses:
            text = f"job {job.number} has {record.attempts} attempts, and was lost or failed {job.losses} times"
            self.complain("miscounted", text)
        retries = -1 if content is None else content.retries
        if (state == DEAD) != (record.attempts == retries + 1) if retries >= 0 else state == DEAD:
            self.complain("miscounted", f"job {job.number}, of {retries} retries: {record!r:.300}")
        if state == DEAD:
            self.count["buried jobs found"] += 1
            if more.get(ERROR) not in ERRORS:
                self.complain("changed", f"job {job.number} is buried because of {more.get(ERROR)!r}")
            if self.in_order and 0 < job.kicked < self.chronicle.barrier and not self.chronicle.blind_losses:
                self.complain("stale", f"job {job.number} was kicked, and is buried: {job!r:.700}")
        elif 0 < job.buried < max(self.chronicle.barrier, LONG_AGO + 1) and self.in_order:
            self.complain(
                "unburied", f"job {job.number} was buried, and is in the store as one to be done: {job!r:.700}"
            )

    def look_at_due(self, job: Job, record: StoredJob, found: Sequence[Submit]) -> None:
        """Will it run when it must, and not before?"""
        waits = record.attempts > 0 and any(submit.longest_backoff for submit in found)
        longest = max(submit.longest_backoff for submit in found)
        if record.due == 0 and (job.hurried or all(job.due_as(submit) <= self.now for submit in found)):
            early = waits and record.attempts == job.losses == job.failures and not job.hurried
            if early and job.wait_until - SLACK > self.now:
                self.complain("early", f"job {job.number} was to wait until {job.wait_until}: {record!r:.300}")
            return
        if waits and 0 < record.due <= self.now + longest + SLACK:
            return
        if job.due >= 0 and record.due == job.due:
            pass
        elif record.due < min(submit.earliest for submit in found) - MOMENT:
            self.complain("early", f"job {job.number} is due at {record.due}: {found!r:.700}")
        elif record.due > max(submit.latest for submit in found) + MOMENT:
            self.complain("changed", f"job {job.number} is due at {record.due}: {found!r:.700}")
        moved = 0 < job.hurry_heard < self.chronicle.barrier and not any(submit.replaces for submit in found)
        if self.in_order and moved and record.attempts == 0 and record.due > self.now:
            self.complain("stale", f"job {job.number} was to run at once, and is due at {record.due}: {job!r:.700}")

    # --- one job that was known ---

    def newest_of(self, stored: Sequence[StoredJob]) -> int:
        """When the newest job was sent that is there; all that was acknowledged before that must be."""
        jobs = (self.chronicle.jobs[record.number] for record in stored)
        return max((job.content.sent for job in jobs if job.content is not None and job.content.alone), default=0)

    def gone(self, job: Job, cut: int) -> None:
        """It is not in the store."""
        remembered = job.remembered_until - SLACK > self.now and job.acknowledged and not job.cancelling
        if remembered and self.whole and not job.unstored:
            self.complain("forgotten", f"job {job.number} was done, and its unique id is not remembered: {job!r:.700}")
        if not job.promised or self.is_purged_unseen(job):
            return
        self.count["lost to a power cut"] += not self.whole
        if self.whole or (self.survives == "oldest" and job.acknowledged < cut):
            self.complain("lost", f"job {job.number} was acknowledged: {job.answers[:1] or job.content}")

    def is_purged_unseen(self, job: Job) -> bool:
        """Whether it may have been buried, and purged, without anybody having seen it."""
        functions = {submit.function for submit in (job.content, *job.answers) if submit is not None}
        return bool(functions & self.chronicle.purged) and self.chronicle.is_buried_unseen(job)

    def still_there(self, job: Job, sure: int, record: StoredJob) -> None:
        """It is in the store. If it had ended, its removal was not written in time; it comes back once more."""
        more = fields_of(record)
        if job.ended and state_in(more) != ENDED:
            self.count["repeated"] += 1
            if job.confirmed and job.confirmed < sure:
                text = f"what was sent at {sure} is in the store, and so is what had ended before that: {job!r:.700}"
                self.complain("returned", text)
        self.renew(job, record, more)

    def renew(self, job: Job, record: StoredJob, more: Mapping[int, bytes]) -> None:
        """From now on it is known as it is in the store."""
        job.state = state_in(more)
        job.due = record.due
        job.ended = job.confirmed = LONG_AGO if job.state == ENDED else 0
        job.remembered_until = record.due if job.state == ENDED else 0.0
        job.cancelling = False
        job.holder = None
        job.acknowledged = job.acknowledged or self.chronicle.tick()  # who looks into the store knows of it
        job.losses = job.failures = record.attempts
        job.wait_until = 0.0
        asked = job.content is not None and job.content.earliest > self.now
        job.hurried = LONG_AGO if record.due == 0 and asked else 0
        job.rushed = job.hurried > 0
        job.hurry_heard = job.kicked = 0
        job.kicking = False
        job.may_be_buried = job.state == DEAD
        job.spent = job.buried = LONG_AGO if job.state == DEAD else 0
        job.answers.clear()
        if job.content is not None:
            job.content.heard = job.content.heard or self.chronicle.tick()

    # --- schedules ---

    def look_for_runs(self) -> None:
        """Is each schedule there once, and does it know the last one of its jobs?"""
        schedules = Counter[tuple[bytes, bytes]]()
        for job in self.chronicle.jobs.values():
            if job.state == SCHEDULED and job.content is not None:
                schedules[job.content.function, job.content.unique] += 1
            last = self.last_runs.get(job.parent, job.number)
            if job.state == ALIVE and last < job.number:
                self.complain("orphaned", f"job {job.number} came of schedule {job.parent}, whose last one is {last}")
        for key, number in schedules.items():
            if number > 1:
                self.complain("doubled", f"schedule {key!r} is there {number} times")
