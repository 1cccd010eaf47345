"""Lines that are said again and again: written, then counted, so that a fault in a loop cannot fill a disk."""

from dataclasses import dataclass
from typing import NamedTuple


class Summary(NamedTuple):
    """How often a line was said again."""

    level: int
    text: str


@dataclass(slots=True)
class Repeated:
    """A line that was said lately."""

    level: int
    text: str
    since: float
    """When it was written, or its count was told."""
    written: int = 1
    """How often it was written, as others came between."""
    count: int = 0
    """How often it was said, and not written, since then."""

    def summary(self, now: float) -> Summary:
        """Return the line that tells the count, and count anew."""
        times = "1 time" if self.count == 1 else f"{self.count} times"
        said = f"the same line {times} more within {max(now - self.since, 1):.0f} s: {self.text}"
        self.since = now
        self.count = 0
        return Summary(self.level, said)


class Repeats:
    """What was said lately. Knows no clock: times are arguments, in seconds of any steady one."""

    def __init__(self, window: float, same: int, most: int) -> None:
        """A line that follows itself is counted for ``window`` seconds, and told then.

        When others come between, such as that all is well again, it is news; yet only ``same`` times in that time, for
        a fault may have two lines. ``most`` different ones are remembered.
        """
        self.window = window
        self.same = same
        self.most = most
        self.said: dict[str, Repeated] = {}  # the longest unsaid first
        self.last = ""
        self.forgotten: list[Summary] = []

    def admit(self, key: str, level: int, text: str, now: float) -> bool:
        """Return whether this line is to be written; if not, it is counted. ``key`` tells which lines are the same."""
        before, follows = self.said.pop(key, None), key == self.last
        self.last = key
        if before is not None and (before.count or now < before.since + self.window):
            self.said[key] = before
            if follows or before.count or before.written >= self.same:
                before.count += 1
                return False
            before.written += 1
            return True
        if len(self.said) >= self.most:
            oldest = self.said.pop(next(iter(self.said)))
            if oldest.count:
                self.forgotten.append(oldest.summary(now))
        self.said[key] = Repeated(level, text, now)
        return True

    @property
    def pending(self) -> bool:
        """Whether there are counts that nobody was told yet."""
        return bool(self.forgotten) or any(line.count for line in self.said.values())

    def due(self, now: float, *, all_of_them: bool = False) -> list[Summary]:
        """Return the counts that are to be told now: those of a window that is over, or all of them at the end."""
        told, self.forgotten = self.forgotten, []
        for key, line in list(self.said.items()):
            if all_of_them or now >= line.since + self.window:
                if line.count:
                    told.append(line.summary(now))
                else:
                    del self.said[key]
        return told
