"""A crowd: what makes a server's admin answers long, while it costs the load nothing. Raw packets, by hand."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

CAN_DO, JOB_CREATED, ECHO_REQ, SUBMIT_JOB_BG = 1, 8, 16, 18
FUNCTION = b"other"  # none that the load plays with


def packet(kind: int, *arguments: bytes) -> bytes:
    """Pack one request."""
    body = b"\0".join(arguments)
    return b"\0REQ" + struct.pack(">II", kind, len(body)) + body


def answered(peer: socket.socket, size: int) -> bytes:
    """Return the next `size` bytes. Raises ConnectionError."""
    got = b""
    while len(got) < size:
        more = peer.recv(size - len(got))
        if not more:
            raise ConnectionError("the server closed the connection of a peer that did nothing wrong")
        got += more
    return got


@contextmanager
def crowd(port: int, *, queued: int = 0, workers: int = 0) -> Iterator[None]:
    """Queue jobs of another function, and connect workers of yet another, while in the block."""
    with ExitStack() as peers:
        client = peers.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        for _ in range(queued):
            client.sendall(packet(SUBMIT_JOB_BG, FUNCTION, b"", b"x" * 64))
            _, kind, size = struct.unpack(">4sII", answered(client, 12))
            answered(client, size)
            if kind != JOB_CREATED:
                raise ConnectionError(f"a job was answered with packet type {kind}")
        for _ in range(workers):
            worker = peers.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            worker.sendall(packet(CAN_DO, FUNCTION + b" done by nobody") + packet(ECHO_REQ, b"here"))
            answered(worker, 16)
        yield
