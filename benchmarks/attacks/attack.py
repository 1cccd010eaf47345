"""What an attack is: it prepares, yields READY, and strikes when it is asked to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.attacks.door import Door

READY = 0.0

Attack = Iterator[float]
"""Yields READY, and where it is about something that it waits for itself, the seconds of that. Raises ConnectionError
when the server ends a connection, TimeoutError when nothing moves any more."""

Begin = Callable[[Door, int], Attack]
"""Of the way to a server, and of how much there is to be: jobs, functions, peers or megabytes."""
