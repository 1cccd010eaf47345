"""What the store has yet to be told (see outbox.pxd)."""

from enum import IntEnum

from typing_extensions import disjoint_base

class Waits(IntEnum):
    """The lines in which jobs wait for the store."""

    FRESH = 0
    """Not tried yet."""
    AGAIN = 1
    """Of a batch that failed: tried in smaller ones."""
    SINGLY = 2
    """Of such a smaller one: tried one at a time."""
    HEAVY = 3
    """Each as large as a batch may be, and so a batch by itself."""
    ANEW = 4
    """The store had them, and has lost them."""

@disjoint_base
class Outbox:
    """Jobs to keep and jobs to forget, in the order in which they came."""

    busy: bool
    """A batch is being written."""
    @property
    def bytes(self) -> int:
        """Of all jobs that wait, without the heavy ones."""
    @property
    def heavy_bytes(self) -> int:
        """Of those, each of which is a batch by itself."""
