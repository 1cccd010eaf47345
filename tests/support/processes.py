"""A server process looked at from outside, and held still: what a test needs when the wire does not show it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.peers import Server, until

MIB = 1 << 20
WATCHED = "tsan" in os.environ.get("LD_PRELOAD", "")
"""ThreadSanitizer looks for races."""
SANITIZED = WATCHED or "asan" in os.environ.get("LD_PRELOAD", "")
"""A sanitizer has memory of its own, and keeps freed memory for a while: figures of memory say nothing then."""


def _status(pid: int, field: str) -> int:
    match = re.search(rf"^{field}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) << 10


def resident(server: Server) -> int:
    """Bytes of memory the process has in use."""
    return 0 if SANITIZED else _status(server.pid, "VmRSS")


def own_resident() -> int:
    """Bytes of memory this process has in use."""
    return _status(os.getpid(), "VmRSS")


def most_mapped(server: Server) -> int:
    """The most bytes the process ever asked the system for, touched or not."""
    return _status(server.pid, "VmPeak")


def busy(server: Server) -> float:
    """Seconds of processor time the process has had, all threads together."""
    tasks = Path(f"/proc/{server.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


@contextlib.contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Stop the process; what peers do meanwhile comes to it in one turn, in the order they did it."""
    os.kill(server.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, server.pid, os.WSTOPPED)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def log_of(server: Server) -> str:
    """What the server has logged so far. Its log is written by a thread: what has just been said may take a moment."""
    return server.log.read_text(errors="replace")


def settled_log_of(server: Server) -> str:
    """The log when nothing comes any more, to see what is not said."""
    before = None
    while (now := log_of(server)) != before:
        before = now
        time.sleep(0.05)
    return now


def wait_for_line(server: Server, text: str) -> None:
    """Until this stands in the log."""
    until(lambda: text in log_of(server), f"the log says: {text}")


def greeting_of(server: Server) -> str:
    """What a terminal is told when the server serves."""
    wait_for_line(server, " is listening on ")
    return next(line for line in log_of(server).splitlines() if " is listening on " in line)
