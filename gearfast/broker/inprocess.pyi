"""A peer inside this process (protocol sections 2 and 3, without the packets).

See `gearfast.broker.broker` for an example.
"""

from typing import Literal

from typing_extensions import disjoint_base

from gearfast.broker.broker import Broker, Reported
from gearfast.broker.peer import Peer, Report

@disjoint_base
class InProcessPeer(Peer):
    """A client, a worker, or both, that calls a broker directly.

    It disconnects when it is forgotten. ``now`` is always in seconds of the broker's first clock
    (see `gearfast.broker.broker.Broker`).
    """

    @property
    def broker(self) -> Broker:
        """Where it takes part."""

    @property
    def heard(self) -> list[tuple[Literal["wake"]] | tuple[Report, bytes, bytes | None]]:
        """What it was told, oldest first: ``("wake",)`` or ``(report, handle, body)``.

        The body is the worker's own, for STATUS the two numbers with a NUL between them; None if the
        broker itself says FAIL (a job was cancelled, or lost too often). The list may be emptied at will.
        Raises MemoryError, once, when there was no memory for something that it was told.
        """

    def __new__(cls, broker: Broker) -> InProcessPeer: ...

    # --- as a client ---

    def submit(
        self,
        function: bytes,
        payload: bytes = ...,
        unique: bytes = ...,
        *,
        priority: int = ...,
        background: bool = ...,
        due: float = ...,
        parameters: bytes = ...,
        now: float = ...,
    ) -> bytes | None:
        """Submit a job and return its handle; None if the function's queue is full.

        A job with the same unique id in the same function is joined instead (protocol section 3.2):
        with unique ``b"-"`` one with the same payload. An empty unique id or key joins nothing.

        ``parameters`` are asked of the job for all its life: ``retries``, ``backoff``, ``timeout``, such as
        ``b"retries=3;backoff=fixed:10s"``. Raises ValueError for a mistake in them. With ``cron`` among them it is a
        schedule, which is due first at ``due``; without that it waits for a date (`gearfast.broker.timetable`).

        Unless ``background``, this peer hears what the worker reports. ``due`` is wall clock time
        in seconds; 0 or less is at once. The default priority is 1 (normal).

        Raises ValueError for a priority other than 0 to 2, a unique id above 64 bytes, a foreground
        job that is due later, or a job that is never due.
        """

    def status(self, handle: bytes) -> tuple[bool, int, int, int] | None:
        """``(running, numerator, denominator, waiting clients)`` of a job; None if it is unknown, or a dead letter.

        Of a schedule too, which never runs itself.
        """

    def status_unique(self, unique: bytes) -> tuple[bool, int, int, int] | None:
        """The same by unique id, in whichever function; empty and ``b"-"`` are never found (protocol section 2.7)."""

    # --- as a worker ---

    def can_do(self, function: bytes, timeout: int = ...) -> None:
        """Take on a function, which becomes the first one looked at; said again, it counts once.

        ``timeout`` is how long one of its jobs may run, in milliseconds; 0 or less: for ever. Nobody
        is woken, not even by waiting jobs (protocol section 2.1).
        """

    def cant_do(self, function: bytes, now: float = ...) -> None:
        """Give up a function. Its jobs in this worker's hands are lost to it."""

    def reset_abilities(self, now: float = ...) -> None:
        """Give up every function, as `cant_do` does."""

    def grab(self, now: float = ...) -> tuple[bytes, bytes, bytes, bytes] | None:
        """Take the next job, ``(handle, function, unique, payload)``; None if there is none.

        Of the highest priority in any of its functions, and then from the function that was served
        least recently (protocol section 3.4). Any number may be in its hands at a time.
        """

    def sleep(self) -> bool:
        """Ask to be woken when there is work; False if there is some already (protocol section 2.2)."""

    def tell(self, handle: bytes, kind: int, body: bytes = ..., now: float = ...) -> Reported:
        """Report on a job in its hands; ``kind`` is a `gearfast.broker.peer.Report`, else ValueError.

        For STATUS there is `progress`; a FAIL has no body.
        """

    def progress(self, handle: bytes, numerator: int, denominator: int, now: float = ...) -> Reported:
        """Report STATUS, and have the two numbers shown to whoever asks for the job's status.

        They are at least 0 and below 2**32 (else OverflowError).
        """

    # --- as both ---

    def disconnect(self, now: float = ...) -> None:
        """Leave: jobs in its hands are queued again, and jobs that only it waits for are given up.

        Afterwards it is like a new peer.
        """
