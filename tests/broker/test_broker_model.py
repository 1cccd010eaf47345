"""Random commands on the broker and on the model: whatever can be seen must be the same.

GEARFAST_MODEL_EXAMPLES=20000 looks longer: some six minutes.
"""

from __future__ import annotations

import math
import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gearfast.broker.broker import Broker
from gearfast.broker.deadletters import DeadLetters
from gearfast.broker.events import Kind
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report
from tests.support import model_parts as model
from tests.support.model import Model
from tests.support.model_parts import PREFIX, Asked

EXAMPLES = int(os.environ.get("GEARFAST_MODEL_EXAMPLES", "800"))
GRACE = 0.0625  # like every other moment here, exact as a float
PEERS = 4

peers = st.integers(0, PEERS - 1)
functions = st.sampled_from([b"f", b"g", b"F", b""])
workable = st.sampled_from([b"f", b"g"])
uniques = st.sampled_from([b"", b"-", b"u", b"u", b"p"])
payloads = st.sampled_from([b"", b"p", b"u"])
soon = st.sampled_from([0.0, 0.5, 2.0])
kept = st.sampled_from([0.0, 2.0, 4.0])
dues = st.sampled_from([0.0, 0.0, 0.5])
yes = st.booleans()
asked = st.builds(Asked, st.sampled_from([-1, 0, 1, 3]), soon, soon, soon, kept, yes, yes)
priorities = st.integers(0, 2)
picks = st.integers(0, 11)
ends = st.sampled_from([Report.COMPLETE, Report.FAIL, Report.EXCEPTION])
timeouts = st.sampled_from([0, 0, 1000, 2000, -1])
delays = st.sampled_from([-1.0, 0.5, 1.0, 2.0])


class BrokerAndModel(RuleBasedStateMachine):
    """Four peers, who do at random what peers do."""

    now = 1000.0
    wall = 5000.0

    @initialize(
        job_retries=st.sampled_from([-1, -1, 0, 1, 3]),
        worker_wakeup=st.sampled_from([1, 1, 2, 0]),
        remembered_results=st.sampled_from([256, 256, 2, 0]),
    )
    def start(self, job_retries: int, worker_wakeup: int, remembered_results: int) -> None:
        self.broker = Broker(
            PREFIX,
            job_retries=job_retries,
            worker_wakeup=worker_wakeup,
            wakeup_grace=GRACE,
            remembered_results=remembered_results,
            function_rest=float("inf"),
        )
        self.model = Model(
            job_retries=job_retries,
            worker_wakeup=worker_wakeup,
            wakeup_grace=GRACE,
            remembered_results=remembered_results,
        )
        self.letters = DeadLetters(self.broker)
        self.peers = [InProcessPeer(self.broker) for _ in range(PEERS)]
        self.model.peers = [model.Peer() for _ in range(PEERS)]
        self.was_held: list[list[int]] = [[] for _ in range(PEERS)]

    def pair(self, number: int) -> tuple[InProcessPeer, model.Peer]:
        return self.peers[number], self.model.peers[number]

    def handle(self, pick: int) -> bytes:
        """Most often of a job that there is, else of one that is buried, of one that was, or of none."""
        if pick < 9 and self.model.jobs:
            return self.model.jobs[-1 - pick % len(self.model.jobs)].handle
        if pick == 10 and self.model.buried:
            return self.model.buried[self.model.numbers % len(self.model.buried)].handle
        if pick == 9 and self.model.ended:
            return self.model.ended[self.model.numbers % len(self.model.ended)].handle
        if pick == 11:
            return b"H:other:1"
        return b"%s:%d" % (PREFIX, max(self.model.numbers - pick + 9, 0))

    def running(self, number: int, pick: int) -> bytes:
        """Most often of a job in this peer's hands, else of one that was."""
        twin = self.model.peers[number]
        held = [job.number for job in self.model.held(twin)] or self.was_held[number]
        if pick >= 6:
            held = self.was_held[number]
        return b"%s:%d" % (PREFIX, held[-1 - pick % len(held)]) if held and pick < 11 else self.handle(pick)

    def asking(self, asked: Asked) -> Asked:
        """As far as it can be compared here."""
        return asked

    # --- clients ---

    @rule(number=peers, name=workable, payload=payloads, unique=uniques, priority=priorities, background=st.booleans())
    def submit(self, number: int, name: bytes, payload: bytes, unique: bytes, priority: int, background: bool) -> None:
        peer, twin = self.pair(number)
        handle = peer.submit(name, payload, unique, priority=priority, background=background, now=self.now)
        assert handle == self.model.submit(twin, name, payload, unique, priority, background, 0.0, self.now)

    @rule(number=peers, name=workable, count=st.integers(2, 4))
    def submit_several(self, number: int, name: bytes, count: int) -> None:
        for _ in range(count):
            self.submit(number, name, b"", b"", 1, True)

    @rule(number=peers, name=workable, unique=uniques, asked=asked)
    def submit_to_be_tried_again(self, number: int, name: bytes, unique: bytes, asked: Asked) -> None:
        asked = self.asking(asked)
        peer, twin = self.pair(number)
        handle = peer.submit(name, b"x", unique, background=True, parameters=asked.text, now=self.now)
        assert handle == self.model.submit(twin, name, b"x", unique, 1, True, 0.0, self.now, asked)

    @rule(number=peers, name=functions, payload=payloads, unique=uniques, delay=delays)
    def submit_for_later(self, number: int, name: bytes, payload: bytes, unique: bytes, delay: float) -> None:
        peer, twin = self.pair(number)
        due = self.wall + delay
        handle = peer.submit(name, payload, unique, background=True, due=due, now=self.now)
        assert handle == self.model.submit(twin, name, payload, unique, 1, True, due, self.now)

    @rule(number=peers, name=workable, payload=payloads, unique=uniques, asked=asked, background=yes, delay=dues)
    def submit_asking(
        self, number: int, name: bytes, payload: bytes, unique: bytes, asked: Asked, background: bool, delay: float
    ) -> None:
        """Whatever is asked for, whoever waits for it."""
        asked = self.asking(asked)
        peer, twin = self.pair(number)
        due = self.wall + delay if delay and background else 0.0
        handle = peer.submit(name, payload, unique, background=background, due=due, parameters=asked.text, now=self.now)
        assert handle == self.model.submit(twin, name, payload, unique, 1, background, due, self.now, asked)

    @rule(number=peers, priority=priorities, later=st.sampled_from([None, None, -1.0]))
    def move_what_expires(self, number: int, priority: int, later: float | None) -> None:
        self.submit_asking(number, b"f", b"", b"", Asked(ttl=1.0), False, 0.0)
        self.time_goes_on(GRACE, True)
        self.move(0, priority, later)

    @rule(number=peers, name=workable, payload=payloads, unique=uniques, kind=ends)
    def end_and_submit_again(self, number: int, name: bytes, payload: bytes, unique: bytes, kind: Report) -> None:
        """All that waits for a worker is done, among it one whose unique id stays taken."""
        asked = Asked(unique_ttl=2.0)
        self.submit_asking(number, name, payload, unique, asked, True, 0.0)
        self.can_do(number, name, 0)
        for _ in range(2):
            self.grab(number)
            self.tell(number, 0, kind, b"")
        self.submit(number, name, payload, unique, 1, number < 2)

    @rule(number=peers, pick=picks, unique=uniques)
    def ask(self, number: int, pick: int, unique: bytes) -> None:
        peer, _ = self.pair(number)
        handle = self.handle(pick)
        assert peer.status(handle) == self.model.status(handle)
        assert peer.status_unique(unique) in self.model.status_unique(unique)

    # --- workers ---

    @rule(number=peers, name=workable, timeout=timeouts)
    def can_do(self, number: int, name: bytes, timeout: int) -> None:
        peer, twin = self.pair(number)
        peer.can_do(name, timeout)
        self.model.can_do(twin, name, timeout)

    @rule(number=peers, name=functions)
    def cant_do(self, number: int, name: bytes) -> None:
        peer, twin = self.pair(number)
        peer.cant_do(name, self.now)
        self.model.cant_do(twin, name, self.now)

    @rule(number=peers)
    def reset_abilities(self, number: int) -> None:
        peer, twin = self.pair(number)
        peer.reset_abilities(self.now)
        self.model.reset_abilities(twin, self.now)

    @rule(number=peers)
    def grab(self, number: int) -> None:
        peer, twin = self.pair(number)
        assert peer.grab(self.now) == self.model.grab(twin, self.now)
        self.was_held[number] += [job.number for job in self.model.held(twin)[:1]]

    @rule(number=peers)
    def sleep(self, number: int) -> None:
        peer, twin = self.pair(number)
        assert peer.sleep() == self.model.sleep(twin)

    @rule(first=peers)
    def sleep_all(self, first: int) -> None:
        """Everybody who can: most of what is worth seeing begins like this."""
        for number in range(first, first + PEERS):
            self.sleep(number % PEERS)

    @rule(number=peers, timeout=timeouts)
    def work(self, number: int, timeout: int) -> None:
        """A worker of both functions that takes all there is, and then sleeps."""
        known = [function.name for function in self.model.peers[number].abilities]
        for name in sorted({b"f", b"g"} - set(known)):
            self.can_do(number, name, timeout)
        while self.model.has_work(self.model.peers[number]):
            self.grab(number)
        self.sleep(number)

    @rule(first=peers, name=workable, answered=st.booleans())
    def all_sleep_and_work_comes(self, first: int, name: bytes, answered: bool) -> None:
        """And if nobody answers for a while, the next one is woken."""
        for number in range(first, first + PEERS):
            self.work(number % PEERS, 0)
        self.submit(first, name, b"", b"", 1, True)
        if not answered:
            self.time_goes_on(GRACE, True)

    @rule(pick=picks, what=st.sampled_from(["cant_do", "reset_abilities", "sleep", "grab", "disconnect"]))
    def answer_a_wake_up(self, pick: int, what: str) -> None:
        """What one of the woken may do, though it should only grab."""
        woken = [number for number, twin in enumerate(self.model.peers) if twin.woken]
        if not woken:
            return
        number = woken[pick % len(woken)]
        woken_for = self.model.peers[number].woken_for
        if what != "cant_do":
            getattr(self, what)(number)
        elif woken_for is not None:
            self.cant_do(number, woken_for.name)

    @rule(number=peers, name=workable, soon=delays, later=delays)
    def wait_and_work(self, number: int, name: bytes, soon: float, later: float) -> None:
        """The order of what became due meanwhile."""
        self.submit_for_later(number, name, b"", b"", later)
        self.submit_for_later(number, name, b"", b"", soon)
        self.time_goes_on(2.0, True)
        self.work(number, 0)

    @rule(number=peers, name=workable, low=st.booleans())
    def tempt(self, number: int, name: bytes, low: bool) -> None:
        """A job of low priority for a sleeper, and one of high priority of another function."""
        other = b"g" if name == b"f" else b"f"
        self.submit(number, name, b"", b"", 2 if low else 1, True)
        self.submit(number, other, b"", b"", 0, True)

    @rule(number=peers, pick=picks, kind=st.sampled_from(sorted(set(Report) - {Report.STATUS})), body=payloads)
    def tell(self, number: int, pick: int, kind: Report, body: bytes) -> None:
        peer, twin = self.pair(number)
        handle = self.running(number, pick)
        assert peer.tell(handle, kind, body, self.now) == self.model.report(twin, handle, kind, body, self.now)

    @rule(number=peers, pick=picks, numerator=st.integers(0, 3), denominator=st.integers(0, 3))
    def progress(self, number: int, pick: int, numerator: int, denominator: int) -> None:
        peer, twin = self.pair(number)
        handle = self.running(number, pick)
        assert peer.progress(handle, numerator, denominator) == self.model.progress(
            twin, handle, numerator, denominator
        )

    # --- both ---

    @rule(number=peers)
    def disconnect(self, number: int) -> None:
        peer, twin = self.pair(number)
        peer.disconnect(self.now)
        self.model.disconnect(twin, self.now)

    @rule(number=peers)
    def forget(self, number: int) -> None:
        """A peer that is forgotten disconnects at the time of the last tick: it cannot ask for another."""
        self.peers[number] = InProcessPeer(self.broker)
        self.model.disconnect(self.model.peers[number], self.model.latest)
        self.model.peers[number] = model.Peer()

    # --- time ---

    @rule(seconds=st.sampled_from([GRACE / 2, GRACE, 0.5, 1.0, 2.0]), tick=st.sampled_from([True, True, False]))
    def time_goes_on(self, seconds: float, tick: bool) -> None:
        self.now += seconds
        self.wall += seconds
        if tick:
            self.tick()

    @rule()
    def tick(self) -> None:
        self.broker.tick(self.now, self.wall)
        self.model.tick(self.now, self.wall)

    # --- administrators ---

    @rule(number=peers, pick=picks)
    def cancel(self, number: int, pick: int) -> None:
        handle = self.running(number, pick) if pick < 6 else self.handle(pick)
        assert self.broker.cancel_job(handle) == self.model.cancel(handle)

    @rule(pick=picks, priority=st.sampled_from([None, 0, 1, 2]), later=st.sampled_from([None, -1.0, 0.0, 0.5, 2.0]))
    def move(self, pick: int, priority: int | None, later: float | None) -> None:
        handle = self.handle(pick)
        due = None if later is None else max(self.wall + later, 0.0) if later >= 0 else 0.0
        assert self.broker.move_job(handle, priority=priority, due=due, now=self.now) is self.model.move(
            handle, priority, due, self.now
        )

    @rule(
        number=peers, name=workable, unique=uniques, why=st.sampled_from([b"", b"why", b"x" * 5000]), lost=st.booleans()
    )
    def fail_for_good(self, number: int, name: bytes, unique: bytes, why: bytes, lost: bool) -> None:
        """A job with one try, and a worker that says why it failed, or leaves."""
        self.submit_to_be_tried_again(number, name, unique, Asked(0))
        self.can_do(number, name, 0)
        for _ in range(3):
            self.grab(number)
            if lost:
                self.cant_do(number, name)
                self.can_do(number, name, 0)
            elif why:
                self.tell(number, 0, Report.EXCEPTION, why)
            else:
                self.tell(number, 0, Report.FAIL, b"")

    @rule(pick=picks)
    def kick_one(self, pick: int) -> None:
        handle = self.handle(10 if pick < 9 else pick)
        job = self.model.find_buried(handle)
        assert self.letters.kick_job(handle, self.now) is (job is not None)
        if job is not None:
            self.kicked(job)

    @rule(name=functions, most=st.sampled_from([0, 1, 2, 100]))
    def kick(self, name: bytes, most: int) -> None:
        """The oldest first."""
        jobs = self.model.buried_of(name)[:most]
        assert self.letters.kick(name, most, self.now) == len(jobs)
        for job in jobs:
            self.kicked(job)

    def kicked(self, job: model.Job) -> None:
        self.model.kick(job, self.now)

    @rule(pick=picks)
    def delete(self, pick: int) -> None:
        handle = self.handle(10 if pick < 9 else pick)
        job = self.model.find_buried(handle)
        assert self.letters.discard_job(handle) is (job is not None)
        if job is not None:
            self.model.buried.remove(job)

    @rule(name=functions, most=st.sampled_from([0, 1, 1, 100]))
    def purge(self, name: bytes, most: int) -> None:
        jobs = self.model.buried_of(name)[:most]
        assert self.letters.discard(name, most) == len(jobs)
        for job in jobs:
            self.model.buried.remove(job)

    @rule(name=workable, limits=st.tuples(*[st.sampled_from([0, 0, 2, 5])] * 3))
    def limit(self, name: bytes, limits: tuple[int, int, int]) -> None:
        self.broker.limit_function(name, limits)
        self.model.limit_function(name, limits)

    @rule(name=functions)
    def create_function(self, name: bytes) -> None:
        self.broker.create_function(name)
        self.model.function(name)

    @rule(name=functions)
    def drop_function(self, name: bytes) -> None:
        assert self.broker.drop_function(name) is self.model.drop_function(name)

    # --- what can be seen ---

    @invariant()
    def everybody_heard_the_same(self) -> None:
        for peer, twin in zip(self.peers, self.model.peers, strict=True):
            assert peer.heard == twin.heard
            peer.heard.clear()
            twin.heard.clear()
            assert peer.abilities() == [function.name for function in twin.abilities]
            assert list(peer.each_ability()) == [function.name for function in twin.known]

    @invariant()
    def the_administrator_sees_the_same(self) -> None:
        cursor, rows = self.broker.scan_functions(0, 1000)
        assert (cursor, set(rows), len(rows)) == (0, self.model.function_rows(), len(self.model.functions))
        cursor, jobs = self.broker.scan_jobs(0, 1000)
        assert (cursor, set(jobs), len(jobs)) == (0, self.model.job_rows(), len(self.model.jobs))
        assert self.broker.job_count == len(self.model.jobs)
        assert self.broker.running == sum(job.state == "running" for job in self.model.jobs)
        assert self.broker.unkept == sum(not job.background for job in self.model.jobs)
        assert self.broker.events.counts[Kind.EXPIRED] == self.model.expired
        later = [job.due for job in self.model.jobs if job.state == "delayed"]
        assert (self.broker.delayed_count, self.broker.soonest) == (len(later), min(later, default=math.inf))

    @invariant()
    def the_same_jobs_are_buried(self) -> None:
        buried = self.model.buried
        assert self.broker.dead == len(self.letters) == len(buried)
        cursor, rows = self.letters.scan(0)
        assert (cursor, sorted(rows)) == (0, sorted(job.dead_row for job in buried))
        for name in (b"f", b"g"):
            assert self.letters.count(name) == len(self.model.buried_of(name))
        for job in self.model.jobs:
            assert self.letters.show(job.handle, 1) is None
        for job in buried:
            assert self.letters.show(job.handle, 1 << 20) == (*job.dead_row, job.payload)

    @invariant()
    def whoever_asks_is_told_the_same(self) -> None:
        for job in self.model.jobs:
            assert self.peers[0].status(job.handle) == job.status
            shown = self.broker.show_job(job.handle)
            assert shown is not None
            holder = None if job.holder is None else self.peers[self.model.peers.index(job.holder)]
            assert (shown[5], *shown[10:13]) == (job.attempts, job.submitted, holder, job.error)
        for job in self.model.buried:
            assert self.peers[0].status(job.handle) is None
        for job in self.model.ended:
            assert self.peers[0].status(job.handle) is None
            shown = self.broker.show_job(job.handle)
            assert shown is not None
            failed = job.ended_as != Report.COMPLETE
            assert (shown[0], bool(shown[5]), shown[7:9]) == ("ended", failed, (job.background, 0))
        if not (self.model.jobs or self.model.buried or self.model.ended):
            assert self.broker.held_bytes == 0
        for unique in (b"u", b"p"):
            assert self.peers[0].status_unique(unique) in self.model.status_unique(unique)

    @invariant()
    def the_same_moment_is_waited_for(self) -> None:
        assert self.broker.wait(self.now, self.wall) == self.model.wait(self.now, self.wall)

    @invariant()
    def no_work_waits_for_a_sleeper_whom_nobody_wakes(self) -> None:
        assert self.model.forgotten() == []


TestBrokerAndModel = pytest.mark.timeout(600)(BrokerAndModel.TestCase)
TestBrokerAndModel.settings = settings(
    deadline=None,
    max_examples=EXAMPLES,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
