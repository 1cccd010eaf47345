"""Admin commands for jobs that have used up their tries: ``buried``, ``kick``, ``purge`` and what goes with them."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Final

from gearfast.broker import deadletters
from gearfast.broker.job import Priority
from gearfast.plugins.answers import (
    OK,
    READ,
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
    usage,
)
from gearfast.plugins.jobs import MOST, first, name_and_limit
from gearfast.server.commands import END, Answer

if TYPE_CHECKING:
    from gearfast.server.server import Server
    from gearfast.server.session import Session

DeadRow = tuple[bytes, bytes, int, bytes, int, int, float, float, float, bytes]

SHOWN: Final = 1000
"""Bytes of a payload that are shown."""
DEAD_ROWS: Final = "when it failed last, handle, attempts, bytes, function, unique id, error; the latest first"


class DeadLetters:
    """Adds its commands to a server's."""

    def __init__(self, server: "Server") -> None:
        """Add them. Raises ConfigError when one is there already."""
        self.letters = deadletters.DeadLetters(server.broker)
        self.slice = server.config.answer_slice
        add = server.commands.add
        add("buried", self.buried, "[NAME] [LIMIT]", DEAD_ROWS)
        add("show buried", self.show, "HANDLE", f"all of one buried job, and the first {SHOWN} bytes of its payload")
        add("kick", action(self.kick), "NAME [N]", "has buried jobs tried anew, the oldest first")
        add("kick job", action(self.kick_job), "HANDLE", "has one buried job tried anew (kick job [N]: those of `job`)")
        add("purge", action(self.purge), "NAME", "forgets the buried jobs of a function")
        add("delete", action(self.delete), "", "")
        add("delete job", action(self.delete), "HANDLE", "forgets one buried job")

    def buried(self, words: list[bytes], session: "Session") -> Answer:
        """``buried [NAME] [LIMIT]``."""
        words, render = for_programs(words, columns)
        asked = name_and_limit(words[1:])
        if asked is None:
            return usage(f"buried [NAME] [LIMIT], with a limit from 1 to {MOST}")
        return told(self.latest(*asked), render, self.slice)

    def latest(self, name: bytes | None, limit: int) -> Iterator[Row | None]:
        """Look at all jobs, a slice at a time; keep those that failed last, then tell of them."""

        def dead() -> Iterator[tuple[float, DeadRow] | None]:
            for row in scanned(self.letters.scan):
                if row is None:
                    yield None
                elif name is None or row[1] == name:
                    yield -row[8], row

        for found in first(dead(), limit):
            yield None if found is None else dead_row(found[1])

    def show(self, words: list[bytes], session: "Session") -> Answer:
        """``show buried HANDLE``."""
        words, render = for_programs(words, fields)
        if len(words) != 3:
            return usage("show buried HANDLE")
        found = self.letters.show(words[2], SHOWN)
        if found is None:
            return not_buried(words[2])
        handle, function, priority, unique, size, attempts, submitted, started, failed, last, payload = found
        row: Row = {
            "handle": handle,
            "function": function,
            "unique": unique,
            "priority": Priority(priority).name.lower(),
            "bytes": size,
            "attempts": attempts,
            "submitted": moment(on_the_wall(submitted)),
            "first started": moment(on_the_wall(started)) if started else None,
            "last failed": moment(on_the_wall(failed)) if failed else None,
            "last error": last,
            "payload": payload,
        }
        return render(row) + END

    def kick(self, words: list[bytes], session: "Session") -> Answer:
        """``kick NAME [N]``: without N, as many as there are now."""
        if not 2 <= len(words) <= 3 or not all(word.isdigit() and len(word) < 10 for word in words[2:]):
            return usage("kick NAME [N]")
        most = int(words[2]) if len(words) == 3 else self.letters.count(words[1])
        return self.in_steps(lambda step: self.letters.kick(words[1], step, monotonic()), most)

    def kick_job(self, words: list[bytes], session: "Session") -> Answer:
        """``kick job HANDLE``; without a handle, which is never a number alone, it is ``kick NAME [N]`` for ``job``."""
        if len(words) == 2 or (len(words) == 3 and words[2].isdigit()):
            return self.kick(words, session)
        if len(words) != 3:
            return usage("kick job HANDLE; or kick NAME [N]")
        return OK if self.letters.kick_job(words[2], monotonic()) else not_buried(words[2])

    def purge(self, words: list[bytes], session: "Session") -> Answer:
        """``purge NAME``."""
        if len(words) != 2:
            return usage("purge NAME")
        return self.in_steps(lambda step: self.letters.discard(words[1], step), self.letters.count(words[1]))

    def delete(self, words: list[bytes], session: "Session") -> Answer:
        """``delete job HANDLE``."""
        if len(words) != 3 or words[1].lower() != b"job":
            return usage("delete job HANDLE")
        return OK if self.letters.discard_job(words[2]) else not_buried(words[2])

    def in_steps(self, step: Callable[[int], int], most: int) -> Iterator[bytes]:
        """Do something to up to ``most`` jobs, a slice at a time, and tell to how many it was done."""
        done = 0
        while done < most:
            count = step(min(most - done, self.slice))
            done += count
            if not count:
                break
            yield b""
        yield f"OK {done}\r\n".encode()


def dead_row(row: DeadRow) -> Row:
    """``failed, handle, attempts, bytes, function, unique, error``."""
    handle, function, _, unique, size, attempts, _, _, failed, last = row
    return {
        "failed": moment(on_the_wall(failed)) if failed else None,
        "handle": handle,
        "attempts": attempts,
        "bytes": size,
        "function": function,
        "unique": unique,
        "error": last[:READ],
    }


def not_buried(handle: bytes) -> bytes:
    """Say that there is no such dead letter."""
    return error("UNKNOWN_JOB", f"no job {read(handle)} is buried: `buried` lists those that are")
