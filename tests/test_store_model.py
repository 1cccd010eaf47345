"""The model test once more, with a store that fails at random points, and a crash at any of them.

What is promised: a job that was acknowledged and has not ended is in the store at every moment, with all it has;
and when nothing is left to be written, the store holds exactly the background jobs that there are.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from gearfast.broker import Broker
from gearfast.ledger import Ledger
from gearfast.plugins import StoredJob
from tests import model
from tests.model import PREFIX
from tests.test_broker_model import BrokerAndModel

EXAMPLES = int(os.environ.get("GEARFAST_MODEL_EXAMPLES", "400"))


def stored_form(job: model.Job) -> StoredJob:
    """What the store should know of a job of the model."""
    due = job.due if job.state == "delayed" else 0.0
    return StoredJob(job.number, job.function.name, job.unique, job.priority, due, job.attempts, job.payload, b"")


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
        self.tickets: dict[int, int] = {}  # of background jobs, by number
        self.outdated: set[int] = set()  # whose last attempts may never be written
        self.ledger = Ledger(self.broker)
        self.ledger.open(PREFIX, 0, False)

    def submit(self, number: int, name: bytes, payload: bytes, unique: bytes, priority: int, background: bool) -> None:
        super().submit(number, name, payload, unique, priority, background)
        self.note()

    def submit_for_later(self, number: int, name: bytes, payload: bytes, unique: bytes, delay: float) -> None:
        super().submit_for_later(number, name, payload, unique, delay)
        self.note()

    def note(self) -> None:
        """Keep in mind which ticket a new background job got."""
        for job in self.model.jobs:
            if job.background:
                self.tickets.setdefault(job.number, self.ledger.newest)

    # --- the store at work ---

    @precondition(lambda self: self.batch is None)
    @rule(jobs=st.sampled_from([1, 2, 100]), size=st.sampled_from([1, 1000]))
    def begin_to_write(self, jobs: int, size: int) -> None:
        self.batch = self.ledger.collect(jobs, size, jobs)

    def apply(self) -> None:
        assert self.batch is not None
        removes, adds = self.batch
        for number in removes:
            self.store.pop(number, None)
        self.store.update({job.number: job for job in adds})

    @precondition(lambda self: self.batch is not None)
    @rule()
    def writing_succeeds(self) -> None:
        self.apply()
        self.ledger.written()
        self.ledger.retry(self.now)
        self.batch = None

    @precondition(lambda self: self.batch is not None)
    @rule(applied=st.booleans(), others=st.booleans())
    def writing_fails(self, applied: bool, others: bool) -> None:
        assert self.batch is not None
        if applied:
            self.apply()
        if len(self.batch[1]) == 1:
            self.outdated.add(self.batch[1][0].number)
        self.ledger.failed(others)
        self.batch = None

    @rule(age=st.sampled_from([0.0, 0.5, 2.0]))
    def some_have_waited_too_long(self, age: float) -> None:
        """Whether a batch is being written or not."""
        numbers = self.ledger.overdue(self.now - age)
        self.outdated |= self.store.keys()
        for number in numbers:
            job = next(job for job in self.model.jobs if job.number == number)
            assert job.background
            del self.tickets[number]
            job.background = False
            if job.orphan and job.state == "running":
                job.joinable = False
            elif job.orphan:
                self.model.jobs.remove(job)
        self.ledger.unkeep(numbers)

    @rule()
    def all_is_written(self) -> None:
        if self.batch is not None:
            self.writing_succeeds()
        while self.ledger.waits:
            self.begin_to_write(2, 1000)
            self.writing_succeeds()
        wanted = {job.number: stored_form(job) for job in self.model.jobs if job.background}
        assert self.store.keys() == wanted.keys()
        for number, job in wanted.items():
            there = self.store[number]
            if number in self.outdated:
                assert there.attempts <= job.attempts
                job = job._replace(attempts=there.attempts)
            assert there == job

    # --- what is promised at every moment ---

    @invariant()
    def what_was_acknowledged_is_in_the_store(self) -> None:
        for job in self.model.jobs:
            if job.background and self.tickets.get(job.number, 1 << 63) < self.ledger.settled:
                there = self.store[job.number]
                wanted = stored_form(job)
                assert there._replace(attempts=0, due=0) == wanted._replace(attempts=0, due=0)
                assert there.due >= wanted.due
                assert there.attempts <= wanted.attempts

    @rule(applied=st.booleans())
    def a_crash(self, applied: bool) -> None:
        """What another server would find; then this one goes on."""
        jobs = dict(self.store)
        if applied and self.batch is not None:
            removes, adds = self.batch
            jobs = {number: job for number, job in jobs.items() if number not in removes}
            jobs.update({job.number: job for job in adds})
        other = Broker(PREFIX)
        ledger = Ledger(other)
        assert ledger.restore([jobs[number] for number in sorted(jobs)]) == []
        _, rows = other.scan_jobs(0, 1000)
        assert {(row[0], row[1], row[4]) for row in rows} == {
            (b"%s:%d" % (PREFIX, job.number), job.attempts, job.unique) for job in jobs.values()
        }
        ledger.open(PREFIX, self.model.numbers, False)
        assert not ledger.waits


TestBrokerModelAndStore = pytest.mark.timeout(600)(BrokerModelAndStore.TestCase)
TestBrokerModelAndStore.settings = settings(
    deadline=None,
    max_examples=EXAMPLES,
    stateful_step_count=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
