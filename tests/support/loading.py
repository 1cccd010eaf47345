"""The load generator as the tests take it: compiled first, and patient."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.build import build

if TYPE_CHECKING:
    from benchmarks.load import Load

LONG = 60.0  # seconds; no right server is ever that slow here


@functools.cache
def compiled() -> type[Load]:
    """Compile the load generator if need be, and return it."""
    build()
    from benchmarks.load import Load

    return Load


def compiled_buckets() -> Callable[[int], int]:
    """Return what tells a latency's bucket inside the load generator."""
    build()
    from benchmarks.load import bucket_of

    return bucket_of


def load(
    port: int, patience: float = LONG, protocol: str = "gearman", spin: bool = False, path: str = "", **how: Any
) -> Load:
    """A load of the server on that port, or at that Unix socket."""
    return compiled()(port, patience=patience, protocol=protocol, spin=spin, path=path, **how)
