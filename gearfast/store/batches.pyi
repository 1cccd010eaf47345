"""What goes from the broker to the store, and back at the start: the side of it that Python sees."""

from typing_extensions import disjoint_base

from gearfast.broker.broker import Broker
from gearfast.store.contract import StoredJob

@disjoint_base
class Batches:
    """Batches of jobs out of the broker, the outcome of each in."""

    def __new__(cls, broker: Broker) -> Batches: ...
    @property
    def broker(self) -> Broker:
        """Where the jobs live."""
    def restore(self, records: list[StoredJob]) -> list[tuple[int, str]]:
        """Take stored jobs in. Returns the numbers of those that cannot be, each with the reason.

        Raises MemoryError.
        """
    def open(self, prefix: bytes, last: int, quiet: bool, heavy: int = ...) -> None:
        """From now on background jobs are for the store; with ``quiet``, only at the end (``gather_all``).

        Handles begin with ``prefix``, and numbers go on above ``last``. A job of ``heavy`` bytes or more is a batch by
        itself. Raises ValueError if the prefix is too long.
        """
    def reserve(self, crowd: int, ceiling: int) -> None:
        """A job with a number above ``crowd`` makes it ``crowded``; none gets one above ``ceiling``."""
    def collect(self, which: int, jobs: int, size: int, removes: int) -> tuple[list[int], list[StoredJob]]:
        """Begin a batch: numbers to forget, and jobs of a line with their bytes, each up to its limit.

        A job that ended before this is in neither. ``written``, ``failed`` or ``rolled_back`` must follow. Raises
        ValueError for a line that is none.
        """
    def collect_one(self, number: int) -> list[StoredJob]:
        """Begin a batch of one job that stands in no line; the list is empty if that does not wait any more."""
    def written(self) -> None:
        """The batch is durable."""
    def failed(self, others: bool = False) -> tuple[int, float, int, bool] | None:
        """The batch was not written: its jobs wait behind those that have not been tried.

        Was it only one job (``others``: and nothing else with it), it stands in no line any more:
        its number, since when somebody waits for it, its bytes, and whether the store has an earlier state of it.
        """
    def rolled_back(self) -> None:
        """The batch was not written, and its jobs wait as before."""
    def pass_over(self, again: bool) -> None:
        """The first number to be forgotten goes behind the others; without ``again`` it is not to be forgotten here."""
    def is_kept(self, number: int) -> bool:
        """Whether there is a background job of this number."""
    def is_promised(self, number: int) -> bool:
        """Whether it was acknowledged that this job is stored."""
    def is_stored(self, number: int) -> bool:
        """Whether the store has this job, perhaps with some attempts less."""
    def leave_out(self, number: int) -> None:
        """The store has this job, and does not take what has changed of it: so be it."""
    def count_out(self, size: int) -> None:
        """A job of ``size`` bytes, which stands in no line, does not wait any more."""
    def overdue(self, before: float) -> tuple[list[int], list[tuple[int, int]], list[int]]:
        """Take out of their lines what has waited since ``before`` (monotonic seconds).

        Returns the numbers of jobs that the store does not have, number and bytes of jobs of which it has an earlier
        state, and numbers of those among the latter whose clients wait for their change.
        """
    def wait_no_more(self, number: int) -> None:
        """Whoever has replaced this job is told that the store does not have the replacement yet."""
    def unfinished(self, numbers: list[int]) -> set[int]:
        """Return those that have not ended: of the others only the unique ids may be remembered."""
    def collect_ended(self, number: int) -> list[StoredJob]:
        """Return what is to be written of this job if it has ended and is remembered: it, or nothing."""
    def may_be_left_out(self, number: int) -> bool:
        """Return whether the store may go on without the last change of this job: it is there, and is not buried."""
    def forget(self, number: int) -> None:
        """Have the store forget one that has ended altogether: it does not take what is remembered of it."""
    def unkeep(self, numbers: list[int]) -> None:
        """The store does not keep these: they are no background jobs any more; those nobody waits for end.

        Those that have ended are told to it when it is back.
        """
    def doubt(self, lost: bool) -> None:
        """Find out which jobs the store does not have, with ``promise``; ``lost``: not even what it had before."""
    def promise(self) -> bool:
        """Note of some of these jobs that the store is to have them. Returns whether there are more."""
    def seek(self) -> bool:
        """Let some of those wait in their line, if there is none in it. Returns whether it must be called again."""
    def gather_all(self) -> None:
        """Have every background job written that is not in the store."""
    def close(self) -> None:
        """From now on no job is for the store; what ends is still to be forgotten."""
    def count(self, which: int) -> int:
        """How many wait in this line."""
    @property
    def last(self) -> int:
        """The number given out last."""
    @property
    def crowded(self) -> bool:
        """Whether more numbers should be reserved."""
    @property
    def removes(self) -> int:
        """How many numbers are to be forgotten."""
    @property
    def keeping(self) -> bool:
        """Whether there are jobs for the store."""
    @property
    def promised(self) -> int:
        """Jobs that were acknowledged, and that the store does not have."""
    @property
    def waits(self) -> bool:
        """Whether there is anything for the store."""
