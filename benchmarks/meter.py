"""A meter: what a process tree uses while something is played, in all and by its busiest thread."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import clocks
from benchmarks.processes import Tree


@dataclass(frozen=True)
class Used:
    """Seconds of processor time."""

    total: float
    threads: dict[str, float]
    """of each thread by its name; empty where the kernel does not tell"""

    @property
    def busiest(self) -> float | None:
        """Those of the thread that used the most."""
        return max(self.threads.values(), default=None)


class Meter:
    """Counts from its making on. Threads are read when they sleep: only then are they booked up to now."""

    def __init__(self, tree: Tree) -> None:
        """Begin. Raises ProcessLookupError."""
        self._tree = tree
        tree.settle()
        self._total, self._clocks = tree.cpu(), clocks.read(tree.pids())

    def used(self) -> Used:
        """Return what was used since. Raises ProcessLookupError."""
        self._tree.settle()
        total = self._tree.cpu() - self._total
        return Used(total, clocks.spent(self._clocks, clocks.read(self._tree.pids()), total))
