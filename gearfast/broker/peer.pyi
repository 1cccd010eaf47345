"""Whoever takes part in the life of jobs, and what a worker says of one (protocol section 2.8)."""

from collections.abc import Iterator
from enum import IntEnum

from typing_extensions import disjoint_base

class Report(IntEnum):
    """What a worker says of a job in its hands (protocol section 2.8). COMPLETE, FAIL and EXCEPTION end the job."""

    DATA = 0
    WARNING = 1
    STATUS = 2
    COMPLETE = 3
    FAIL = 4
    EXCEPTION = 5

@disjoint_base
class Peer:
    """Whoever takes part, as a client, as a worker, or as both.

    A peer is called for two reasons only, to be woken and to be told what a worker reported; both
    calls are Cython's (see ``peer.pxd``). `gearfast.broker.inprocess.InProcessPeer` keeps them in a list.
    """

    def abilities(self) -> list[bytes]:
        """The names of its functions in the order they are looked at.

        That is the newest first, except that a function whose job was grabbed goes to the end
        (protocol section 3.4).
        """
    def each_ability(self) -> Iterator[bytes]:
        """The names of its functions, the one said last first, one after the other.

        Whatever it says meanwhile: what it can do throughout comes exactly once.
        """
