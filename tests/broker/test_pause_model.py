"""Functions are paused, drained and opened at random among submits, grabs and sleeps: no wake-up is lost.

GEARFAST_MODEL_EXAMPLES=20000 looks longer.
"""

from __future__ import annotations

import math
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gearfast import Broker, InProcessPeer, Report
from tests.support.ruling import Gate, Rules, ruled

EXAMPLES = int(os.environ.get("GEARFAST_MODEL_EXAMPLES", "300"))
GRACE = 0.0625
NAMES = (b"f", b"g", b"h")
WORKERS = ((b"f",), (b"f", b"g"), (b"h", b"g", b"f"), (b"h",), (b"f", b"h"))

workers = st.integers(0, len(WORKERS) - 1)
names = st.sampled_from(NAMES)
gates = st.fixed_dictionaries({name: st.sampled_from([None, None, "paused", "drained"]) for name in NAMES})


class Pauses(RuleBasedStateMachine):
    """Five workers of three functions, and a client."""

    @initialize()
    def begin(self) -> None:
        self.broker = Broker(b"H:t", wakeup_grace=GRACE, function_rest=math.inf)
        self.ruling = Rules(self.broker)
        self.client = InProcessPeer(self.broker)
        self.now = 1000.0
        self.gates: dict[bytes, Gate | None] = dict.fromkeys(NAMES)
        self.queued: dict[bytes, bytes] = {}  # the function of each job that waits, by its handle
        self.delayed: dict[bytes, tuple[float, bytes]] = {}
        self.running: dict[bytes, tuple[int, bytes]] = {}
        self.workers = [InProcessPeer(self.broker) for _ in WORKERS]
        self.asleep = [False] * len(WORKERS)
        for worker, able in zip(self.workers, WORKERS, strict=True):
            for name in able:
                worker.can_do(name)

    # --- what happens ---

    @rule(gates=gates)
    def follow(self, gates: dict[bytes, Gate | None]) -> None:
        self.ruling.say(*(ruled(name, gate=gate) for name, gate in gates.items() if gate))
        self.gates = gates

    @rule(name=names, priority=st.integers(0, 2), delay=st.sampled_from([0.0, 0.0, 0.5]), background=st.booleans())
    def submit(self, name: bytes, priority: int, delay: float, background: bool) -> None:
        due = self.now + delay if delay and background else 0.0
        handle = self.client.submit(name, priority=priority, background=background, due=due, now=self.now)
        assert (handle is None) == (self.gates[name] == "drained")
        if handle is not None and due:
            self.delayed[handle] = (due, name)
        elif handle is not None:
            self.queued[handle] = name

    @rule(which=workers)
    def grab(self, which: int) -> None:
        found = self.workers[which].grab(self.now)
        self.asleep[which] = False
        self.workers[which].heard.clear()
        assert (found is not None) == self.has_work(which)
        if found is not None:
            name = self.queued.pop(found[0])
            assert name == found[1] in WORKERS[which]
            assert self.gates[name] != "paused"
            self.running[found[0]] = (which, name)

    @rule(which=workers)
    def sleep(self, which: int) -> None:
        slept = self.workers[which].sleep()
        assert slept != self.has_work(which)
        if slept:
            self.workers[which].heard.clear()
            self.asleep[which] = True
        elif not self.workers[which].heard:
            self.asleep[which] = False

    @rule(which=workers)
    def leave(self, which: int) -> None:
        self.workers[which].disconnect(self.now)
        self.workers[which].heard.clear()
        self.asleep[which] = False
        for handle, (holder, name) in list(self.running.items()):
            if holder == which:
                del self.running[handle]
                self.queued[handle] = name
        for name in WORKERS[which]:
            self.workers[which].can_do(name)

    @rule(pick=st.integers(0, 9))
    def complete(self, pick: int) -> None:
        if self.running:
            handle = sorted(self.running)[pick % len(self.running)]
            self.workers[self.running.pop(handle)[0]].tell(handle, Report.COMPLETE, b"", self.now)

    @rule(pick=st.integers(0, 9))
    def cancel(self, pick: int) -> None:
        waiting = sorted([*self.queued, *self.delayed])
        if waiting:
            handle = waiting[pick % len(waiting)]
            assert self.broker.cancel_job(handle)
            self.queued.pop(handle, None)
            self.delayed.pop(handle, None)

    @rule(pick=st.integers(0, 9), name=names)
    def move(self, pick: int, name: bytes) -> None:
        if self.queued:
            handle = sorted(self.queued)[pick % len(self.queued)]
            self.broker.move_job(handle, function=name, now=self.now)
            self.queued[handle] = name

    @rule(seconds=st.sampled_from([0.0, GRACE / 2, GRACE, 0.5]))
    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.broker.tick(self.now, self.now)
        for handle, (due, name) in list(self.delayed.items()):
            if due <= self.now:
                del self.delayed[handle]
                self.queued[handle] = name

    # --- what has to hold ---

    def has_work(self, which: int) -> bool:
        return any(name in WORKERS[which] and self.gates[name] != "paused" for name in self.queued.values())

    @invariant()
    def no_wake_up_is_lost(self) -> None:
        """Where there is work and a worker sleeps that can do it, one was woken, or a tick will do it at once."""
        while self.broker.wait(self.now, self.now) == 0:
            self.tick(0.0)
        for name in set(self.queued.values()):
            if self.gates[name] == "paused":
                continue
            able = [which for which, can in enumerate(WORKERS) if name in can and self.asleep[which]]
            if able:
                assert any(self.workers[which].heard for which in able), name

    @invariant()
    def nobody_is_woken_who_does_not_sleep(self) -> None:
        for worker, asleep in zip(self.workers, self.asleep, strict=True):
            assert worker.heard in ([], [("wake",)])
            assert asleep or not worker.heard

    @invariant()
    def every_job_is_counted(self) -> None:
        assert self.broker.job_count == len(self.queued) + len(self.delayed) + len(self.running)


TestPauses = Pauses.TestCase
TestPauses.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
