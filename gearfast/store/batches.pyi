"""What goes from the broker to the store, and back at the start: the side of it that Python sees."""

from typing_extensions import disjoint_base

from gearfast.store.backlog import Backlog
from gearfast.store.contract import StoredJob

@disjoint_base
class Batches(Backlog):
    """Batches of jobs out of the broker, the outcome of each in."""

    def restore(self, records: list[StoredJob]) -> list[tuple[int, str]]:
        """Take stored jobs in. Returns the numbers of those that cannot be, each with the reason.

        Raises MemoryError.
        """
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
    def overdue(self, before: float) -> tuple[list[int], list[tuple[int, int]], list[int]]:
        """Take out of their lines what has waited since ``before`` (monotonic seconds).

        Returns the numbers of jobs that the store does not have, number and bytes of jobs of which it has an earlier
        state, and numbers of those among the latter whose clients wait for their change.
        """
    def unfinished(self, numbers: list[int]) -> set[int]:
        """Return those that have not ended: of the others only the unique ids may be remembered."""
    def collect_ended(self, number: int) -> list[StoredJob]:
        """Return what is to be written of this job if it has ended and is remembered: it, or nothing."""
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
