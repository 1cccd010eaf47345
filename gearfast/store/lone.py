"""Jobs that the store did not take when each was all there was to be written, and jobs that it did not forget.

They stand behind all others: each is tried again by itself, now and then, so that only its own client waits.
"""

import heapq
import logging
import math
from dataclasses import dataclass

log = logging.getLogger("gearfast")

SHARE = 9
"""How many times as long as their last attempt took, none of them is tried."""


@dataclass(slots=True, kw_only=True)
class Loner:
    """One of them. Times are in monotonic seconds."""

    number: int
    forget: bool = False
    """It has ended, and the store is to forget it; else the store is to keep it."""
    since: float = math.inf
    """When it was submitted; infinity: nobody waits for it."""
    begun: float = 0.0
    """When it failed by itself for the first time."""
    size: int = 0
    """Bytes that it counts for among all that waits."""
    stored: bool = False
    """The store has an earlier state of it, which will do if it takes others and not this one."""
    due: float = 0.0
    """When it is tried again."""
    delay: float = 0.0
    """Seconds from that attempt to the one after it."""
    reason: str = ""
    again: int = 0
    """Bytes of it if it has waited too long with another change: it may be written at this moment, without that one."""
    suspect: bool = False
    """It has failed, and others did not."""
    told: bool = False
    """And then it failed again: the store takes others, but not this one, and the log says so."""


class Lone:
    """All of them."""

    def __init__(self, first: float, most: float) -> None:
        """``first`` and ``most`` are the seconds between two attempts: at first, and after doublings at last."""
        self.first = first
        self.most = most
        self.jobs: dict[int, Loner] = {}
        """To be kept, by number."""
        self.gone: dict[int, Loner] = {}
        """To be forgotten, by number."""
        self.after = 0.0
        """Before that moment none is tried: else they could take all of the store's time."""
        self._due: list[tuple[float, int, bool]] = []  # a heap; some entries are out of date
        self._new: list[Loner] = []

    def __bool__(self) -> bool:
        return bool(self.jobs or self.gone)

    def add(self, loner: Loner, now: float) -> None:
        """Take one in that has failed by itself for the first time."""
        (self.gone if loner.forget else self.jobs)[loner.number] = loner
        loner.begun = now
        self._new.append(loner)
        self._plan(loner, now + self.first)
        loner.delay = self.first * 2

    def failed_again(self, loner: Loner, reason: str, now: float, took: float) -> None:
        """Wait longer for the next attempt; ``took`` is how long this one took, in seconds."""
        loner.reason = reason
        if loner.suspect and not loner.told:
            loner.told = True
            what = "forget" if loner.forget else "take"
            log.warning("The store does not %s job %d, but others: %s", what, loner.number, reason)
        self._plan(loner, now + loner.delay)
        loner.delay = min(loner.delay * 2, self.most)
        self.after = now + SHARE * took

    def remove(self, loner: Loner) -> bool:
        """Take one out. False: it was taken out before, while it was being written."""
        there = self.gone if loner.forget else self.jobs
        if there.get(loner.number) is not loner:
            return False
        del there[loner.number]
        return True

    def first_due(self) -> Loner | None:
        """Return the one that is tried next, whenever that is; None when none is to be."""
        while self._due:
            due, number, forget = self._due[0]
            loner = (self.gone if forget else self.jobs).get(number)
            if loner is not None and loner.due == due:
                return loner
            heapq.heappop(self._due)
        return None

    def others_were_taken(self) -> None:
        """The store took something else, so it is not away: if one fails again, it is that one's fault."""
        for loner in self._new:
            loner.suspect = True
        self._new = []

    def overdue(self, before: float) -> list[Loner]:
        """Return those whose submitters have waited since ``before``."""
        return [loner for loner in self.jobs.values() if loner.since <= before]

    def all_now(self, now: float) -> None:
        """Let each be tried once more, at once: the server ends."""
        self.after = 0.0
        for loner in [*self.jobs.values(), *self.gone.values()]:
            self._plan(loner, now)

    def _plan(self, loner: Loner, due: float) -> None:
        loner.due = due
        heapq.heappush(self._due, (due, loner.number, loner.forget))
