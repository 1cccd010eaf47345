"""Jobs that were given up: noted while the broker works, told when it rests."""

from enum import IntEnum

from typing_extensions import disjoint_base

class Reason(IntEnum):
    """Why a job was given up, or taken from its worker."""

    LOST = 0
    """As many workers have lost it as may (protocol section 3.6)."""
    TIMED_OUT = 1
    """It ran longer than its worker allows; it is queued again, unless it is LOST as well."""
    FAILED = 2
    """Its worker said WORK_FAIL; a background job."""
    RAISED = 3
    """Its worker said WORK_EXCEPTION; a background job."""
    CANCELLED = 4
    """By an administrator."""

@disjoint_base
class Endings:
    """Notes about jobs that were given up, up to a megabyte of them."""

    on: bool
    """Whether notes are made."""

    def take(self) -> tuple[list[tuple[int, bytes, bytes, int, int]], int]:
        """Take all notes, oldest first, and how many could not be made since there were too many.

        A note is ``(number, function, unique, attempts, reason)``; the function's name is cut at 255 bytes, and the
        reason is a `Reason`.
        """
