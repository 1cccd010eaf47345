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

from gearfast.broker.broker import Reported
from gearfast.broker.life import Moved
from gearfast.broker.peer import Report
from tests.support.model_parts import GONE, HANDED_BACK, NOTHING, PREFIX, TOO_LONG, Asked, Function, Job, Peer, failure
from tests.support.model_timetable import Timetable


class Model(Timetable):
    """A broker as the rules have it."""

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
        if self.gates.get(name) == "drained":
            return None
        key = payload if unique == b"-" else unique
        job = self.twin(function, payload, unique) if key else None
        if job is None:
            if self.is_full(function, priority):
                return None
            self.numbers += 1
            job = Job(self.numbers, function, payload, unique, priority, background, due, "delayed")
            if key:
                self.claim(job)
            job.asked = asked
            job.submitted = now
            self.jobs.append(job)
            if not background:
                job.waiting.append(client)
            if due <= 0:
                self.enqueue(job, now)
        elif job.state == "ended":
            if not background:
                client.heard.append((job.ended_as, job.handle, b"" if job.ended_as == Report.COMPLETE else None))
        elif background and asked.replaces and job.state != "running" and not job.waiting:
            other = Job(job.number, function, payload, unique, priority, True, due, "delayed")
            other.asked, other.submitted, other.before = asked, now, job
            self.claim(other)
            self.jobs[self.jobs.index(job)] = other
            if due <= 0:
                self.enqueue(other, now)
        elif background:
            job.background = True
        else:
            job.waiting.append(client)
        return job.handle

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
        if peer.asleep and self.ready(function):
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
                if jobs := self.ready(function, priority):
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
        job.begun, job.expires = True, 0.0
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
        if job is None or not (job.holder is peer or (job.before is None and (job.number, False) in peer.lost)):
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
            self.end(job, peer, kind, now)
        return Reported.TAKEN

    def end(self, job: Job, peer: Peer, kind: Report, now: float) -> None:
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
            self.finish(job, kind, now)
        else:
            self.end_failed(job, now)

    def end_failed(self, job: Job, now: float) -> None:
        """It has failed for good, and its clients were told."""
        if not (job.background and job.asked.retries >= 0):
            self.finish(job, Report.FAIL, now)
        else:
            self.jobs.remove(job)
            job.state, job.holder, job.deadline = "buried", None, 0.0
            job.waiting, job.joinable = [], False
            self.buried.append(job)

    def finish(self, job: Job, kind: Report, now: float) -> None:
        """It has ended, and its clients were told: its unique id may stay taken."""
        self.jobs.remove(job)
        if job.joinable and job.asked.unique_ttl > 0:
            job.state, job.holder, job.deadline, job.expires, job.waiting = "ended", None, 0.0, 0.0, []
            job.ended_as, job.due = kind, now + job.asked.unique_ttl
            self.claim(job)
            self.ended.append(job)

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
        free = why == HANDED_BACK and job.asked.free
        job.attempts += not free
        if job.orphan:
            self.jobs.remove(job)
            return
        if free:
            self.enqueue(job, now)
            return
        job.note(now, why)
        if job.attempts > job.asked.retries if job.asked.retries >= 0 else 0 <= self.job_retries <= job.attempts:
            self.tell(job, Report.FAIL, None)
            self.end_failed(job, now)
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

    def move(
        self, handle: bytes, priority: int | None, due: float | None, now: float, name: bytes | None = None
    ) -> Moved:
        job = self.find(handle)
        if self.find_buried(handle) is not None:
            return Moved.IS_BURIED
        if self.find_schedule(handle) is not None:
            return Moved.IS_SCHEDULE
        if job is None:
            return Moved.NO_SUCH_JOB
        if job.holder is not None:
            return Moved.RUNS
        if name is not None:
            job.function, job.joinable = self.function(name), False
            self.claim_if_free(job)
        job.priority = job.priority if priority is None else priority
        if due is not None:  # its time to wait for a worker begins anew
            job.expires = 0.0
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
        self.look_at_clocks(now, wall)
        due = [job for job in self.jobs if job.state == "delayed" and job.due <= wall]
        for job in sorted(due, key=lambda job: (job.due, job.number)):
            self.enqueue(job, now)
        self.fire_due(now, wall)
        moments = [(job.due, job) for job in self.jobs if job.state == "retrying"]
        moments += [(job.deadline, job) for job in self.jobs if job.deadline > 0]
        moments += [(job.expires, job) for job in self.jobs if job.expires > 0]
        for when, job in sorted(moments, key=lambda moment: (moment[0], moment[1].number)):
            if when <= now and job.state == "retrying":
                self.enqueue(job, now)
            elif when <= now and job.expires > 0:
                self.expired += 1
                self.fail(job)
            elif when <= now:
                self.lose(job, now, TOO_LONG)
        self.ended = [job for job in self.ended if job.due > now]
        while self.woken and self.woken[0].woken_at + self.wakeup_grace <= now:
            woken_for = self.rouse(self.woken[0])
            if woken_for is not None:
                self.wake(woken_for, 1, now)
        self.wake_opened(now)

    def wait(self, now: float, wall: float) -> float:
        moments = [job.due - wall for job in self.jobs if job.state == "delayed"]
        moments += [schedule.due - wall for schedule in self.schedules if schedule.due]
        moments += [0.0] if self.opened else []
        moments += [job.due - now for job in self.jobs if job.state == "retrying"]
        moments += [job.deadline - now for job in self.jobs if job.deadline > 0]
        moments += [job.expires - now for job in self.jobs if job.expires > 0]
        moments += [job.due - now for job in self.ended]
        moments += [peer.woken_at + self.wakeup_grace - now for peer in self.woken[:1]]
        self.look_at_clocks(now, wall)
        return max(min(moments, default=float("inf")), 0.0)

    # --- dead letters ---

    def kick(self, job: Job, now: float) -> None:
        """It is a job again, with all its tries; found by its unique id if no other one is."""
        self.buried.remove(job)
        self.claim_if_free(job)
        job.attempts = 0
        self.jobs.append(job)
        self.enqueue(job, now)
