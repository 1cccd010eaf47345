"""Admin commands that look at single jobs and move them: ``show job``, ``show delayed``, ``run now``, ``move``."""

import heapq
from collections.abc import Iterator
from time import monotonic, time
from typing import TYPE_CHECKING, Final, TypeVar

from gearfast.broker.job import Priority
from gearfast.broker.life import Moved
from gearfast.broker.timetable import Timetable
from gearfast.plugins.answers import (
    OK,
    Row,
    action,
    columns,
    error,
    fields,
    for_programs,
    moment,
    on_the_wall,
    read,
    scanned,
    told,
    unknown,
    usage,
)
from gearfast.protocol import parameters
from gearfast.server.commands import END, Answer

if TYPE_CHECKING:
    from gearfast.server.server import Server
    from gearfast.server.session import Session

T = TypeVar("T")
DelayedRow = tuple[float, bytes, bytes, int, bytes, int, bool]

USUAL: Final = 100
"""Jobs that are listed unless the line says how many."""
MOST: Final = 10_000
"""Jobs that are listed at most: they are kept until all were looked at."""


class Jobs:
    """Adds its commands to a server's."""

    def __init__(self, server: "Server") -> None:
        """Add them. Raises ConfigError when one is there already."""
        self.broker = server.broker
        self.timetable = Timetable(server.broker)
        self.slice = server.config.answer_slice
        add = server.commands.add
        add("show job", self.show, "HANDLE", "all of one job: its state, when it is due, its parameters")
        add(
            "show delayed",
            self.delayed,
            "[NAME] [LIMIT]",
            "due, handle, priority, bytes, function, unique id; soonest first",
        )
        add("run", action(self.run), "", "")
        add("run now", action(self.run), "HANDLE", "has a delayed job due at once")
        add(
            "move",
            action(self.move),
            "HANDLE [function=...] [priority=...] [due=...]",
            "gives a job another function, priority or time: due=20m, or a moment",
        )

    def show(self, words: list[bytes], session: "Session") -> Answer:
        """``show job HANDLE``."""
        words, render = for_programs(words, fields)
        if len(words) != 3:
            return usage("show job HANDLE")
        found = self.broker.show_job(words[2])
        if found is None:
            return unknown(words[2])
        state, function, priority, unique, size, attempts, due, background, clients, asked, since, holder, last = found
        row: Row = {
            "handle": words[2],
            "state": state,
            "function": function,
            "unique": unique,
            "priority": Priority(priority).name.lower(),
            "bytes": size,
            "age": round(monotonic() - since, 3),
            "attempts": attempts,
            "holder": None if holder is None else getattr(holder, "address", b"this process"),
            "due": moment(on_the_wall(due) if state == "retrying" else due) if due else None,
            "background": background,
            "clients": clients,
            "last error": last,
            "parameters": asked,
        }
        return render(row) + END

    def delayed(self, words: list[bytes], session: "Session") -> Answer:
        """``show delayed [NAME] [LIMIT]``: a number alone is a limit."""
        words, render = for_programs(words, columns)
        asked = name_and_limit(words[2:])
        if asked is None:
            return usage(f"show delayed [NAME] [LIMIT], with a limit from 1 to {MOST}")
        return told(self.soonest(*asked), render, self.slice)

    def soonest(self, name: bytes | None, limit: int) -> Iterator[Row | None]:
        """Look at all jobs, a slice at a time; keep the soonest, then tell of them."""

        def waiting() -> Iterator[tuple[float, DelayedRow] | None]:
            for row in scanned(lambda cursor: self.broker.scan_delayed(cursor, self.slice)):
                if row is None:
                    yield None
                elif name is None or row[2] == name:
                    yield (on_the_wall(row[0]) if row[6] else row[0]), row

        for found in first(waiting(), limit):
            yield None if found is None else delayed_row(*found)

    def run(self, words: list[bytes], session: "Session") -> Answer:
        """``run now HANDLE``."""
        if len(words) != 3 or words[1].lower() != b"now":
            return usage("run now HANDLE")
        fired = self.timetable.run(words[2], monotonic())
        if fired is not None:
            return OK if fired else error("SKIPPED", "its last run has not ended, or no job can be made of it")
        return self.moved(words[2], self.broker.move_job(words[2], due=0.0, now=monotonic()))

    def move(self, words: list[bytes], session: "Session") -> Answer:
        """``move HANDLE priority=... due=...``."""
        if len(words) < 3:
            return usage("move HANDLE [function=NAME] [priority=high|normal|low] [due=20m|due=MOMENT]")
        function: bytes | None = None
        priority: int | None = None
        due: float | None = None
        for word in words[2:]:
            try:
                if b";" in word:
                    return not_one(word)
                if word.startswith(b"function=") and function is None and word != b"function=" and b"\0" not in word:
                    function = word.removeprefix(b"function=")
                elif word.startswith(b"due=") and due is None:
                    due = due_of(word.removeprefix(b"due="))
                elif word.startswith(b"priority=") and priority is None:
                    priority = int(parameters.read(word)["priority"])
                else:
                    return not_one(word)
            except ValueError as mistake:
                return error("INVALID_PARAMETER", str(mistake))
        moved = self.broker.move_job(words[1], function=function, priority=priority, due=due, now=monotonic())
        return self.moved(words[1], moved)

    def moved(self, handle: bytes, how: Moved) -> bytes:
        """Answer a move."""
        if how == Moved.NO_SUCH_JOB:
            return unknown(handle)
        if how == Moved.RUNS:
            return error("JOB_RUNS", "a worker has it already")
        if how == Moved.IS_SCHEDULE:
            return error("IS_SCHEDULE", "it is a schedule: submit it again for another time, or cancel schedule")
        if how == Moved.IS_BURIED:
            return error("JOB_IS_BURIED", f"it has used up its tries: kick job {read(handle)} makes it a job again")
        if how == Moved.STAYS:
            return error("NO_MEMORY", "the server is short of memory: the job is queued now")
        return OK


def name_and_limit(words: list[bytes]) -> tuple[bytes | None, int] | None:
    """Read ``[NAME] [LIMIT]``, where a number alone is a limit; None: it is something else."""
    more = list(words)
    limit = USUAL
    if more and more[-1].isdigit():
        limit = int(more.pop()[:10])
    return None if len(more) > 1 or not 1 <= limit <= MOST else (more[0] if more else None, limit)


def first(found: Iterator[tuple[float, T] | None], limit: int) -> Iterator[tuple[float, T] | None]:
    """Yield those of the smallest figures, in order, when all were looked at; None, a pause, as it comes."""
    kept: list[tuple[float, int, T]] = []  # the largest of them first
    for at, one in enumerate(found):
        if one is None:
            yield None
        elif len(kept) < limit:
            heapq.heappush(kept, (-one[0], -at, one[1]))
        else:
            heapq.heappushpop(kept, (-one[0], -at, one[1]))
    for key, _, kept_one in sorted(kept, key=lambda row: row[:2], reverse=True):
        yield -key, kept_one


def delayed_row(due: float, row: DelayedRow) -> Row:
    """``due, handle, priority, bytes, function, unique``."""
    _, handle, function, priority, unique, size, _ = row
    return {
        "due": moment(due),
        "handle": handle,
        "priority": Priority(priority).name.lower(),
        "bytes": size,
        "function": function,
        "unique": unique,
    }


def not_one(word: bytes) -> bytes:
    """Say that this is no part of a move."""
    return error("INVALID_ARGUMENTS", f"'{read(word)}' is not function=, priority= or due=, once each")


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
