"""What goes into the next batch, and who waits for what."""

from __future__ import annotations

from typing import Any

from gearfast.config import Config
from gearfast.store.plan import Plan


class Waiting:
    """Numbers that are to be forgotten, and such as are asked for again, in the place of the batches."""

    removes = 5

    def is_kept(self, number: int) -> bool:
        return number >= 10

    def unfinished(self, numbers: list[int]) -> set[int]:
        return set(numbers)


def test_numbers_that_failed_by_themselves_are_not_waited_for_but_all_others_are() -> None:
    """One that is asked for again is not to be forgotten any more, and stands for none of those that are."""
    batches: Any = Waiting()
    plan = Plan(batches, Config())
    assert plan.behind([]) == 5
    plan.stuck = {3: 1, 4: 1, 11: 1}
    assert plan.behind([]) == 3
    assert plan.behind([4, 7]) == 2
