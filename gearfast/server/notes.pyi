"""What is to be said in the log, gathered while packets are handled."""

from collections.abc import Callable, Iterable
from logging import Logger

from typing_extensions import disjoint_base

from gearfast.broker.broker import Broker
from gearfast.broker.events import Kind
from gearfast.server.plugin import Event

@disjoint_base
class Notes:
    """Lines for a logger that are written when nothing is at work any more, since a handler may do as it likes."""

    jobs: bool
    """Whether each accepted job is logged, at NOTICE (protocol section 5.7)."""

    def __new__(cls, log: Logger, broker: Broker) -> Notes: ...
    def log_jobs(self, on: bool) -> None:
        """Log, or do not log, each job that is accepted, and each that is given up."""
    def listen(self, callback: Callable[[list[Event], int], None] | None = None, kinds: Iterable[Kind] = ()) -> None:
        """Have events of these kinds told to this function at the end of each turn that had some.

        It is called with them, the oldest first, and with how many more there were, for which there was no room. One
        that raises is told no more.
        """
    def tell(self) -> None:
        """Write what has been gathered. Called at the end of a turn."""
