"""What was asked of a server and what it answered, over all its lives: the measure of what its store must hold."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from gearfast.store.contract import StoredJob
from tests.support.records import REDUCER, fields

SERIAL_SIZE = 8
"""Bytes at the beginning of a payload that make it the only one of its kind; shorter ones have none."""


@dataclass(eq=False, slots=True)
class Submit:
    """A job as a client asked for it."""

    function: bytes
    unique: bytes
    payload: bytes
    priority: int = 1
    due: int = 0
    """Seconds since 1970; 0: at once."""
    reducer: bytes = b""
    foreground: bool = False
    sent: int = 0
    """When, on the chronicle's clock."""
    refused: int = 0
    """When the client was told that it is not kept."""
    number: int = 0
    """Of the job that was made of it, where that is sure."""

    @property
    def alone(self) -> bool:
        """Whether it always makes a job of its own."""
        return not self.unique or (self.unique == b"-" and not self.payload)

    @property
    def single(self) -> bool:
        """Whether no other submit has this payload."""
        return len(self.payload) >= SERIAL_SIZE

    def is_stored_as(self, job: StoredJob) -> bool:
        """Whether the store holds what was asked for."""
        same = (self.function, self.unique, self.payload, self.priority, self.reducer)
        due = job.due == self.due or (job.due == 0 and self.due <= time.time())
        return due and same == (job.function, job.unique, job.payload, job.priority, reducer_of(job))


@dataclass(eq=False, slots=True)
class Job:
    """What is known of the job with one number."""

    number: int
    answers: list[Submit] = field(default_factory=list)
    """The submits that were answered with its handle."""
    content: Submit | None = None
    """The submit that it was made of, once a worker or the store has shown it."""
    acknowledged: int = 0
    """When somebody was told that it is kept; 0: nobody was."""
    ended: int = 0
    """When somebody said that it is done, or has it cancelled; 0: nobody did."""
    confirmed: int = 0
    """When it was sure that the server had heard that."""
    cancelling: bool = False
    losses: int = 0
    """How often a worker lost it."""
    holder: object = None

    @property
    def promised(self) -> bool:
        """Whether it must be in the store."""
        return bool(self.acknowledged) and not self.ended and not self.cancelling


class Chronicle:
    """Everything is told to it at once; it complains about what cannot be, and counts."""

    def __init__(self) -> None:
        self.now = 0
        self.jobs: dict[int, Job] = {}
        self.met: list[Job] = []
        """The same, to pick from."""
        self.unanswered: dict[tuple[bytes, bytes], list[Submit]] = {}
        self.refusals: dict[tuple[bytes, bytes], list[Submit]] = {}
        self.count: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.barrier = 0
        """What was confirmed before this is in the store: something that was sent later is."""
        self.highest = 0
        """The highest number seen in the lives before this one."""
        self.blind_losses = 0
        """Jobs that workers may have lost without having seen them."""
        self.serials = itertools.count(1)

    def tick(self) -> int:
        """The next moment."""
        self.now += 1
        return self.now

    def complain(self, kind: str, text: str) -> None:
        """Something is wrong."""
        self.count[kind] += 1
        self.complaints.append(f"{kind}: {text}")

    # --- clients ---

    def submitted(self, submit: Submit) -> None:
        """It is being sent."""
        submit.sent = self.tick()
        self.unanswered.setdefault((submit.function, submit.payload), []).append(submit)
        self.count["submitted"] += 1

    def answered(self, submit: Submit) -> None:
        """It waits no more."""
        key = submit.function, submit.payload
        waiting = self.unanswered[key]
        waiting.remove(submit)
        if not waiting:
            del self.unanswered[key]

    def created(self, submit: Submit, number: int) -> None:
        """JOB_CREATED has arrived."""
        now = self.tick()
        self.answered(submit)
        job = self.jobs.get(number)
        answered = job is not None and bool(job.answers)
        if submit.alone and (answered or number <= self.highest or submit.number not in (0, number)):
            self.complain("reused", f"number {number} was given to a second job")
        job = self.known(number)
        if submit.alone and not submit.foreground and not job.ended:  # what has ended already need not be written
            self.barrier = max(self.barrier, submit.sent)
        if job.confirmed and submit.sent > job.confirmed and not submit.alone:
            self.complain("lost", f"job {number} had ended, and was acknowledged to another client afterwards")
        job.answers.append(submit)
        if not submit.foreground:
            self.count["acknowledged"] += 1
            self.count["coalesced"] += bool(job.acknowledged)
            job.acknowledged = job.acknowledged or now

    def refused(self, submit: Submit, text: str, expected: bool = False) -> None:
        """ERROR has arrived."""
        self.answered(submit)
        submit.refused = self.tick()
        self.refusals.setdefault((submit.function, submit.payload), []).append(submit)
        self.count["refusals"] += 1
        if not expected:
            self.complain("refused", text)

    def told(self, number: int, known: bool) -> None:
        """STATUS_RES has arrived, for a job that was acknowledged before."""
        if self.jobs[number].promised and not known:
            self.complain("lost", f"job {number} is not known any more")

    # --- workers and administrators ---

    def known(self, number: int) -> Job:
        """The job with this number; a new one if it has not been seen."""
        job = self.jobs.get(number)
        if job is None:
            if number <= self.highest:
                self.complain("returned", f"job {number} was gone in an earlier life, and is there again")
            job = self.jobs[number] = Job(number)
            self.met.append(job)
        return job

    def pick(self, chance: random.Random, fits: Callable[[Job], bool]) -> Job | None:
        """Some job that must be there and that fits; None when none is found soon."""
        for _ in range(20 if self.met else 0):
            job = chance.choice(self.met)
            if job.promised and fits(job):
                return job
        return None

    def assigned(self, number: int, worker: object, asked: int, parts: dict[str, bytes]) -> Job:
        """A worker has been given it: function, payload, and unique and reducer if it asked for them.

        What it asked for before the end of a job was heard of may be that job: nothing orders two connections.
        """
        job = self.known(number)
        if job.confirmed and job.confirmed < asked:
            self.complain("returned", f"job {number} had ended, and was handed out again by the same server")
        if job.holder is not None:
            self.complain("twice", f"job {number} is in the hands of two workers")
        if job.ended and not job.confirmed:  # by a worker that died before the server had read that
            job.ended = 0
            self.count["ended and not heard"] += 1
        job.holder = worker
        if not any(self.fits(job, submit, parts) for submit in self.candidates(job, parts)):
            what = {name: value[:40] for name, value in parts.items()}
            self.complain("changed", f"job {number} came to a worker as {what}, which nobody asked for")
        return job

    def candidates(self, job: Job, parts: dict[str, bytes]) -> Iterator[Submit]:
        """The submits that it may have been made of."""
        if job.content is not None:
            yield job.content
            return
        yield from job.answers
        yield from self.unanswered.get((parts["function"], parts["payload"]), ())
        yield from self.refusals.get((parts["function"], parts["payload"]), ())

    def fits(self, job: Job, submit: Submit, parts: dict[str, bytes]) -> bool:
        """Whether the job was made of this submit; then that is known from now on."""
        if any(getattr(submit, name) != value for name, value in parts.items()):
            return False
        if submit.single:
            self.settle(job, submit)
        return True

    def settle(self, job: Job, submit: Submit) -> None:
        """The job was made of this submit."""
        job.content = submit
        if submit.single:
            if submit.number not in (0, job.number):
                self.complain("doubled", f"one submit became job {submit.number} and job {job.number}")
            submit.number = job.number

    def ended(self, job: Job) -> None:
        """Somebody is telling the server that it is done."""
        job.holder = None
        job.ended = job.ended or self.tick()
        self.count["finished"] += 1

    def confirm(self, jobs: Sequence[Job]) -> None:
        """The server has heard what was said of these."""
        now = self.tick()
        for job in jobs:
            job.confirmed = job.confirmed or now

    def lost_by_worker(self, jobs: Sequence[Job], unseen: int = 0) -> None:
        """A worker is gone that held these, and perhaps some more."""
        for job in jobs:
            job.losses += 1
            job.holder = None
        self.blind_losses += unseen

    def cancelled(self, job: Job, known: bool) -> None:
        """`cancel job` was answered."""
        job.cancelling = False
        if known:
            job.ended = job.ended or self.tick()
            job.confirmed = job.confirmed or self.now
            job.holder = None
            self.count["cancelled"] += 1
        elif job.promised:
            self.complain("lost", f"job {job.number} cannot be cancelled, because it is not known")

    # --- after a kill ---

    def inspect(self, stored: Sequence[StoredJob], survives: str = "everything") -> None:
        """Hold this against what the store has, and go on from there.

        `survives` says what was promised: everything, the oldest (a power cut may cost the newest), or nothing.
        """
        found = {job.number for job in stored}
        for record in stored:
            self.look_at(record)
        cut = self.newest_of(found) if survives == "oldest" else self.now + 1
        for job in list(self.jobs.values()):
            if job.number in found:
                self.still_there(job, self.barrier if survives == "everything" else cut, survives)
            elif job.promised:
                self.count["lost to a power cut"] += survives != "everything"
                if survives == "everything" or (survives == "oldest" and job.acknowledged < cut):
                    self.complain("lost", f"job {job.number} was acknowledged: {job.answers[:1] or job.content}")
        self.highest = max([self.highest, *self.jobs])
        self.jobs = {number: self.jobs[number] for number in found}
        self.met = list(self.jobs.values())
        self.unanswered.clear()
        self.refusals.clear()
        self.barrier = 0

    def begin_anew(self, stored: Sequence[StoredJob]) -> None:
        """Nothing was promised; go on from what the store has."""
        found = {job.number for job in stored}
        lost = sum(job.promised and job.number not in found for job in self.jobs.values())
        self.count["lost to a power cut"] += lost
        self.jobs.clear()
        self.unanswered.clear()
        self.refusals.clear()
        self.barrier = self.highest = 0
        for job in stored:
            names = (job.function, job.unique, job.payload)
            wish = Submit(*names, priority=job.priority, due=int(job.due), reducer=reducer_of(job), number=job.number)
            self.jobs[job.number] = Job(job.number, content=wish, acknowledged=self.tick(), losses=job.attempts)
        self.highest = max(found, default=0)
        self.met = list(self.jobs.values())

    def look_at(self, stored: StoredJob) -> None:
        """One job of the store: is it what was asked for?"""
        new = stored.number not in self.jobs
        job = self.known(stored.number)
        parts = {"function": stored.function, "payload": stored.payload}
        same = [submit for submit in self.candidates(job, parts) if submit.is_stored_as(stored)]
        found = [submit for submit in same if not (submit.foreground and submit.alone)]
        if same and not found:
            self.complain("strange", f"job {job.number} is a foreground job, and was stored")
        elif not found:
            self.complain("changed", f"job {job.number} is in the store as {stored!r:.300}; known: {job!r:.700}")
        if not found:
            return
        self.settle(job, found[0])
        # Of several that look the same, the last to be refused may be the one it was made of.
        if not job.acknowledged and max(submit.refused or self.now for submit in found) < self.barrier:
            self.complain("refused", f"job {job.number} was refused, and is in the store all the same: {found!r:.700}")
        self.count["kept though nobody was told"] += new
        if stored.attempts > job.losses + self.blind_losses:
            self.complain(
                "changed", f"job {job.number} has {stored.attempts} attempts, and was lost {job.losses} times"
            )

    def newest_of(self, found: set[int]) -> int:
        """When the newest job was sent that is there; all that was acknowledged before that must be."""
        jobs = (self.jobs[number] for number in found)
        return max((job.content.sent for job in jobs if job.content is not None and job.content.alone), default=0)

    def still_there(self, job: Job, sure: int, survives: str) -> None:
        """It is in the store. If it had ended, its removal was not written in time; it comes back once more."""
        if job.ended:
            self.count["repeated"] += 1
            if job.confirmed and job.confirmed < sure and survives != "nothing":
                text = f"what was sent at {sure} is in the store, and so is what had ended before that: {job!r:.700}"
                self.complain("returned", text)
        job.ended = job.confirmed = 0
        job.cancelling = False
        job.holder = None
        job.acknowledged = job.acknowledged or self.tick()  # who looks into the store knows of it
        job.answers.clear()


def reducer_of(job: StoredJob) -> bytes:
    """The name of its reducer, empty if there is none."""
    return dict(fields(job.more)).get(REDUCER, b"")
