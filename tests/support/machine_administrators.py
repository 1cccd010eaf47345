"""Administrators among the peers: they cancel and move jobs, see to dead letters and functions, and pause and drain."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from gearfast.broker.peer import Report
from tests.support import model_parts as model
from tests.support.machine_peers import (
    GRACE,
    NAMES,
    PEERS,
    Peers,
    functions,
    peers,
    picks,
    priorities,
    uniques,
    workable,
)
from tests.support.model_parts import Asked, Gate
from tests.support.ruling import ruled

laters = st.sampled_from([None, -1.0, 0.0, 0.5, 2.0])
shut: st.SearchStrategy[Gate | None] = st.sampled_from([None, None, "paused", "paused", "drained"])
gates: st.SearchStrategy[dict[bytes, Gate | None]] = st.one_of(
    st.just({}), st.fixed_dictionaries({b"f": shut, b"g": shut}), st.fixed_dictionaries(dict.fromkeys(NAMES, shut))
)


class Administrators(Peers):
    """Whatever they do is done to the model as well."""

    @rule(number=peers, pick=picks)
    def cancel(self, number: int, pick: int) -> None:
        handle = self.running(number, pick) if pick < 6 else self.handle(pick)
        assert self.broker.cancel_job(handle) == self.model.cancel(handle)

    @rule(pick=picks, priority=st.sampled_from([None, 0, 1, 2]), later=laters, name=st.sampled_from([None, b"f", b"g"]))
    def move(self, pick: int, priority: int | None, later: float | None, name: bytes | None = None) -> None:
        handle = self.handle(pick)
        due = None if later is None else max(self.wall + later, 0.0) if later >= 0 else 0.0
        moved = self.broker.move_job(handle, function=name, priority=priority, due=due, now=self.now)
        assert moved is self.model.move(handle, priority, due, self.now, name)

    @rule(number=peers, priority=priorities, later=st.sampled_from([None, None, -1.0]))
    def move_what_expires(self, number: int, priority: int, later: float | None) -> None:
        self.submit_asking(number, b"f", b"", b"", Asked(ttl=1.0), False, 0.0)
        self.time_goes_on(GRACE, True)
        self.move(0, priority, later)

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

    # --- gates ---

    @rule(gates=gates)
    def follow(self, gates: dict[bytes, Gate | None]) -> None:
        """One function after the other: of several the order is the index's own."""
        said = {name: gate for name, gate in gates.items() if gate}
        names = [row[0] for row in self.broker.scan_functions(0, 1000)[1]]
        by_now = dict(self.model.gates)
        for name in sorted(names):
            if by_now.pop(name, None) != said.get(name):
                if name in said:
                    by_now[name] = said[name]
                self.say(by_now, names)
            elif name in said:
                by_now[name] = said[name]
        self.say(said, names)

    def say(self, gates: dict[bytes, Gate], names: list[bytes]) -> None:
        """To the broker and to the model."""
        self.ruling.say(*(ruled(name, gate=gate) for name, gate in gates.items()))
        self.model.follow(dict(gates), names)

    @rule(number=peers, jobs=st.lists(st.tuples(workable, priorities), max_size=4), still=st.sampled_from([b"", b"f"]))
    def pause_and_go_on(self, number: int, jobs: list[tuple[bytes, int]], still: bytes) -> None:
        """Whoever sleeps then is to be woken for what has waited."""
        self.follow({b"f": "paused", b"g": "paused"})
        for name, priority in jobs:
            self.submit(number, name, b"", b"", priority, True)
        for first in range(PEERS):
            self.work((number + first) % PEERS, 0)
        self.follow({still: "paused"})
        self.tick()
