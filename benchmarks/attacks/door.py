"""The way to a server of this machine."""

from __future__ import annotations

import socket
from typing import Self

from benchmarks.attacks.line import HOST, PATIENCE, Line

CONNECTED_AT_ONCE = 16
"""well below a server's backlog: a connection beyond it would be tried again by the kernel, a second later"""


class Door:
    """Who came in through it stays until the block is left."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for sock in self._sockets:
            sock.close()

    def connect(self) -> socket.socket:
        """Connect. Raises OSError."""
        sock = socket.create_connection((HOST, self.port), timeout=PATIENCE)
        self._sockets.append(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def line(self) -> Line:
        """Connect one line."""
        return Line(self.connect())

    def lines(self, count: int) -> list[Line]:
        """Connect so many, each heard once."""
        made: list[Line] = []
        while len(made) < count:
            fresh = [self.line() for _ in range(min(CONNECTED_AT_ONCE, count - len(made)))]
            for line in fresh:
                line.echo()
            made += fresh
        return made
