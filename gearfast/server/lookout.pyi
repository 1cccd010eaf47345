"""When to look at how much the threads have to do, and who makes the loop's thread work."""

from typing import Any

from typing_extensions import disjoint_base

from gearfast.server.session import Service

@disjoint_base
class Lookout:
    """Looks at the reads of the loop's thread for who decides."""

    def __new__(cls, service: Service) -> Lookout: ...
    threads: Any
    """Who decides which thread serves which connection: `gearfast.server.threads.Threads`; None: nobody."""

    def look_again(self, seconds: float) -> None:
        """Have its ``look`` called after so many seconds, as soon as there is something to do then."""
    def look_for_busy(self, often: int = 8) -> None:
        """Begin anew to count who is often read from, and tell its ``place``."""
    @property
    def reads(self) -> int:
        """How often the loop's thread has read something."""
