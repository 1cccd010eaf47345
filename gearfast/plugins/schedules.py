"""Admin commands for schedules: ``show schedules``, ``cancel schedule``, and ``run now`` for one."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gearfast.broker.timetable import Timetable
from gearfast.plugins.answers import OK, Row, action, columns, error, for_programs, moment, read, scanned, told, usage
from gearfast.server.commands import Answer

if TYPE_CHECKING:
    from gearfast.server.server import Server
    from gearfast.server.session import Session


class Schedules:
    """Adds its commands to a server's."""

    def __init__(self, server: "Server") -> None:
        """Add them. Raises ConfigError when one is there already."""
        self.timetable = Timetable(server.broker)
        self.slice = server.config.answer_slice
        add = server.commands.add
        add(
            "show schedules",
            self.show,
            "[NAME]",
            "due, handle, function, unique id, cron, zone, fired, the last run's handle, runs, skipped",
        )
        add("cancel schedule", action(self.cancel), "HANDLE", "ends a schedule; what has come of it goes on")

    def show(self, words: list[bytes], session: "Session") -> Answer:
        """``show schedules [NAME]``."""
        words, render = for_programs(words, columns)
        if len(words) > 3:
            return usage("show schedules [NAME]")
        return told(self.all(words[2] if len(words) == 3 else None), render, self.slice)

    def all(self, name: bytes | None) -> Iterator[Row | None]:
        """One by one, in no order."""
        for found in scanned(self.timetable.scan):
            if found is None:
                yield None
            elif name is None or name == found[2]:
                due, handle, function, unique, cron, zone, fired, run, runs, skipped = found
                yield {
                    "due": moment(due) if fired < due < math.inf else None,
                    "handle": handle,
                    "function": function,
                    "unique": unique,
                    "cron": cron,
                    "zone": zone,
                    "fired": moment(fired) if fired else None,
                    "last run": run,
                    "runs": runs,
                    "skipped": skipped,
                }

    def cancel(self, words: list[bytes], session: "Session") -> Answer:
        """``cancel schedule HANDLE``."""
        if len(words) != 3:
            return usage("cancel schedule HANDLE")
        if self.timetable.cancel(words[2]):
            return OK
        return error("UNKNOWN_SCHEDULE", f"there is no schedule {read(words[2])}: show schedules lists them")
