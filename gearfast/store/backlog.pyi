"""What the store has yet to be told: how much it is, and what of a job is known there."""

from typing_extensions import disjoint_base

from gearfast.broker.broker import Broker

@disjoint_base
class Backlog:
    """What waits for the store. Use `gearfast.store.batches.Batches`, which is one."""

    def __new__(cls, broker: Broker) -> Backlog: ...
    @property
    def broker(self) -> Broker:
        """Where the jobs live."""
    def open(self, prefix: bytes, last: int, quiet: bool, heavy: int = ...) -> None:
        """From now on background jobs are for the store; with ``quiet``, only at the end (``gather_all``).

        Handles begin with ``prefix``, and numbers go on above ``last``. A job of ``heavy`` bytes or more is a batch by
        itself. Raises ValueError if the prefix is too long.
        """
    def reserve(self, crowd: int, ceiling: int) -> None:
        """A job with a number above ``crowd`` makes it ``crowded``; none gets one above ``ceiling``."""
    def close(self) -> None:
        """From now on no job is for the store; what ends is still to be forgotten."""
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
    def may_be_left_out(self, number: int) -> bool:
        """Return whether the store may go on without the last change of this job: it is there, and is not buried."""
    def wait_no_more(self, number: int) -> None:
        """Whoever has replaced this job is told that the store does not have the replacement yet."""
    def forget(self, number: int) -> None:
        """Have the store forget one that has ended altogether: it does not take what is remembered of it."""
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
    def has_news(self) -> bool:
        """Whether something has come for the store, which is not at work."""
    @property
    def waits(self) -> bool:
        """Whether there is anything for the store."""
