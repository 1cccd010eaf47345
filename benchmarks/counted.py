"""What runs inside valgrind: `python -m benchmarks.counted OPERATIONS NAME...` plays each benchmark twice.

The first time is for warmth, the second is what counts. Whatever would make one run differ from the next is fixed
here: the key of the server's hashes, the collector's visits, and the holes that others have left in the heap.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys

SMALL = range(24, 1048, 16)
"""Bytes: one of each size that glibc keeps a list of its own for."""
LISTED = 7
"""Freed pieces that each of those lists holds."""
HEAP = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class Heap(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [(name, ctypes.c_size_t) for name in HEAP]


class Filler:
    """Fills the holes in the heap, so that what a benchmark allocates comes from its untouched end."""

    def __init__(self) -> None:
        """Find glibc's own words; ones that are not there (before 2.33) leave the heap as it is."""
        library = ctypes.CDLL(None)
        self.look = getattr(library, "mallinfo2", None)
        self.take = library.malloc
        self.take.argtypes, self.take.restype = [ctypes.c_size_t], ctypes.c_void_p
        if self.look is not None:
            self.look.restype = Heap

    def holes(self) -> int:
        """Return the free bytes that are not at the end of the heap."""
        heap = self.look() if self.look is not None else Heap()
        return int(heap.fordblks - heap.keepcost)

    def fill(self) -> None:
        """Take every hole, large ones first, and give none back."""
        for bits in range(17, 4, -1):
            for size in (3 << bits - 1, 1 << bits):
                before, left = sys.maxsize, self.holes()
                while 0 < left < before:
                    self.take(size)
                    before, left = left, self.holes()
        for size in SMALL:
            for _ in range(LISTED):
                self.take(size)


def main(operations: int, names: list[str]) -> None:
    """Play these benchmarks."""
    vars(os)["urandom"] = bytes
    from benchmarks.conversations import CONVERSATIONS
    from benchmarks.rooms import ROOMS

    everything = ROOMS | CONVERSATIONS
    filler = Filler()
    gc.disable()
    for name in names:
        filler.fill()
        everything[name].play(operations)
        everything[name].play(operations)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
