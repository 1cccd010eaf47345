"""What a store should know of a job, a dead letter, an ended job or a schedule of the model."""

from __future__ import annotations

import math
import time

from gearfast.broker.peer import Report
from gearfast.store.contract import StoredJob
from tests.support.model_parts import Job, Schedule
from tests.support.records import (
    DEAD,
    ENDED,
    ERROR,
    FAILED,
    FIRED,
    POLICY,
    RUN,
    SCHEDULED,
    STARTED,
    STATE,
    SUBMITTED,
    fields,
    seconds,
)  # fmt: skip

Thing = Job | Schedule
More = dict[int, bytes | float]
Form = tuple[StoredJob, More]
MONOTONIC = (SUBMITTED, STARTED, FAILED)
FAR = 1e8
"""Moments that the model's clocks never show: those are of the machine's own."""


def stored_form(thing: Thing) -> Form:
    """The record, and what stands in `more`."""
    if isinstance(thing, Schedule):
        return schedule_form(thing)
    return ended_form(thing) if thing.state == "ended" else job_form(thing)


def job_form(job: Job) -> Form:
    due = job.due if job.state in ("delayed", "retrying") else 0.0
    more: More = {
        POLICY: job.asked.text,
        SUBMITTED: job.submitted,
        STARTED: job.started,
        FAILED: job.failed,
        ERROR: job.error,
        STATE: DEAD if job.state == "buried" else b"",
    }
    record = StoredJob(job.number, job.function.name, job.unique, job.priority, due, job.attempts, job.payload, b"")
    return record, {tag: value for tag, value in more.items() if value}


def ended_form(job: Job) -> Form:
    """All that it takes to find it by its unique id, and to say how it ended."""
    payload = job.payload if job.unique in (b"-", job.payload) else b""
    failed = int(job.ended_as != Report.COMPLETE)
    record = StoredJob(job.number, job.function.name, job.unique, job.priority, job.due, failed, payload, b"")
    return record, {SUBMITTED: job.submitted, STATE: ENDED}


def schedule_form(one: Schedule) -> Form:
    due = one.due if 0 < one.due < math.inf else 0.0 if one.due else one.fired
    record = StoredJob(one.number, one.function.name, one.unique, one.priority, due, 0, one.payload, b"")
    more: More = {POLICY: one.asked.text, SUBMITTED: one.submitted, FIRED: one.fired, RUN: one.run, STATE: SCHEDULED}
    return record, {tag: value for tag, value in more.items() if value}


def read(job: StoredJob) -> Form:
    """The same of a record; moments as the broker's clock has them, which knows thirty-seconds of a second here."""
    ahead = time.time() - time.monotonic()
    more: More = {}
    for tag, value in fields(job.more):
        if tag in MONOTONIC:
            more[tag] = round((seconds(value) - ahead) * 32) / 32
        elif tag in (FIRED, RUN):
            more[tag] = seconds(value) if tag == FIRED else int.from_bytes(value, "little")
        else:
            more[tag] = value
    due = round((job.due - ahead) * 32) / 32 if job.due > FAR else job.due
    return job._replace(due=due, more=b""), {tag: value for tag, value in more.items() if value}


def lasting(form: Form) -> Form:
    """What an earlier state of it has as well."""
    job, more = form
    kept = {tag: more[tag] for tag in (POLICY, SUBMITTED) if tag in more}
    return job._replace(attempts=0, due=0.0, priority=0), kept


def earlier(thing: Thing) -> list[Form]:
    """What lasts of what it was before it was replaced, or ended."""
    forms = []
    before: Thing | None = thing
    while before is not None:
        forms.append(lasting(schedule_form(before) if isinstance(before, Schedule) else job_form(before)))
        before = before.before
    return forms
