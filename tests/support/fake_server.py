"""A Gearman server of a few lines in a thread: right, unless a test bends what it says.

It has one queue and no limits, and shares no code with what it is played against.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support import wire
from tests.support.wire import raw


@dataclass(eq=False)
class Line:
    """A connection as the server sees it."""

    sock: socket.socket
    asleep: bool = False


@dataclass
class Job:
    """A job, and who waits for its result."""

    handle: bytes
    function: bytes
    payload: bytes
    client: Line | None = None


class FakeServer:
    """Bend an answer by overriding `say`, the choice of a job by overriding `take`."""

    def __init__(self, port: int = 0) -> None:
        self.lock = threading.RLock()
        self.queue: deque[Job] = deque()
        self.running: dict[bytes, Job] = {}
        self.lines: list[Line] = []
        self.made = 0
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self.accept, daemon=True)]

    @contextlib.contextmanager
    def running_server(self) -> Iterator[int]:
        """Serve until the block is left; yield the port."""
        self.threads[0].start()
        try:
            yield self.port
        finally:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.threads[0].join(10)
            for line in self.lines:
                with contextlib.suppress(OSError):
                    line.sock.shutdown(socket.SHUT_RDWR)
            for thread in self.threads[1:]:
                thread.join(10)
            self.listener.close()

    def accept(self) -> None:
        """Give each connection a thread."""
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = Line(sock)
            self.lines.append(line)
            self.threads.append(threading.Thread(target=self.serve, args=(line,), daemon=True))
            self.threads[-1].start()

    def serve(self, line: Line) -> None:
        """Read packets and text lines, and answer each."""
        kept = b""
        with contextlib.suppress(OSError):
            while data := line.sock.recv(1 << 16):
                kept += data
                while kept:
                    size = self.size(kept)
                    if size > len(kept):
                        break
                    with self.lock:
                        self.hear(line, kept[:size])
                    kept = kept[size:]
        line.sock.close()

    def size(self, data: bytes) -> int:
        """How many bytes the first request has, or more than there are."""
        if data[0]:
            return data.find(b"\n") + 1 or len(data) + 1
        return 12 + wire.HEADER.unpack_from(data)[2] if len(data) >= 12 else 13

    def hear(self, line: Line, request: bytes) -> None:
        """Answer one request."""
        if request[0]:
            self.send(line, self.text(request.decode().strip()))
            return
        _, kind, _ = wire.HEADER.unpack_from(request)
        body = request[12:]
        if kind in (wire.SUBMIT_JOB, wire.SUBMIT_JOB_BG, wire.SUBMIT_JOB_EPOCH):
            self.submit(line, kind, body)
        elif kind == wire.GRAB_JOB:
            self.grab(line)
        elif kind == wire.WORK_COMPLETE:
            handle, result = body.split(b"\0", 1)
            job = self.running.pop(handle)
            if job.client:
                self.answer(job.client, wire.WORK_COMPLETE, handle + b"\0" + result)
        elif kind == wire.PRE_SLEEP:
            line.asleep = True
            if self.queue:
                self.wake(line)
        elif kind == wire.ECHO_REQ:
            self.answer(line, wire.ECHO_RES, body)

    def submit(self, line: Line, kind: int, body: bytes) -> None:
        """Queue a job and wake everyone, as stock does."""
        arguments = 3 if kind == wire.SUBMIT_JOB_EPOCH else 2
        function, *_, payload = body.split(b"\0", arguments)
        self.made += 1
        handle = b"H:fake:%d" % self.made
        self.queue.append(Job(handle, function, payload, line if kind == wire.SUBMIT_JOB else None))
        for sleeper in self.lines:
            if sleeper.asleep:
                self.wake(sleeper)
        self.answer(line, wire.JOB_CREATED, handle)

    def wake(self, line: Line) -> None:
        """Send a NOOP."""
        line.asleep = False
        self.answer(line, wire.NOOP, b"")

    def grab(self, line: Line) -> None:
        """Hand out a job."""
        line.asleep = False
        job = self.take()
        if job is None:
            self.answer(line, wire.NO_JOB, b"")
            return
        self.running[job.handle] = job
        self.answer(line, wire.JOB_ASSIGN, b"\0".join((job.handle, job.function, job.payload)))

    def take(self) -> Job | None:
        """Choose the next job."""
        return self.queue.popleft() if self.queue else None

    def text(self, command: str) -> bytes:
        """Answer an admin command."""
        return b"work0\t%d\t0\t1\n.\n" % len(self.queue) if command == "status" else b"OK 1.0\n"

    def answer(self, line: Line, kind: int, body: bytes) -> None:
        """Say one packet, whatever `say` makes of it."""
        self.send(line, self.say(line, kind, body))

    def say(self, line: Line, kind: int, body: bytes) -> bytes:
        """Return the bytes of an answer. Raises ConnectionError to hang up."""
        return raw(wire.RES, kind, body)

    def send(self, line: Line, data: bytes) -> None:
        """Send them."""
        line.sock.sendall(data)
