"""What Python itself would write to standard error, past the log: caught, and logged.

Exceptions that nobody can be told of (in a ``__del__``, in a callback from C), those that end a thread, and warnings.
"""

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

log = logging.getLogger("gearfast")


@contextmanager
def caught() -> Iterator[None]:
    """Log them until the block is left."""
    before = sys.unraisablehook, threading.excepthook, warnings.showwarning
    sys.unraisablehook = log_unraisable
    threading.excepthook = log_end_of_thread
    warnings.showwarning = log_warning
    try:
        yield
    finally:
        sys.unraisablehook, threading.excepthook, warnings.showwarning = before


def log_unraisable(unraisable: "UnraisableHookArgs") -> None:
    """Log an exception that could not be raised."""
    words = unraisable.err_msg or "Exception ignored in"
    log.critical("%s: %r", words, unraisable.object, exc_info=unraisable.exc_value)


def log_end_of_thread(args: threading.ExceptHookArgs) -> None:
    """Log the exception that has ended a thread."""
    if args.exc_type is not SystemExit:
        name = "?" if args.thread is None else args.thread.name
        log.critical("The thread %s ended with an exception", name, exc_info=args.exc_value)


def log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Log a warning of Python's."""
    log.warning("%s: %s (%s:%d)", category.__name__, message, filename, lineno)
