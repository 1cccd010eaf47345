"""When to look at how much the threads have to do, and who makes the loop's thread work."""

from typing import Any, Protocol, type_check_only

from typing_extensions import disjoint_base

from gearfast.server.session import Service

@type_check_only
class Threads(Protocol):
    """Who decides which thread serves which connection: `gearfast.server.threads` knows how."""

    def place(self, busy: list[Any]) -> None:
        """These members have turned out to be busy."""
    def look(self) -> None:
        """The time that was asked for by `Lookout.look_again` is over, and there was something to do."""

@disjoint_base
class Lookout:
    """Looks at the reads of the loop's thread for who decides."""

    def __new__(cls, service: Service) -> Lookout: ...
    threads: Threads | None
    """Who decides which thread serves which connection."""

    def look_again(self, seconds: float) -> None:
        """Have `Threads.look` called after so many seconds, as soon as there is something to do then."""
    def look_for_busy(self) -> None:
        """Begin anew to count who is often read from, and tell `Threads.place`."""
    @property
    def reads(self) -> int:
        """How often the loop's thread has read something."""
