"""Gearman packets packed and unpacked by hand.

Nothing here comes from gearfast: a test that used the server's own packing could not see it go wrong.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import struct
import time
from typing import NamedTuple

# fmt: off
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
# fmt: on

NAMES = {value: name for name, value in list(globals().items()) if name.isupper() and isinstance(value, int)}

REQ = b"\0REQ"
RES = b"\0RES"
HEADER = struct.Struct(">4sII")

TIMEOUT = 10.0  # seconds a test waits for an answer that has to come

_tokens = itertools.count(1)


class ClosedError(Exception):
    """The server ended the connection; `received` is what came before that."""

    def __init__(self, received: bytes = b"") -> None:
        super().__init__(f"closed by the server after {received!r}")
        self.received = received


class Packet(NamedTuple):
    """One packet as it came: magic, type number, body."""

    magic: bytes
    type: int
    body: bytes

    @property
    def name(self) -> str:
        """The name of the type, for messages people read."""
        return NAMES.get(self.type, str(self.type))

    def args(self, maximum: int = -1) -> list[bytes]:
        """The body split at its NULs, at most `maximum` times."""
        return self.body.split(b"\0", maximum)


def raw(magic: bytes, type_: int, body: bytes, size: int | None = None) -> bytes:
    """A packet in which everything can be a lie, the size first of all."""
    return HEADER.pack(magic, type_ & 0xFFFFFFFF, len(body) if size is None else size) + body


def request(type_: int, *args: bytes | str, payload: bytes | str | None = None) -> bytes:
    """A request; with a payload every argument is ended by a NUL, without one the last is not."""
    parts = args if payload is None else (*args, payload)
    return raw(REQ, type_, b"\0".join(part.encode() if isinstance(part, str) else part for part in parts))


class Connection:
    """A blocking socket to a server, with an unread remainder."""

    def __init__(self, host: str, port: int, timeout: float = TIMEOUT) -> None:
        self.sock = socket.create_connection((host, port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(timeout)
        self.buffer = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection at once."""
        self.sock.close()

    def reset(self) -> None:
        """End the connection with a RST, as a machine that crashed and came back would."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def half_close(self) -> None:
        """Say that no more will be sent; answers can still come."""
        self.sock.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> None:
        """Send all of `data`. A connection already ended shows when it is read."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def request(self, type_: int, *args: bytes | str, payload: bytes | str | None = None) -> None:
        """Pack one request and send it."""
        self.send(request(type_, *args, payload=payload))

    def call(self, type_: int, *args: bytes | str, payload: bytes | str | None = None) -> Packet:
        """Send one request and read one packet."""
        self.request(type_, *args, payload=payload)
        return self.recv_packet()

    def _more(self) -> None:
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            received, self.buffer = self.buffer, b""
            raise ClosedError(received)
        self.buffer += data

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def recv_packet(self) -> Packet:
        """The next packet."""
        magic, type_, size = HEADER.unpack(self._take(HEADER.size))
        return Packet(magic, type_, self._take(size))

    def recv_until(self, end: bytes) -> bytes:
        """Everything up to and including `end`."""
        while end not in self.buffer:
            self._more()
        return self._take(self.buffer.index(end) + len(end))

    def recv_line(self) -> bytes:
        """The next line of text, with its end."""
        return self.recv_until(b"\n")

    def recv_table(self) -> bytes:
        """The lines of an admin answer which ends with a line of one dot, also when that is the only one."""
        lines = b""
        while not (lines == b".\n" or lines.endswith(b"\n.\n")):
            lines += self.recv_line()
        return lines

    def admin(self, line: str) -> bytes:
        """Send a line of text and read one line back."""
        self.send(line.encode() + b"\n")
        return self.recv_line()

    def table(self, line: str) -> list[str]:
        """Send a line of text and read the lines back, without the dot that ends them."""
        self.send(line.encode() + b"\n")
        return self.recv_table().decode().splitlines()[:-1]

    def sync(self) -> bytes:
        """Everything the server had to say up to now.

        Requests of one connection are answered in order, so what precedes the answer to this echo is complete
        as far as this connection's own requests go, and no time has to be waited.
        """
        token = b"sync-%d-%s" % (next(_tokens), os.urandom(6).hex().encode())
        self.send(request(ECHO_REQ, payload=token))
        answer = raw(RES, ECHO_RES, token)
        return self.recv_until(answer)[: -len(answer)]

    def packets(self) -> list[Packet]:
        """What `sync` collects, as packets."""
        return split(self.sync())

    def closed(self) -> bool:
        """Whether the server ends this connection (it is waited for); anything else it says is an answer too."""
        try:
            self._more()
        except ClosedError:
            return True
        except TimeoutError:
            return False
        return False

    def read_to_end(self) -> bytes:
        """Everything until the server ends the connection."""
        try:
            while True:
                self._more()
        except ClosedError as end:
            return end.received


def split(data: bytes) -> list[Packet]:
    """Bytes that hold whole packets, as packets."""
    found = []
    while data:
        magic, type_, size = HEADER.unpack_from(data)
        body = data[HEADER.size : HEADER.size + size]
        if len(body) != size:
            raise ValueError(f"a packet is cut short: {data!r}")
        found.append(Packet(magic, type_, body))
        data = data[HEADER.size + size :]
    return found


def connect(host: str, port: int, timeout: float = TIMEOUT) -> Connection:
    """A connection; while the server is still starting, it is tried again."""
    end = time.monotonic() + timeout
    while True:
        try:
            return Connection(host, port, timeout)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
