"""Which of a machine's processors the threads of a server run on, and which the load.

Two processors that share a core (hyper-threads) are half as good as two cores: the server's threads get cores of their
own as long as there are any, and the load is kept off them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")

Core = tuple[int, ...]
"""the processors that share one"""


@dataclass(frozen=True)
class Split:
    """The processors, in the order in which threads and loads get them."""

    servers: tuple[int, ...]
    loads: tuple[int, ...]


def cores(cpus: Path = CPUS) -> list[Core]:
    """Return the cores whose processors this process may use; each is one of its own where the kernel does not tell."""
    allowed = os.sched_getaffinity(0)
    found: dict[Core, None] = {}
    for cpu in sorted(allowed):
        try:
            siblings = listed((cpus / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text())
        except (OSError, ValueError):
            siblings = {cpu}
        found[tuple(sorted(siblings & allowed))] = None
    return list(found)


def listed(text: str) -> set[int]:
    """Read numbers as the kernel lists them: "0-2,8". Raises ValueError."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def split(there: Sequence[Core], most: int, loads: int = 0) -> Split:
    """Share the cores between a server of at most so many threads, and so many loads; 0: as many as can be of use.

    The server gets one for each thread, but half of all at most. With one processor both have it.
    """
    whole = sum(map(len, there))
    wanted = min(most, max(whole // 2, 1))
    of_server = there[: min(wanted, max(len(there) // 2, 1))]
    servers = _in_order(of_server)[:wanted]
    left = _in_order(there[len(of_server) :]) or [cpu for cpu in _in_order(there) if cpu not in servers]
    useful = left[: loads or 2 * most] or list(servers)
    return Split(tuple(servers), tuple(useful))


def _in_order(some: Sequence[Core]) -> list[int]:
    """Return their processors: the first of each core, then the second of each."""
    return [core[at] for at in range(max(map(len, some), default=0)) for core in some if at < len(core)]
