"""What holds for all jobs of a function, beside what a job asks for itself; and functions that take no more."""

from __future__ import annotations

import math
from typing import Literal

import pytest

from gearfast import Broker, InProcessPeer, Report
from gearfast.broker.broker import Dropped
from gearfast.broker.deadletters import DeadLetters
from gearfast.broker.timetable import Timetable
from tests.broker.test_retries import GONE, Play, state
from tests.support.brokering import functions, grabbed, payloads, peer_for, submitted
from tests.support.ruling import Rules, ruled

When = Literal["before", "after"]


class Ruled(Play):
    """A play with rules, which are made before its function, or when its job is there already."""

    def __init__(self, rule: bytes, own: bytes = b"", when: When = "before", **more: int) -> None:
        self.rule, self.when = rule, when
        super().__init__(own, **more)
        if when == "after":
            self.made()

    def made(self) -> None:
        self.rules = Rules(self.broker)
        self.rules.say(ruled(b"f", self.rule))

    @property
    def broker(self) -> Broker:
        return self._broker

    @broker.setter
    def broker(self, broker: Broker) -> None:
        self._broker = broker
        if self.when == "before":
            self.made()


both = pytest.mark.parametrize("when", ["before", "after"])


# --- each key ---


@both
@pytest.mark.parametrize(("own", "tries"), [(b"", 3), (b"retries=0", 1), (b"retries=5", 6), (b"timeout=1h", 3)])
def test_retries(when: When, own: bytes, tries: int) -> None:
    play = Ruled(b"retries=2", own, when)
    for _ in range(tries):
        assert play.state == "queued"
        play.fail()
    assert play.state == "buried"


def test_retries_are_stronger_than_what_the_server_was_told() -> None:
    play = Ruled(b"retries=2", job_retries=1)
    for _ in range(2):
        assert play.grab()
        play.worker.disconnect(play.now)
        play.worker = peer_for(play.broker, b"f")
    assert play.state == "queued"


@pytest.mark.parametrize("kind", [Report.FAIL, Report.EXCEPTION])
def test_whoever_waits_is_told_of_the_first_failure_but_lost_workers_count(kind: Report) -> None:
    broker = Broker(b"H:t")
    rules = Rules(broker)
    rules.say(ruled(b"f", b"retries=1"))
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    handle = submitted(client, b"f")
    grabbed(worker)
    worker.tell(handle, kind, b"")
    assert [heard[0] for heard in client.heard] == [kind]
    assert state(broker, handle) is GONE
    client.heard.clear()
    handle = submitted(client, b"f")
    for left in ("queued", GONE):
        grabbed(worker)
        worker.disconnect()
        assert state(broker, handle) == left
        worker.can_do(b"f")
    assert client.heard == [(Report.FAIL, handle, None)]
    assert len(DeadLetters(broker)) == 0


@both
@pytest.mark.parametrize(("own", "wait"), [(b"retries=3", 7.0), (b"retries=3;backoff=fixed:2s", 2.0)])
def test_backoff(when: When, own: bytes, wait: float) -> None:
    play = Ruled(b"backoff=fixed:7s", own, when)
    play.fail()
    assert play.state == "retrying"
    assert play.broker.wait(play.now, 0.0) == pytest.approx(wait)


@both
@pytest.mark.parametrize(
    ("own", "of_worker", "after"), [(b"", 0, 3.0), (b"timeout=5s", 0, 5.0), (b"timeout=1s", 0, 1.0), (b"", 500, 0.5)]
)
def test_timeout(when: When, own: bytes, of_worker: int, after: float) -> None:
    play = Ruled(b"timeout=3s", own, when)
    play.worker.can_do(b"f", of_worker)
    assert play.grab()
    play.wait(after - 0.001)
    assert play.state == "running"
    play.wait(0.001)
    assert play.state == "queued"


def test_a_timeout_holds_for_jobs_that_are_started_from_then_on() -> None:
    play = Ruled(b"", when="after")
    assert play.grab()
    play.rules.say(ruled(b"f", b"timeout=1s"))
    play.wait(10.0)
    assert play.state == "running"


@pytest.mark.parametrize(("given", "order"), [(2, [b"own", b"ruled"]), (0, [b"own", b"ruled"])])
def test_priority_is_stronger_than_the_packets(given: int, order: list[bytes]) -> None:
    """What a job asks for in a packet's parameters is stronger: tests/server/test_policies.py."""
    broker = Broker(b"H:t")
    rules = Rules(broker)
    rules.say(ruled(b"f", b"priority=low"))
    client = InProcessPeer(broker)
    submitted(client, b"f", b"ruled", priority=given)
    rules.say()
    submitted(client, b"f", b"own", priority=1)
    assert payloads(peer_for(broker, b"f")) == order


@pytest.mark.parametrize(("background", "due", "after"), [(True, 0.0, 60.0), (True, 5010.0, 10.0), (False, 0.0, 0.0)])
def test_delay_is_for_background_jobs_that_have_no_time_of_their_own(
    background: bool, due: float, after: float
) -> None:
    broker = Broker(b"H:t")
    rules = Rules(broker)
    rules.say(ruled(b"f", b"delay=60s"))
    broker.tick(1000.0, 5000.0)
    client = InProcessPeer(broker)
    handle = client.submit(b"f", background=background, due=due, now=1000.0) or b""
    assert state(broker, handle) == ("delayed" if after else "queued")
    assert broker.delayed_count == (after > 0)
    if after:
        assert broker.soonest == 5000.0 + after


@pytest.mark.parametrize(("own", "after"), [(b"", 4.0), (b"ttl=9s", 9.0), (b"ttl=1s", 1.0)])
def test_ttl(own: bytes, after: float) -> None:
    play = Ruled(b"ttl=4s", own)
    play.wait(after - 0.001)
    assert play.state == "queued"
    play.wait(0.001)
    assert play.state is GONE


def test_ttl_holds_for_jobs_that_come_while_it_is_said() -> None:
    play = Ruled(b"ttl=4s", when="after")
    second = play.client.submit(b"f", background=True, now=play.now) or b""
    play.rules.say()
    third = play.client.submit(b"f", background=True, now=play.now) or b""
    play.wait(4.0)
    assert [state(play.broker, handle) for handle in (play.handle, second, third)] == ["queued", GONE, "queued"]


@both
@pytest.mark.parametrize(("own", "seconds"), [(b"", 10.0), (b"unique_ttl=2s", 2.0)])
def test_unique_ttl(when: When, own: bytes, seconds: float) -> None:
    play = Ruled(b"unique_ttl=10s", own, when)
    assert play.grab()
    play.worker.tell(play.handle, Report.COMPLETE, b"", play.now)
    play.wait(seconds - 0.001)
    assert play.client.submit(b"f", b"x", b"u", background=True, now=play.now) == play.handle
    play.wait(0.001)
    assert play.client.submit(b"f", b"x", b"u", background=True, now=play.now) != play.handle


@both
@pytest.mark.parametrize(("own", "payload"), [(b"", b"new"), (b"duplicate=keep", b"x"), (b"duplicate=replace", b"new")])
def test_duplicate(when: When, own: bytes, payload: bytes) -> None:
    play = Ruled(b"duplicate=replace", b"", when)
    assert play.client.submit(b"f", b"new", b"u", background=True, parameters=own, now=play.now) == play.handle
    assert payloads(play.worker) == [payload]


def test_a_job_may_ask_to_be_replaced_where_others_are_kept() -> None:
    play = Ruled(b"duplicate=keep", b"")
    play.client.submit(b"f", b"new", b"u", background=True, parameters=b"duplicate=replace", now=play.now)
    assert payloads(play.worker) == [b"new"]


@both
@pytest.mark.parametrize(("own", "attempts"), [(b"", 0), (b"graceful=counted", 1), (b"graceful=free", 0)])
def test_graceful(when: When, own: bytes, attempts: int) -> None:
    play = Ruled(b"graceful=free", own, when)
    assert play.grab()
    play.worker.cant_do(b"f", play.now)
    found = play.broker.show_job(play.handle)
    assert found is not None
    assert (found[0], found[5]) == ("queued", attempts)


@pytest.mark.parametrize(
    ("text", "left"),
    [(b"dead_letter_max=2", [b"4", b"5"]), (b"dead_letter_max=0", []), (b"dead_letter_bytes=1", [])],
)
def test_dead_letters(text: bytes, left: list[bytes]) -> None:
    """The oldest leave first; where there are too many already, it is seen with the next one."""
    broker = Broker(b"H:t")
    rules = Rules(broker)
    client, worker, dead = InProcessPeer(broker), peer_for(broker, b"f"), DeadLetters(broker)
    for number in range(6):
        client.submit(b"f", b"%d" % number, background=True, parameters=b"retries=0")
        worker.tell(grabbed(worker), Report.FAIL)
        if number == 3:
            assert len(dead) == 4
            rules.say(ruled(b"f", text))
            assert len(dead) == 4
    found = [dead.show(row[0], 1000) for row in dead.scan(0)[1]]
    assert sorted(row[-1] for row in found if row is not None) == left
    assert len(dead) == len(left)


# --- several rules ---


def test_of_several_rules_the_last_one_that_speaks_of_a_key_has_it() -> None:
    broker = Broker(b"H:t", function_rest=math.inf)
    rules = Rules(broker)
    rules.say(
        ruled(b"*", b"retries=9;backoff=fixed:1s;timeout=1h"),
        ruled(b"mail.*", b"retries=1;timeout=5s"),
        ruled(b"mail.high", b"backoff=fixed:3s"),
    )
    for name, wait, after in ((b"mail.high", 3.0, 5.0), (b"mail.low", 1.0, 5.0), (b"mai", 1.0, 3600.0)):
        client, worker = InProcessPeer(broker), peer_for(broker, name)
        handle = client.submit(name, background=True, now=1000.0)
        assert grabbed(worker, 1000.0) == handle
        assert broker.wait(1000.0, 0.0) == after
        worker.tell(handle or b"", Report.FAIL, now=1000.0)
        assert broker.wait(1000.0, 0.0) == wait
        broker.cancel_job(handle or b"")


def test_more_than_a_job_may_ask_for_may_hold_for_a_function() -> None:
    """A single job has 255 bytes of parameters."""
    keys = [b"delay=0s", b"priority=low", b"retries=0", b"timeout=1s", b"ttl=1h", b"duplicate=keep", b"graceful=free"]
    text = b";".join([*keys, b"backoff=fixed:1%bs" % (b".0" + b"0" * 300)])
    assert len(text) > 255
    play = Ruled(text)
    assert play.grab()
    play.wait(1.0)
    assert play.state == "buried"


def test_functions_follow_that_are_forgotten_and_made_again() -> None:
    broker = Broker(b"H:t", function_rest=1.0)
    rules = Rules(broker)
    rules.say(ruled(b"f", b"retries=0"))
    for turn in range(3):
        client, worker = InProcessPeer(broker), peer_for(broker, b"f")
        handle = client.submit(b"f", background=True) or b""
        worker.tell(grabbed(worker), Report.FAIL)
        assert state(broker, handle) == "buried"
        DeadLetters(broker).discard_job(handle)
        worker.disconnect()
        for now in range(10 * turn + 1, 10 * turn + 5):
            broker.tick(float(now), 0.0)
        assert functions(broker) == {}


@pytest.mark.parametrize("count", [1, 300, 5000])
def test_many_functions_follow_step_by_step(count: int) -> None:
    broker = Broker(b"H:t")
    client = InProcessPeer(broker)
    for number in range(count):
        submitted(client, b"f%d" % number, background=True)
    rules = Rules(broker)
    rules.pause(b"*")
    worker = peer_for(broker, *(b"f%d" % number for number in range(count)))
    assert worker.grab() is None
    rules.rulings.set([])
    steps, cursor = 1, rules.rulings.apply(0)
    while cursor:
        steps, cursor = steps + 1, rules.rulings.apply(cursor)
    assert (steps > 1) == (count > 256)
    assert len(payloads(worker, count)) == count


def test_many_rules_make_the_steps_shorter() -> None:
    broker = Broker(b"H:t")
    for number in range(100):
        broker.create_function(b"f%d" % number)
    rules = Rules(broker)
    rules.rulings.set([ruled(b"*%d" % number) for number in range(20_000)])
    assert rules.rulings.apply(0) != 0


@pytest.mark.parametrize(
    ("pattern", "size", "most"), [(b"*a*b", 8000, 33), (b"*" + b"a" * 254, 8000, 1), (b"aa", 8000, 256)]
)
def test_long_names_make_the_steps_shorter(pattern: bytes, size: int, most: int) -> None:
    """A name is held against a pattern in a time that grows with both; one without a star differs soon, or is short."""
    broker = Broker(b"H:t")
    names = [b"%05d" % number + b"a" * (size - 5) for number in range(300)]
    for name in names:
        broker.create_function(name)
    rules = Rules(broker)
    rules.rulings.set([ruled(pattern)])
    steps, cursor = 1, rules.rulings.apply(0)
    while cursor:
        steps, cursor = steps + 1, rules.rulings.apply(cursor)
    assert 300 // most <= steps <= 300 // most + 2


def test_a_function_with_something_left_is_not_dropped() -> None:
    """What is remembered of it, and schedules, would be nobody's."""
    broker = Broker(b"H:t")
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    client.submit(b"f", b"", b"u", background=True, parameters=b"unique_ttl=5s", now=1.0)
    worker.tell(grabbed(worker, 1.0), Report.COMPLETE, now=1.0)
    worker.disconnect(1.0)
    assert broker.drop_function(b"f") == Dropped.IN_USE
    broker.tick(6.0, 0.0)
    assert broker.drop_function(b"f") == Dropped.DROPPED
    handle = client.submit(b"f", b"", b"u", background=True, parameters=b"cron=0 3 * * *") or b""
    assert broker.drop_function(b"f") == Dropped.IN_USE
    assert Timetable(broker).cancel(handle)
    assert broker.drop_function(b"f") == Dropped.DROPPED


# --- drained ---


def test_what_a_drained_function_has_is_worked_off_and_nothing_comes() -> None:
    broker = Broker(b"H:t")
    rules = Rules(broker)
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    handle = submitted(client, b"f", b"", b"u", background=True)
    due = client.submit(b"f", background=True, due=5.0)
    rules.say(ruled(b"f", gate="drained", reason=b"it moves"))
    for background in (True, False):
        for unique in (b"", b"u", b"other"):  # one that would join is refused as well
            assert client.submit(b"f", b"", unique, background=background) is None
    assert client.submit(b"f", b"", b"u", background=True, parameters=b"duplicate=replace") is None
    assert client.submit(b"f", b"", b"s", background=True, parameters=b"cron=* * * * *") is None
    assert client.submit(b"g", background=True) is not None
    assert broker.job_count == 3
    assert grabbed(worker) == handle
    assert worker.tell(handle, Report.COMPLETE) == 0
    assert worker.sleep()
    broker.tick(1.0, 5.0)
    assert worker.heard == [("wake",)]
    assert grabbed(worker) == due
    rules.say()
    assert client.submit(b"f", background=True) is not None


def test_a_schedule_of_a_drained_function_is_skipped() -> None:
    broker = Broker(b"H:t")
    rules = Rules(broker)
    handle = InProcessPeer(broker).submit(b"f", b"", b"s", background=True, parameters=b"cron=* * * * *") or b""
    table = Timetable(broker)
    rules.say(ruled(b"f", gate="drained"))
    assert table.run(handle, 1.0) is False
    assert broker.job_count == 0
    rules.say()
    assert table.run(handle, 1.0) is True


def test_an_open_function_is_open_though_a_weaker_rule_closes_it() -> None:
    broker = Broker(b"H:t")
    rules = Rules(broker)
    rules.say(ruled(b"*", gate="drained"), ruled(b"f", gate="open"), ruled(b"g", b"retries=1"))
    client = InProcessPeer(broker)
    assert client.submit(b"f", background=True) is not None
    assert client.submit(b"g", background=True) is None
