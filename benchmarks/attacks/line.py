"""A line: one connection of an attacker. Raw packets by hand, sent as fast as the server takes them."""

from __future__ import annotations

import itertools
import select
import socket
import struct

HOST = "127.0.0.1"
READ_AT_ONCE = 128 * 1024
"""bytes that a server reads from one peer before it looks at the next"""
PATIENCE = 120.0
"""seconds without a byte in or out after which a server is given up; whoever plays the attack waits no longer"""
TAIL = 64
"""bytes kept of what was read, for an answer whose end has not come; none that is looked for is longer"""

CAN_DO, CANT_DO, RESET_ABILITIES, SUBMIT_JOB, JOB_CREATED, GRAB_JOB = 1, 2, 3, 7, 8, 9
NO_JOB, JOB_ASSIGN, WORK_STATUS, WORK_COMPLETE, ECHO_REQ = 10, 11, 12, 13, 16
SUBMIT_JOB_BG, SUBMIT_JOB_EPOCH = 18, 36

_tokens = itertools.count(1)


def packet(kind: int, *arguments: bytes) -> bytes:
    """Pack one request."""
    body = b"\0".join(arguments)
    return b"\0REQ" + struct.pack(">II", kind, len(body)) + body


def begins(kind: int) -> bytes:
    """Return what an answer of that type begins with."""
    return b"\0RES" + struct.pack(">I", kind)


def filled(data: bytes, size: int = READ_AT_ONCE) -> bytes:
    """Return it as often as it fits into ``size`` bytes."""
    return data * (size // len(data))


def times(answer: bytes, tail: bytes, data: bytes) -> tuple[int, bytes]:
    """Return how often an answer has come whole with `data`, and the tail to give next time."""
    window = tail + data
    return window.count(answer) - tail.count(answer), window[-TAIL:]


class Line:
    """One connection. Raises ConnectionError when the server ends it, TimeoutError when nothing moves any more."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._poll = select.poll()
        self._tail = b""

    def ask(self, data: bytes, answer: bytes, count: int = 1) -> None:
        """Send all of it, and read until so many answers have come; a server does not read who does not read."""
        rest = memoryview(data)
        while rest or count > 0:
            events = self._wait(select.POLLIN | (select.POLLOUT if rest else 0))
            if events & ~select.POLLOUT:
                count -= self.read(answer)
            if rest and events & select.POLLOUT:
                rest = rest[self.sock.send(rest, socket.MSG_DONTWAIT) :]

    def echo(self, data: bytes = b"") -> None:
        """Send it, and read all that the server has to say to it."""
        token = b"all of it %d, " % next(_tokens)
        self.ask(data + packet(ECHO_REQ, token), token)

    def push(self, data: bytes) -> None:
        """Send all of it, and read nothing."""
        self.sock.sendall(data)

    def read(self, answer: bytes) -> int:
        """Read what is there, and return how often that answer has come with it."""
        data = self.sock.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection of an attacker")
        found, self._tail = times(answer, self._tail, data)
        return found

    def body(self, kind: int) -> bytes:
        """Return the body of the next packet, which must be of that type."""
        head = self._exactly(12)
        if not head.startswith(begins(kind)):
            raise ConnectionError(f"{head!r} came to an attacker, due was a packet of type {kind}")
        return self._exactly(int.from_bytes(head[8:], "big"))

    def close(self) -> None:
        """Leave."""
        self.sock.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError("the server closed the connection of an attacker")
            data += more
        return data

    def _wait(self, events: int) -> int:
        self._poll.register(self.sock, events)
        found = self._poll.poll(PATIENCE * 1000)
        if not found:
            raise TimeoutError(f"nothing was read or said by the server for {PATIENCE:.0f} s")
        return found[0][1]
