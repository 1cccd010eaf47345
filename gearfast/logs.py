"""The log: stock gearmand's levels, words and line format on the standard library's logger ``gearfast``.

A line is ``%7s`` level, local time with microseconds, the thread's tag, the message (protocol section 5.7):

    NOTICE 2026-03-01 12:00:00.123456 [  main ] SIGHUP, reopening log file

Every module logs with ``logging.getLogger("gearfast")``; embedders configure that logger as they like, only the
command line calls ``open_log``.
"""

import logging
import sys
import syslog
from datetime import datetime
from typing import Final, TextIO

DEBUG: Final = logging.DEBUG
INFO: Final = logging.INFO
NOTICE: Final = 25
WARNING: Final = logging.WARNING
ERROR: Final = logging.ERROR
CRITICAL: Final = logging.CRITICAL
ALERT: Final = 60
FATAL: Final = 70

LEVELS: Final = {
    "FATAL": FATAL,
    "ALERT": ALERT,
    "CRITICAL": CRITICAL,
    "ERROR": ERROR,
    "WARNING": WARNING,
    "NOTICE": NOTICE,
    "INFO": INFO,
    "DEBUG": DEBUG,
}
"""The words of ``--verbose``, gravest first."""

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

log = logging.getLogger("gearfast")

# The standard library has no names for these; without them an embedder's own formatter prints "Level 25".
for _word in ("NOTICE", "ALERT", "FATAL"):
    logging.addLevelName(LEVELS[_word], _word)


def word_of(level: int) -> str:
    """Return the word for a standard library level: the gravest that is not above it, DEBUG for what is lower."""
    return next((word for word, number in LEVELS.items() if number <= level), "DEBUG")


def level_name() -> str:
    """Return the word of the level that the server logs at now; the admin command ``verbose`` answers it."""
    return word_of(log.getEffectiveLevel())


class Lines(logging.Formatter):
    """Formats a record as stock formats a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line; a traceback, if there is one, follows on lines of its own."""
        when = datetime.fromtimestamp(record.created).strftime("%Y-%m-%d %H:%M:%S.%f")
        line = f"{word_of(record.levelno):>7} {when} [  main ] {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class LogFile(logging.StreamHandler[TextIO]):
    """Appends lines to a file that log rotation may move away."""

    def __init__(self, path: str) -> None:
        """Open ``path`` for appending. Raises OSError."""
        self.path = path
        super().__init__(open_append(path))

    def reopen(self) -> None:
        """Open the path anew. Raises OSError; the file that was open is then kept."""
        old = self.setStream(open_append(self.path))
        if old is not None:
            old.close()

    def close(self) -> None:
        """Close the file."""
        self.stream.close()
        super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the base class's name)
        """Drop the line: on a full disk the server works on, and says nothing where nobody reads it."""


class Syslog(logging.Handler):
    """Sends messages to syslog under stock's name, so that rules written for gearmand still match."""

    def __init__(self) -> None:
        super().__init__()
        syslog.openlog("gearmand", syslog.LOG_PID, syslog.LOG_USER)

    def emit(self, record: logging.LogRecord) -> None:
        """Send the record's message."""
        word = word_of(record.levelno)
        syslog.syslog(SYSLOG_PRIORITIES[word], f"{word} {record.getMessage()}")


def open_append(path: str) -> TextIO:
    """Open a text file whose lines are written out one by one. Raises OSError."""
    return open(path, "a", buffering=1, encoding="utf-8", errors="backslashreplace")


def open_log(path: str, level: str, *, to_syslog: bool = False) -> None:
    """Let the logger write to ``path`` (``stderr``, ``none`` or a file) from ``level`` on, and to syslog if asked.

    Raises OSError when the file cannot be opened; nothing is changed then.
    """
    handlers: list[logging.Handler] = []
    if path == "stderr":
        handlers.append(logging.StreamHandler(sys.stderr))
    elif path != "none":
        handlers.append(LogFile(path))
    if to_syslog:
        handlers.append(Syslog())
    close_log()
    for handler in handlers or [logging.NullHandler()]:
        handler.setFormatter(Lines())
        log.addHandler(handler)
    log.setLevel(LEVELS[level])
    log.propagate = False


def reopen() -> None:
    """Say so, and reopen the log file: what SIGHUP does.

    With ``stderr`` or ``none`` there is nothing to reopen; stock creates a file of that name (protocol section 10).
    """
    log.log(NOTICE, "SIGHUP, reopening log file")
    for handler in log.handlers:
        if isinstance(handler, LogFile):
            try:
                handler.reopen()
            except OSError as error:
                log.error("Could not reopen log file %r, writing to the old one: %s", handler.path, error.strerror)


def close_log() -> None:
    """Take away what ``open_log`` added."""
    for handler in list(log.handlers):
        if isinstance(handler.formatter, Lines):
            log.removeHandler(handler)
            handler.close()
