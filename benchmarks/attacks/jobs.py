"""What many jobs let a peer do: those in its hands, those it waits for, and one job that is waited for many times."""

from __future__ import annotations

import time

from benchmarks.attacks.attack import READY, Attack
from benchmarks.attacks.door import Door
from benchmarks.attacks.line import (
    CAN_DO,
    CANT_DO,
    GRAB_JOB,
    JOB_ASSIGN,
    JOB_CREATED,
    SUBMIT_JOB,
    SUBMIT_JOB_BG,
    SUBMIT_JOB_EPOCH,
    WORK_COMPLETE,
    WORK_STATUS,
    Line,
    begins,
    filled,
    packet,
)

NAME = b"attacked"
SHARED = b"shared"
REPORTS = 77 * 1024
"""bytes of WORK_STATUS: some 2,500 of them"""
DUE_AFTER = 0.3
"""seconds, at least, from the last of many jobs submitted to when they are due"""
SUBMITTED = 100_000
"""jobs that any server takes in a second"""


def submitted(line: Line, jobs: int, *, kind: int = SUBMIT_JOB_BG, unique: bytes = b"") -> None:
    """Submit so many alike."""
    line.ask(packet(kind, NAME, unique, b"") * jobs, begins(JOB_CREATED), jobs)


def held(line: Line, jobs: int) -> None:
    """Submit so many, and take them all."""
    line.push(packet(CAN_DO, NAME))
    submitted(line, jobs)
    line.ask(packet(GRAB_JOB) * jobs, begins(JOB_ASSIGN), jobs)


def taken(line: Line) -> bytes:
    """Take one job, and return its handle."""
    line.push(packet(CAN_DO, NAME) + packet(GRAB_JOB))
    return line.body(JOB_ASSIGN).partition(b"\0")[0]


def progress(worker: Line) -> bytes:
    """Take one job, and return many reports of how far it is."""
    return filled(packet(WORK_STATUS, taken(worker), b"1", b"2"), REPORTS)


def holds_and_can_do(door: Door, size: int) -> Attack:
    """Hold jobs, and say again and again that another function can be done, and that it cannot."""
    line = door.line()
    held(line, size)
    yield READY
    line.echo(filled(packet(CAN_DO, b"other") + packet(CANT_DO, b"other")))


def holds_and_leaves(door: Door, size: int) -> Attack:
    """Hold jobs, and leave."""
    line = door.line()
    held(line, size)
    yield READY
    line.close()


def waits_and_leaves(door: Door, size: int) -> Attack:
    """Wait for the results of jobs, and leave."""
    line = door.line()
    submitted(line, size, kind=SUBMIT_JOB)
    yield READY
    line.close()


def due_at_once(door: Door, size: int) -> Attack:
    """Submit jobs that are all due in the same second, and wait for it."""
    line = door.line()
    due = int(time.time() + DUE_AFTER + size / SUBMITTED) + 1
    line.ask(packet(SUBMIT_JOB_EPOCH, NAME, b"", b"%d" % due, b"") * size, begins(JOB_CREATED), size)
    if time.time() > due:
        raise TimeoutError("the first jobs were due before the last were taken in")
    yield READY
    time.sleep(max(due - time.time(), 0.0))


def attached(door: Door, size: int) -> Attack:
    """Wait for one job many times over one connection, while its worker tells how far it is."""
    client, worker = door.line(), door.line()
    submitted(client, size, kind=SUBMIT_JOB, unique=SHARED)
    told = progress(worker)
    yield READY
    worker.echo(told)


def attached_each(door: Door, size: int) -> Attack:
    """Wait for one job over many connections, while its worker tells how far it is."""
    clients, worker = door.lines(size), door.line()
    for client in clients:
        submitted(client, 1, kind=SUBMIT_JOB, unique=SHARED)
    told = progress(worker)
    yield READY
    worker.echo(told)


def attached_and_done(door: Door, size: int) -> Attack:
    """Wait for one job many times over one connection, until its worker has done it."""
    client, worker = door.line(), door.line()
    submitted(client, size, kind=SUBMIT_JOB, unique=SHARED)
    handle = taken(worker)
    yield READY
    worker.echo(packet(WORK_COMPLETE, handle, b""))
