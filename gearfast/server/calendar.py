"""The calendar of a server: gives schedules the date when they fire next (protocol/cron.py), a few at a time."""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Final

from gearfast.broker.broker import Broker
from gearfast.broker.timetable import Timetable
from gearfast.ground.clock import monotonic, wall
from gearfast.protocol.cron import next_after

log = logging.getLogger("gearfast")

SOME: Final = 50
"""Dates given between two turns of the loop: one costs some twenty microseconds, a rare one a millisecond."""
DAY: Final = 25 * 3600.0
"""Seconds by which a clock may be set back without anything firing twice."""


class Calendar:
    """Dates for the schedules of a broker."""

    def __init__(self, broker: Broker) -> None:
        self.dated: Callable[[], None] | None = None
        self.timetable = Timetable(broker)
        self.waits = False
        self.cursor: int | None = None  # how far it has looked for another zone; None: it does not

    def start(self, dated: Callable[[], None]) -> None:
        """Give dates from now on; ``dated`` is called when some have got one: something is due earlier than before."""
        self.dated = dated
        self.date_soon()

    def stop(self) -> None:
        """Give no more of them."""
        self.dated = None

    def date_soon(self) -> None:
        """There are schedules without a date."""
        if self.dated is not None and not self.waits:
            self.waits = True
            asyncio.get_running_loop().call_soon(self.date_some)

    def date_some(self) -> None:
        """Give some of them one, and come again if there are more."""
        self.waits = False
        if self.dated is None:
            return
        now = wall()
        undated = self.timetable.undated(SOME + 1)
        for number, cron, zone, due, fired, catches_up in undated[:SOME]:
            missed = fired < due <= now
            self.timetable.date(
                number, now if missed and catches_up else following(cron, zone, fired, now), monotonic()
            )
        if len(undated) > SOME:
            self.date_soon()
        self.dated()

    def zones_changed(self) -> None:
        """Other zones may hold for functions now: schedules that follow them get another date.

        Until then they keep the one that they have, so that none is missed meanwhile.
        """
        busy = self.cursor is not None
        self.cursor = 0
        if not busy:
            self.change_some()

    def change_some(self) -> None:
        """Look at some of them, and come again if there are more."""
        if self.dated is None or self.cursor is None:
            return
        now = wall()
        cursor, found = self.timetable.misdated(self.cursor, now)
        for number, cron, zone, fired in found:
            self.timetable.date(number, following(cron, zone, fired, now), monotonic())
        self.cursor = cursor or None
        if self.cursor is not None:
            asyncio.get_running_loop().call_soon(self.change_some)
        if found:
            self.dated()


def following(cron: bytes, zone: bytes, fired: float, now: float) -> float:
    """Return when it fires next; what it has fired for is over, though the clock was set back since."""
    after = max(now, fired) if fired - now < DAY else now
    try:
        return next_after(cron.decode(), zone.decode(), after)
    except ValueError as error:
        log.error("A schedule does not fire any more: %s", error)
        return math.inf
