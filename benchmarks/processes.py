"""What a process tree has used (processor time, resident memory), and which cores it runs on. Linux only."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

SETTLE_SECONDS = 0.05  # several ticks of any kernel


class Tree:
    """A process with all its descendants, as they are when asked; raises ProcessLookupError when it has ended."""

    def __init__(self, pid: int) -> None:
        """Follow the process `pid`."""
        self.pid = pid

    def pids(self) -> list[int]:
        """Return the process and its living descendants."""
        found = [self.pid]
        for pid in found:  # it grows while it is walked
            with contextlib.suppress(OSError):
                for children in Path(f"/proc/{pid}/task").glob("*/children"):
                    found += map(int, children.read_text().split())
        return found

    def settle(self) -> bool:
        """Wait until every thread sleeps, but not for long; return whether they do.

        Only then is `cpu` exact: the kernel books the time of a running thread when it stops, or at the next tick.
        """
        limit = time.monotonic() + SETTLE_SECONDS
        while not all(map(_sleeps, self.pids())):
            if time.monotonic() > limit:
                return False
            time.sleep(0.0005)
        return True

    def cpu(self) -> float:
        """Return the seconds of processor time, user and system, of all threads, also of those that ended."""
        clocks = [_clock(self.pid)]
        for pid in self.pids()[1:]:
            with contextlib.suppress(ProcessLookupError):
                clocks.append(_clock(pid))
        return sum(clocks)

    def resident(self) -> int:
        """Return the bytes of resident memory; what processes share is counted for each."""
        sizes = [_resident(self.pid)]
        for pid in self.pids()[1:]:
            with contextlib.suppress(ProcessLookupError):
                sizes.append(_resident(pid))
        return sum(sizes)

    def peak(self) -> int:
        """Return the most bytes that were resident since `forget_peak`, or since the start."""
        return sum(_peak(pid) for pid in self.pids())

    def forget_peak(self) -> None:
        """Let `peak` begin anew."""
        for pid in self.pids():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")


def _sleeps(pid: int) -> bool:
    states = []
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # a thread may end meanwhile
            states.append(stat.read_text().rpartition(")")[2].split()[0])
    return "R" not in states


def _clock(pid: int) -> float:
    """Return a process's own clock: to the nanosecond, and it keeps the time of threads that are gone."""
    try:
        return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3), which Python does not offer
    except OSError as error:
        raise ProcessLookupError(f"process {pid} has ended") from error


def _resident(pid: int) -> int:
    """Read the exact figure: that of /proc/PID/status may be some hundred kilobytes late on newer kernels."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessLookupError(f"process {pid} has ended") from error
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss:"))


def _peak(pid: int) -> int:
    """Return 0 for a process that has ended."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return 0


class Cores:
    """The generator's core and the servers' cores; both all that there are when not pinned."""

    def __init__(self, pin: bool = True) -> None:
        """Share the cores this process may use: the last to the generator, the others to the servers."""
        there = sorted(os.sched_getaffinity(0))
        self.pinned = pin and len(there) > 1
        self.generator = {there[-1]} if self.pinned else set(there)
        self.servers = set(there[:-1]) if self.pinned else set(there)

    @classmethod
    def given(cls, servers: Iterable[int], generator: Iterable[int]) -> Cores:
        """Return cores that were chosen."""
        made = cls(pin=False)
        made.servers, made.generator = set(servers), set(generator)
        made.pinned = not made.servers & made.generator
        return made

    def __str__(self) -> str:
        """Return it in words."""
        if not self.pinned:
            return "not pinned"
        return f"generator on core {_named(self.generator)}, where it never sleeps; servers on {_named(self.servers)}"

    @contextlib.contextmanager
    def for_servers(self) -> Iterator[None]:
        """Have what is started in the block run on the servers' cores: a child inherits its parent's."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self.servers)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    @contextlib.contextmanager
    def for_generator(self) -> Iterator[None]:
        """Run this thread on the generator's core while in the block."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self.generator)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def _named(cores: set[int]) -> str:
    return ", ".join(map(str, sorted(cores)))


def allow_open_files() -> int:
    """Raise the limit of open files as far as it goes, for servers started later too; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
