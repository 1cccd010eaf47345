"""The record of a job, and the three lanes in which jobs of one function wait (protocol section 3.4)."""

from enum import IntEnum

class Priority(IntEnum):
    """Of what is due, all HIGH leave before any NORMAL, and all NORMAL before any LOW."""

    HIGH = 0
    NORMAL = 1
    LOW = 2
