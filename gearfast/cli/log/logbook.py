"""The log of the program: where it goes, and that nothing is written past it.

A line is ``%7s`` level, local time with microseconds, the thread's tag, the message (protocol section 5.7):

    NOTICE 2026-03-01 12:00:00.123456 [  main ] SIGHUP, reopening log file
"""

import logging
import re
from contextlib import ExitStack, suppress

from gearfast.cli.log import strays
from gearfast.cli.log.descriptor import descriptor_of, writable
from gearfast.cli.log.lines import Line, message_of, trace_of
from gearfast.cli.log.repeats import Repeats
from gearfast.cli.log.scribe import Scribe
from gearfast.cli.log.sink import FileSink, HandedSink, Sink, StderrSink, SyslogSink
from gearfast.config import LOG_DIFFERENT, LOG_LAST_WRITES, LOG_REPEATS, LOG_SAME
from gearfast.ground.clock import monotonic, wall
from gearfast.logs import LEVELS, NOTICE, WARNING, word_of

log = logging.getLogger("gearfast")
root = logging.getLogger()

ADDRESS = re.compile(r"\b0x[0-9a-f]+")
"""Of an object in memory: two lines that differ in nothing else are about the same fault."""

opened = ExitStack()
"""What `close_log` has to undo."""


class LogHandler(logging.Handler):
    """Turns records into lines, and leaves these to a scribe."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self.sink = sink
        self.repeats = Repeats(LOG_REPEATS, LOG_SAME, LOG_DIFFERENT)
        self.scribe = Scribe(sink, self.look)
        self.patience = LOG_LAST_WRITES

    def emit(self, record: logging.LogRecord) -> None:
        """Have the record written, and its traceback; one of WARNING and above that comes again is only counted."""
        try:
            level, text = record.levelno, message_of(record)
            if level >= WARNING and not self.admit(record, text):
                return
            self.put(level, record.created, text)
            if record.exc_info or record.stack_info:
                for line in trace_of(record):
                    self.put(level, record.created, line)
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the base class's name)
        """Count the line; the base class would write past the log. It takes a lack of memory to come here."""
        with suppress(MemoryError):
            self.scribe.lose()

    def put(self, level: int, when: float, text: str) -> None:
        """Leave a line to the scribe."""
        self.scribe.put(Line(level, self.sink.render(word_of(level), when, text)))

    def interject(self, text: str) -> None:
        """Leave something to the scribe that is no line of the log, such as what a terminal is told."""
        self.acquire()
        try:
            self.scribe.put(Line(NOTICE, text))
        finally:
            self.release()

    def admit(self, record: logging.LogRecord, text: str) -> bool:
        """Whether a record is to be written, not only counted."""
        fault = repr(record.exc_info[1]) if record.exc_info else ""
        key = ADDRESS.sub("0x", f"{record.levelno} {text} {fault}")
        watched = self.repeats.pending
        admitted = self.repeats.admit(key, record.levelno, text, monotonic())
        if self.repeats.pending and not watched:
            self.scribe.wake()
        return admitted

    def look(self, *, all_of_them: bool = False) -> bool:
        """Write the counts that are due; return whether others are not due yet.

        It does not wait: the holder of the lock may wait for the scribe, which is the one that looks.
        """
        if self.lock is None or not self.lock.acquire(blocking=False):
            return True
        try:
            for level, text in self.repeats.due(monotonic(), all_of_them=all_of_them):
                self.put(level, wall(), text)
            return self.repeats.pending
        finally:
            self.lock.release()

    def reopen(self) -> None:
        """Follow a log rotation, when all that was said before it is written."""
        self.scribe.do(self.follow)

    def follow(self) -> None:
        """Open the file anew: an errand of the scribe's thread, for the disk may hang."""
        try:
            self.sink.reopen()
        except OSError as error:
            log.error("Could not reopen log file %r, writing to the old one: %s", error.filename, error.strerror)

    def finish(self) -> None:
        """Let the scribe write what is left, and end."""
        self.look(all_of_them=True)
        self.scribe.finish()

    def close(self) -> None:
        """Finish, and wait for it, but not for long, and once only: the standard library closes it again."""
        self.finish()
        self.scribe.thread.join(self.patience)
        self.patience = 0.0
        super().close()


def open_log(path: str, level: str, *, to_syslog: bool = False) -> None:
    """Have all that is logged from ``level`` on written to ``path``, and to syslog if asked.

    ``path`` is ``stderr``, ``none``, or a file; that of an open descriptor, such as ``/dev/stdout``, stands for the
    descriptor. What the libraries in use log, what Python would write to standard error on its own, and warnings are
    logged too, from WARNING on. Raises OSError when the file cannot be opened; nothing is changed then.
    """
    sinks: list[Sink] = []
    if path == "stderr":
        sinks.append(StderrSink())
    elif path != "none":
        sinks.append(sink_of(path))
    if to_syslog:
        sinks.append(SyslogSink())
    close_log()
    ours = [LogHandler(sink) for sink in sinks]
    opened.callback(end, ours)
    handlers: list[logging.Handler] = [*ours] or [logging.NullHandler()]
    for handler in handlers:
        for logger in (log, root):
            logger.addHandler(handler)
            opened.callback(logger.removeHandler, handler)
    opened.callback(root.setLevel, root.level)
    root.setLevel(max(LEVELS[level], WARNING))
    log.setLevel(LEVELS[level])
    log.propagate = False
    opened.enter_context(strays.caught())


def sink_of(path: str) -> Sink:
    """Return where a path leads: to a descriptor that is open, if it names one that can be written to, or to a file.

    Raises OSError.
    """
    descriptor = descriptor_of(path)
    if descriptor is not None and writable(descriptor):
        return HandedSink(descriptor)
    return FileSink(path)


def reopen() -> None:
    """Say so, and reopen the log file: what SIGHUP does.

    With ``stderr``, ``none`` or a descriptor there is nothing to reopen; stock creates files named ``stderr`` and
    ``none`` (protocol section 10).
    """
    log.log(NOTICE, "SIGHUP, reopening log file")
    for handler in log.handlers:
        if isinstance(handler, LogHandler):
            handler.reopen()


def interject(line: str) -> bool:
    """Write a line for a person on a terminal between those of the log; return False if the log does not go there."""
    for handler in log.handlers:
        if isinstance(handler, LogHandler) and isinstance(handler.sink, StderrSink):
            handler.interject(f"{line}\n")
            return True
    return False


def flush_log() -> None:
    """Return when all that was said is written, or after LOG_LAST_WRITES seconds."""
    for handler in log.handlers:
        if isinstance(handler, LogHandler):
            handler.scribe.flush(LOG_LAST_WRITES)


def close_log() -> None:
    """Take away what `open_log` added, when all that was said is written, or after some LOG_LAST_WRITES seconds."""
    opened.close()


def end(handlers: list[LogHandler]) -> None:
    """Close them, all within one LOG_LAST_WRITES."""
    for handler in handlers:
        handler.finish()
    latest = monotonic() + LOG_LAST_WRITES
    for handler in handlers:
        handler.patience = max(latest - monotonic(), 0)
        handler.close()
