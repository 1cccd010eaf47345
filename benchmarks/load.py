"""A small load generator on raw sockets; it checks every answer it counts.

Written to be read, not to be fast: it measures what a job costs the *server*, so its own speed
matters little. Packets are packed by hand, so that it can stand against any Gearman server.
"""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

REQ = b"\0REQ"
CAN_DO, PRE_SLEEP, NOOP, SUBMIT, CREATED, GRAB, NO_JOB, ASSIGN, COMPLETE, SUBMIT_BG = 1, 4, 6, 7, 8, 9, 10, 11, 13, 18


def request(kind: int, *arguments: bytes) -> bytes:
    """Pack one request."""
    body = b"\0".join(arguments)
    return REQ + struct.pack(">II", kind, len(body)) + body


class Wire:
    """One connection."""

    def __init__(self, port: int) -> None:
        """Connect to a server on loopback."""
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(120)
        self.kept = b""

    def send(self, data: bytes) -> None:
        """Send packets."""
        self.socket.sendall(data)

    def packets(self, count: int) -> Iterator[tuple[int, bytes]]:
        """Yield the next `count` packets as (type, body)."""
        while count:
            at = 0
            while count and len(self.kept) - at >= 12:
                kind, size = struct.unpack_from(">II", self.kept, at + 4)
                if len(self.kept) - at < 12 + size:
                    break
                yield kind, self.kept[at + 12 : at + 12 + size]
                at += 12 + size
                count -= 1
            self.kept = self.kept[at:]
            if count:
                more = self.socket.recv(1 << 18)
                if not more:
                    raise ConnectionError("the server closed the connection")
                self.kept += more

    def expect(self, *kinds: int) -> bytes:
        """Return the body of the last of the next packets, which must be of these types."""
        body = b""
        for wanted, (kind, found) in zip(kinds, self.packets(len(kinds)), strict=True):
            if kind != wanted:
                raise AssertionError(f"expected packet type {wanted}, got {kind}: {found!r}")
            body = found
        return body

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process with all its living threads, to the nanosecond (Linux)."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
