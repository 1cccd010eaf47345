"""Where the lines of the log go: a file, a descriptor that is open already, or syslog.

A sink may block for as long as it likes: only the thread of a scribe calls `write` and `reopen`.
"""

import os
import syslog
import time
from collections.abc import Sequence
from typing import Final, Protocol

from gearfast.cli.log.lines import Clock, Line
from gearfast.config import LOG_PAUSE
from gearfast.logs import word_of

SYSLOG_PRIORITIES: Final = {
    "FATAL": syslog.LOG_EMERG,
    "ALERT": syslog.LOG_ALERT,
    "CRITICAL": syslog.LOG_CRIT,
    "ERROR": syslog.LOG_ERR,
    "WARNING": syslog.LOG_WARNING,
    "NOTICE": syslog.LOG_NOTICE,
    "INFO": syslog.LOG_INFO,
    "DEBUG": syslog.LOG_DEBUG,
}


class UnwrittenError(Exception):
    """Lines could not be written."""

    def __init__(self, count: int, reason: str) -> None:
        super().__init__(reason)
        self.count = count


class Sink(Protocol):
    """Takes lines."""

    def render(self, word: str, when: float, text: str) -> str:
        """Return the line of a message: its level's word, its time in seconds since 1970, its text."""

    def write(self, lines: Sequence[Line]) -> None:
        """Write lines, however long that takes. Raises UnwrittenError when some are lost."""

    def reopen(self) -> None:
        """Follow a log rotation. Raises OSError; what was open is kept then."""

    def close(self) -> None:
        """Give everything back."""


class DescriptorSink:
    """A descriptor, such as standard error's; it is not this sink's to close, nor to make non-blocking."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.clock = Clock()
        self.torn = False
        """The last line was written in part."""

    def render(self, word: str, when: float, text: str) -> str:
        """Return the line as stock writes it."""
        return f"{word:>7} {self.clock.spell(when)} [  main ] {text}\n"

    def write(self, lines: Sequence[Line]) -> None:
        """Write them all. On a full disk they are lost, and the next ones may be too: the server works on."""
        rest = "".join([line.text for line in lines]).encode("utf-8", "backslashreplace")
        if self.torn:
            rest = b"\n" + rest
        at = 0
        while at < len(rest):
            try:
                at += os.write(self.descriptor, memoryview(rest)[at:])
            except BlockingIOError:  # whoever shares it has made it non-blocking
                time.sleep(LOG_PAUSE)
            except OSError as error:
                self.torn = rest[at - 1 : at] != b"\n" if at else self.torn
                raise UnwrittenError(rest.count(b"\n", at), error.strerror or repr(error)) from None
        self.torn = False

    def reopen(self) -> None:
        """Nothing: what a descriptor leads to has no name to be opened by."""

    def close(self) -> None:
        """Nothing."""


class StderrSink(DescriptorSink):
    """Standard error, whatever a program has made of ``sys.stderr``."""

    def __init__(self) -> None:
        super().__init__(2)


class HandedSink(DescriptorSink):
    """A descriptor that a path such as ``/dev/stdout`` names.

    It is a copy, so that it outlives ``--daemon``, which lets go of descriptors 0 to 2.
    """

    def __init__(self, descriptor: int) -> None:
        """Raise OSError when the descriptor is not open."""
        super().__init__(os.dup(descriptor))

    def close(self) -> None:
        """Close the copy."""
        os.close(self.descriptor)


class FileSink(DescriptorSink):
    """A file that log rotation may move away."""

    def __init__(self, path: str) -> None:
        """Open ``path`` for appending. Raises OSError."""
        super().__init__(open_append(path))
        self.path = path

    def reopen(self) -> None:
        """Open the path anew. Raises OSError; the file that was open is then kept."""
        new, old = open_append(self.path), self.descriptor
        self.descriptor = new
        self.torn = False
        os.close(old)

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)


class SyslogSink:
    """syslog, under stock's name, so that rules written for gearmand still match."""

    def __init__(self) -> None:
        syslog.openlog("gearmand", syslog.LOG_PID, syslog.LOG_USER)

    def render(self, word: str, when: float, text: str) -> str:
        """Return the message: syslog has the time already."""
        return f"{word} {text}"

    def write(self, lines: Sequence[Line]) -> None:
        """Send one message for each line."""
        for line in lines:
            syslog.syslog(SYSLOG_PRIORITIES[word_of(line.level)], line.text)

    def reopen(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing: the process has one connection, for whoever opens the log next."""


def open_append(path: str) -> int:
    """Open a file whose lines are added at its end. Raises OSError."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
