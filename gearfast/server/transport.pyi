"""Plain sockets, read by ``add_reader`` and written once per turn."""

import asyncio

from typing_extensions import disjoint_base

from gearfast.server.door import Door
from gearfast.server.session import Session
from gearfast.server.turn import Member, Turn

@disjoint_base
class Transport(Member):
    """How the bytes of one session come in and go out."""

    door: Door | None
    """What is told when its descriptor is given back."""

    @property
    def session(self) -> Session:
        """The session it feeds."""

@disjoint_base
class Watch:
    """What the loop calls when a socket is readable."""

    def __new__(cls, transport: SocketTransport) -> Watch: ...
    def __call__(self, *args: object, **kwargs: object) -> None: ...

@disjoint_base
class SocketTransport(Transport):
    """A plain socket, TCP or Unix; it owns the descriptor."""

    def __new__(
        cls, turn: Turn, loop: asyncio.AbstractEventLoop, fd: int, address: bytes, linger: float, *more: object
    ) -> SocketTransport: ...
    def writable(self) -> None:
        """Send what did not fit. Called by the loop."""
