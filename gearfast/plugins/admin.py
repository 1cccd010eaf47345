"""The text protocol of administrators and monitors (protocol section 4), on the port of the packets."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from gearfast import logs
from gearfast.broker.broker import Broker, Dropped
from gearfast.config import KIB, LINE_TOKENS, VERSION
from gearfast.plugins.answers import OK, Row, columns, for_programs, shown, usage
from gearfast.plugins.deadletters import DeadLetters
from gearfast.plugins.jobs import Jobs
from gearfast.plugins.policies import Policies
from gearfast.plugins.schedules import Schedules
from gearfast.server.commands import END, Answer, unknown_command
from gearfast.server.iothread import lock_used
from gearfast.server.threads import Load

if TYPE_CHECKING:
    from gearfast.server.server import Server
    from gearfast.server.session import Session

FunctionRow = tuple[bytes, int, int, int, tuple[int, int, int]]
JobRow = tuple[bytes, int, bool, bool, bytes]
T = TypeVar("T")

SLICE_BYTES = 64 * KIB
"""Of names in a slice of an answer: a worker's can be eight thousand bytes long."""
IN_USE = b"ERR there are still connected workers or executing clients\r\n"


def incomplete(word: bytes) -> bytes:
    """Stock's line for a command that lacks arguments."""
    return b"ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+" + word + b"\r\n"


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

    async def start(self, server: "Server") -> None:
        """Take the lines of all connections from now on."""
        self.broker: Broker = server.broker
        self.sessions: dict[int, Session] = server.sessions
        self.memory = server.memory
        self.loads = server.loads
        self.commands = server.commands
        self.slice = server.config.answer_slice
        add = server.commands.add
        for name, answer, arguments, told in (
            ("help", self.help, "", "lists the commands"),
            ("version", self.version, "", "tells the version of the server"),
            ("getpid", self.getpid, "", "tells the number of its process"),
            ("verbose", self.verbose, "", "tells the level of its log"),
            ("status", self.status, "", "function, jobs, running, workers"),
            ("prioritystatus", self.prioritystatus, "", "function, queued high, normal and low, workers"),
            ("workers", self.workers, "", "descriptor, address, client id : functions"),
            ("show", self.show, "", ""),  # whatever does not follow it has stock's refusal, as below
            ("show jobs", self.show, "", "handle, retries, orphaned, background"),
            ("show unique", self.show, "jobs", "the unique id of each job"),
            ("show memory", self.show, "", "what the process has of it, in bytes"),
            (
                "show threads",
                self.threads,
                "",
                "thread, connections, CPU seconds, load in percent, reads; lock, taken, waited for, microseconds held",
            ),
            ("create", self.create, "", ""),
            ("create function", self.create, "NAME", "makes a function that stays"),
            ("drop", self.drop, "", ""),
            ("drop function", self.drop, "NAME", "forgets a function that has no workers and no jobs"),
            ("maxqueue", self.maxqueue, "NAME [N | HIGH NORMAL LOW]", "limits the jobs of a function; 0 is no limit"),
            ("cancel", self.cancel, "", ""),
            ("cancel job", self.cancel, "HANDLE", "ends a job; its clients are told that it failed"),
        ):
            add(name, answer, arguments, told, LINE_TOKENS)
        Jobs(server)
        DeadLetters(server)
        Policies(server)
        Schedules(server)

    async def stop(self) -> None:
        """Nothing is held."""

    # --- long answers ---

    def status(self, words: list[bytes], session: "Session") -> Answer:
        """``status``."""
        return self.table(self.broker.scan_functions, status_line)

    def prioritystatus(self, words: list[bytes], session: "Session") -> Answer:
        """``prioritystatus``."""
        return self.table(self.broker.scan_functions, priority_line)

    def table(self, scan: Callable[[int, int], tuple[int, list[T]]], line: Callable[[T], bytes]) -> Iterator[bytes]:
        """One line per row of a scan, then the end."""
        cursor = 0
        while True:
            cursor, rows = scan(cursor, self.slice)
            yield b"".join(map(line, rows)) + (b"" if cursor else END)
            if not cursor:
                return

    def workers(self, words: list[bytes], session: "Session") -> Answer:
        """``workers``."""
        return self.each_worker()

    def each_worker(self) -> Iterator[bytes]:
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

    def help(self, words: list[bytes], session: "Session") -> Answer:
        """``help``: one line per command."""
        listed = self.commands.listed()
        width = max(len(usage) for usage, _ in listed)
        return "".join(f"{usage:{width}}  {told}\n" for usage, told in listed).encode() + END

    def version(self, words: list[bytes], session: "Session") -> Answer:
        """``version``."""
        return f"OK {VERSION}\n".encode()

    def getpid(self, words: list[bytes], session: "Session") -> Answer:
        """``getpid``."""
        return f"OK {os.getpid()}\n".encode()

    def verbose(self, words: list[bytes], session: "Session") -> Answer:
        """``verbose``."""
        return f"OK {logs.level_name()}\n".encode()

    def show(self, words: list[bytes], session: "Session") -> Answer:
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

    def threads(self, words: list[bytes], session: "Session") -> Answer:
        """``show threads``."""
        words, render = for_programs(words, columns)
        if len(words) != 2:
            return usage("show threads")
        return b"".join(map(render, thread_rows(self.loads(), lock_used()))) + END

    def create(self, words: list[bytes], session: "Session") -> Answer:
        """``create function NAME``."""
        if len(words) != 3 or words[1].lower() != b"function":
            return incomplete(words[0])
        self.broker.create_function(words[2])
        return OK

    def drop(self, words: list[bytes], session: "Session") -> Answer:
        """``drop function NAME``: refused while it has workers, or jobs of any state."""
        if len(words) != 3 or words[1].lower() != b"function":
            return incomplete(words[0])
        dropped = self.broker.drop_function(words[2])
        if dropped == Dropped.NO_SUCH_FUNCTION:
            return b"ERR function not found\r\n"
        return IN_USE if dropped == Dropped.IN_USE else OK

    def maxqueue(self, words: list[bytes], session: "Session") -> Answer:
        """``maxqueue NAME [N]`` and ``maxqueue NAME HIGH NORMAL LOW``."""
        if len(words) < 2:
            return incomplete(words[0])
        self.broker.limit_function(words[1], queue_limits(words[2:]))
        return OK

    def cancel(self, words: list[bytes], session: "Session") -> Answer:
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
    """``handle, retries, orphaned, background``, separated by tabs."""
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


def thread_rows(loads: Iterable[Load], lock: tuple[int, int, float]) -> Iterator[Row]:
    """One of each thread, and one of the lock that they share."""
    for thread in loads:
        yield {
            "name": thread.name,
            "connections": thread.connections,
            "seconds": round(thread.seconds, 3),
            "load": round(100 * thread.load),
            "reads": thread.reads,
        }
    taken, waited, held = lock
    yield {"name": "lock", "taken": taken, "waited": waited, "microseconds": round(1e6 * held, 3)}
