"""The text protocol of administrators and monitors (protocol section 4), on the port of the packets."""

import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from gearfast import logs
from gearfast.broker.broker import Broker, Dropped
from gearfast.config import KIB, LINE_TOKENS, VERSION

if TYPE_CHECKING:
    from gearfast.server.server import Server
    from gearfast.server.session import Session

Answer = bytes | Iterator[bytes]
FunctionRow = tuple[bytes, int, int, int, tuple[int, int, int]]
JobRow = tuple[bytes, int, bool, bool, bytes]
Row = TypeVar("Row")

OK = b"OK\r\n"
END = b".\n"
CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
SLICE_BYTES = 64 * KIB
"""Of names in a slice of an answer: a worker's can be eight thousand bytes long."""
IN_USE = b"ERR there are still connected workers or executing clients\r\n"


def unknown_command(word: bytes) -> bytes:
    """Stock's line for a command it does not know, the missing separator included (protocol section 4.3)."""
    return b"ERR UNKNOWN_COMMAND Unknown+server+command" + word + b"\r\n"


def incomplete(word: bytes) -> bytes:
    """Stock's line for a command that lacks arguments."""
    return b"ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+" + word + b"\r\n"


def tokens_of(line: bytes) -> list[bytes]:
    """Split a line at runs of spaces; a space at either end makes an empty token."""
    words = line.split(b" ")
    return [word for at, word in enumerate(words) if word or at in (0, len(words) - 1)]


def queue_limits(figures: list[bytes]) -> tuple[int, int, int]:
    """Read the figures of ``maxqueue`` (protocol section 4.4). 0 is no limit."""

    def limit(figure: bytes) -> int:
        found = re.match(rb"\s*\+?0*(\d{1,9})", figure)
        return int(found[1]) if found else 0

    limits = [limit(figure) for figure in figures]
    if len(limits) == 1:
        limits *= 3
    high, normal, low = [*limits, 0, 0, 0][:3]
    return high, normal, low


class Admin:
    """Answers admin lines. An answer that may be long is an iterator: the server sends it slice by slice."""

    def __init__(self) -> None:
        self.commands: dict[bytes, Callable[[list[bytes]], Answer]] = {
            b"version": lambda words: f"OK {VERSION}\n".encode(),
            b"getpid": lambda words: f"OK {os.getpid()}\n".encode(),
            b"verbose": lambda words: f"OK {logs.level_name()}\n".encode(),
            b"status": lambda words: self.table(self.broker.scan_functions, status_line),
            b"prioritystatus": lambda words: self.table(self.broker.scan_functions, priority_line),
            b"workers": lambda words: self.workers(),
            b"show": self.show,
            b"create": self.create,
            b"drop": self.drop,
            b"maxqueue": self.maxqueue,
            b"cancel": self.cancel,
        }

    async def start(self, server: "Server") -> None:
        """Take the lines of all connections from now on."""
        self.broker: Broker = server.broker
        self.sessions: dict[int, Session] = server.sessions
        self.memory = server.memory
        self.slice = server.config.answer_slice
        server.answer_lines(self.answer)

    async def stop(self) -> None:
        """Nothing is held."""

    def answer(self, session: "Session", line: bytes) -> Answer | None:
        """Answer one line; None closes the connection, as stock does at the sixth word."""
        words = tokens_of(line)
        if len(words) > LINE_TOKENS:
            return None
        command = self.commands.get(words[0].lower())
        return unknown_command(words[0]) if command is None else command(words)

    # --- long answers ---

    def table(self, scan: Callable[[int, int], tuple[int, list[Row]]], line: Callable[[Row], bytes]) -> Iterator[bytes]:
        """One line per row of a scan, then the end."""
        cursor = 0
        while True:
            cursor, rows = scan(cursor, self.slice)
            yield b"".join(map(line, rows)) + (b"" if cursor else END)
            if not cursor:
                return

    def workers(self) -> Iterator[bytes]:
        """One line per connection, the newest first; one that has gone meanwhile is left out.

        A slice may end inside a line: one worker may have a hundred megabytes of names.
        """
        words: list[bytes] = []
        size = 0
        for serial in list(reversed(self.sessions)):
            session = self.sessions.get(serial)
            if session is None:
                continue
            for word in worker_line(session):
                words.append(word)
                size += len(word)
                if len(words) >= self.slice or size >= SLICE_BYTES:
                    yield b"".join(words)
                    words.clear()
                    size = 0
        yield b"".join(words) + END

    # --- short ones ---

    def show(self, words: list[bytes]) -> Answer:
        """``show jobs``, ``show unique jobs`` and ``show memory``."""
        subject = [word.lower() for word in words[1:]]
        if not subject:
            return unknown_command(words[0])
        if subject == [b"jobs"]:
            return self.table(self.broker.scan_jobs, job_line)
        if subject == [b"memory"]:
            return b"".join(map(memory_line, self.memory().items())) + END
        if subject == [b"unique", b"jobs"]:
            return self.table(self.broker.scan_jobs, unique_line)
        return b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"

    def create(self, words: list[bytes]) -> bytes:
        """``create function NAME``."""
        if len(words) != 3 or words[1].lower() != b"function":
            return incomplete(words[0])
        self.broker.create_function(words[2])
        return OK

    def drop(self, words: list[bytes]) -> bytes:
        """``drop function NAME``: refused while it has workers, or jobs of any state."""
        if len(words) != 3 or words[1].lower() != b"function":
            return incomplete(words[0])
        dropped = self.broker.drop_function(words[2])
        if dropped == Dropped.NO_SUCH_FUNCTION:
            return b"ERR function not found\r\n"
        return IN_USE if dropped == Dropped.IN_USE else OK

    def maxqueue(self, words: list[bytes]) -> bytes:
        """``maxqueue NAME [N]`` and ``maxqueue NAME HIGH NORMAL LOW``."""
        if len(words) < 2:
            return incomplete(words[0])
        self.broker.limit_function(words[1], queue_limits(words[2:]))
        return OK

    def cancel(self, words: list[bytes]) -> bytes:
        """``cancel job HANDLE``."""
        if len(words) < 3:
            return unknown_command(words[0])
        if words[1].lower() != b"job" or len(words) > 3:
            return b"ERR UNKNOWN_ERROR\r\n"
        return OK if self.broker.cancel_job(words[2]) else b"ERR UNKNOWN_JOB\r\n"


def status_line(row: FunctionRow) -> bytes:
    """``name, total, running, workers``, separated by tabs."""
    name, total, running, workers, _ = row
    return b"%b\t%d\t%d\t%d\n" % (shown(name), total, running, workers)


def priority_line(row: FunctionRow) -> bytes:
    """``name, high, normal, low, workers``, separated by tabs."""
    name, _, _, workers, queued = row
    return b"%b\t%d\t%d\t%d\t%d\n" % (shown(name), *queued, workers)


def job_line(row: JobRow) -> bytes:
    """``handle, retries, ignored, queued``, separated by tabs."""
    handle, attempts, orphan, background, _ = row
    return b"%b\t%d\t%d\t%d\n" % (handle, attempts, orphan, background)


def unique_line(row: JobRow) -> bytes:
    """The unique id; a dot would be the end of the table."""
    return (rb"\x2e" if row[4] == b"." else shown(row[4])) + b"\n"


def worker_line(session: "Session") -> Iterator[bytes]:
    """``fd address client-id : function ...``, word by word; the functions newest first."""
    yield b"%d %b %b :" % (session.fd, session.address, shown(session.client_id))
    for name in session.each_ability():
        yield b" " + shown(name)
    yield b"\n"


def memory_line(row: tuple[str, int]) -> bytes:
    """``name, bytes``, separated by a tab."""
    return b"%b\t%d\n" % (row[0].encode(), row[1])


def shown(name: bytes) -> bytes:
    r"""Return a name as it stands in a line: what would end the line, or move a terminal's cursor, as ``\x0a``."""
    return CONTROL.sub(lambda found: b"\\x%02x" % found[0][0], name)
