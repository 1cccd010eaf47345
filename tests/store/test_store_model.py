"""The model test once more, with a store that fails at random points, and a crash at any of them.

What is promised: a job that was acknowledged and has not ended is in the store at every moment, with all it has;
and when nothing is left to be written, the store holds exactly the background jobs that there are.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from gearfast.broker.broker import Broker
from gearfast.broker.deadletters import DeadLetters
from gearfast.broker.outbox import Waits
from gearfast.store.batches import Batches
from gearfast.store.contract import StoredJob
from tests.broker.test_broker_model import BrokerAndModel, picks
from tests.support import model_parts as model
from tests.support.model_parts import PREFIX, Asked
from tests.support.records import DEAD, ERROR, FAILED, POLICY, STARTED, STATE, SUBMITTED, fields, seconds

HEAVY = 100
"""Bytes of a job that is a batch by itself: some of them are."""
EXAMPLES = int(os.environ.get("GEARFAST_MODEL_EXAMPLES", "400"))


def stored_form(job: model.Job) -> tuple[StoredJob, dict[int, bytes | float]]:
    """What the store should know of a job of the model: its record, and what stands in `more`."""
    due = job.due if job.state == "delayed" else 0.0
    more: dict[int, bytes | float] = {
        POLICY: job.asked.text,
        SUBMITTED: job.submitted,
        STARTED: job.started,
        FAILED: job.failed,
        ERROR: job.error,
        STATE: DEAD if job.state == "buried" else b"",
    }
    record = StoredJob(job.number, job.function.name, job.unique, job.priority, due, job.attempts, job.payload, b"")
    return record, {tag: value for tag, value in more.items() if value}


def read(job: StoredJob) -> tuple[StoredJob, dict[int, bytes | float]]:
    """The same of a record; moments as the broker's clock has them, which knows thirty-seconds of a second here."""
    ahead = time.time() - time.monotonic()
    more: dict[int, bytes | float] = {}
    for tag, value in fields(job.more):
        is_moment = tag in (SUBMITTED, STARTED, FAILED)
        more[tag] = round((seconds(value) - ahead) * 32) / 32 if is_moment else value
    return job._replace(more=b""), more


def lasting(job: StoredJob, more: dict[int, bytes | float]) -> tuple[StoredJob, dict[int, bytes | float]]:
    """What an earlier state of it has as well."""
    return job._replace(attempts=0, due=0.0, priority=0), {tag: more[tag] for tag in (POLICY, SUBMITTED) if tag in more}


class BrokerModelAndStore(BrokerAndModel):
    """As before, and from time to time a batch is written, or fails, written or not."""

    @initialize(
        job_retries=st.sampled_from([-1, -1, 0, 1, 3]),
        worker_wakeup=st.sampled_from([1, 0]),
        remembered_results=st.sampled_from([256, 2]),
    )
    def start(self, job_retries: int, worker_wakeup: int, remembered_results: int) -> None:
        super().start(job_retries, worker_wakeup, remembered_results)
        self.store: dict[int, StoredJob] = {}
        self.batch: tuple[list[int], list[StoredJob]] | None = None
        self.lone: dict[int, bool] = {}  # failed by themselves: by number, whether somebody waits
        self.gone: set[int] = set()  # likewise, to be forgotten
        self.outdated: set[int] = set()  # whose last attempts may never be written
        self.moved: set[int] = set()
        self.again: set[int] = set()  # kicked, and perhaps not written since
        self.batches = Batches(self.broker)
        self.batches.open(PREFIX, 0, False, HEAVY)

    @property
    def kept(self) -> list[model.Job]:
        """What the store is to have."""
        return [job for job in self.model.jobs + self.model.buried if job.background]

    # --- the store at work ---

    @precondition(lambda self: self.batch is None)
    @rule(
        line=st.sampled_from([Waits.FRESH, Waits.FRESH, *Waits]),
        jobs=st.sampled_from([1, 2, 100]),
        size=st.sampled_from([1, 1000]),
        removes=st.sampled_from([0, 1, 2, 100]),
    )
    def begin_to_write(self, line: Waits, jobs: int, size: int, removes: int) -> None:
        if line == Waits.ANEW:
            while self.batches.seek():
                pass
        self.batch = self.batches.collect(line, jobs, size, removes)

    @precondition(lambda self: self.batch is None and self.lone)
    @rule(pick=picks)
    def begin_to_write_one(self, pick: int) -> None:
        number = list(self.lone)[pick % len(self.lone)]
        adds = self.batches.collect_one(number)
        if adds:
            self.batch = [], adds
        else:
            del self.lone[number]

    @precondition(lambda self: self.batch is None and self.gone)
    @rule(pick=picks)
    def forget_one(self, pick: int) -> None:
        number = self.gone.pop() if pick % 2 else min(self.gone)
        self.gone.discard(number)
        if not self.batches.is_kept(number):
            self.store.pop(number, None)

    def apply(self) -> None:
        assert self.batch is not None
        removes, adds = self.batch
        for number in removes:
            self.store.pop(number, None)
        self.store.update({job.number: job for job in adds})

    @precondition(lambda self: self.batch is not None)
    @rule()
    def writing_succeeds(self) -> None:
        assert self.batch is not None
        self.apply()
        self.batches.written()
        for job in self.batch[1]:
            self.lone.pop(job.number, None)
        self.batch = None

    @precondition(lambda self: self.batch is not None)
    @rule(applied=st.booleans(), others=st.booleans(), blame=st.booleans())
    def writing_fails(self, applied: bool, others: bool, blame: bool) -> None:
        assert self.batch is not None
        removes, adds = self.batch
        if applied:
            self.apply()
        if not blame:
            self.batches.rolled_back()
        elif (alone := self.batches.failed(others)) is not None:
            number, since, size, stored = alone
            assert [job.number for job in adds] == [number]
            assert size > 0
            assert stored <= (since == math.inf)
            self.lone[number] = since < math.inf
        elif len(removes) == 1 and not adds:
            self.batches.pass_over(others)
            if not others:
                self.gone.add(removes[0])
        self.batch = None

    @precondition(lambda self: self.lone)
    @rule(pick=picks)
    def a_change_is_left_out(self, pick: int) -> None:
        number = list(self.lone)[pick % len(self.lone)]
        if self.batch is None or number not in [job.number for job in self.batch[1]]:
            self.outdated.add(number)
            self.batches.leave_out(number)

    @precondition(lambda self: self.batch is None)
    @rule(kept=st.integers(0, 3))
    def the_store_loses_everything(self, kept: int) -> None:
        """Or nearly so: some of it may be there again, as it was, or though it had been forgotten."""
        self.store = {number: job for number, job in self.store.items() if kept and number % 4 < kept}
        self.batches.doubt(True)
        assert not any(self.batches.is_stored(job.number) for job in self.kept)
        while self.batches.promise():
            pass

    @rule(pick=picks, priority=st.sampled_from([None, 0, 1, 2]), later=st.sampled_from([None, -1.0, 0.0, 0.5, 2.0]))
    def move(self, pick: int, priority: int | None, later: float | None) -> None:
        """Told of at once, and written with the next batch."""
        super().move(pick, priority, later)
        self.moved.add(int(self.handle(pick).rpartition(b":")[2] or 0))

    def asking(self, asked: Asked) -> Asked:
        """Without waits between tries, which end by the machine's own clocks; nothing ended is kept, or replaced."""
        return replace(asked, backoff=0.0, unique_ttl=0.0, replaces=False)

    def kicked(self, job: model.Job) -> None:
        """Told of at once, and written with the next batch."""
        super().kicked(job)
        self.again.add(job.number)

    @rule(age=st.sampled_from([0.0, 0.5, 2.0]))
    def some_have_waited_too_long(self, age: float) -> None:
        """Whether a batch is being written or not."""
        numbers, changes, _ = self.batches.overdue(self.now - age)
        for number, _ in changes:
            self.lone.setdefault(number, False)
        numbers += [number for number, waits in self.lone.items() if waits and number not in numbers]
        for number in numbers:
            self.lone.pop(number, None)
            job = next((job for job in self.kept if job.number == number), None)
            if job is None:
                continue
            assert number not in self.acknowledged
            job.background = False
            if job.state == "buried":
                self.model.buried.remove(job)
            elif job.orphan and job.state == "running":
                job.joinable = False
            elif job.orphan:
                self.model.jobs.remove(job)
        self.batches.unkeep(numbers)

    @rule()
    def all_is_written(self) -> None:
        if self.batch is not None:
            self.writing_succeeds()
        for _ in range(1000):
            for line in Waits:
                while True:
                    self.begin_to_write(line, 2, 1000, 2)
                    assert self.batch is not None
                    found = any(self.batch)
                    self.writing_succeeds()
                    if not found:
                        break
            while self.lone:
                self.begin_to_write_one(0)
                if self.batch is not None:
                    self.writing_succeeds()
            while self.gone:
                self.forget_one(1)
            if not self.batches.waits:
                break
        assert not self.batches.waits
        self.moved = self.moved & self.outdated
        self.again = self.again & self.outdated
        wanted = {job.number: stored_form(job) for job in self.kept}
        assert self.store.keys() == wanted.keys()
        for number, (job, more) in wanted.items():
            there, more_there = read(self.store[number])
            if number in self.outdated:
                assert there.attempts <= job.attempts or number in self.again
                assert lasting(there, more_there) == lasting(job, more)
                continue
            if there.due <= self.wall:  # it is due: when it became so is not written
                job = job._replace(due=there.due)
            assert (there, more_there) == (job, more)

    # --- what is promised at every moment ---

    @invariant()
    def what_is_said_to_be_in_the_store_is_there(self) -> None:
        self.acknowledged = set()
        for job in self.kept:
            if self.batches.is_promised(job.number):
                self.acknowledged.add(job.number)
            if self.batches.is_stored(job.number):
                there, more_there = read(self.store[job.number])
                wanted, more = stored_form(job)
                assert lasting(there, more_there) == lasting(wanted, more)
                assert there.attempts <= wanted.attempts or job.number in self.again
                if job.number not in self.moved:
                    assert there.due >= wanted.due
                    assert there.priority == wanted.priority

    @rule(applied=st.booleans())
    def a_crash(self, applied: bool) -> None:
        """What another server would find; then this one goes on."""
        jobs = dict(self.store)
        if applied and self.batch is not None:
            removes, adds = self.batch
            jobs = {number: job for number, job in jobs.items() if number not in removes}
            jobs.update({job.number: job for job in adds})
        other = Broker(PREFIX)
        batches = Batches(other)
        assert batches.restore([jobs[number] for number in sorted(jobs)]) == []
        _, rows = other.scan_jobs(0, 1000)
        _, letters = DeadLetters(other).scan(0)
        alive = {(row[0], row[1], row[4]) for row in rows}
        buried = {(row[0], row[5], row[3]) for row in letters}
        wanted: tuple[set[tuple[bytes, int, bytes]], set[tuple[bytes, int, bytes]]] = set(), set()
        for job in jobs.values():
            is_buried = (STATE, DEAD) in fields(job.more)
            wanted[is_buried].add((b"%s:%d" % (PREFIX, job.number), job.attempts, job.unique))
        assert (alive, buried) == wanted
        batches.open(PREFIX, self.model.numbers, False)
        assert not batches.waits


TestBrokerModelAndStore = pytest.mark.timeout(600)(BrokerModelAndStore.TestCase)
TestBrokerModelAndStore.settings = settings(
    deadline=None,
    max_examples=EXAMPLES,
    stateful_step_count=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
