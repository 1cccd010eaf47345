"""The model's line of workers, and what can be seen of it: a room of `model`, which says what a line is."""

from __future__ import annotations

from gearfast.broker.broker import Dropped
from tests.support.model_parts import Function, Job, Peer, Status


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
        self.peers: list[Peer] = []
        self.woken: list[Peer] = []
        self.numbers = 0
        self.events = 0
        self.expired = 0  # jobs that no worker has started in time
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

    def buried_of(self, name: bytes) -> list[Job]:
        return [job for job in self.buried if job.function.name == name]

    def queued(self, function: Function, priority: int | None = None) -> list[Job]:
        jobs = [job for job in self.jobs if job.function is function and job.state == "queued"]
        jobs.sort(key=lambda job: job.queued_as)
        return [job for job in jobs if priority is None or job.priority == priority]

    def held(self, peer: Peer) -> list[Job]:
        """Newest first."""
        return sorted((job for job in self.jobs if job.holder is peer), key=lambda job: -job.taken_as)

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

    # --- what an administrator sees and does ---

    def drop_function(self, name: bytes) -> Dropped:
        names = [name] if name in self.functions else [n for n in self.functions if n.lower() == name.lower()]
        if not names:
            return Dropped.NO_SUCH_FUNCTION
        function = self.functions[names[0]]
        used = any(function in peer.abilities for peer in self.peers)
        if used or any(job.function is function for job in self.jobs + self.buried + self.ended):
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
        ended = [None for job in self.ended if job.unique == unique]
        return [*ended, *(job.status for job in self.jobs if job.joinable and job.unique == unique)] or [None]
