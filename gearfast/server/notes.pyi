"""What is to be said in the log, gathered while packets are handled."""

from logging import Logger

from typing_extensions import disjoint_base

from gearfast.broker.broker import Broker

@disjoint_base
class Notes:
    """Lines for a logger that are written when nothing is at work any more, since a handler may do as it likes."""

    jobs: bool
    """Whether each accepted job is logged, at NOTICE (protocol section 5.7)."""

    def __new__(cls, log: Logger, broker: Broker) -> Notes: ...
    def log_jobs(self, on: bool) -> None:
        """Log, or do not log, each job that is accepted, and each that is given up."""
    def tell(self) -> None:
        """Write what has been gathered. Called at the end of a turn."""
