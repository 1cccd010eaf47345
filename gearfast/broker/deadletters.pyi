"""Dead letters: background jobs that have used up their tries, kept until somebody looks at them."""

from typing import Self, final

from gearfast.broker.broker import Broker

_Row = tuple[bytes, bytes, int, bytes, int, int, float, float, float, bytes]

@final
class DeadLetters:
    """Those of a broker.

    A row is ``(handle, function, priority, unique, bytes of payload, attempts, submitted, started, failed, error)``,
    the times in monotonic seconds: of the submit, of the first start (0: not known) and of the last failure. ``error``
    is what its worker said in WORK_EXCEPTION, up to 4 KiB of it, or the server's words. What changes something raises
    RuntimeError in another thread than the broker's, and while the broker is at work.
    """

    def __new__(cls, broker: Broker) -> Self: ...
    def __len__(self) -> int: ...
    def scan(self, start: int) -> tuple[int, list[_Row]]:
        """Return some rows, and the cursor to go on from; 0 begins and ends."""

    def show(
        self, handle: bytes, most: int
    ) -> tuple[bytes, bytes, int, bytes, int, int, float, float, float, bytes, bytes] | None:
        """Return the row of one, and up to ``most`` bytes of its payload, its first; None: there is no such one."""

    def count(self, function: bytes) -> int:
        """Return how many a function has."""

    def kick_job(self, handle: bytes, now: float) -> bool:
        """Make it a job again, with the same handle and a fresh set of tries. Returns whether there was such a one."""

    def kick(self, function: bytes, most: int, now: float) -> int:
        """Do so with the oldest ones of a function, up to ``most``. Returns how many there were."""

    def discard_job(self, handle: bytes) -> bool:
        """Forget one. Returns whether there was such a one."""

    def discard(self, function: bytes, most: int) -> int:
        """Forget the oldest ones of a function, up to ``most``. Returns how many there were."""
