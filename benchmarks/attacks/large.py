"""What a large packet does: the server makes room for it, and copies it."""

from __future__ import annotations

from benchmarks.attacks.attack import READY, Attack
from benchmarks.attacks.door import Door
from benchmarks.attacks.jobs import NAME, SHARED, submitted, taken
from benchmarks.attacks.line import JOB_CREATED, SUBMIT_JOB, SUBMIT_JOB_BG, WORK_COMPLETE, begins, packet

MB = 1_000_000
CLIENTS = 10


def payload(door: Door, size: int) -> Attack:
    """Submit one job of so many megabytes."""
    line, job = door.line(), packet(SUBMIT_JOB_BG, NAME, b"", b"x" * (size * MB))
    yield READY
    line.ask(job, begins(JOB_CREATED))


def result(door: Door, size: int) -> Attack:
    """Answer one job, for which ten clients wait and do not read, with so many megabytes."""
    clients, worker = door.lines(CLIENTS), door.line()
    for client in clients:
        submitted(client, 1, kind=SUBMIT_JOB, unique=SHARED)
    done = packet(WORK_COMPLETE, taken(worker), b"x" * (size * MB))
    yield READY
    worker.echo(done)
