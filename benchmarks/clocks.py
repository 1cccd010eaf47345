"""The clock of each thread of some processes, as the kernel keeps them in /proc/PID/task/*/schedstat. Linux only.

A thread's clock is gone with it, while that of its process goes on: what is missing in the end is that of threads that
ended meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
ENDED = "ended"
"""what threads that are gone have used goes by this name"""
NOTHING = 0.005
"""of all: so little that is missing is no thread, but what was booked between two readings"""


@dataclass(frozen=True)
class Clock:
    """How long a thread has run, in nanoseconds, and what it calls itself."""

    ran: int
    name: str


Clocks = Mapping[tuple[int, int], Clock]
"""by the numbers of process and thread"""


def read(pids: Iterable[int], proc: Path = PROC) -> dict[tuple[int, int], Clock]:
    """Return the clocks of the threads that there are; none where the kernel keeps none."""
    found = {}
    for pid in pids:
        for task in sorted(proc.glob(f"{pid}/task/*"), key=lambda task: int(task.name)):
            with contextlib.suppress(OSError):  # it may end meanwhile
                ran = nanoseconds((task / "schedstat").read_text())
                if ran is not None:
                    found[pid, int(task.name)] = Clock(ran, (task / "comm").read_text().strip())
    return found


def nanoseconds(schedstat: str) -> int | None:
    """Return how long a thread has run: the first of three numbers; None for anything else."""
    words = schedstat.split()
    return int(words[0]) if len(words) == 3 and all(word.isdecimal() for word in words) else None


def spent(before: Clocks, after: Clocks, total: float) -> dict[str, float]:
    """Return the seconds of each thread that is there at the end, by its name, in the order of their numbers.

    `total`: those of all, by the clocks of the processes. What is missing counts as that of one more thread: no
    thread is then made out to be less busy than it was. Empty where the kernel keeps no clocks.
    """
    found: dict[str, float] = {}
    for which, clock in after.items():
        start = before.get(which)
        # one that came meanwhile began at 0; so did one that has the number of another
        began = start.ran if start and start.ran <= clock.ran else 0
        found[_free(clock.name, found)] = (clock.ran - began) / 1e9
    if total > 0 and not any(found.values()):
        return {}
    missing = total - sum(found.values())
    if missing > NOTHING * total:
        found[_free(ENDED, found)] = missing
    return found


def _free(name: str, taken: Mapping[str, float]) -> str:
    """Return the name, with a number behind it where there is one of that name already."""
    again = 2
    free = name
    while free in taken:
        free, again = f"{name} {again}", again + 1
    return free
