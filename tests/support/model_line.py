"""The model's line of workers, and what can be seen of it: a room of `model`, which says what a line is."""

from __future__ import annotations

from gearfast.broker.broker import Dropped
from tests.support.model_parts import Function, Gate, Job, Peer, Schedule, Status


class Line:
    """Jobs, functions, and who sleeps."""

    def __init__(self, *, job_retries: int, worker_wakeup: int, wakeup_grace: float, remembered_results: int) -> None:
        self.job_retries = job_retries
        self.worker_wakeup = worker_wakeup
        self.wakeup_grace = wakeup_grace
        self.remembered_results = remembered_results
        self.functions: dict[bytes, Function] = {}
        self.jobs: list[Job] = []
        self.buried: list[Job] = []  # the oldest first
        self.ended: list[Job] = []  # no jobs any more, but their unique ids are taken
        self.schedules: list[Schedule] = []
        self.gates: dict[bytes, Gate] = {}  # of functions that are not open, whether they are known or not
        self.opened: dict[Function, int] = {}  # paused no longer: how many sleepers a tick is still to wake
        self.peers: list[Peer] = []
        self.woken: list[Peer] = []
        self.numbers = 0
        self.events = 0
        self.expired = 0  # jobs that no worker has started in time
        self.skipped = 0  # dates for which no job has come
        self.latest = 0.0  # when time went on last

    # --- looking things up ---

    def function(self, name: bytes) -> Function:
        return self.functions.setdefault(name, Function(name))

    def find(self, handle: bytes) -> Job | None:
        return next((job for job in self.jobs if job.handle == handle), None)

    def find_buried(self, handle: bytes) -> Job | None:
        return next((job for job in self.buried if job.handle == handle), None)

    def claim(self, job: Job) -> None:
        """From now on it is found by its unique id."""
        self.events += 1
        job.joinable, job.claimed_as = True, self.events

    def claim_if_free(self, job: Job) -> None:
        key = job.payload if job.unique == b"-" else job.unique
        if key and self.twin(job.function, job.payload, job.unique) is None:
            self.claim(job)

    def buried_of(self, name: bytes) -> list[Job]:
        return [job for job in self.buried if job.function.name == name]

    def queued(self, function: Function, priority: int | None = None) -> list[Job]:
        jobs = [job for job in self.jobs if job.function is function and job.state == "queued"]
        jobs.sort(key=lambda job: job.queued_as)
        return [job for job in jobs if priority is None or job.priority == priority]

    def ready(self, function: Function, priority: int | None = None) -> list[Job]:
        """Jobs that a worker may have."""
        return [] if self.gates.get(function.name) == "paused" else self.queued(function, priority)

    def is_full(self, function: Function, priority: int) -> bool:
        return 0 < function.limits[priority] <= sum(job.function is function for job in self.jobs)

    def twin(self, function: Function, payload: bytes, unique: bytes) -> Job | None:
        """The job that a submission joins: of several the one that took its unique id last."""
        for job in sorted(self.jobs + self.ended, key=lambda job: -job.claimed_as):
            if not job.joinable or job.function is not function:
                continue
            if unique == b"-" and job.payload == payload and job.unique in (b"-", payload):
                return job
            if unique != b"-" and job.unique == unique:
                return job
        return None

    def held(self, peer: Peer) -> list[Job]:
        """Newest first."""
        return sorted((job for job in self.jobs if job.holder is peer), key=lambda job: -job.taken_as)

    # --- sleeping and waking ---

    def enqueue(self, job: Job, now: float) -> None:
        job.state = "queued"
        self.events += 1
        job.queued_as = self.events
        if job.asked.ttl > 0 and not job.begun and not job.expires:
            job.expires = now + job.asked.ttl
        self.wake(job.function, self.worker_wakeup, now)

    def wake(self, function: Function, most: int, now: float) -> int:
        """Wake so many of the function's sleepers, 0 for all, if it has work. Returns how many it were."""
        woken = 0
        if not self.ready(function):
            return woken
        while function.line and any(peer.asleep and not peer.woken for peer in self.peers):
            peer = function.line.pop(0)
            if peer.asleep and not peer.woken:
                peer.heard.append(("wake",))
                peer.woken, peer.woken_for, peer.woken_at = True, function, now
                self.woken.append(peer)
                woken += 1
                if woken == most:
                    break
        return woken

    def rouse(self, peer: Peer) -> Function | None:
        """It is neither asleep nor woken now. Returns what it had been woken for."""
        if peer.woken:
            self.woken.remove(peer)
        woken_for = peer.woken_for
        peer.asleep, peer.woken, peer.woken_for = False, False, None
        return woken_for

    def has_work(self, peer: Peer) -> bool:
        return any(self.ready(function) for function in peer.abilities)

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

    # --- gates ---

    def follow(self, gates: dict[bytes, Gate], names: list[bytes]) -> None:
        """These are not open, and all the others are; functions follow in this order."""
        before, self.gates = self.gates, gates
        for name in names:
            is_paused = gates.get(name) == "paused"
            if is_paused == (before.get(name) == "paused"):
                continue
            function = self.functions[name]
            self.opened.pop(function, None)
            if not is_paused and (work := len(self.queued(function))):
                self.opened[function] = work

    def wake_opened(self, now: float) -> None:
        """One sleeper for each job that has waited, one function after the other."""
        while self.opened:
            function = next(iter(self.opened))
            self.opened[function] -= 1
            if not self.wake(function, 1, now) or not self.opened[function]:
                del self.opened[function]

    # --- what must never be ---

    def forgotten(self) -> list[Function]:
        """Functions with work and a sleeper, for whom nobody is on the way."""
        return [
            function
            for function in self.functions.values()
            if self.ready(function)
            and function not in self.opened
            and any(
                peer.asleep and not peer.woken and function in peer.abilities and function not in peer.unasked
                for peer in self.peers
            )
            and not any(peer.woken_for is function for peer in self.peers)
        ]

    # --- what an administrator sees and does ---

    def drop_function(self, name: bytes) -> Dropped:
        names = [name] if name in self.functions else [n for n in self.functions if n.lower() == name.lower()]
        if not names:
            return Dropped.NO_SUCH_FUNCTION
        function = self.functions[names[0]]
        used = any(function in peer.abilities for peer in self.peers)
        jobs = any(job.function is function for job in self.jobs + self.buried + self.ended)
        if used or jobs or any(schedule.function is function for schedule in self.schedules):
            return Dropped.IN_USE
        self.opened.pop(function, None)
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
        if any(schedule.handle == handle for schedule in self.schedules):
            return False, 0, 0, 0
        job = self.find(handle)
        return job.status if job else None

    def status_unique(self, unique: bytes) -> list[Status | None]:
        """Every right answer: the question names no function."""
        if unique in (b"", b"-"):
            return [None]
        ended = [None for job in self.ended if job.unique == unique]
        return [*ended, *(job.status for job in self.jobs if job.joinable and job.unique == unique)] or [None]
