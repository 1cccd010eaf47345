"""What a broker has: jobs, functions, unique ids, and the places where jobs are."""

from typing_extensions import disjoint_base

from gearfast.broker.events import Events
from gearfast.broker.outbox import Outbox
from gearfast.protocol.handle import Handles

@disjoint_base
class Estate:
    """All jobs of one server. Use `gearfast.broker.broker.Broker`, which is one."""

    @property
    def outbox(self) -> Outbox:
        """What a store has yet to be told."""
    @property
    def events(self) -> Events:
        """What happens to jobs, counted and written down."""
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
    ) -> Estate: ...
