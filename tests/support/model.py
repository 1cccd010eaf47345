"""The rules of a job's life, written down once more as slowly and plainly as possible.

Nothing here is clever: jobs are one list, lanes are looked for in it, and every rule is spelt out
where it is needed (protocol sections 2 and 3). The broker has to agree with it in everything that
can be seen. Where the rules leave open who is woken, this is gearfast's own rule, the *line*:

- every function has a line of workers; CAN_DO puts a worker at its end;
- whoever is to be woken for a function is looked for from the front of its line, unless nobody at
  all is asleep; everyone who is looked at leaves the line, the one that is woken included;
- a worker that falls asleep goes to the end of each line that it has left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gearfast.broker.broker import Dropped, Reported
from gearfast.broker.life import Moved
from gearfast.broker.peer import Report

PREFIX = b"H:model"
GONE = b"its worker went away"
HANDED_BACK = b"its worker handed it back"
TOO_LONG = b"its worker did not do it in time"
Heard = tuple[str] | tuple[Report, bytes, bytes | None]
Status = tuple[bool, int, int, int]
DeadRow = tuple[bytes, bytes, int, bytes, int, int, float, float, float, bytes]


@dataclass(eq=False)
class Function:
    """A function that the server knows."""

    name: bytes
    limits: tuple[int, int, int] = (0, 0, 0)
    line: list[Peer] = field(default_factory=list)


@dataclass(eq=False)
class Peer:
    """A client, a worker, or both."""

    heard: list[Heard] = field(default_factory=list)
    abilities: list[Function] = field(default_factory=list)  # in the order they are looked at
    known: list[Function] = field(default_factory=list)  # the same, the one said last first
    timeouts: dict[Function, int] = field(default_factory=dict)
    asleep: bool = False
    woken: bool = False
    woken_for: Function | None = None
    woken_at: float = 0.0
    lost: list[tuple[int, bool]] = field(default_factory=list)  # jobs held and lost; whether by an exception
    unasked: set[Function] = field(default_factory=set)  # taken on asleep, with work waiting: that wakes nobody


@dataclass(frozen=True)
class Asked:
    """Parameters that a job keeps; -1 and 0: not given."""

    retries: int = -1
    backoff: float = 0.0
    timeout: float = 0.0

    @property
    def text(self) -> bytes:
        given = [f"retries={self.retries}"] if self.retries >= 0 else []
        given += [f"backoff=fixed:{self.backoff}s"] if self.backoff else []
        given += [f"timeout={self.timeout}s"] if self.timeout else []
        return ";".join(given).encode()


NOTHING = Asked()


@dataclass(eq=False)
class Job:
    """A job that is delayed, queued, running, to be tried again, or buried."""

    number: int
    function: Function
    payload: bytes
    unique: bytes
    priority: int
    background: bool
    due: float
    state: str
    queued_as: int = 0  # the later it was queued, the higher
    waiting: list[Peer] = field(default_factory=list)
    joinable: bool = False
    attempts: int = 0
    holder: Peer | None = None
    taken_as: int = 0
    deadline: float = 0.0
    numerator: int = 0
    denominator: int = 0
    asked: Asked = NOTHING
    submitted: float = 0.0
    taken_at: float = 0.0
    started: float = 0.0  # for the first time, if it has failed
    failed: float = 0.0  # for the last time
    error: bytes = b""

    @property
    def handle(self) -> bytes:
        return b"%s:%d" % (PREFIX, self.number)

    @property
    def orphan(self) -> bool:
        return not self.waiting and not self.background

    @property
    def status(self) -> Status:
        if self.state != "running":
            return False, 0, 0, len(self.waiting)
        return True, self.numerator, self.denominator, len(self.waiting)

    @property
    def dead_row(self) -> DeadRow:
        sizes = len(self.payload), self.attempts
        times = self.submitted, self.started, self.failed
        return self.handle, self.function.name, self.priority, self.unique, *sizes, *times, self.error

    def note(self, now: float, error: bytes) -> None:
        """Its worker failed."""
        self.started = self.started or self.taken_at
        self.failed, self.error = now, error[:4096]


class Model:
    """A broker as the rules have it."""

    def __init__(self, *, job_retries: int, worker_wakeup: int, wakeup_grace: float, remembered_results: int) -> None:
        self.job_retries = job_retries
        self.worker_wakeup = worker_wakeup
        self.wakeup_grace = wakeup_grace
        self.remembered_results = remembered_results
        self.functions: dict[bytes, Function] = {}
        self.jobs: list[Job] = []
        self.buried: list[Job] = []  # the oldest first
        self.peers: list[Peer] = []
        self.woken: list[Peer] = []
        self.numbers = 0
        self.events = 0
        self.latest = 0.0  # when time went on last

    # --- looking things up ---

    def function(self, name: bytes) -> Function:
        return self.functions.setdefault(name, Function(name))

    def find(self, handle: bytes) -> Job | None:
        return next((job for job in self.jobs if job.handle == handle), None)

    def find_buried(self, handle: bytes) -> Job | None:
        return next((job for job in self.buried if job.handle == handle), None)

    def buried_of(self, name: bytes) -> list[Job]:
        return [job for job in self.buried if job.function.name == name]

    def queued(self, function: Function, priority: int | None = None) -> list[Job]:
        jobs = [job for job in self.jobs if job.function is function and job.state == "queued"]
        jobs.sort(key=lambda job: job.queued_as)
        return [job for job in jobs if priority is None or job.priority == priority]

    def held(self, peer: Peer) -> list[Job]:
        """Newest first."""
        return sorted((job for job in self.jobs if job.holder is peer), key=lambda job: -job.taken_as)

    # --- submitting ---

    def submit(
        self,
        client: Peer,
        name: bytes,
        payload: bytes,
        unique: bytes,
        priority: int,
        background: bool,
        due: float,
        now: float,
        asked: Asked = NOTHING,
    ) -> bytes | None:
        function = self.function(name)
        key = payload if unique == b"-" else unique
        job = self.twin(function, payload, unique) if key else None
        if job is None:
            total = sum(job.function is function for job in self.jobs)
            if 0 < function.limits[priority] <= total:
                return None
            self.numbers += 1
            job = Job(self.numbers, function, payload, unique, priority, background, due, "delayed")
            job.joinable = bool(key)
            job.asked = asked
            job.submitted = now
            self.jobs.append(job)
            if not background:
                job.waiting.append(client)
            if due <= 0:
                self.enqueue(job, now)
        elif background:
            job.background = True
        else:
            job.waiting.append(client)
        return job.handle

    def twin(self, function: Function, payload: bytes, unique: bytes) -> Job | None:
        """The newest job that a submission joins."""
        for job in reversed(self.jobs):
            if not job.joinable or job.function is not function:
                continue
            if unique == b"-" and job.payload == payload and job.unique in (b"-", payload):
                return job
            if unique != b"-" and job.unique == unique:
                return job
        return None

    def enqueue(self, job: Job, now: float) -> None:
        job.state = "queued"
        self.events += 1
        job.queued_as = self.events
        self.wake(job.function, self.worker_wakeup, now)

    # --- sleeping and waking ---

    def wake(self, function: Function, most: int, now: float) -> None:
        """Wake so many of the function's sleepers, 0 for all, if it has work."""
        if not self.queued(function):
            return
        woken = 0
        while function.line and any(peer.asleep and not peer.woken for peer in self.peers):
            peer = function.line.pop(0)
            if peer.asleep and not peer.woken:
                peer.heard.append(("wake",))
                peer.woken, peer.woken_for, peer.woken_at = True, function, now
                self.woken.append(peer)
                woken += 1
                if woken == most:
                    return

    def rouse(self, peer: Peer) -> Function | None:
        """It is neither asleep nor woken now. Returns what it had been woken for."""
        if peer.woken:
            self.woken.remove(peer)
        woken_for = peer.woken_for
        peer.asleep, peer.woken, peer.woken_for = False, False, None
        return woken_for

    def has_work(self, peer: Peer) -> bool:
        return any(self.queued(function) for function in peer.abilities)

    def sleep(self, peer: Peer) -> bool:
        if self.has_work(peer):
            if not peer.woken:
                self.rouse(peer)
            return False
        self.rouse(peer)
        peer.asleep = True
        peer.unasked.clear()
        for function in peer.abilities:
            if peer not in function.line:
                function.line.append(peer)
        return True

    # --- abilities ---

    def can_do(self, peer: Peer, name: bytes, timeout: int) -> None:
        function = self.function(name)
        if function in peer.abilities:
            peer.abilities.remove(function)
            peer.known.remove(function)
            if peer in function.line:
                function.line.remove(peer)
        peer.abilities.insert(0, function)
        peer.known.insert(0, function)
        peer.timeouts[function] = timeout
        function.line.append(peer)
        if peer.asleep and self.queued(function):
            peer.unasked.add(function)

    def lose_ability(self, peer: Peer, function: Function) -> None:
        peer.abilities.remove(function)
        peer.known.remove(function)
        peer.unasked.discard(function)
        if peer in function.line:
            function.line.remove(peer)
        if peer.woken_for is function:
            peer.woken_for = None

    def cant_do(self, peer: Peer, name: bytes, now: float) -> None:
        function = self.functions.get(name)
        if function is None or function not in peer.abilities:
            return
        woken_for = peer.woken_for
        self.give_up(peer, [function], now, HANDED_BACK)
        if woken_for is function:
            self.wake(function, 1, now)

    def give_up(self, peer: Peer, functions: list[Function], now: float, why: bytes) -> None:
        """Functions, and the jobs of them in its hands: one function after the other, its newest job first."""
        held = self.held(peer)
        for function in functions:
            self.lose_ability(peer, function)
        for function in functions:
            for job in held:
                if job.function is function:
                    self.lose(job, now, why)

    def reset_abilities(self, peer: Peer, now: float) -> None:
        asleep = peer.asleep and not peer.woken
        woken_for = self.rouse(peer)
        self.give_up(peer, list(peer.known), now, HANDED_BACK)
        if woken_for is not None:
            self.wake(woken_for, 1, now)
        peer.asleep = asleep

    # --- running ---

    def grab(self, peer: Peer, now: float) -> tuple[bytes, bytes, bytes, bytes] | None:
        woken_for = self.rouse(peer)
        for priority in range(3):
            for function in peer.abilities:
                if jobs := self.queued(function, priority):
                    job = jobs[0]
                    self.take(job, peer, now)
                    peer.abilities.remove(function)
                    peer.abilities.append(function)
                    if woken_for is not None and woken_for is not function:
                        self.wake(woken_for, 1, now)
                    return job.handle, function.name, job.unique, job.payload
        return None

    def take(self, job: Job, peer: Peer, now: float) -> None:
        self.events += 1
        job.state, job.holder, job.taken_as = "running", peer, self.events
        job.taken_at = now
        job.numerator = job.denominator = 0
        timeout = peer.timeouts[job.function]
        limits = [limit for limit in (timeout / 1000, job.asked.timeout) if limit > 0]
        job.deadline = now + min(limits) if limits else 0.0

    def remember(self, peer: Peer, number: int, failed: bool) -> None:
        peer.lost.append((number, failed))
        while len(peer.lost) > self.remembered_results:
            peer.lost.pop(0)

    def report(self, peer: Peer, handle: bytes, kind: Report, body: bytes, now: float) -> Reported:
        job = self.find(handle) or self.find_buried(handle)
        if job is None or not (job.holder is peer or (job.number, False) in peer.lost):
            return self.report_on_lost(peer, handle, kind)
        if kind in (Report.FAIL, Report.EXCEPTION) and job.background and job.asked.retries >= 0:
            if job.holder is not peer:
                return self.report_on_lost(peer, handle, kind)
            job.note(now, failure(kind, body))
            job.attempts += 1
            if job.attempts <= job.asked.retries:
                if kind == Report.EXCEPTION:
                    self.remember(peer, job.number, True)
                job.holder, job.deadline = None, 0.0
                self.retry(job, now)
                return Reported.TAKEN
        self.tell(job, kind, b"" if kind == Report.FAIL else body)
        if kind >= Report.COMPLETE:
            self.end(job, peer, kind)
        return Reported.TAKEN

    def end(self, job: Job, peer: Peer, kind: Report) -> None:
        """The first result counts, whoever held the job."""
        if job.holder is not peer:
            peer.lost.remove((job.number, False))
            if job.holder is not None:
                self.remember(job.holder, job.number, False)
        if kind == Report.EXCEPTION:
            self.remember(peer, job.number, True)
        if kind == Report.COMPLETE and job.state == "buried":
            self.buried.remove(job)
        elif kind == Report.COMPLETE:
            self.jobs.remove(job)
        else:
            self.end_failed(job)

    def end_failed(self, job: Job) -> None:
        """It has failed for good, and its clients were told."""
        self.jobs.remove(job)
        if job.background and job.asked.retries >= 0:
            job.state, job.holder, job.deadline = "buried", None, 0.0
            job.waiting, job.joinable = [], False
            self.buried.append(job)

    def report_on_lost(self, peer: Peer, handle: bytes, kind: Report) -> Reported:
        for entry in peer.lost:
            number, failed = entry
            if handle == b"%s:%d" % (PREFIX, number) and (not failed or kind == Report.FAIL):
                if kind >= Report.COMPLETE:
                    peer.lost.remove(entry)
                return Reported.LATE
        return Reported.UNKNOWN

    def progress(self, peer: Peer, handle: bytes, numerator: int, denominator: int) -> Reported:
        job = self.find(handle)
        if job is not None and job.holder is peer:
            job.numerator, job.denominator = numerator, denominator
        return self.report(peer, handle, Report.STATUS, b"%d\0%d" % (numerator, denominator), 0.0)

    def tell(self, job: Job, kind: Report, body: bytes | None) -> None:
        for client in job.waiting:
            client.heard.append((kind, job.handle, body))

    def fail(self, job: Job) -> None:
        self.tell(job, Report.FAIL, None)
        self.jobs.remove(job)

    def lose(self, job: Job, now: float, why: bytes) -> None:
        """Its worker lost it."""
        assert job.holder is not None
        self.remember(job.holder, job.number, False)
        job.holder, job.deadline = None, 0.0
        job.attempts += 1
        if job.orphan:
            self.jobs.remove(job)
            return
        job.note(now, why)
        if job.attempts > job.asked.retries if job.asked.retries >= 0 else 0 <= self.job_retries <= job.attempts:
            self.tell(job, Report.FAIL, None)
            self.end_failed(job)
        else:
            self.retry(job, now)

    def retry(self, job: Job, now: float) -> None:
        """At once, or after its wait."""
        if job.asked.backoff > 0:
            job.state, job.due = "retrying", now + job.asked.backoff
        else:
            self.enqueue(job, now)

    def cancel(self, handle: bytes) -> bool:
        job = self.find(handle)
        if job is None:
            return False
        if job.holder is not None:
            self.remember(job.holder, job.number, False)
        self.fail(job)
        return True

    def move(self, handle: bytes, priority: int | None, due: float | None, now: float) -> Moved:
        job = self.find(handle)
        if self.find_buried(handle) is not None:
            return Moved.IS_BURIED
        if job is None:
            return Moved.NO_SUCH_JOB
        if job.holder is not None:
            return Moved.RUNS
        job.priority = job.priority if priority is None else priority
        if due is not None and due > 0:
            job.state, job.due = "delayed", due
        elif due is not None or job.state == "queued":
            self.enqueue(job, now)
        return Moved.MOVED

    def disconnect(self, peer: Peer, now: float) -> None:
        woken_for = self.rouse(peer)
        for job in list(self.jobs):
            if peer in job.waiting:
                job.waiting = [client for client in job.waiting if client is not peer]
                if job.orphan and job.state == "running":
                    job.joinable = False
                elif job.orphan:
                    self.jobs.remove(job)
        self.give_up(peer, list(peer.known), now, GONE)
        peer.lost.clear()
        if woken_for is not None:
            self.wake(woken_for, 1, now)

    # --- time ---

    def tick(self, now: float, wall: float) -> None:
        self.latest = now
        due = [job for job in self.jobs if job.state == "delayed" and job.due <= wall]
        for job in sorted(due, key=lambda job: (job.due, job.number)):
            self.enqueue(job, now)
        moments = [(job.due, job) for job in self.jobs if job.state == "retrying"]
        moments += [(job.deadline, job) for job in self.jobs if job.deadline > 0]
        for when, job in sorted(moments, key=lambda moment: (moment[0], moment[1].number)):
            if when <= now and job.state == "retrying":
                self.enqueue(job, now)
            elif when <= now:
                self.lose(job, now, TOO_LONG)
        while self.woken and self.woken[0].woken_at + self.wakeup_grace <= now:
            woken_for = self.rouse(self.woken[0])
            if woken_for is not None:
                self.wake(woken_for, 1, now)

    def wait(self, now: float, wall: float) -> float:
        moments = [job.due - wall for job in self.jobs if job.state == "delayed"]
        moments += [job.due - now for job in self.jobs if job.state == "retrying"]
        moments += [job.deadline - now for job in self.jobs if job.deadline > 0]
        moments += [peer.woken_at + self.wakeup_grace - now for peer in self.woken[:1]]
        return max(min(moments, default=float("inf")), 0.0)

    # --- what an administrator sees and does ---

    def drop_function(self, name: bytes) -> Dropped:
        names = [name] if name in self.functions else [n for n in self.functions if n.lower() == name.lower()]
        if not names:
            return Dropped.NO_SUCH_FUNCTION
        function = self.functions[names[0]]
        used = any(function in peer.abilities for peer in self.peers)
        if used or any(job.function is function for job in self.jobs + self.buried):
            return Dropped.IN_USE
        del self.functions[function.name]
        return Dropped.DROPPED

    def limit_function(self, name: bytes, limits: tuple[int, int, int]) -> None:
        if name in self.functions:
            self.functions[name].limits = limits

    def function_rows(self) -> set[tuple[bytes, int, int, int, tuple[int, int, int]]]:
        return {self.function_row(function) for function in self.functions.values()}

    def function_row(self, function: Function) -> tuple[bytes, int, int, int, tuple[int, int, int]]:
        jobs = [job for job in self.jobs if job.function is function]
        idle = [job.priority for job in jobs if job.state != "running"]  # what is delayed here is of normal priority
        workers = sum(function in peer.abilities for peer in self.peers)
        queued = (idle.count(0), idle.count(1), idle.count(2))
        return function.name, len(jobs), len(jobs) - len(idle), workers, queued

    def job_rows(self) -> set[tuple[bytes, int, bool, bool, bytes]]:
        return {(job.handle, job.attempts, job.orphan, job.background, job.unique) for job in self.jobs}

    def status(self, handle: bytes) -> Status | None:
        job = self.find(handle)
        return job.status if job else None

    def status_unique(self, unique: bytes) -> list[Status | None]:
        """Every right answer: the question names no function."""
        if unique in (b"", b"-"):
            return [None]
        return [job.status for job in self.jobs if job.joinable and job.unique == unique] or [None]

    # --- dead letters ---

    def kick(self, job: Job, now: float) -> None:
        """It is a job again, with all its tries; found by its unique id if no other one is."""
        self.buried.remove(job)
        key = job.payload if job.unique == b"-" else job.unique
        job.joinable = bool(key) and self.twin(job.function, job.payload, job.unique) is None
        job.attempts = 0
        self.jobs.append(job)
        self.enqueue(job, now)

    # --- what must never be ---

    def forgotten(self) -> list[Function]:
        """Functions with work and a sleeper, for whom nobody is on the way."""
        return [
            function
            for function in self.functions.values()
            if self.queued(function)
            and any(
                peer.asleep and not peer.woken and function in peer.abilities and function not in peer.unasked
                for peer in self.peers
            )
            and not any(peer.woken_for is function for peer in self.peers)
        ]


def failure(kind: Report, body: bytes) -> bytes:
    """What is kept of what a worker says."""
    if kind == Report.FAIL:
        return b"its worker said WORK_FAIL"
    return body or b"its worker said WORK_EXCEPTION, and nothing more"
