"""Job handles: made, written and read (protocol section 3.1)."""

from typing import final

@final
class Handles:
    """The handles of one server: ``<prefix>:<number>``, and the last number that was given out.

    ``prefix`` is the whole of what stands before the colon, ``b"H:"`` included if it is wanted: at
    most `gearfast.config.HANDLE_PREFIX_SIZE` bytes, because the colon and 20 digits must fit into
    `gearfast.config.HANDLE_SIZE` with it. Raises ValueError if it is longer.
    """

    @property
    def prefix(self) -> bytes:
        """What stands before the colon."""

    def __new__(cls, prefix: bytes) -> Handles: ...
    def format(self, number: int) -> bytes:
        """The handle of a job number, which is at least 0 and below 2**64 (else OverflowError)."""

    def number(self, handle: bytes) -> int:
        """The number that a handle stands for; 0 if it is none of this server's.

        Only the very spelling of `format` counts: no leading zeros, no bytes behind the digits.
        """
