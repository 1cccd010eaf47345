"""A socket whose bytes are encrypted: TLS on the server's side (protocol section 8)."""

import asyncio
import ssl

from typing_extensions import disjoint_base

from gearfast.server.plain import SocketTransport
from gearfast.server.turn import Turn

@disjoint_base
class TlsTransport(SocketTransport):
    """A socket whose session begins when its TLS handshake is done; for that it has ``patience`` seconds."""

    def __new__(
        cls,
        turn: Turn,
        loop: asyncio.AbstractEventLoop,
        fd: int,
        address: bytes,
        linger: float,
        context: ssl.SSLContext,
        patience: float,
    ) -> TlsTransport: ...
    def too_slow(self) -> None:
        """End it if its handshake is not done. Called by the loop's timer."""
