"""Clients and workers as the server tests need them, and what a look at its tables tells."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.support import wire
from tests.support.peers import Server
from tests.support.wire import Connection

PATIENT = "--worker-wakeup-grace=60000"
"""A slow machine must not look like a worker that does not grab."""


def worker_of(server: Server, function: str, *, asleep: bool = False) -> Connection:
    """A worker the server knows when this returns."""
    worker = server.connect()
    worker.request(wire.CAN_DO, function)
    if asleep:
        worker.request(wire.PRE_SLEEP)
    assert worker.sync() == b""
    return worker


@contextlib.contextmanager
def sleeping(server: Server, function: str, workers: int) -> Iterator[list[Connection]]:
    """So many workers, all asleep."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(worker_of(server, function, asleep=True)) for _ in range(workers)]


def grab(worker: Connection) -> tuple[bytes, bytes]:
    """Handle and payload of the next job."""
    answer = worker.call(wire.GRAB_JOB)
    assert answer.name == "JOB_ASSIGN"
    handle, _, payload = answer.args(2)
    return handle, payload


def submit(client: Connection, function: str, payload: str = "x", *, background: bool = True) -> bytes:
    """Submit a job, return its handle."""
    kind = wire.SUBMIT_JOB_BG if background else wire.SUBMIT_JOB
    answer = client.call(kind, function, "", payload=payload)
    assert answer.name == "JOB_CREATED"
    return answer.body


def fill(client: Connection, function: str, jobs: int) -> None:
    """Queue many background jobs, a thousand at a time."""
    thousand = wire.request(wire.SUBMIT_JOB_BG, function, "", payload="") * 1000
    for _ in range(jobs // 1000):
        client.send(thousand)
        assert client.sync().count(b"\0RES\0\0\0\x08") == 1000


def row(admin: Connection, function: str) -> tuple[int, int, int]:
    """Total, running and workers of a function, as `status` shows them."""
    for line in admin.table("status"):
        name, *figures = line.split("\t")
        if name == function:
            total, running, workers = map(int, figures)
            return total, running, workers
    return 0, 0, 0


def res(type_: int, *args: bytes) -> bytes:
    """An answer's bytes."""
    return wire.raw(wire.RES, type_, b"\0".join(args))
