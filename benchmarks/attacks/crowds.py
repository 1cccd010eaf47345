"""What many peers do at the same time: admin lines, packets, connections that come and go."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections import deque

from benchmarks.attacks.attack import READY, Attack
from benchmarks.attacks.door import Door
from benchmarks.attacks.jobs import submitted
from benchmarks.attacks.line import ECHO_REQ, HOST, JOB_CREATED, SUBMIT_JOB_BG, Line, filled, packet

LASTS = 2.0
"""seconds that a crowd goes on at most: some servers would need minutes"""
CALLS = 1.0
"""seconds of connections that come and go"""
MAX_CALLS = 20_000
"""of them: fewer than there are ports for"""
JOBS = 100_000
"""queued, where all are asked for"""
HEAD_START = 0.05
"""seconds that a crowd has before somebody is in its way"""
END = b"the end of it"


def poured(crowd: list[Line], data: bytes) -> None:
    """Have each send all of it, all at the same time, and read what comes; until it is answered, or LASTS is over.

    Raises ConnectionError when that is over for all, if the server cut one of them off.
    """
    rest = {line.sock.fileno(): (line, memoryview(data + packet(ECHO_REQ, END))) for line in crowd}
    watch = select.poll()
    for number in rest:
        watch.register(number, select.POLLIN | select.POLLOUT)
    limit, cut = time.monotonic() + LASTS, 0
    while rest and time.monotonic() < limit:
        for number, events in watch.poll(100):
            line, left = rest[number]
            try:
                more = moved(line, left, events)
            except ConnectionError:  # the others go on
                more, cut = None, cut + 1
            if more is None:
                watch.unregister(number)
                del rest[number]
            else:
                rest[number] = line, more
                watch.modify(number, select.POLLIN | (select.POLLOUT if more else 0))
    if cut:
        raise ConnectionError(f"the server cut off {cut} of {len(crowd)} attackers")


def moved(line: Line, left: memoryview, events: int) -> memoryview | None:
    """Send and read what can be; return what is left to send, or None when all is answered. Raises ConnectionError."""
    if events & select.POLLOUT:
        left = left[line.sock.send(left, socket.MSG_DONTWAIT) :]
    return None if events & ~select.POLLOUT and line.read(END) else left


def pours(data: bytes, door: Door, size: int) -> Attack:
    """Peers that each send the same, as much of it as is read at once."""
    crowd = door.lines(size)
    yield READY
    poured(crowd, filled(data))


def empty_lines_and_cancel(door: Door, size: int) -> Attack:
    """Peers that each send empty lines, while somebody cancels a job: seconds until that is answered."""
    crowd, admin = door.lines(size), door.line()
    admin.push(packet(SUBMIT_JOB_BG, b"cancelled", b"", b""))
    handle = admin.body(JOB_CREATED)

    def pour() -> None:
        with contextlib.suppress(ConnectionError):  # who is cut off is in nobody's way
            poured(crowd, filled(b"\n"))

    pouring = threading.Thread(target=pour, daemon=True)
    yield READY
    pouring.start()
    time.sleep(HEAD_START)
    began = time.monotonic()
    admin.ask(b"cancel job %b\r\n" % handle, b"OK\r\n")
    took = time.monotonic() - began
    pouring.join()
    yield took


def show_jobs(door: Door, size: int) -> Attack:
    """Peers that each ask for all jobs, and read the answer."""
    submitted(door.line(), JOBS)
    crowd = door.lines(size)
    yield READY
    poured(crowd, b"show jobs\n")


def calls(door: Door, size: int) -> Attack:
    """Connect and close, so many open at a time, as fast as can be."""
    opened: deque[socket.socket] = deque()
    yield READY
    limit = time.monotonic() + CALLS
    for _ in range(MAX_CALLS):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((HOST, door.port))
        opened.append(sock)
        if len(opened) >= size:
            opened.popleft().close()
        if time.monotonic() > limit:
            break
    for sock in opened:
        sock.close()


def leave(door: Door, size: int) -> Attack:
    """Be connected many times, and close all connections at once."""
    crowd = door.lines(size)
    yield READY
    for line in crowd:
        line.close()
