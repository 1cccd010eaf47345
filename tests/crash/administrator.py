"""The administrator of a server that will be killed: cancels, hurries, kicks and forgets, one line at a time."""

from __future__ import annotations

import random
import socket
from collections import deque
from collections.abc import Callable

from tests.crash.chronicle import Chronicle
from tests.crash.peers import Peer, handle_of
from tests.crash.wanted import Job

OK = b"OK"
Heard = Callable[[bytes], None]


class Administrator(Peer):
    """Does something to a job now and then, or to all that nobody else will end."""

    def __init__(
        self,
        sock: socket.socket,
        chronicle: Chronicle,
        chance: random.Random,
        may_cancel: Callable[[Job], bool],
        thorough: bool = False,
    ) -> None:
        super().__init__(sock, chronicle, chance)
        self.waiting: deque[Heard] = deque()
        """What to do with the answers, in the order of the lines."""
        self.may_cancel = may_cancel
        self.thorough = thorough

    def act(self, calm: bool) -> None:
        """Say one line, if it is time for that."""
        if self.waiting:
            return
        if self.thorough:
            self.end_all()
        elif self.chance.random() < (0.7 if calm else 0.1):
            ways: list[Callable[[], None]] = [self.cancel, self.hurry, self.run_schedule, self.end_schedule]
            ways += [self.kick, self.delete, self.kick_all, self.purge]
            weights = (10, 3, 3, 1, 3, 2, 0.5, 0.5)
            self.chance.choices(ways, weights)[0]()

    def ask(self, line: bytes, heard: Heard) -> None:
        """Say a line."""
        self.outgoing += line + b"\n"
        self.waiting.append(heard)

    def digest(self) -> None:
        """Every answer is a line."""
        while (end := self.incoming.find(b"\n")) >= 0:
            line = bytes(self.incoming[: end + 1])
            del self.incoming[: end + 1]
            self.waiting.popleft()(line)

    def end_all(self) -> None:
        """Whatever nobody does."""
        for job in list(self.chronicle.jobs.values()):
            if not job.promised:
                continue
            if job.is_schedule:
                self.end(b"cancel schedule", job)
            elif job.may_be_buried:
                self.end(b"delete job", job)
            elif self.may_cancel(job):
                self.end(b"cancel job", job)

    # --- one job ---

    def end(self, words: bytes, job: Job, counted: str = "") -> None:
        """Have it forgotten."""
        job.cancelling = True
        buried = bool(job.buried)

        def heard(line: bytes) -> None:
            done = line.startswith(OK)
            self.chronicle.cancelled(job, done)
            self.chronicle.count[counted or "cancelled"] += done
            if not done and job.promised and (job.is_schedule or (buried and words == b"delete job")):
                self.chronicle.complain("lost", f"{words!r} {job.number}: {line!r}")

        self.ask(b"%b %b" % (words, handle_of(job.number)), heard)

    def cancel(self) -> None:
        """One that is not buried."""
        job = self.chronicle.pick(self.chance, lambda job: self.chronicle.is_queued(job) and self.may_cancel(job))
        if job is not None:
            self.end(b"cancel job", job)

    def hurry(self) -> None:
        """One that is due much later."""
        self.run_now(self.chronicle.pick(self.chance, lambda job: self.chronicle.is_queued(job) and job.is_far()))

    def run_now(self, job: Job | None) -> None:
        """Have it run at once."""
        if job is not None:
            found = job
            self.chronicle.run_now(found)
            self.ask(b"run now " + handle_of(found.number), lambda line: self.chronicle.ran_now(found, line))

    # --- schedules ---

    def schedule(self) -> Job | None:
        """One of them; None: there is none."""
        found = [job for job in self.chronicle.schedules.values() if job.promised]
        return self.chance.choice(found) if found else None

    def run_schedule(self) -> None:
        """Have a job come of one."""
        self.run_now(self.schedule())

    def end_schedule(self) -> None:
        """Have no more jobs come of one."""
        job = self.schedule()
        if job is not None:
            self.end(b"cancel schedule", job)

    # --- buried jobs ---

    def grave(self) -> Job | None:
        """A job that may be buried; None: there is none."""
        found = [job for job in self.chronicle.graves.values() if job.promised]
        return self.chance.choice(found) if found else None

    def delete(self) -> None:
        """Have one forgotten."""
        job = self.grave()
        if job is not None:
            self.end(b"delete job", job, "deleted")

    def kick(self) -> None:
        """Have one tried anew."""
        job = self.grave()
        if job is None:
            return
        found, buried = job, bool(job.buried)
        self.chronicle.kicking(found)

        def heard(line: bytes) -> None:
            done = line.startswith(OK)
            self.chronicle.kicked(found, done)
            if not done and buried and found.promised:
                self.chronicle.complain("lost", f"job {found.number} was buried, and cannot be kicked: {line!r}")

        self.ask(b"kick job " + handle_of(found.number), heard)

    def sweep(self, word: bytes, begin: Callable[[Job], None], done: Callable[[Job], None]) -> None:
        """Do something to all buried jobs of a function. Those that may be buried may be among them."""
        grave = self.grave()
        if grave is None or grave.content is None or b" " in grave.content.function:
            return
        function = grave.content.function
        unseen = self.chronicle.is_buried_unseen
        there = [
            job
            for job in self.chronicle.jobs.values()
            if job.content and job.content.function == function and (job.may_be_buried or unseen(job))
        ]
        sure = [job for job in there if job.buried and job.promised]
        self.chronicle.swept = function
        for job in there:
            begin(job)

        def heard(line: bytes) -> None:
            self.chronicle.swept = b""
            if int(line.split()[1]) < len(sure):
                self.chronicle.complain("lost", f"{word!r}: {len(sure)} jobs were buried: {line!r}")
            for job in sure:
                done(job)

        self.ask(b"%b %b" % (word, function), heard)

    def kick_all(self) -> None:
        """Have all of a function tried anew."""
        self.sweep(b"kick", self.chronicle.kicking, self.chronicle.kicked)

    def purge(self) -> None:
        """Have all of a function forgotten."""

        def begin(job: Job) -> None:
            self.chronicle.purged.add(self.chronicle.swept)
            job.cancelling = True

        def done(job: Job) -> None:
            self.chronicle.cancelled(job, True)
            self.chronicle.count["purged"] += 1

        self.sweep(b"purge", begin, done)
