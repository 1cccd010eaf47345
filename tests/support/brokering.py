"""What the tests of the broker share: workers made in one line, and its tables as dicts."""

from __future__ import annotations

from typing import Literal

from gearfast.broker.broker import Broker
from gearfast.broker.inprocess import InProcessPeer

WAKE: tuple[Literal["wake"]] = ("wake",)


def peer_for(broker: Broker, *functions: bytes) -> InProcessPeer:
    """A worker of these functions, the first of them taken on first."""
    worker = InProcessPeer(broker)
    for function in functions:
        worker.can_do(function)
    return worker


def grabbed(worker: InProcessPeer, now: float = 0.0) -> bytes:
    """The handle of the job the worker gets now."""
    job = worker.grab(now)
    assert job is not None
    return job[0]


def payloads(worker: InProcessPeer, most: int = 1000) -> list[bytes]:
    """The payloads of all that this worker can grab."""
    found: list[bytes] = []
    while len(found) < most and (job := worker.grab()):
        found.append(job[3])
    return found


def jobs(broker: Broker) -> dict[bytes, tuple[int, bool, bool, bytes]]:
    """Every job by its handle: attempts, orphan, background, unique."""
    cursor, rows = broker.scan_jobs(0, 1000)
    assert cursor == 0
    return {row[0]: row[1:] for row in rows}


def functions(broker: Broker) -> dict[bytes, tuple[int, int, int, tuple[int, int, int]]]:
    """Every function by its name: jobs, running, workers, queued by priority."""
    cursor, rows = broker.scan_functions(0, 1000)
    assert cursor == 0
    return {row[0]: row[1:] for row in rows}


def submitted(client: InProcessPeer, *arguments: bytes, priority: int = 1, background: bool = False) -> bytes:
    """The handle of a submission that must not be refused."""
    handle = client.submit(*arguments, priority=priority, background=background)
    assert handle is not None
    return handle
