"""How much memory the process has, and who gives way when there is little left."""

from typing_extensions import disjoint_base

from gearfast.config import Config
from gearfast.server.session import Service

@disjoint_base
class Memory:
    """Watches the memory of the process for one server; with a ``max_memory`` of 0 it only tells."""

    def __new__(cls, service: Service, settings: Config) -> Memory: ...
    @property
    def limit(self) -> int:
        """Bytes that the process may have; 0: no limit."""
    def spend_reserve(self) -> None:
        """Give back what is kept for when there is no memory left; submits are refused until it is there again."""
    def spend_last_reserve(self) -> None:
        """Give back what is kept so that the program can hear that it is to stop, and do so."""
    def can_measure(self) -> bool:
        """Whether the system tells how much there is."""
    def figures(self) -> dict[str, int]:
        """What ``show memory`` tells, in bytes.

        ``limit``; ``resident``: of the process, as the system sees it; ``used``: without what is free in there for the
        next jobs; and the parts of it that peers fill: ``jobs``, ``unfinished packets``, ``unread answers``.
        """
