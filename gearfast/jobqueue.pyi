"""The record of a job, and the three lanes in which jobs of one function wait (protocol section 3.4)."""

from enum import IntEnum
from typing import final

class Priority(IntEnum):
    """Of what is due, all HIGH leave before any NORMAL, and all NORMAL before any LOW."""

    HIGH = 0
    NORMAL = 1
    LOW = 2

@final
class JobQueue:
    """The order in which payloads leave, and nothing else: no handles, no workers.

    Three first-in-first-out lanes, one per priority, and a heap of what is due later. An entry is
    one C record, invisible to the garbage collector. `gearfast.broker.Broker` has lanes of its own
    in each function; this class is for those who want only the queue.
    """

    @property
    def count(self) -> int:
        """Payloads in the queue, those included that are not due yet. ``len(queue)`` is the same."""

    @property
    def soonest(self) -> float:
        """When the next delayed payload is due; infinity if none is."""

    def __new__(cls) -> JobQueue: ...
    def __len__(self) -> int: ...
    def push(self, payload: bytes, priority: int = ..., due: float = ...) -> None:
        """Put a payload behind all others of its priority (default NORMAL).

        With ``due`` above 0 it stays out of its lane until a `pop` whose ``now`` has reached that
        moment; it then goes to the lane's end. Seconds of any clock, the same in both calls.

        Raises ValueError for a priority that is none, or a ``due`` of infinity or nan.
        """

    def pop(self, now: float = ...) -> bytes | None:
        """Take out what is next at the moment ``now``; None if nothing is due."""
