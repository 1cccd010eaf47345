"""Schedules: jobs that come again and again, each known by its function and its unique id, and by its own handle."""

from typing import Self, final

from gearfast.broker.broker import Broker

_Row = tuple[float, bytes, bytes, bytes, bytes, bytes, float, bytes, int, int]

@final
class Timetable:
    """Those of a broker. All moments are in seconds since 1970.

    What changes something raises RuntimeError in another thread than the broker's, and while the broker is at work.
    """

    def __new__(cls, broker: Broker) -> Self: ...
    def __len__(self) -> int: ...
    def undated(self, most: int) -> list[tuple[int, bytes, bytes, float, float, bool]]:
        """Return up to ``most`` of those that wait for a date, which is due to be given with `date`.

        ``(number, cron, zone, due, fired, catch up)``: ``due`` when it was to fire next, ``fired`` when it was due
        last; a ``due`` that is later and has passed was missed. An empty zone is the server's own.
        """

    def misdated(self, start: int, wall: float) -> tuple[int, list[tuple[int, bytes, bytes, float]]]:
        """Look at some of them, and return those whose date was counted in another zone than holds for them by now.

        The cursor to go on from comes first; 0 begins and ends. ``(number, cron, zone, fired)`` as of `undated`; one
        that is due by ``wall`` is left out, as it gets another date anyway.
        """

    def date(self, number: int, when: float, now: float) -> None:
        """Have it fire then; infinity: never again. ``now`` is in monotonic seconds."""

    def scan(self, start: int) -> tuple[int, list[_Row]]:
        """Return some of them, and the cursor to go on from; 0 begins and ends.

        ``(due, handle, function, unique, cron, zone, fired, handle of the last run, runs, skipped)``; both counts are
        since the start of the server.
        """

    def cancel(self, handle: bytes) -> bool:
        """End a schedule; what came of it goes on. Returns whether there was such a one."""

    def run(self, handle: bytes, now: float) -> bool | None:
        """Have it fire once more, now. False: it was skipped, as if it had been due; None: there is none such."""
