"""What happens to jobs, and who is woken: counted always, and written down for those who listen."""

from enum import IntEnum

from typing_extensions import disjoint_base

class Kind(IntEnum):
    """What happened."""

    SUBMITTED = 0
    """A new job; one that joins another makes none (protocol section 3.2)."""
    STARTED = 1
    """It is in a worker's hands."""
    PROGRESSED = 2
    """Its worker said how far it is (WORK_STATUS)."""
    COMPLETED = 3
    """Its worker has done it; it has ended, as after all that follow but TIMED_OUT, REQUEUED and KICKED."""
    FAILED = 4
    """Its worker said WORK_FAIL."""
    RAISED = 5
    """Its worker said WORK_EXCEPTION."""
    TIMED_OUT = 6
    """It ran longer than its worker allows; REQUEUED, LOST or ABANDONED follows."""
    REQUEUED = 7
    """Its worker lost it, and it waits for another one."""
    LOST = 8
    """It was given up: as many workers have lost it as may (protocol section 3.6)."""
    ABANDONED = 9
    """Nobody waits for it any more."""
    CANCELLED = 10
    """By an administrator."""
    WOKEN = 11
    """A worker was woken for a function; there is no job."""
    BURIED = 12
    """It has used up its tries, and is kept: a dead letter. FAILED, RAISED or LOST came before; KICKED, DISCARDED, or
    COMPLETED by a worker that had lost it, may follow."""
    KICKED = 13
    """It was buried, and is a job again, with a fresh set of tries."""
    DISCARDED = 14
    """It was buried, and is gone: by an administrator, or because there were too many."""
    EXPIRED = 15
    """No worker has started it within its ttl; it has ended."""
    SKIPPED = 16
    """A schedule was due, and its last run had not ended, or no job could be made. The number is the schedule's."""

@disjoint_base
class Events:
    """Counts of them since the start, and up to a megabyte of notes since they were taken last."""

    wanted: int
    """A bit, ``1 << kind``, for each kind that is to be written down."""
    @property
    def counts(self) -> tuple[int, ...]:
        """How often each kind has happened, in the order of `Kind`."""

    def take(self) -> tuple[list[tuple[int, int, bytes, bytes, int, int, bool]], tuple[int, ...]]:
        """Take all notes, oldest first, and of each kind how many could not be made since there were too many.

        A note is ``(kind, number, function, unique, priority, attempts, background)``; the function's name is cut at
        255 bytes. Of WOKEN the number is 0.
        """
