"""Admin commands that look at single jobs and move them: ``show job``, ``show delayed``, ``run now``, ``move``."""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime
from time import monotonic, time
from typing import TYPE_CHECKING, Final

from gearfast.broker.job import Priority
from gearfast.broker.life import Moved
from gearfast.plugins.names import shown
from gearfast.protocol import parameters
from gearfast.server.commands import END, Answer

if TYPE_CHECKING:
    from gearfast.server.server import Server
    from gearfast.server.session import Session

DelayedRow = tuple[float, bytes, bytes, int, bytes, int, bool]

OK: Final = b"OK\r\n"
USUAL: Final = 100
"""Delayed jobs that are listed unless the line says how many."""
MOST: Final = 10_000
"""Delayed jobs that are listed at most: they are kept until all were looked at."""


READ: Final = 70
"""Bytes of what was read that a line repeats; a handle has fewer."""


def error(code: str, text: str) -> bytes:
    """Return a line that says what was wrong, and what would be right."""
    return f"ERR {code} {text}\r\n".encode()


class Jobs:
    """Adds its commands to a server's."""

    def __init__(self, server: "Server") -> None:
        """Add them. Raises ConfigError when one is there already."""
        self.broker = server.broker
        self.slice = server.config.answer_slice
        add = server.commands.add
        add("show job", self.show, "HANDLE", "all of one job: its state, when it is due, its parameters")
        add(
            "show delayed",
            self.delayed,
            "[NAME] [LIMIT]",
            "due, handle, priority, bytes, function, unique id; soonest first",
        )
        add("run", self.run, "", "")
        add("run now", self.run, "HANDLE", "has a delayed job due at once")
        add(
            "move",
            self.move,
            "HANDLE [priority=...] [due=...]",
            "gives a job another priority or time: due=20m, or a moment",
        )

    def show(self, words: list[bytes], session: "Session") -> Answer:
        """``show job HANDLE``."""
        if len(words) != 3:
            return error("INVALID_ARGUMENTS", "write: show job HANDLE")
        found = self.broker.show_job(words[2])
        if found is None:
            return unknown(words[2])
        state, function, priority, unique, size, attempts, due, background, clients, asked = found
        lines = {
            "handle": shown(words[2]),
            "state": state.encode(),
            "function": shown(function),
            "unique": shown(unique),
            "priority": Priority(priority).name.lower().encode(),
            "bytes": b"%d" % size,
            "attempts": b"%d" % attempts,
            "due": moment(on_the_wall(due, state == "retrying")) if due else b"",
            "background": b"yes" if background else b"no",
            "clients": b"%d" % clients,
            "parameters": shown(asked),
        }
        return b"".join(b"%b: %b\n" % (name.encode(), value) for name, value in lines.items()) + END

    def delayed(self, words: list[bytes], session: "Session") -> Answer:
        """``show delayed [NAME] [LIMIT]``: a number alone is a limit."""
        more = words[2:]
        limit = USUAL
        if more and more[-1].isdigit():
            limit = int(more.pop()[:10])
        if len(more) > 1 or not 1 <= limit <= MOST:
            return error("INVALID_ARGUMENTS", f"write: show delayed [NAME] [LIMIT], with a limit from 1 to {MOST}")
        return self.soonest(more[0] if more else None, limit)

    def soonest(self, name: bytes | None, limit: int) -> Iterator[bytes]:
        """Look at all jobs, a slice at a time; keep the soonest, then tell of them."""
        kept: list[tuple[float, DelayedRow]] = []  # the latest of them first
        cursor = 0
        while True:
            cursor, rows = self.broker.scan_delayed(cursor, self.slice)
            for found in rows:
                row = (on_the_wall(found[0], found[6]), *found[1:])
                if name is not None and row[2] != name:
                    continue
                if len(kept) < limit:
                    heapq.heappush(kept, (-row[0], row))
                else:
                    heapq.heappushpop(kept, (-row[0], row))
            if not cursor:
                break
            yield b""
        listed = sorted(row for _, row in kept)
        for at in range(0, len(listed), self.slice):
            yield b"".join(map(line, listed[at : at + self.slice]))
        yield END

    def run(self, words: list[bytes], session: "Session") -> Answer:
        """``run now HANDLE``."""
        if len(words) != 3 or words[1].lower() != b"now":
            return error("INVALID_ARGUMENTS", "write: run now HANDLE")
        return self.moved(words[2], self.broker.move_job(words[2], due=0.0, now=monotonic()))

    def move(self, words: list[bytes], session: "Session") -> Answer:
        """``move HANDLE priority=... due=...``."""
        if len(words) < 3:
            return error("INVALID_ARGUMENTS", "write: move HANDLE [priority=high|normal|low] [due=20m|due=MOMENT]")
        priority: int | None = None
        due: float | None = None
        for word in words[2:]:
            try:
                if b";" in word:
                    return not_one(word)
                if word.startswith(b"due=") and due is None:
                    due = due_of(word.removeprefix(b"due="))
                elif word.startswith(b"priority=") and priority is None:
                    priority = int(parameters.read(word)["priority"])
                else:
                    return not_one(word)
            except ValueError as mistake:
                return error("INVALID_PARAMETER", str(mistake))
        return self.moved(words[1], self.broker.move_job(words[1], priority=priority, due=due, now=monotonic()))

    def moved(self, handle: bytes, how: Moved) -> bytes:
        """Answer a move."""
        if how == Moved.NO_SUCH_JOB:
            return unknown(handle)
        if how == Moved.RUNS:
            return error("JOB_RUNS", "a worker has it already")
        if how == Moved.STAYS:
            return error("NO_MEMORY", "the server is short of memory: the job is queued now")
        return OK


def not_one(word: bytes) -> bytes:
    """Say that this is no part of a move."""
    return error("INVALID_ARGUMENTS", f"'{read(word)}' is not priority= or due=, once each")


def unknown(handle: bytes) -> bytes:
    """Say that there is no such job."""
    return error("UNKNOWN_JOB", f"there is no job {read(handle)}")


def read(word: bytes) -> str:
    """Return what was read, as far as a line needs it."""
    return shown(word[:READ]).decode("ascii", "backslashreplace")


def due_of(text: bytes) -> float:
    """Read when a job is to be due: a duration from now on, or a moment. Raises ValueError."""
    try:
        return time() + float(parameters.read(b"delay=" + text)["delay"])
    except ValueError:
        pass
    try:
        return float(parameters.read(b"at=" + text)["at"])
    except ValueError:
        allowed = parameters.keys()
        raise ValueError(f"due has to be {allowed['delay']}; or {allowed['at']}") from None


def on_the_wall(due: float, retrying: bool) -> float:
    """Return when a job is due by the wall clock; one that is tried again waits by the other one."""
    return due - monotonic() + time() if retrying else due


def moment(due: float) -> bytes:
    """Return a moment for people and programs: ISO 8601, in UTC."""
    try:
        naive = datetime.fromtimestamp(due, UTC).replace(tzinfo=None)  # aware, it looks up its zone each time
        return naive.isoformat(timespec="milliseconds").encode() + b"+00:00"
    except (OverflowError, ValueError):  # in a year that Python does not know
        return b"%.3f" % due


def line(row: DelayedRow) -> bytes:
    """``due, handle, priority, bytes, function, unique``, separated by tabs."""
    due, handle, function, priority, unique, size, _ = row
    told = (moment(due), handle, Priority(priority).name.lower().encode(), size, shown(function), shown(unique))
    return b"%b\t%b\t%b\t%d\t%b\t%b\n" % told
