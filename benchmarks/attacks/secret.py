"""What peers do over TLS: many handshakes at once, and long answers for those who leave."""

from __future__ import annotations

import contextlib
import socket
import ssl

from benchmarks.attacks.attack import READY, Attack
from benchmarks.attacks.crowds import JOBS
from benchmarks.attacks.door import Door
from benchmarks.attacks.jobs import NAME
from benchmarks.attacks.line import JOB_CREATED, SUBMIT_JOB_BG, begins, packet, times

SAID_AT_ONCE = 1000


def trusting() -> ssl.SSLContext:
    """Return one that takes any certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


class SecretLine:
    """A connection over TLS whose bytes are in our hands until they are sent. Raises ConnectionError."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self.sock = sock
        self._comes, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._talk = context.wrap_bio(self._comes, self._goes)

    def hello(self) -> bytes:
        """Return the first bytes of a handshake."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._talk.do_handshake()
        return self._goes.read()

    def shake_hands(self) -> None:
        """Go through the whole handshake."""
        self.sock.sendall(self.hello())
        done = False
        while not done:
            self._hear()
            with contextlib.suppress(ssl.SSLWantReadError):
                self._talk.do_handshake()
                done = True
            self.sock.sendall(self._goes.read())

    def ask(self, data: bytes, answer: bytes, count: int) -> None:
        """Send it, and read until so many answers have come."""
        self._talk.write(data)
        self.sock.sendall(self._goes.read())
        tail = b""
        while count > 0:
            try:
                found, tail = times(answer, tail, self._talk.read(1 << 20))
                count -= found
            except ssl.SSLWantReadError:
                self._hear()

    def last(self, data: bytes) -> bytes:
        """Return the bytes that say this, and that nothing more will follow (close_notify)."""
        self._talk.write(data)
        with contextlib.suppress(ssl.SSLWantReadError):
            self._talk.unwrap()
        return self._goes.read()

    def _hear(self) -> None:
        data = self.sock.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection of an attacker")
        self._comes.write(data)


def show_jobs_and_leave(door: Door, size: int) -> Attack:
    """Peers that each ask for all jobs, and say in the same breath that they leave."""
    context = trusting()
    client, *crowd = (SecretLine(door.connect(), context) for _ in range(size + 1))
    for line in (client, *crowd):
        line.shake_hands()
    for _ in range(JOBS // SAID_AT_ONCE):
        client.ask(packet(SUBMIT_JOB_BG, NAME, b"", b"") * SAID_AT_ONCE, begins(JOB_CREATED), SAID_AT_ONCE)
    words = [line.last(b"show jobs\n") for line in crowd]
    yield READY
    for line, data in zip(crowd, words, strict=True):
        line.sock.sendall(data)
    for line in crowd:
        while line.sock.recv(1 << 20):
            pass


def handshakes(door: Door, size: int) -> Attack:
    """Peers that all begin a handshake at once."""
    context = trusting()
    crowd = [SecretLine(door.connect(), context) for _ in range(size)]
    words = [line.hello() for line in crowd]
    yield READY
    for line, data in zip(crowd, words, strict=True):
        line.sock.sendall(data)
    for line in crowd:
        line.sock.recv(1 << 16)
