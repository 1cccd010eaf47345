"""Paused functions: their jobs wait, nobody is woken for them, and whoever sleeps is woken when they go on."""

from __future__ import annotations

import math

import pytest

from gearfast import Broker, InProcessPeer, Report
from gearfast.broker.broker import Dropped
from gearfast.broker.deadletters import DeadLetters
from tests.broker.test_retries import state
from tests.support.brokering import functions, grabbed, payloads, peer_for, submitted
from tests.support.ruling import Rules, ruled

WAKE = ("wake",)
GRACE = 0.0625


def scene(*paused: bytes) -> tuple[Broker, Rules, InProcessPeer]:
    """A broker in which these are paused, and a client."""
    broker = Broker(b"H:t", wakeup_grace=GRACE, function_rest=math.inf)
    rules = Rules(broker)
    rules.pause(*paused)
    return broker, rules, InProcessPeer(broker)


def asleep(broker: Broker, *names: bytes) -> InProcessPeer:
    """A worker that could go to sleep."""
    worker = peer_for(broker, *names)
    assert worker.sleep()
    return worker


def ticks(broker: Broker, now: float = 0.0) -> int:
    """Let ticks come as long as they are due at once. Returns how many there were."""
    count = 0
    while broker.wait(now, 0.0) == 0:
        broker.tick(now, 0.0)
        count += 1
        assert count < 100
    return count


@pytest.mark.parametrize("first", ["the jobs", "the pause", "the worker"])
def test_jobs_of_all_priorities_wait_and_come_in_their_order(first: str) -> None:
    broker, rules, client = scene()
    worker = peer_for(broker, b"f") if first == "the worker" else None
    if first != "the jobs":
        rules.pause(b"f")
    for priority in (2, 1, 0):
        for number in range(2):
            client.submit(b"f", b"%d%d" % (priority, number), background=bool(number), priority=priority)
    if first == "the jobs":
        rules.pause(b"f")
    worker = worker or peer_for(broker, b"f")
    assert worker.grab() is None
    assert functions(broker)[b"f"] == (6, 0, 1, (2, 2, 2))
    rules.resume()
    assert payloads(worker) == [b"00", b"01", b"10", b"11", b"20", b"21"]


def test_nobody_is_woken_for_what_comes_or_falls_due() -> None:
    broker, rules, client = scene(b"f")
    worker = asleep(broker, b"f")
    for priority in range(3):
        client.submit(b"f", background=True, priority=priority)
    client.submit(b"f", background=True, due=5.0)
    broker.tick(1.0, 6.0)
    assert broker.delayed_count == 0
    assert worker.heard == []
    assert worker.grab() is None
    assert worker.sleep(), "it has no work"
    rules.resume()
    ticks(broker, 1.0)
    assert worker.heard == [WAKE]
    assert len(payloads(worker)) == 4


def test_what_is_tried_again_waits_too() -> None:
    broker, rules, client = scene()
    worker = peer_for(broker, b"f")
    handles = [
        client.submit(b"f", background=True, parameters=text, now=1.0) or b""
        for text in (b"retries=1;backoff=fixed:1s", b"retries=1", b"timeout=1s", b"")
    ]
    other = peer_for(broker, b"f")
    for handle in handles[:3]:
        assert grabbed(worker, 1.0) == handle
    assert grabbed(other, 1.0) == handles[3]
    sleeper = asleep(broker, b"f")
    rules.pause(b"f")
    for handle in handles[:2]:
        worker.tell(handle, Report.FAIL, now=1.0)
    other.disconnect(1.0)
    broker.tick(2.0, 0.0)
    assert [state(broker, handle) for handle in handles] == ["queued"] * 4
    assert (sleeper.heard, sleeper.grab(2.0)) == ([], None)
    rules.resume()
    assert len(payloads(sleeper)) == 4


def test_running_jobs_go_on() -> None:
    broker, rules, client = scene()
    worker = peer_for(broker, b"f")
    handle = submitted(client, b"f")
    grabbed(worker)
    rules.pause(b"f")
    worker.progress(handle, 1, 2)
    assert client.status(handle) == (True, 1, 2, 1)
    worker.tell(handle, Report.COMPLETE, b"done")
    assert client.heard[-1] == (Report.COMPLETE, handle, b"done")


def test_a_worker_of_two_functions_gets_the_other_ones_jobs() -> None:
    broker, rules, client = scene(b"f")
    worker = peer_for(broker, b"g", b"f")
    for number in range(3):
        client.submit(b"f", b"f%d" % number, background=True, priority=0)
        client.submit(b"g", b"g%d" % number, background=True, priority=2)
    assert not worker.sleep(), "there is something for it"
    assert payloads(worker) == [b"g0", b"g1", b"g2"]
    assert worker.sleep()
    client.submit(b"f", b"f3", background=True)
    assert worker.heard == []
    client.submit(b"g", b"g3", background=True)
    assert worker.heard == [WAKE]
    assert payloads(worker) == [b"g3"]
    rules.resume()
    assert payloads(worker) == [b"f0", b"f1", b"f2", b"f3"]


@pytest.mark.parametrize(
    ("jobs", "sleepers", "woken"), [(0, 3, 0), (1, 3, 1), (3, 2, 2), (2, 0, 0), (2500, 3000, 2500), (3000, 1200, 1200)]
)
def test_one_sleeper_is_woken_for_each_job_when_it_goes_on(jobs: int, sleepers: int, woken: int) -> None:
    broker, rules, client = scene(b"f")
    workers = [asleep(broker, b"f") for _ in range(sleepers)]
    for number in range(jobs):
        client.submit(b"f", background=True, priority=number % 3)
    rules.resume()
    count = ticks(broker)
    assert [len(worker.heard) for worker in workers] == [1] * woken + [0] * (sleepers - woken)
    assert count >= woken // 1000, "some at a time"


def test_several_functions_go_on() -> None:
    broker, rules, client = scene(b"*")
    workers = {name: [asleep(broker, name) for _ in range(3)] for name in (b"f", b"g", b"h")}
    for name, jobs in ((b"f", 2), (b"h", 5)):
        for _ in range(jobs):
            client.submit(name, background=True)
    rules.resume()
    ticks(broker)
    assert {name: sum(len(worker.heard) for worker in some) for name, some in workers.items()} == {
        b"f": 2,
        b"g": 0,
        b"h": 3,
    }


def test_very_many_functions_go_on_in_a_few_ticks() -> None:
    broker, rules, client = scene(b"*")
    names = [b"f%d" % number for number in range(5000)]
    worker = asleep(broker, *names)
    for name in names:
        client.submit(name, background=True)
    last = asleep(broker, names[-1])
    rules.resume()
    assert 5 <= ticks(broker) <= 7
    assert (worker.heard, last.heard) == ([WAKE], [WAKE])


def test_one_that_is_paused_again_before_the_tick_wakes_nobody() -> None:
    broker, rules, client = scene(b"f")
    worker = asleep(broker, b"f")
    client.submit(b"f", background=True)
    rules.resume()
    rules.pause(b"f")
    ticks(broker)
    assert worker.heard == []
    rules.resume()
    ticks(broker)
    assert worker.heard == [WAKE]


def test_a_worker_that_was_woken_before_the_pause_finds_nothing_and_sleeps_again() -> None:
    broker, rules, client = scene()
    worker = asleep(broker, b"f")
    client.submit(b"f", background=True)
    assert worker.heard == [WAKE]
    worker.heard.clear()
    rules.pause(b"f")
    assert worker.grab() is None
    assert worker.sleep()
    rules.resume()
    ticks(broker)
    assert worker.heard == [WAKE]
    assert worker.grab() is not None


def test_a_worker_that_was_woken_and_is_late_is_passed_over_when_it_goes_on() -> None:
    broker, rules, client = scene()
    late = asleep(broker, b"f")
    client.submit(b"f", background=True)
    assert late.heard == [WAKE]
    rules.pause(b"f")
    other = asleep(broker, b"f")
    broker.tick(GRACE, 0.0)
    assert other.heard == []
    rules.resume()
    ticks(broker, GRACE)
    assert other.heard == [WAKE]


def test_another_is_woken_when_one_was_woken_for_a_pause_and_gets_something_else() -> None:
    broker, rules, client = scene()
    first, second = asleep(broker, b"f", b"g"), asleep(broker, b"g")
    client.submit(b"f", background=True)
    assert first.heard == [WAKE]
    rules.pause(b"f")
    client.submit(b"g", b"1", background=True)
    client.submit(b"g", b"2", background=True)
    assert second.heard == [WAKE]
    assert payloads(first) == [b"1", b"2"]
    rules.resume()
    assert len(payloads(first)) == 1


@pytest.mark.parametrize("when", ["paused", "resumed"])
def test_a_waiting_job_is_cancelled_and_no_wake_up_is_for_it(when: str) -> None:
    broker, rules, client = scene(b"f")
    worker = asleep(broker, b"f")
    handle = submitted(client, b"f")
    if when == "resumed":
        rules.resume()
    assert broker.cancel_job(handle)
    rules.resume()
    ticks(broker)
    assert worker.heard == []
    assert client.heard == [(Report.FAIL, handle, None)]
    client.submit(b"f", background=True)
    assert worker.heard == [WAKE]


def test_a_waiting_job_is_moved() -> None:
    broker, rules, client = scene(b"f")
    sleeper, other = asleep(broker, b"f"), asleep(broker, b"g")
    handles = [submitted(client, b"f", b"%d" % number, background=True) for number in range(4)]
    broker.move_job(handles[3], priority=0)
    broker.move_job(handles[2], due=50.0)
    broker.move_job(handles[1], function=b"g")
    assert (sleeper.heard, other.heard) == ([], [WAKE])
    assert payloads(other) == [b"1"]
    assert state(broker, handles[2]) == "delayed"
    broker.move_job(submitted(client, b"g", b"4", background=True), function=b"f")
    assert sleeper.heard == []
    rules.resume()
    assert payloads(sleeper) == [b"3", b"0", b"4"]


def test_a_dead_letter_that_is_kicked_waits() -> None:
    broker, rules, client = scene()
    worker = peer_for(broker, b"f")
    handle = client.submit(b"f", background=True, parameters=b"retries=0") or b""
    grabbed(worker)
    worker.tell(handle, Report.FAIL)
    rules.pause(b"f")
    assert worker.sleep()
    assert DeadLetters(broker).kick_job(handle, 0.0)
    assert (worker.heard, worker.grab()) == ([], None)
    rules.resume()
    assert worker.grab() is not None


def test_what_may_not_wait_longer_fails() -> None:
    broker, _, client = scene(b"f")
    handle = client.submit(b"f", parameters=b"ttl=5s", now=1.0) or b""
    broker.tick(6.0, 0.0)
    assert client.heard == [(Report.FAIL, handle, None)]


def test_a_paused_function_is_full_forgotten_and_dropped_like_any_other() -> None:
    broker, rules, client = scene(b"f")
    broker.create_function(b"f")
    broker.limit_function(b"f", (2, 2, 2))
    handles = [client.submit(b"f", background=True) for _ in range(3)]
    assert handles[2] is None
    assert broker.drop_function(b"f") == Dropped.IN_USE
    for handle in handles[:2]:
        assert broker.cancel_job(handle or b"")
    assert broker.drop_function(b"f") == Dropped.DROPPED
    client.submit(b"f", background=True)
    worker = peer_for(broker, b"f")
    assert worker.grab() is None, "it is paused when it is made anew"
    rules.resume()
    assert worker.grab() is not None


def test_one_that_goes_on_and_is_dropped_before_the_tick_does_no_harm() -> None:
    broker, rules, client = scene(b"f")
    handle = submitted(client, b"f", background=True)
    rules.resume()
    broker.cancel_job(handle)
    assert broker.drop_function(b"f") == Dropped.DROPPED
    ticks(broker)
    worker = asleep(broker, b"f")
    client.submit(b"f", background=True)
    assert worker.heard == [WAKE]


def test_a_new_rule_for_something_else_keeps_it_paused() -> None:
    broker, rules, client = scene(b"f")
    worker = asleep(broker, b"f")
    client.submit(b"f", background=True)
    rules.say(ruled(b"f", b"retries=1", "paused"))
    ticks(broker)
    assert (worker.heard, worker.grab()) == ([], None)
    rules.say(ruled(b"f", b"retries=1"))
    assert worker.grab() is not None


def test_from_paused_to_drained_jobs_go_on_and_nothing_comes() -> None:
    broker, rules, client = scene(b"f")
    worker = asleep(broker, b"f")
    client.submit(b"f", background=True)
    rules.say(ruled(b"f", gate="drained"))
    ticks(broker)
    assert worker.heard == [WAKE]
    assert client.submit(b"f", background=True) is None
    assert worker.grab() is not None
