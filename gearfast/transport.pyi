"""Plain sockets read by ``add_reader`` and written once per turn, and TLS through the loop's own transport."""

import asyncio

from typing_extensions import disjoint_base

from gearfast.session import Session
from gearfast.turn import Member, Turn

@disjoint_base
class Transport(Member):
    """How the bytes of one session come in and go out."""

    @property
    def session(self) -> Session:
        """The session it feeds."""

@disjoint_base
class Watch:
    """What the loop calls when a socket is readable."""

    def __init__(self, transport: SocketTransport) -> None: ...
    def __call__(self, *args: object, **kwargs: object) -> None: ...

@disjoint_base
class SocketTransport(Transport):
    """A plain socket, TCP or Unix; it owns the descriptor."""

    def __new__(
        cls, turn: Turn, loop: asyncio.AbstractEventLoop, fd: int, address: bytes, linger: float
    ) -> SocketTransport: ...
    def writable(self) -> None:
        """Send what did not fit. Called by the loop."""

@disjoint_base
class TlsTransport(Transport):
    """A protocol on the loop's TLS transport."""

    def __new__(cls, turn: Turn, loop: asyncio.AbstractEventLoop, address: bytes, linger: float) -> TlsTransport: ...
    def connection_made(self, stream: asyncio.BaseTransport) -> None:
        """The handshake is done."""
    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
    def buffer_updated(self, size: int) -> None:
        """They are there."""
    def eof_received(self) -> bool:
        """The peer sends nothing more."""
    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
    def pause_writing(self) -> None:
        """The peer takes nothing at the moment."""
    def resume_writing(self) -> None:
        """It does again."""
