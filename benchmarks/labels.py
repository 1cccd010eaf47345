"""The labels of servers: the name of a program and, of one that was told how many threads to have, their number."""

from __future__ import annotations

import re

_THREADED = re.compile(r"(.+) (\d+) threads?")


def threaded(program: str, threads: int) -> str:
    """Return the label of a program with so many threads: "gearfast 2 threads"."""
    return f"{program} {counted(threads)}"


def counted(threads: int) -> str:
    """Write a number of threads."""
    return f"{threads} thread{'s' if threads != 1 else ''}"


def program_of(label: str) -> str:
    """Return the program that a label is of, whatever its threads."""
    found = _THREADED.fullmatch(label)
    return found[1] if found else label


def threads_of(label: str) -> int:
    """Return how many threads a label says, or 0 where it says nothing of them."""
    found = _THREADED.fullmatch(label)
    return int(found[2]) if found else 0
