"""What clients want to have done: jobs, and schedules that jobs come of."""

from enum import IntEnum

from gearfast.broker.leaving import Leaving

class Submitted(IntEnum):
    """What became of a submission."""

    CREATED = 0
    """It is a new job."""
    COALESCED = 1
    """It is the job that has this unique id already (protocol section 3.2)."""
    QUEUE_FULL = 2
    """It was refused: its function has as many jobs as it may have (protocol section 3.9)."""
    NO_NUMBERS = 3
    """It was refused: all numbers that the store knows to be in use are in use, and it is away."""
    NO_MEMORY_LEFT = 4
    """The server is short of memory: see ``crowded``."""
    NO_MEMORY = 5
    """The system gave none."""
    IS_DRAINED = 6
    """It was refused: an operator wants no more jobs of its function."""

class Submits(Leaving):
    """A broker's. Use `gearfast.broker.broker.Broker`, which is one."""
