"""The limit: limit.c, the least that one thread can do with the same bytes; built by the harness."""

from __future__ import annotations

from benchmarks.build import LIMIT
from benchmarks.machine import first_line
from benchmarks.subjects.subject import MissingError, Subject


class Limit(Subject):
    """A bare epoll loop: no names, no limits, no checks, one FIFO."""

    label = "limit"

    def find(self) -> str:
        """Return the program that `benchmarks.build` made."""
        if not LIMIT.exists():
            raise MissingError("not built: make bench (it needs a C compiler: apt install gcc)")
        return str(LIMIT)

    def command(self, program: str, port: int | str) -> list[str]:
        """Return it; it has no options."""
        return [program, str(port)]

    def version(self, program: str) -> str:
        """Return what compiled it; it has no version of its own."""
        return f"benchmarks/subjects/limit.c, {first_line('cc', '--version')}"
