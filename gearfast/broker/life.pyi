"""The life of a job: every way from one of its states to another (protocol sections 2 and 3)."""

from enum import IntEnum

from gearfast.broker.aside import Aside

class Moved(IntEnum):
    """What became of a job that was to be moved."""

    MOVED = 0
    NO_SUCH_JOB = 1
    RUNS = 2
    """A worker has it."""
    STAYS = 3
    """There is no memory for it to be due later; it is queued."""
    IS_BURIED = 4
    """It has used up its tries."""
    IS_SCHEDULE = 5
    """It is no job itself: others come of it."""

class Life(Aside):
    """Every way of a job from one of its states to another. Use `gearfast.broker.broker.Broker`, which is one."""
