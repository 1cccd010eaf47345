"""Requests of the broker and of sessions for memory that are refused, one after the other (short_memory.c)."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FROM_HERE = Path(__file__).parents[2]


def without_memory(place: Path, module: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the tests in a process in which memory can be refused."""
    if sys.platform != "linux" or "LD_PRELOAD" in os.environ:
        pytest.skip("nothing can be loaded into a program so, or something is already")
    library = place / "short_memory.so"
    source = Path(__file__).with_name("short_memory.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", library, source], check=True)
    return subprocess.run(
        [sys.executable, "-m", module],
        env=os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": str(FROM_HERE)},
        cwd=FROM_HERE,
        capture_output=True,
        text=True,
        check=False,
    )


def refuse(which: int) -> bool:
    """Refuse the request for memory that comes after so many others, from 1 on; 0: none.

    Tells whether the one that was to be refused before has come.
    """
    return bool(ctypes.CDLL(None).refuse(which))


def each_refusal() -> Iterator[Callable[[Callable[[], object]], bool]]:
    """Yield a way to do something with its first request for memory refused, then its second, until it has no more.

    It tells whether what was done has raised MemoryError.
    """
    which, reached = 0, True

    def refused(act: Callable[[], object]) -> bool:
        nonlocal reached
        refuse(which)
        try:
            act()
        except MemoryError:
            return True
        finally:
            reached = refuse(0)
        return False

    while reached:
        which += 1
        yield refused
