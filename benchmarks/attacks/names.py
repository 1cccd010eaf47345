"""What many names let a peer do: abilities of one worker, functions that are alike, and names that are long."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator

from benchmarks.attacks.attack import READY, Attack
from benchmarks.attacks.door import Door
from benchmarks.attacks.jobs import submitted
from benchmarks.attacks.line import CAN_DO, GRAB_JOB, NO_JOB, PATIENCE, RESET_ABILITIES, Line, begins, packet

SAID_AT_ONCE = 1000
LONG = 8000
"""bytes of a long name: a server takes 8,191"""
LETTERS = b"abcdefghijklmnopqrstuvwx"
DROPPED = 3000
"""functions that 128 KB can name"""
UNREAD = 0.5
"""seconds that somebody asks for and does not read"""
OK = b"OK\r\n"


def abilities(names: int, size: int = 0) -> Iterator[bytes]:
    """Yield, some at a time, the packets that say it of so many functions, whose names have about that size."""
    for first in range(0, names, SAID_AT_ONCE):
        some = range(first, min(first + SAID_AT_ONCE, names))
        yield b"".join([packet(CAN_DO, b"f%d" % number + b"n" * size) for number in some])


def able(line: Line, names: int, size: int = 0) -> None:
    """Have it do so many functions, whose names have about that size."""
    for said in abilities(names, size):
        line.echo(said)


def alike(names: int) -> Iterator[bytes]:
    """Yield names that differ in case only."""
    for number in range(names):
        bits = (number >> at & 1 for at in range(len(LETTERS)))
        yield bytes(letter - 32 * bit for letter, bit in zip(LETTERS, bits, strict=True))


def created(line: Line, names: int) -> None:
    """Create so many functions whose names differ in case only."""
    line.ask(b"".join(b"create function %b\r\n" % name for name in alike(names)), OK, names)


def abilities_said(door: Door, size: int) -> Attack:
    """Says of many functions, as fast as can be, that it can do them."""
    line, said = door.line(), b"".join(abilities(size))
    yield READY
    line.echo(said)


def abilities_and_leaves(door: Door, size: int) -> Attack:
    """Can do many functions, and leaves."""
    line = door.line()
    able(line, size)
    yield READY
    line.close()


def abilities_and_reset(door: Door, size: int) -> Attack:
    """Can do many functions, and then none."""
    line = door.line()
    able(line, size)
    yield READY
    line.echo(packet(RESET_ABILITIES))


def abilities_and_grab(door: Door, size: int) -> Attack:
    """Can do many functions, and asks for a job while there is one of another function only."""
    line = door.line()
    able(line, size)
    submitted(line, 1)
    yield READY
    line.ask(packet(GRAB_JOB), begins(NO_JOB))


def alike_and_drop(door: Door, size: int) -> Attack:
    """Make functions whose names differ in case only, and drop as many as can be named at once."""
    line = door.line()
    created(line, size)
    dropped = [b"drop function %b\r\n" % name for name in alike(min(size, DROPPED))]
    yield READY
    line.ask(b"".join(dropped), OK, len(dropped))


def alike_and_stop(door: Door, size: int) -> Attack:
    """Make functions whose names differ in case only, and have the server stop: seconds until it has ended."""
    line = door.line()
    created(line, size)
    line.push(b"getpid\r\n")
    pid = int(line.sock.recv(64).split()[1])
    end = select.poll()
    end.register(os.pidfd_open(pid), select.POLLIN)
    yield READY
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    if not end.poll(PATIENCE * 1000):
        raise TimeoutError(f"the server did not end within {PATIENCE:.0f} s")
    yield time.monotonic() - began


def workers_asked(askers: int, door: Door, size: int) -> Attack:
    """Have one worker with so many megabytes of names, and ask for them without reading the answer."""
    worker, asking = door.line(), door.lines(askers)
    able(worker, size * 1_000_000 // LONG, LONG)
    yield READY
    for line in asking:
        line.push(b"workers\n")
    time.sleep(UNREAD)
