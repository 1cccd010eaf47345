"""What a job costs does not grow with what else the server knows: functions, sleepers, delayed jobs.

No speed is asserted here, as a machine's load decides it, but growth: the same jobs, in a small broker and in one that
knows a thousand times as much, each by its quickest round. Memory that no longer fits a cache makes some two times
of it; a walk over everything makes twenty to a thousand. The limit is between the two, far from both.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from gearfast.broker import Broker
from gearfast.inprocess import InProcessPeer
from gearfast.peer import Report
from tests.brokering import peer_for

ROUNDS = 5
JOBS = 2_000
MOST_GROWTH = 6.0
LATER = 4e9

Work = Callable[[int], None]
"""One job from its submission to its end; the number tells it from the others."""


def cost(work: Work) -> float:
    """Seconds of processor time for the quickest round of jobs."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for number in range(JOBS):
            work(number)
        rounds.append(time.process_time() - began)
    return min(rounds)


def growth(make: Callable[[int], Work], few: int, many: int) -> float:
    """How many times as much the jobs cost among many of something as among few."""
    return cost(make(many)) / cost(make(few))


def among_functions(known: int) -> Work:
    """Jobs of all the functions of one worker, which grabs them."""
    broker = Broker(b"H:flat")
    names = [b"function-%d" % number for number in range(known)]
    client, worker = InProcessPeer(broker), peer_for(broker, *names)

    def work(number: int) -> None:
        client.submit(names[number * 7919 % known], background=True)
        job = worker.grab()
        assert job is not None
        worker.tell(job[0], Report.COMPLETE)
        assert worker.grab() is None  # to find that there is nothing must be cheap, too
        worker.sleep()
        worker.heard.clear()

    return work


def among_sleepers(known: int) -> Work:
    """Jobs of one function, each of which wakes one worker; that one does it and sleeps again."""
    broker = Broker(b"H:flat")
    client = InProcessPeer(broker)
    sleepers = deque(peer_for(broker, b"f") for _ in range(known))
    for sleeper in sleepers:
        sleeper.sleep()

    def work(_: int) -> None:
        client.submit(b"f", background=True)
        worker = sleepers[0]  # the longest asleep, so that nobody has to be looked for
        sleepers.rotate(-1)
        job = worker.grab()
        assert job is not None
        worker.tell(job[0], Report.COMPLETE)
        worker.heard.clear()
        assert worker.sleep()

    return work


def among_delayed_jobs(known: int) -> Work:
    """Jobs to be done now in a function with jobs for later; the clock is looked at every time."""
    broker = Broker(b"H:flat")
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    for number in range(known):
        client.submit(b"f", background=True, due=LATER + number * 7919 % known)

    def work(number: int) -> None:
        later = client.submit(b"f", background=True, due=LATER + number)
        client.submit(b"f", background=True)
        broker.tick(float(number), float(number))
        assert broker.wait(float(number), float(number)) > 0
        job = worker.grab()
        assert job is not None
        worker.tell(job[0], Report.COMPLETE)
        assert later is not None
        assert broker.cancel_job(later)

    return work


def test_functions_of_a_worker_are_not_walked() -> None:
    assert growth(among_functions, 10, 20_000) < MOST_GROWTH


def test_sleepers_of_a_function_are_not_walked() -> None:
    assert growth(among_sleepers, 10, 20_000) < MOST_GROWTH


def test_delayed_jobs_are_not_walked() -> None:
    assert growth(among_delayed_jobs, 10, 100_000) < MOST_GROWTH
