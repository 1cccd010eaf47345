"""What a job costs does not grow with what else the server knows: functions, sleepers, delayed jobs, and the like.

No speed is asserted here, as a machine's load decides it, but growth: the same jobs, in a small broker and in one that
knows a thousand times as much, each by its quickest round. Memory that no longer fits a cache makes some two times
of it; a walk over everything makes twenty to a thousand. The limit is between the two, far from both.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from gearfast.broker.broker import Broker, Dropped
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report
from tests.support.brokering import peer_for

ROUNDS = 5
JOBS = 2_000
MAX_GROWTH = 6.0
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


def among_held_jobs(known: int) -> Work:
    """A worker with jobs in its hands takes on another function, and gives it up."""
    broker = Broker(b"H:flat")
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    for _ in range(known):
        client.submit(b"f", background=True)
        worker.grab()

    def work(_: int) -> None:
        worker.can_do(b"g")
        worker.cant_do(b"g")

    return work


def among_askers(known: int) -> Work:
    """Progress of a job that one client has asked for again and again."""
    broker = Broker(b"H:flat")
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    for _ in range(known):
        client.submit(b"f", b"", b"u")
    job = worker.grab()
    assert job is not None

    def work(number: int) -> None:
        worker.progress(job[0], number, JOBS)

    return work


def among_clients(known: int) -> Work:
    """Two clients ask, in turn, for what others wait for."""
    broker = Broker(b"H:flat")
    clients = [InProcessPeer(broker) for _ in range(known)]
    for client in clients:
        client.submit(b"f", b"", b"u")
    first, last = clients[0], clients[-1]

    def work(_: int) -> None:
        first.submit(b"f", b"", b"u")
        last.submit(b"f", b"", b"u")

    return work


def among_namesakes(known: int) -> Work:
    """A function whose name differs from those of others in case only is made, found, and dropped."""
    broker = Broker(b"H:flat")
    for number in range(known):
        name = bytes(letter - 32 * (number >> place & 1) for place, letter in enumerate(b"abcdefghijklmnopqrs"))
        broker.create_function(name)

    def work(_: int) -> None:
        broker.create_function(b"abcdefghijklmnopqrS")
        assert broker.drop_function(b"abcdefghijklmnopqrS") is Dropped.DROPPED

    return work


def test_functions_of_a_worker_are_not_walked() -> None:
    assert growth(among_functions, 10, 20_000) < MAX_GROWTH


def test_sleepers_of_a_function_are_not_walked() -> None:
    assert growth(among_sleepers, 10, 20_000) < MAX_GROWTH


def test_delayed_jobs_are_not_walked() -> None:
    assert growth(among_delayed_jobs, 10, 100_000) < MAX_GROWTH


def test_jobs_in_the_hands_of_a_worker_are_not_walked() -> None:
    assert growth(among_held_jobs, 10, 50_000) < MAX_GROWTH


def test_how_often_a_client_has_asked_does_not_matter() -> None:
    assert growth(among_askers, 10, 100_000) < MAX_GROWTH


def test_clients_that_wait_for_a_job_are_not_walked_for_another_one() -> None:
    assert growth(among_clients, 10, 20_000) < MAX_GROWTH


def test_functions_that_differ_in_case_are_not_walked() -> None:
    assert growth(among_namesakes, 10, 100_000) < MAX_GROWTH
