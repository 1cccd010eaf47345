"""Plain sockets, read by ``add_reader`` and written once per turn."""

import asyncio

from typing_extensions import disjoint_base

from gearfast.server.transport import Transport
from gearfast.server.turn import Turn

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
