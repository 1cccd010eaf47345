"""The life of a job: every way from one of its states to another (protocol sections 2 and 3)."""

from typing_extensions import disjoint_base

from gearfast.endings import Endings
from gearfast.handle import Handles
from gearfast.journal import Journal

@disjoint_base
class Life:
    """All jobs of one server. Use `gearfast.broker.Broker`, which is one."""

    closing: bool
    """The server ends: what a worker loses now counts as no attempt."""
    @property
    def journal(self) -> Journal:
        """What a store has yet to be told."""
    @property
    def endings(self) -> Endings:
        """Jobs that were given up, for the log."""
    @property
    def handles(self) -> Handles:
        """The maker of this broker's handles."""

    def __new__(
        cls,
        handle_prefix: bytes = ...,
        *,
        job_retries: int = ...,
        worker_wakeup: int = ...,
        wakeup_grace: float = ...,
        remembered_results: int = ...,
        memory_step: int = ...,
        function_rest: float = ...,
    ) -> Life: ...
