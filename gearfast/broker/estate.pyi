"""What a broker has: jobs, functions, unique ids, and the places where jobs are."""

from typing_extensions import disjoint_base

from gearfast.broker.events import Events
from gearfast.broker.outbox import Outbox
from gearfast.protocol.handle import Handles

@disjoint_base
class Estate:
    """All jobs of one server. Use `gearfast.broker.broker.Broker`, which is one."""

    closing: bool
    """The server ends: what a worker loses now counts as no attempt."""
    crowded: bool
    """No further jobs are taken, as there is little memory left for them. Set from outside; False at first."""
    @property
    def held_bytes(self) -> int:
        """Bytes of all jobs."""
    winding_down: bool
    """The server ends when its jobs are done: schedules fire no more. Set from outside; False at first."""
    draining: bool
    """The server ends soon, and another one goes on with what is in the store: nothing is handed out any more unless
    somebody waits for a job that is no background job."""
    @property
    def running(self) -> int:
        """Jobs in workers' hands."""
    @property
    def dead(self) -> int:
        """Jobs that have used up their tries, and are kept for somebody to look at."""
    @property
    def unkept(self) -> int:
        """Jobs that are no background jobs: somebody waits for them, or a worker does one for nobody."""
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
