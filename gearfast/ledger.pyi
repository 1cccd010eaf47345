"""What goes from the broker to the store, and back at the start: the side of it that Python sees."""

from typing_extensions import disjoint_base

from gearfast.broker import Broker
from gearfast.plugins import StoredJob

@disjoint_base
class Ledger:
    """Batches of jobs out of the broker, the outcome of each in."""

    def __new__(cls, broker: Broker) -> Ledger: ...
    @property
    def broker(self) -> Broker:
        """Where the jobs live."""
    def restore(self, records: list[StoredJob]) -> list[tuple[int, str]]:
        """Take stored jobs in. Returns the numbers of those that cannot be, each with the reason.

        Raises MemoryError.
        """
    def open(self, prefix: bytes, last: int, quiet: bool) -> None:
        """From now on background jobs are for the store; with ``quiet``, only at the end (``gather_all``).

        Handles begin with ``prefix``, and numbers go on above ``last``. Raises ValueError if the prefix is too long.
        """
    def reserve(self, crowd: int, ceiling: int) -> None:
        """A job with a number above ``crowd`` makes it ``crowded``; none gets one above ``ceiling``."""
    def collect(self, jobs: int, size: int, removes: int) -> tuple[list[int], list[StoredJob]]:
        """Begin a batch: so many numbers to forget, and so many jobs, of about so many bytes, to keep, at most.

        A job that ended before this is in neither. ``written`` or ``failed`` must follow.
        """
    def written(self) -> None:
        """The batch is durable."""
    def failed(self, others: bool = False) -> None:
        """The batch waits again. Was it one job that the store has already, what waits behind it (``others``: something
        that the ledger does not know of) goes first.
        """
    def retry(self, now: float) -> None:
        """Have changes of stored jobs written that the store did not take before; what fails again is left out."""
    def overdue(self, before: float) -> list[int]:
        """Take out what has waited since ``before`` (monotonic seconds): numbers of jobs the store does not have."""
    def unkeep(self, numbers: list[int]) -> None:
        """These jobs are no background jobs any more; those nobody waits for end."""
    def gather_all(self, now: float) -> None:
        """Have every background job written that is not in the store."""
    def close(self) -> None:
        """From now on no job is for the store; what ends is still to be forgotten."""
    @property
    def last(self) -> int:
        """The number given out last."""
    @property
    def newest(self) -> int:
        """The ticket given out last."""
    @property
    def settled(self) -> int:
        """The first ticket that still waits."""
    @property
    def crowded(self) -> bool:
        """Whether more numbers should be reserved."""
    @property
    def removes_wait(self) -> bool:
        """Whether there are jobs to forget."""
    @property
    def waits(self) -> bool:
        """Whether there is anything for the store."""
