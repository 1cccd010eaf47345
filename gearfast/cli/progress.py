"""How far a long piece of work has come, for a person at a terminal."""

import sys
from types import TracebackType
from typing import Self

from gearfast.ground.clock import monotonic

EVERY = 0.2
"""Seconds between two looks at it: quick enough to see it move, and no work."""


class Progress:
    """One line on standard error that counts; nothing at all where standard error is no terminal."""

    def __init__(self, what: str, *, watched: bool = True) -> None:
        """Begin; ``what`` is counted, such as ``jobs read``."""
        self.what = what
        self.watched = watched and sys.stderr is not None and sys.stderr.isatty()
        self.count = 0
        self.next = monotonic() + EVERY
        self.drawn = False

    def add(self, count: int) -> None:
        """Count so many more."""
        self.count += count
        if self.watched and monotonic() >= self.next:
            self.next = monotonic() + EVERY
            self.drawn = True
            print(f"\r{self.count:,} {self.what}", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        """Nothing is shown yet: short work needs no line."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the line away."""
        if self.drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
