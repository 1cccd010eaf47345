"""The memory of jobs: blocks of every size keep to themselves, and go back to the system."""

from __future__ import annotations

import random

import pytest

from gearfast import Broker, InProcessPeer
from gearfast.broker.peer import Report
from tests.support.processes import MIB, SANITIZED, own_resident


class Lane:
    """A function of a broker: jobs of one priority."""

    def __init__(self, broker: Broker, name: bytes) -> None:
        self.name = name
        self.peer = InProcessPeer(broker)
        self.peer.can_do(name)

    def push(self, payload: bytes) -> None:
        """Submit a job."""
        self.peer.submit(self.name, payload, background=True)

    def pop(self) -> bytes | None:
        """Do the first one; None: there is none."""
        job = self.peer.grab()
        if job is None:
            return None
        self.peer.tell(job[0], Report.COMPLETE)
        return job[3]


SIZES = [*range(130), 1000, *range(1960, 2100), 16_383, 16_384, 70_000]


def payload(number: int) -> bytes:
    """Bytes that no other number's share, of a size that its number chooses."""
    size = SIZES[number % len(SIZES)]
    text: bytes = b"%d/" % number * (size // 2 + 1)
    return text[:size]


@pytest.mark.parametrize("seed", range(3))
def test_no_job_is_overwritten_by_another_of_any_size(seed: int) -> None:
    draw = random.Random(seed)
    broker = Broker()
    queues = [Lane(broker, b"%d" % number) for number in range(20)]
    waiting: list[list[bytes]] = [[] for _ in queues]
    for number in range(30_000):
        at = draw.randrange(len(queues))
        if draw.random() < 0.55:
            queues[at].push(payload(number))
            waiting[at].append(payload(number))
        elif waiting[at]:
            assert queues[at].pop() == waiting[at].pop(0)
    for queue, expected in zip(queues, waiting, strict=True):
        assert [queue.pop() for _ in expected] == expected
        assert queue.pop() is None


@pytest.mark.skipif(SANITIZED, reason="the sanitizer keeps what is freed")
def test_memory_goes_back_when_jobs_are_gone_and_is_used_again() -> None:
    queue = Lane(Broker(), b"f")
    before = own_resident()
    most = 0
    for _ in range(3):
        for _ in range(300_000):
            queue.push(b"x" * 200)
        most = max(most, own_resident())
        while queue.pop() is not None:
            pass
        assert own_resident() - before < 24 * MIB
    assert 50 * MIB < most - before < 110 * MIB  # less than 74 where spare chunks were at hand


@pytest.mark.skipif(SANITIZED, reason="the sanitizer keeps what is freed")
def test_a_few_jobs_that_stay_hold_only_their_own_chunks() -> None:
    broker = Broker()
    stay, go = Lane(broker, b"stay"), Lane(broker, b"go")
    before = own_resident()
    for number in range(500_000):
        (go if number % 10_000 else stay).push(b"x" * 200)
    while go.pop() is not None:
        pass
    assert broker.job_count == 50
    assert own_resident() - before < 28 * MIB
