"""What was asked of a server and what it answered, over all its lives: the measure of what its store must hold."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from tests.crash.plans import Plans
from tests.crash.wanted import SLACK, Job, Submit

PATIENCE = 5.0
"""Seconds by which a busy server may hear later of what was said."""
MOMENT = 0.005
"""Seconds by which two readings of one clock may differ."""
Said = tuple[Job, int]
"""What a worker has said of a job, and when: it is confirmed if that was the last word."""


class Chronicle:
    """Everything is told to it at once; it complains about what cannot be, and counts."""

    def __init__(self) -> None:
        self.now = 0
        self.jobs: dict[int, Job] = {}
        self.met: list[Job] = []
        """The same, to pick from."""
        self.schedules: dict[int, Job] = {}
        self.graves: dict[int, Job] = {}
        """Those that may be buried."""
        self.remembered: dict[tuple[bytes, bytes], Job] = {}
        """Those that have ended, and whose unique ids stay taken, by function and unique id."""
        self.unanswered: dict[tuple[bytes, bytes], list[Submit]] = {}
        self.refusals: dict[tuple[bytes, bytes], list[Submit]] = {}
        self.count: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.plans = Plans(self.complain, self.is_queued)
        self.swept = b""
        """The function whose buried jobs are being kicked or purged."""
        self.purged: set[bytes] = set()
        """Those whose buried jobs were purged in this life: some of them may not have been known to be buried."""
        self.barrier = 0
        """What was confirmed before this is in the store: something that was sent later is."""
        self.highest = 0
        """The highest number seen in the lives before this one."""
        self.blind_losses = 0
        """Jobs that workers may have lost in this life without having seen them."""
        self.serials = itertools.count(1)
        self.store_may_be_away = False
        """So that a client may be told that a job is accepted which was done meanwhile, and is in no store."""

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
        submit.sent_at = time.time()
        self.unanswered.setdefault((submit.function, submit.payload), []).append(submit)
        self.count["submitted"] += 1
        self.count["delayed"] += submit.earliest > submit.sent_at
        if submit.is_schedule:
            self.plans.submitted(submit)

    def answered(self, submit: Submit) -> None:
        """It waits no more."""
        key = submit.function, submit.payload
        waiting = self.unanswered[key]
        waiting.remove(submit)
        if not waiting:
            del self.unanswered[key]

    def created(self, submit: Submit, number: int) -> None:
        """JOB_CREATED has arrived."""
        now = submit.heard = self.tick()
        submit.heard_at = time.time()
        self.answered(submit)
        self.is_remembered(submit, number)
        job = self.jobs.get(number)
        answered = job is not None and bool(job.answers)
        if submit.alone and (answered or number <= self.highest or submit.number not in (0, number)):
            self.complain("reused", f"number {number} was given to a second job")
        job = self.known(number)
        over = job.ended or job.cancelling or submit.function in self.purged  # then it need not have been written
        if submit.alone and not submit.foreground and not over:
            self.barrier = max(self.barrier, submit.sent)
        if job.confirmed and submit.sent > job.confirmed and not submit.alone:
            if submit.sent_at > job.remembered_until + PATIENCE:
                self.complain("lost", f"job {number} had ended, and was acknowledged to another client afterwards")
            self.count["remembered"] += 1
        job.answers.append(submit)
        if not submit.foreground:
            self.count["acknowledged"] += 1
            self.count["scheduled"] += submit.is_schedule
            if submit.is_schedule:
                self.schedules[number] = job
            again = bool(job.acknowledged)
            self.count["replaced" if submit.is_strict else "coalesced"] += again
            if self.store_may_be_away and job.ended and not job.acknowledged:
                job.unstored = True
            job.acknowledged = job.acknowledged or now

    def is_remembered(self, submit: Submit, number: int) -> None:
        """A job that has ended is what a submit finds, as long as its unique id stays taken."""
        job = self.remembered.get((submit.function, submit.unique))
        if job is None or job.number == number or job.cancelling or not 0 < job.confirmed < submit.sent:
            return
        if time.time() < job.remembered_until - SLACK:
            self.complain("forgotten", f"job {job.number} was done, and job {number} was made of its unique id")

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
        if self.is_queued(self.jobs[number]) and not known:
            self.complain("lost", f"job {number} is not known any more")

    # --- workers ---

    def known(self, number: int) -> Job:
        """The job with this number; a new one if it has not been seen."""
        job = self.jobs.get(number)
        if job is None:
            if number <= self.highest:
                self.complain("returned", f"job {number} was gone in an earlier life, and is there again")
            job = self.jobs[number] = Job(number)
            self.met.append(job)
        return job

    def is_queued(self, job: Job) -> bool:
        """Whether it must be there for a worker."""
        return job.is_queued and not self.is_buried_unseen(job)

    def is_buried_unseen(self, job: Job) -> bool:
        """Whether workers may have lost it so often without having seen it that it is buried."""
        tries = [submit.retries for submit in (job.content, *job.answers) if submit is not None and submit.retries >= 0]
        return bool(self.blind_losses and tries) and job.losses + self.blind_losses > min(tries)

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
        if job.buried and job.buried < asked:
            self.complain("unburied", f"job {number} was buried, and was handed out: {job!r:.1500}")
        if job.holder is not None:
            self.complain("twice", f"job {number} is in the hands of two workers")
        if job.ended and not job.confirmed:  # by a worker that died before the server had read that
            job.ended = 0
            job.remembered_until = 0.0
            self.count["ended and not heard"] += 1
        self.rise(job)
        job.holder = worker
        found = [submit for submit in self.candidates(job, parts) if submit_is(submit, parts)]
        if not found:
            what = {name: value[:40] for name, value in parts.items()}
            self.complain("changed", f"job {number} came to a worker as {what}, which nobody asked for")
            return job
        due = max(min(job.due_as(submit) for submit in found), job.wait_until - SLACK)
        if not job.hurried and due > time.time() + MOMENT:
            self.complain("early", f"job {number} came to a worker at {time.time()}, and is due at {due}: {job!r:.900}")
        self.settle(job, found[0])
        job.due = 0.0
        return job

    def candidates(self, job: Job, parts: dict[str, bytes]) -> Iterator[Submit]:
        """The submits that it may have been made of."""
        if job.content is not None:
            yield job.content
            if not job.content.replaces:
                return
        yield from (submit for submit in job.answers if submit is not job.content)
        yield from self.unanswered.get((parts["function"], parts["payload"]), ())
        yield from self.refusals.get((parts["function"], parts["payload"]), ())
        run = self.plans.wish_for(parts["function"], parts["payload"]) if job.content is None else None
        if run is not None and not job.answers:
            yield run

    def settle(self, job: Job, submit: Submit) -> None:
        """The job was made of this submit, if there is only one such."""
        if submit.parent is not None:
            if job.content is None:
                job.content = submit
                self.plans.saw(job, submit.parent)
        elif submit.single:
            if job.content is not None and job.content is not submit and job.content not in job.answers:
                job.answers.append(job.content)  # the store may have that one yet
            job.content = submit
            if submit.number not in (0, job.number):
                self.complain("doubled", f"one submit became job {submit.number} and job {job.number}")
            submit.number = job.number

    def ended(self, job: Job) -> int:
        """Somebody is telling the server that it is done. Return when that was first said."""
        job.holder = None
        if not job.ended:
            job.ended = self.tick()
            self.count["finished"] += 1
            if job.content is not None and job.content.remembered:
                job.remembered_until = time.time() + job.content.remembered
                self.remembered[job.content.function, job.content.unique] = job
        return job.ended

    def failed(self, job: Job) -> int:
        """Somebody is telling the server that it has failed. Return when that was said."""
        if job.retries < 0 or job.ended:
            return self.ended(job)
        job.holder = None
        job.failures += 1
        self.count["retried" if job.failures <= job.retries else "buried"] += 1
        self.lost(job)
        return job.spent or self.tick()

    def lost(self, job: Job) -> None:
        """It uses up a try; perhaps, or surely, its last one."""
        job.losses += 1
        if job.content is None or job.retries < 0:
            return
        job.wait_until = time.time() + job.content.backoff(job.failures)
        if job.hurry_heard:  # else it may yet be heard
            job.hurried = job.hurry_heard = 0
        if job.losses + self.blind_losses > job.retries:
            job.may_be_buried = True
            job.kicked = 0
            self.graves[job.number] = job
        if job.kicking or self.swept == job.content.function:  # nobody knows what came first
            job.failures = 0
            job.wait_until = 0.0
            job.cancelling = job.cancelling or not job.kicking
        elif job.failures > job.retries and not job.spent:
            job.spent = self.tick()

    def confirm(self, said: Sequence[Said]) -> None:
        """The server has heard what was said of these."""
        now = self.tick()
        for job, when in said:
            if job.ended == when:
                job.confirmed = job.confirmed or now
            elif job.spent == when:
                job.buried = job.buried or now

    def lost_by_worker(self, jobs: Sequence[Job], unseen: int = 0, unheard: Sequence[Said] = ()) -> None:
        """A worker is gone that held these, and perhaps some more, and whose last words may not have been heard."""
        self.blind_losses += unseen
        for job in jobs:
            job.holder = None
            self.lost(job)
        for job, _ in unheard:
            job.losses += 1

    # --- administrators ---

    def rise(self, job: Job) -> None:
        """It is not buried, as a worker shows who has it."""
        job.spent = job.buried = 0
        if job.may_be_buried:
            job.may_be_buried = job.cancelling = False
            self.graves.pop(job.number, None)

    def cancelled(self, job: Job, known: bool) -> None:
        """`cancel job`, `cancel schedule` or `delete job` was answered."""
        job.cancelling = False
        if known:
            job.ended = job.ended or self.tick()
            job.confirmed = job.confirmed or self.now
            job.holder = None
            job.remembered_until = 0.0
            self.graves.pop(job.number, None)
        elif self.is_queued(job):
            self.complain("lost", f"job {job.number} cannot be cancelled, because it is not known: {job!r:.900}")

    def run_now(self, job: Job) -> None:
        """Somebody is having it run at once."""
        if job.is_schedule:
            self.plans.told(job)
        job.hurried = job.hurried or self.tick()
        job.rushed = True

    def ran_now(self, job: Job, answer: bytes) -> None:
        """`run now` was answered."""
        done = answer.startswith(b"OK")
        self.count["run now"] += done
        if job.is_schedule:
            self.plans.answered(job, self.tick(), done)
        elif done:
            job.hurry_heard = self.tick()
        elif not job.hurry_heard:  # else somebody else was told that it does
            job.hurried = 0
        gone = answer.startswith((b"ERR UNKNOWN_JOB", b"ERR JOB_IS_BURIED"))
        if gone and (job.promised if job.is_schedule else self.is_queued(job)):
            self.complain("lost", f"job {job.number} cannot run now: {answer!r}")

    def kicking(self, job: Job) -> None:
        """Somebody is having it tried anew."""
        job.spent = job.buried = job.failures = 0
        job.wait_until = 0.0
        job.kicking = True
        job.losses_then = job.losses
        job.may_be_buried = True

    def kicked(self, job: Job, done: bool = True) -> None:
        """It is tried anew, or was not buried."""
        job.kicking = False
        job.failures = 0
        self.count["kicked"] += done
        if done and not job.cancelling and job.losses == job.losses_then:  # else it may be buried again
            self.graves.pop(job.number, None)
            job.may_be_buried = False
            job.wait_until = 0.0
            job.kicked = self.tick()


def submit_is(submit: Submit, parts: dict[str, bytes]) -> bool:
    """Whether it is a job like this."""
    return not submit.is_schedule and all(getattr(submit, name) == value for name, value in parts.items())
