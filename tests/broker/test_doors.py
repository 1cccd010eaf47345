"""Threads share one lock: doors of a broker are safe beside other brokers, and beside threads without Python."""

import gc
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pytest

from gearfast.broker.broker import Broker
from gearfast.broker.events import Kind
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report
from tests.support.brokering import functions, jobs, submitted
from tests.support.compiled import faces

ROUNDS = 2_000
T = TypeVar("T")


class Forgetful(InProcessPeer):
    """A peer that only Python's collector ends."""

    itself: InProcessPeer


def leave_behind(broker: Broker, function: bytes) -> None:
    """A peer that waits for a job, in no hands but its own."""
    peer = Forgetful(broker)
    peer.itself = peer
    assert peer.submit(function, b"x" * 100)


def at_once(*calls: Callable[[], T]) -> list[T]:
    """What they return, each called in a thread of its own."""
    with ThreadPoolExecutor(len(calls)) as threads:
        waiting: list[Future[T]] = [threads.submit(call) for call in calls]
        return [each.result() for each in waiting]


def live() -> Broker:
    """Use a broker of this thread's own; return it with nothing left in it."""
    broker = Broker(b"H:test")
    client, worker = InProcessPeer(broker), InProcessPeer(broker)
    worker.can_do(b"f")
    for number in range(ROUNDS):
        handle = submitted(client, b"f", b"%d" % number)
        leave_behind(broker, b"nobody does it")
        assert worker.grab() == (handle, b"f", b"", b"%d" % number)
        worker.tell(handle, Report.COMPLETE, b"done")
        broker.tick(float(number), float(number))
    assert client.heard == [(Report.COMPLETE, b"H:test:%d" % number, b"done") for number in range(1, 2 * ROUNDS, 2)]
    return broker


def test_each_thread_has_its_broker_and_the_collector_ends_peers_of_all() -> None:
    for broker in at_once(live, live, live):
        gc.collect()
        assert (broker.job_count, broker.held_bytes) == (0, 0)
        assert broker.events.counts[Kind.COMPLETED] == broker.events.counts[Kind.ABANDONED] == ROUNDS


def test_doors_are_used_while_a_thread_without_the_interpreter_submits(broker: Broker) -> None:
    """All that is submitted is done, whatever is looked at and ended meanwhile."""
    faces()
    worker = InProcessPeer(broker)
    worker.can_do(b"f")
    done = left = 0
    with ThreadPoolExecutor(2) as threads:
        submits = [threads.submit(faces().submit_without_python, broker, b"f", 10 * ROUNDS) for _ in range(2)]
        while done < 20 * ROUNDS:
            grabbed = worker.grab()
            if grabbed is not None:
                worker.tell(grabbed[0], Report.COMPLETE)
                done += 1
            if done % 100 == 0:
                leave_behind(broker, b"nobody does it")
                left += 1
                broker.scan_functions(0, 0)
                broker.scan_jobs(0, 0)
                assert broker.job_count >= broker.running == 0
                assert worker.abilities() == list(worker.each_ability()) == [b"f"]
        assert [submit.result() for submit in submits] == [10 * ROUNDS] * 2
    gc.collect()
    assert jobs(broker) == {}
    assert (broker.job_count, broker.held_bytes, broker.unkept) == (0, 0, 0)
    counts = broker.events.counts
    assert (counts[Kind.SUBMITTED], counts[Kind.COMPLETED], counts[Kind.ABANDONED]) == (
        20 * ROUNDS + left,
        20 * ROUNDS,
        left,
    )


def test_peers_are_ended_in_other_threads_while_their_brokers_doors_are_used(broker: Broker) -> None:
    """Their jobs go with them, each once."""
    held = [InProcessPeer(broker) for _ in range(ROUNDS)]
    for peer in held:
        peer.can_do(b"f")
        peer.submit(b"f")

    def end() -> int:
        ended = 0
        while True:
            try:
                held.pop()
            except IndexError:
                return ended
            ended += 1

    def look() -> int:
        while held:
            functions(broker)
            jobs(broker)
        return 0

    submit = faces().submit_without_python
    ended = at_once(end, end, look, lambda: submit(broker, b"g", ROUNDS))
    del peer
    assert ended[0] + ended[1] == ended[3] == ROUNDS
    assert broker.job_count == ROUNDS
    assert broker.events.counts[Kind.ABANDONED] == ROUNDS
    assert functions(broker)[b"f"][:3] == (0, 0, 0)


def test_who_has_the_lock_may_look_and_forget_but_not_use_a_verb(broker: Broker) -> None:
    client = InProcessPeer(broker)
    client.submit(b"f")
    held = [client]
    del client

    def look() -> int:
        with pytest.raises(RuntimeError, match="at work"):
            held[0].submit(b"f")
        held.clear()
        return broker.job_count

    assert faces().with_the_lock(look) == 1, "nothing is taken from it before the lock is given back"
    broker.tick(0.0, 0.0)
    assert broker.job_count == 0
