"""Who is woken, when, and how often (protocol sections 2.2 and 3.7, and the pass-over of gearfast's own)."""

from __future__ import annotations

import math
from typing import Literal

import pytest

from gearfast.broker.broker import Broker
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report

WAKE: tuple[Literal["wake"]] = ("wake",)
GRACE = 0.0625  # seconds, and exact as a float


def make(worker_wakeup: int = 1) -> Broker:
    """A broker whose moments can be compared exactly."""
    return Broker(b"H:test", worker_wakeup=worker_wakeup, wakeup_grace=GRACE)


def sleeper(broker: Broker, *functions: bytes) -> InProcessPeer:
    """A worker of these functions, asleep."""
    worker = InProcessPeer(broker)
    for function in functions or (b"f",):
        worker.can_do(function)
    assert worker.sleep()
    return worker


def submit(broker: Broker, function: bytes = b"f", *, count: int = 1, priority: int = 1, now: float = 0.0) -> None:
    """Background jobs from a client of whom nothing else is known."""
    client = InProcessPeer(broker)
    for _ in range(count):
        client.submit(function, background=True, priority=priority, now=now)


def wakes(*workers: InProcessPeer) -> list[int]:
    """How often each of them was woken."""
    return [worker.heard.count(WAKE) for worker in workers]


# --- falling asleep ---


def test_pre_sleep_with_work_waiting_is_refused_and_does_not_sleep() -> None:
    broker = make()
    submit(broker)
    worker = InProcessPeer(broker)
    worker.can_do(b"f")
    assert not worker.sleep()
    submit(broker)
    assert worker.heard == []


@pytest.mark.parametrize("priority", [0, 1, 2])
def test_pre_sleep_sees_work_of_every_priority(priority: int) -> None:
    broker = make()
    submit(broker, priority=priority)
    worker = InProcessPeer(broker)
    worker.can_do(b"f")
    worker.can_do(b"g")
    assert not worker.sleep()


def test_pre_sleep_without_abilities_is_silent() -> None:
    broker = make()
    worker = InProcessPeer(broker)
    assert worker.sleep()
    submit(broker)
    assert worker.heard == []


def test_a_worker_that_does_not_sleep_is_not_woken() -> None:
    broker = make()
    awake = InProcessPeer(broker)
    awake.can_do(b"f")
    after_a_grab = sleeper(broker)
    assert after_a_grab.grab() is None
    submit(broker, count=3)
    assert wakes(awake, after_a_grab) == [0, 0]


def test_can_do_wakes_nobody_though_work_waits() -> None:
    broker = make()
    submit(broker)
    worker = sleeper(broker, b"g")
    worker.can_do(b"f")
    assert worker.heard == []
    assert not worker.sleep()


def test_an_ability_taken_on_asleep_is_woken_for() -> None:
    broker = make()
    worker = sleeper(broker, b"g")
    worker.can_do(b"f")
    submit(broker)
    assert worker.heard == [WAKE]


def test_an_ability_given_up_asleep_is_not_woken_for() -> None:
    broker = make()
    worker = sleeper(broker, b"f", b"g")
    worker.cant_do(b"f")
    submit(broker)
    assert worker.heard == []
    submit(broker, b"g")
    assert worker.heard == [WAKE]


# --- whom a job wakes ---


def test_a_worker_is_woken_after_its_job_is_queued() -> None:
    broker = make()
    worker = sleeper(broker)
    submit(broker)
    assert worker.heard == [WAKE]
    assert worker.grab() is not None


def test_one_job_wakes_one_sleeper() -> None:
    broker = make()
    workers = [sleeper(broker) for _ in range(4)]
    submit(broker)
    assert wakes(*workers) == [1, 0, 0, 0]


def test_the_same_sleeper_is_not_woken_twice() -> None:
    broker = make()
    worker = sleeper(broker, b"f", b"g")
    submit(broker, count=5)
    submit(broker, b"g", count=5)
    assert worker.heard == [WAKE]


def test_sleepers_of_one_function_are_woken_in_the_order_they_fell_asleep() -> None:
    broker = make()
    workers = [sleeper(broker) for _ in range(4)]
    order = []
    for _ in range(12):
        before = wakes(*workers)
        submit(broker)
        after = wakes(*workers)
        woken = next(at for at in range(4) if after[at] > before[at])
        order.append(woken)
        handle, *_ = workers[woken].grab() or (b"",)
        workers[woken].tell(handle, Report.COMPLETE)
        assert workers[woken].sleep()
    assert order == [0, 1, 2, 3] * 3


@pytest.mark.parametrize(
    ("worker_wakeup", "after_each_job"),
    [
        (1, [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1]]),
        (2, [[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]),
        (3, [[1, 1, 1, 0], [1, 1, 1, 1]]),
        (0, [[1, 1, 1, 1], [1, 1, 1, 1]]),
    ],
)
def test_worker_wakeup_is_how_many_a_job_wakes_and_0_is_all(
    worker_wakeup: int, after_each_job: list[list[int]]
) -> None:
    broker = make(worker_wakeup)
    workers = [sleeper(broker) for _ in range(4)]
    for expected in after_each_job:
        submit(broker)
        assert wakes(*workers) == expected


def test_waking_all_wakes_only_who_can_do_it() -> None:
    broker = make(0)
    workers = [sleeper(broker, *names) for names in ((b"f",), (b"g",), (b"g", b"f"), (b"h",))]
    submit(broker)
    assert wakes(*workers) == [1, 0, 1, 0]


def test_a_sleeper_that_was_woken_for_one_function_is_passed_by_for_the_other() -> None:
    broker = make()
    both, only_g = sleeper(broker, b"f", b"g"), sleeper(broker, b"g")
    submit(broker, b"f")
    submit(broker, b"g")
    assert wakes(both, only_g) == [1, 1]


def test_a_requeued_job_wakes() -> None:
    broker = make()
    submit(broker)
    worker = InProcessPeer(broker)
    worker.can_do(b"f")
    worker.grab()
    other = sleeper(broker)
    worker.disconnect()
    assert other.heard == [WAKE]


def test_a_job_whose_deadline_has_come_wakes() -> None:
    broker = make()
    submit(broker)
    worker = InProcessPeer(broker)
    worker.can_do(b"f", 1000)
    worker.grab(0.0)
    other = sleeper(broker)
    broker.tick(1.0, 0.0)
    assert wakes(other, worker) == [1, 0]


def test_a_delayed_job_wakes_when_it_becomes_due_and_not_before() -> None:
    broker = make()
    worker = sleeper(broker)
    InProcessPeer(broker).submit(b"f", background=True, due=10.0)
    assert worker.heard == []
    broker.tick(0.0, 10.0)
    assert worker.heard == [WAKE]


# --- after a NOOP ---


def test_a_woken_worker_that_found_nothing_sleeps_and_is_woken_again() -> None:
    broker = make()
    worker = sleeper(broker)
    thief = InProcessPeer(broker)
    thief.can_do(b"f")
    for times in range(1, 4):
        submit(broker)
        assert wakes(worker) == [times]
        assert thief.grab() is not None
        assert worker.grab() is None
        assert worker.sleep()


def test_pre_sleep_after_a_noop_can_be_woken_again() -> None:
    broker = make()
    worker = sleeper(broker)
    client = InProcessPeer(broker)
    client.submit(b"f")
    client.disconnect()  # and takes the job along
    assert worker.sleep()  # no GRAB between the NOOP and this
    submit(broker)
    assert wakes(worker) == [2]


def test_pre_sleep_twice_is_asleep_once() -> None:
    broker = make()
    worker, other = sleeper(broker), sleeper(broker)
    assert worker.sleep()
    submit(broker, count=3)
    assert wakes(worker, other) == [1, 1]


def test_a_woken_worker_that_takes_another_functions_job_hands_its_wake_up_on() -> None:
    broker = make()
    both, only_f = sleeper(broker, b"f", b"g"), sleeper(broker)
    submit(broker, b"f", priority=2)
    submit(broker, b"g", priority=0)
    assert wakes(both, only_f) == [1, 0]
    job = both.grab()
    assert job is not None
    assert job[1] == b"g"
    assert wakes(only_f) == [1]


def test_a_woken_worker_that_takes_its_job_hands_nothing_on() -> None:
    broker = make()
    first, second = sleeper(broker), sleeper(broker)
    submit(broker)
    assert first.grab() is not None
    assert wakes(second) == [0]


def test_a_woken_worker_that_dies_hands_its_wake_up_on() -> None:
    broker = make()
    workers = [sleeper(broker) for _ in range(3)]
    submit(broker)
    workers[0].disconnect()
    assert wakes(*workers) == [1, 1, 0]


def test_a_woken_worker_that_dies_after_its_job_was_taken_wakes_nobody() -> None:
    broker = make()
    first, second = sleeper(broker), sleeper(broker)
    submit(broker)
    thief = InProcessPeer(broker)
    thief.can_do(b"f")
    thief.grab()
    first.disconnect()
    assert wakes(second) == [0]


@pytest.mark.parametrize("reset", [False, True])
def test_a_woken_worker_that_gives_the_function_up_hands_its_wake_up_on(reset: bool) -> None:
    broker = make()
    first, second = sleeper(broker), sleeper(broker)
    submit(broker)
    if reset:
        first.reset_abilities()
    else:
        first.cant_do(b"f")
    assert wakes(first, second) == [1, 1]


def test_a_woken_worker_that_says_can_do_again_keeps_its_wake_up() -> None:
    broker = make()
    first, second = sleeper(broker), sleeper(broker)
    submit(broker)
    first.can_do(b"f")
    assert wakes(first, second) == [1, 0]
    first.disconnect()
    assert wakes(second) == [1]


def test_a_woken_worker_that_asks_to_sleep_while_its_job_waits_and_then_dies_hands_its_wake_up_on() -> None:
    broker = make()
    first, second = sleeper(broker), sleeper(broker)
    submit(broker)
    assert not first.sleep()
    assert wakes(second) == [0]
    first.disconnect()
    assert wakes(second) == [1]


def test_a_woken_worker_that_asks_to_sleep_and_takes_another_functions_job_hands_its_wake_up_on() -> None:
    broker = make()
    both, only_f = sleeper(broker, b"f", b"g"), sleeper(broker)
    submit(broker, b"f", priority=2)
    submit(broker, b"g", priority=0)
    assert not both.sleep()
    both.grab()
    assert wakes(only_f) == [1]


# --- the pass-over ---


def test_a_woken_worker_that_does_not_grab_is_passed_over_after_the_grace() -> None:
    broker = make()
    workers = [sleeper(broker) for _ in range(3)]
    submit(broker, now=5.0)
    assert broker.wait(5.0, 0.0) == GRACE
    broker.tick(5.0 + GRACE / 2, 0.0)
    assert wakes(*workers) == [1, 0, 0]
    broker.tick(5.0 + GRACE, 0.0)
    assert wakes(*workers) == [1, 1, 0]
    assert broker.wait(5.0 + GRACE, 0.0) == GRACE
    broker.tick(5.0 + 2 * GRACE, 0.0)
    broker.tick(5.0 + 3 * GRACE, 0.0)
    assert wakes(*workers) == [1, 1, 1]
    assert broker.wait(5.0 + 3 * GRACE, 0.0) == math.inf


def test_pre_sleep_while_its_job_waits_does_not_put_the_pass_over_off() -> None:
    broker = make()
    first, second = sleeper(broker), sleeper(broker)
    submit(broker, now=5.0)
    assert not first.sleep()
    broker.tick(5.0 + GRACE, 0.0)
    assert wakes(second) == [1]


def test_a_worker_that_grabbed_in_time_is_not_passed_over() -> None:
    broker = make()
    first, second = sleeper(broker), sleeper(broker)
    submit(broker)
    submit(broker, b"other")
    first.grab()
    assert broker.wait(0.0, 0.0) == math.inf
    broker.tick(10.0, 0.0)
    assert wakes(first, second) == [1, 0]


def test_nobody_is_woken_for_work_that_is_done_meanwhile() -> None:
    broker = make()
    first, second = sleeper(broker), sleeper(broker)
    client = InProcessPeer(broker)
    client.submit(b"f")
    client.disconnect()
    broker.tick(10.0, 0.0)
    assert wakes(first, second) == [1, 0]


def test_a_worker_that_was_passed_over_may_still_grab() -> None:
    broker = make()
    worker = sleeper(broker)
    submit(broker)
    broker.tick(10.0, 0.0)
    assert worker.grab() is not None


def test_a_worker_that_was_passed_over_is_woken_again_once_it_sleeps() -> None:
    broker = make()
    worker = sleeper(broker)
    submit(broker)
    broker.tick(10.0, 0.0)
    submit(broker)
    assert wakes(worker) == [1]
    while worker.grab():
        pass
    assert worker.sleep()
    submit(broker)
    assert wakes(worker) == [2]


def test_a_thousand_dead_sleepers_are_passed_over_one_by_one() -> None:
    broker = make()
    workers = [sleeper(broker) for _ in range(1000)]
    submit(broker)
    for step in range(1, 1000):
        broker.tick(step * GRACE, 0.0)
        assert sum(wakes(*workers)) == step + 1
    assert wakes(*workers) == [1] * 1000
