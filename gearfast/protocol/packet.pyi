"""Packets and admin lines out of a byte stream, and packets into a buffer (protocol section 1)."""

from enum import IntEnum
from typing import final

from typing_extensions import Buffer

class PacketType(IntEnum):
    """The types of the Gearman protocol by their numbers (protocol section 2)."""

    TEXT = 0
    """Not on the wire: a line of the admin protocol."""
    CAN_DO = 1
    CANT_DO = 2
    RESET_ABILITIES = 3
    PRE_SLEEP = 4
    UNUSED = 5
    NOOP = 6
    SUBMIT_JOB = 7
    JOB_CREATED = 8
    GRAB_JOB = 9
    NO_JOB = 10
    JOB_ASSIGN = 11
    WORK_STATUS = 12
    WORK_COMPLETE = 13
    WORK_FAIL = 14
    GET_STATUS = 15
    ECHO_REQ = 16
    ECHO_RES = 17
    SUBMIT_JOB_BG = 18
    ERROR = 19
    STATUS_RES = 20
    SUBMIT_JOB_HIGH = 21
    SET_CLIENT_ID = 22
    CAN_DO_TIMEOUT = 23
    ALL_YOURS = 24
    WORK_EXCEPTION = 25
    OPTION_REQ = 26
    OPTION_RES = 27
    WORK_DATA = 28
    WORK_WARNING = 29
    GRAB_JOB_UNIQ = 30
    JOB_ASSIGN_UNIQ = 31
    SUBMIT_JOB_HIGH_BG = 32
    SUBMIT_JOB_LOW = 33
    SUBMIT_JOB_LOW_BG = 34
    SUBMIT_JOB_SCHED = 35
    SUBMIT_JOB_EPOCH = 36
    SUBMIT_REDUCE_JOB = 37
    SUBMIT_REDUCE_JOB_BACKGROUND = 38
    GRAB_JOB_ALL = 39
    JOB_ASSIGN_ALL = 40
    GET_STATUS_UNIQUE = 41
    STATUS_RES_UNIQUE = 42

@final
class PacketReader:
    """A pull parser of one peer's byte stream; binary packets and admin lines may be mixed in it.

    It never trusts a size: memory grows with the bytes that came, not with what a header announces.
    ``max_packet_size`` is in bytes and bounds one packet's body (default 256 MiB).
    """

    @property
    def max_packet_size(self) -> int:
        """Bytes of the largest body it takes. A body that the type does not use is skipped, whatever its size."""

    def __new__(cls, max_packet_size: int = ...) -> PacketReader: ...
    def feed(self, data: Buffer) -> None:
        """Take the next bytes of the stream: ``bytes``, or any other contiguous buffer, which is copied.

        Then iterate, for what is whole now: ``for packet in reader``. When the iteration ends there is nothing more
        until it is fed again. Raises `gearfast.errors.ProtocolError` if the stream has ended by one, and MemoryError.
        """
    def __iter__(self) -> PacketReader: ...
    def __next__(self) -> tuple[PacketType, bool, tuple[bytes, ...] | None, bytes]:
        """Return the next packet, ``(type, response, arguments, payload)``:

        - ``response`` is true if the magic was that of a server's answer (``RES``);
        - ``arguments`` are as many as the type has (protocol section 2), or None if the body holds
          too few NULs for them; the stream is in step all the same, and the payload is then empty;
        - ``payload`` is what follows them, empty for a type without payload, and if a worker's report
          is a bare handle, without a NUL behind it.

        A line is ``(PacketType.TEXT, False, None, line)``, without its LF or CRLF.

        Raises `gearfast.errors.ProtocolError` where the stream cannot be followed any further: wrong
        magic, unknown type, an argument or a line that is too long, or a body above
        ``max_packet_size``, in which case its ``code`` is ``ARGUMENT_TOO_LARGE`` (protocol sections
        1.3 and 1.4). Everything before the fault has been returned by then, and from there on each call raises it.
        """

    @property
    def kept(self) -> int:
        """Bytes of memory held for what is unfinished: 0 between packets."""

@final
class PacketWriter:
    """Packets waiting to be sent to one peer. It is written to from Cython (see ``packet.pxd``)."""

    def __new__(cls) -> PacketWriter: ...
