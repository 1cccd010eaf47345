"""A log record as lines of text: what was said, and the traceback behind it (protocol section 5.7)."""

import logging
import time
import tokenize  # noqa: F401 (a traceback looks it up, when `daemon.become` may have put its file out of reach)
import traceback
from typing import NamedTuple

from gearfast.logs import escaped


class Line(NamedTuple):
    """One line on its way out."""

    level: int
    """Of the standard library."""
    text: str
    """All of it, its end included if it has one."""


def message_of(record: logging.LogRecord) -> str:
    """Return what a record says, in one line. Never raises: a faulty call of the logger loses no words."""
    try:
        text = record.getMessage()
    except Exception as error:
        text = f"{record.msg!r} could not be filled in: {type(error).__name__}"
    # The libraries in use share this log, and say who they are.
    return escaped(text if record.name.startswith("gearfast") else f"{record.name}: {text}")


def trace_of(record: logging.LogRecord) -> list[str]:
    """Return the lines of the record's traceback, marked so that none of them can be taken for a message."""
    text = ""
    if record.exc_info and record.exc_info[1] is not None:
        text = "".join(traceback.format_exception(record.exc_info[1]))
    if record.stack_info:
        text += record.stack_info
    return [f"| {escaped(line)}" for line in text.splitlines()]


class Clock:
    """Spells the time of a line: local time with microseconds. Seconds are spelled once, as lines come by thousands."""

    def __init__(self) -> None:
        self.second = -1
        self.spelled = ""

    def spell(self, when: float) -> str:
        """Return ``when``, seconds since 1970, as ``2026-03-01 12:00:00.123456``."""
        second = int(when)
        if second != self.second:
            self.second = second
            self.spelled = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        return f"{self.spelled}.{int((when - second) * 1e6):06}"
