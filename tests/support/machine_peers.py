"""Peers that do at random what peers do, on a broker and on its model alike."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from gearfast.broker.broker import Broker
from gearfast.broker.deadletters import DeadLetters
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report
from gearfast.broker.timetable import Timetable
from tests.support import model_parts as model
from tests.support.model import Model
from tests.support.model_parts import PREFIX, Asked
from tests.support.ruling import Rules

GRACE = 0.0625  # like every other moment here, exact as a float
PEERS = 4

peers = st.integers(0, PEERS - 1)
NAMES = (b"f", b"g", b"F", b"")
functions = st.sampled_from(NAMES)
workable = st.sampled_from([b"f", b"g"])
uniques = st.sampled_from([b"", b"-", b"u", b"u", b"p"])
payloads = st.sampled_from([b"", b"p", b"u"])
soon = st.sampled_from([0.0, 0.5, 2.0])
kept = st.sampled_from([0.0, 2.0, 4.0])
dues = st.sampled_from([0.0, 0.0, 0.5])
yes = st.booleans()
asked = st.builds(Asked, st.sampled_from([-1, 0, 1, 3]), soon, soon, soon, kept, yes, yes)
priorities = st.integers(0, 2)
picks = st.integers(0, 12)
ends = st.sampled_from([Report.COMPLETE, Report.FAIL, Report.EXCEPTION])
timeouts = st.sampled_from([0, 0, 1000, 2000, -1])
delays = st.sampled_from([-1.0, 0.5, 1.0, 2.0])


class Peers(RuleBasedStateMachine):
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
        self.timetable = Timetable(self.broker)
        self.ruling = Rules(self.broker)
        self.peers = [InProcessPeer(self.broker) for _ in range(PEERS)]
        self.model.peers = [model.Peer() for _ in range(PEERS)]
        self.was_held: list[list[int]] = [[] for _ in range(PEERS)]

    def pair(self, number: int) -> tuple[InProcessPeer, model.Peer]:
        return self.peers[number], self.model.peers[number]

    def handle(self, pick: int) -> bytes:
        """Most often of a job that there is, else of one that is buried, of a schedule, of one that was, or of none."""
        if pick < 9 and self.model.jobs:
            return self.model.jobs[-1 - pick % len(self.model.jobs)].handle
        if pick == 10 and self.model.buried:
            return self.model.buried[self.model.numbers % len(self.model.buried)].handle
        if pick == 9 and self.model.ended:
            return self.model.ended[self.model.numbers % len(self.model.ended)].handle
        if pick == 12 and self.model.schedules:
            return self.model.schedules[self.model.numbers % len(self.model.schedules)].handle
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
        peer, twin = self.pair(number)
        due = self.wall + delay if delay and background else 0.0
        handle = peer.submit(name, payload, unique, background=background, due=due, parameters=asked.text, now=self.now)
        assert handle == self.model.submit(twin, name, payload, unique, 1, background, due, self.now, asked)

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

    @rule(seconds=st.sampled_from([-30.0, -2.0, -0.75, 0.5, 5.0, 3600.0]), tick=st.sampled_from([True, True, False]))
    def the_clock_is_set(self, seconds: float, tick: bool) -> None:
        """The one on the wall."""
        self.wall = max(self.wall + seconds, 5000.0)
        if tick:
            self.tick()

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
