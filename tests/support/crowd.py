"""A crowd of clients and workers of one process, each of which checks all that it is told.

One thread plays all of them, without blocking. What each does is drawn from a seed; when it happens is not. A seed
tells what was asked for, and the answers have to be right in whichever order threads come to them.
"""

from __future__ import annotations

import contextlib
import math
import random
import re
import selectors
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable

from tests.support import wire
from tests.support.processes import SANITIZED
from tests.support.wire import HEADER, Packet

MOST_SECONDS = 25.0 * (5 if SANITIZED else 1)
"""A crowd that has not ended by then hangs. No other time counts."""
NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
ENDINGS = (wire.WORK_COMPLETE, wire.WORK_FAIL)


class WrongError(AssertionError):
    """The server has said something that it must not say."""


class Member:
    """One connection, which comes again when it has lost the one before."""

    def __init__(self, crowd: Crowd, name: str, tls: ssl.SSLContext | None = None) -> None:
        self.crowd = crowd
        self.name = name
        self.tls = tls
        self.random = random.Random(f"{crowd.seed} {name}")
        self.deaf = False
        self.done = False
        self.sock: socket.socket | None = None
        self.connect()

    def connect(self) -> None:
        """Begin; a server that ends may not be there any more."""
        try:
            sock = self.connected()
        except OSError:
            if not self.crowd.ends:
                raise
            self.done = True
            return
        sock.setblocking(False)
        self.sock = sock
        self.heard, self.unsent = bytearray(), bytearray()
        self.begin()
        self.listen()

    def connected(self) -> socket.socket:
        """A new connection."""
        if self.crowd.path:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(self.crowd.path)
        else:
            sock = socket.create_connection((self.crowd.host, self.crowd.port), 30)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls is not None:
            sock = self.tls.wrap_socket(sock, server_hostname="localhost")
        return sock

    def leave(self, how: str = "close") -> None:
        """End it, one way or the other."""
        assert self.sock is not None
        if self.sock in self.crowd.selector.get_map():
            self.crowd.selector.unregister(self.sock)
        if how == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.sock = None

    def finish(self) -> None:
        """It has done what it came for."""
        self.done = True
        if self.sock is not None:
            self.leave(self.random.choice(("close", "reset")))

    def cut_off(self) -> None:
        """The server has ended it, and may."""
        self.finish()

    def say(self, type_: int, *args: bytes | str, payload: bytes | str | None = None) -> None:
        """Send a request."""
        self.unsent += wire.request(type_, *args, payload=payload)

    def flush(self) -> None:
        """Send what is still to be sent, as far as it goes."""
        with contextlib.suppress(*NOT_NOW):
            while self.sock is not None and self.unsent:
                del self.unsent[: self.sock.send(self.unsent[: 1 << 16])]
        self.listen()

    def listen(self) -> None:
        """Say what it waits for."""
        if self.sock is not None:
            wanted = (0 if self.deaf else selectors.EVENT_READ) | (selectors.EVENT_WRITE if self.unsent else 0)
            known = self.sock in self.crowd.selector.get_map()
            if known and wanted:
                self.crowd.selector.modify(self.sock, wanted, self)
            elif known:
                self.crowd.selector.unregister(self.sock)
            elif wanted:
                self.crowd.selector.register(self.sock, wanted, self)

    def hear(self) -> None:
        """Read all that there is, and look at it."""
        try:
            while self.sock is not None and not self.deaf:
                data = self.sock.recv(1 << 16)
                if not data and (self.crowd.ends or self.crowd.cuts):
                    self.cut_off()
                    break
                if not data:
                    self.lost()
                    break
                self.heard += data
                self.look()
        except NOT_NOW:
            pass

    def look(self) -> None:
        """Take what is complete."""
        while self.sock is not None:
            if not self.heard:
                return
            if self.heard[:1] != b"\0":
                end = self.heard.find(b"\n")
                if end < 0:
                    return
                line = bytes(self.heard[: end + 1])
                del self.heard[: end + 1]
                self.line(line)
                continue
            if len(self.heard) < HEADER.size:
                return
            magic, type_, size = HEADER.unpack_from(self.heard)
            if len(self.heard) < HEADER.size + size:
                return
            packet = Packet(magic, type_, bytes(self.heard[HEADER.size : HEADER.size + size]))
            del self.heard[: HEADER.size + size]
            self.check(magic == wire.RES, packet)
            self.packet(packet)

    def check(self, right: bool, *what: object) -> None:
        """Complain unless this is right."""
        if not right:
            raise WrongError(f"{self.name}, seed {self.crowd.seed}: {what}")

    def left(self) -> str:
        """What it has still to do."""
        return ""

    def begin(self) -> None:
        """Say the first thing."""

    def packet(self, packet: Packet) -> None:
        """A packet has come."""
        self.check(False, "nobody has asked for", packet)

    def line(self, line: bytes) -> None:
        """A line has come."""
        self.check(False, "nobody has asked for", line)

    def lost(self) -> None:
        """The server has ended it."""
        self.check(False, "it was ended by the server")


class Crowd:
    """All of them."""

    def __init__(self, host: str, port: int, seed: int, times: int = 1) -> None:
        """``times``: as much as they would do is done so often."""
        self.host, self.port, self.seed, self.times = host, port, seed, times
        self.selector = selectors.DefaultSelector()
        self.path = ""
        """Of a Unix socket, for those who come from now on."""
        self.members: list[Member] = []
        self.background: set[bytes] = set()
        """Payloads of background jobs that somebody still has to do."""
        self.answered = 0
        self.ends = False
        """The server does."""
        self.cuts = False
        """It may refuse jobs, and cut off whomever it likes."""
        self.end_after: float = math.inf
        self.end_server: Callable[[], None] = lambda: None
        self.random = random.Random(seed)

    def add(self, make: Callable[..., Member], count: int, *given: object, **named: object) -> None:
        """So many more."""
        for _ in range(count):
            self.members.append(make(self, f"{make.__name__} {len(self.members)}", *given, **named))

    def play(self) -> None:
        """Until all have done what they came for, and no job is left."""
        try:
            self.play_on()
        finally:
            for member in self.members:
                if member.sock is not None:
                    member.leave()
            self.selector.close()

    def leave_when(self, answered: int, act: Callable[[], None]) -> None:
        """When so many jobs have been answered this is done, by which the server ends."""
        self.end_after, self.end_server = answered, act

    def serve(self, member: Member, events: int) -> None:
        """Something has happened at its socket."""
        try:
            if events & selectors.EVENT_READ:
                member.hear()
            member.flush()
        except ConnectionError:
            if not self.ends and not self.cuts:
                raise
            member.cut_off()

    def play_on(self) -> None:
        """The same; some may be left."""
        end = time.monotonic() + MOST_SECONDS
        for member in self.members:
            self.serve(member, 0)
        while (self.background and not self.ends) or any(
            not member.done for member in self.members if self.ends or not isinstance(member, Worker)
        ):
            if self.answered >= self.end_after and not self.ends:
                self.ends = True
                self.end_server()
            if time.monotonic() > end:
                raise WrongError(f"seed {self.seed}: it hangs: {self.left()}")
            for key, events in self.selector.select(1.0):
                self.serve(key.data, events)
            for member in self.members:
                member_wakes(member)

    def left(self) -> str:
        """What is still to be done."""
        return ", ".join(
            [f"{len(self.background)} background jobs"]
            + [
                f"{member.name} {member.left()}"
                for member in self.members
                if not (member.done or isinstance(member, Worker))
            ]
        )


def member_wakes(member: Member) -> None:
    """Somebody who has not read until now reads again when others have come far enough."""
    if member.deaf and isinstance(member, Client) and member.may_hear():
        member.deaf = False
        member.listen()


FUNCTIONS = ("f", "g", "h")


def result_of(payload: bytes) -> bytes:
    """What a worker makes of it."""
    return b"done:" + payload[::-1]


class Job:
    """What a client knows of one."""

    def __init__(self, payload: bytes, background: bool) -> None:
        self.payload = payload
        self.background = background
        self.handle = b""
        self.data = 0


class Client(Member):
    """It submits jobs, and asks for other things in between."""

    def __init__(
        self,
        crowd: Crowd,
        name: str,
        asks: int,
        *,
        window: int = 8,
        large: int = 0,
        stalls: bool = False,
        texts: bool = False,
        dates: bool = False,
        half: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.asks, self.window, self.large = asks * crowd.times, window, large
        self.stalls, self.texts, self.dates, self.half = stalls, texts, dates, half
        self.expected: deque[tuple[str, object]] = deque()
        self.jobs: dict[bytes, list[Job]] = {}
        self.asked = self.ended = 0
        self.number = 0
        self.said_last = False
        super().__init__(crowd, name, tls)

    def begin(self) -> None:
        self.deaf = self.stalls
        self.go_on()

    def may_hear(self) -> bool:
        """Those who stall do so until the others have been told something."""
        return self.crowd.answered >= 50 or all(m.done or m.deaf for m in self.crowd.members if isinstance(m, Client))

    def left(self) -> str:
        waiting = sum(map(len, self.jobs.values()))
        return (
            f"{self.asks - self.asked} to ask, {len(self.expected)} expected {list(self.expected)[:2]}, {waiting} jobs"
        )

    def go_on(self) -> None:
        """Ask for more, if not too much is open."""
        while self.asked < self.asks and (
            self.stalls or len(self.expected) + sum(map(len, self.jobs.values())) < self.window
        ):
            self.asked += 1
            self.ask()
        if self.asked == self.asks and not self.expected and not self.jobs and not self.done:
            if self.half:
                self.say_last()
            elif not self.said_last:
                self.finish()

    def say_last(self) -> None:
        """Some last questions, then it says that there is nothing more; the answers come all the same, then the end."""
        self.half, self.said_last = False, True
        for number in range(3):
            self.say(wire.ECHO_REQ, payload=b"last %d" % number)
            self.expected.append(("echo", b"last %d" % number))

    def flush(self) -> None:
        super().flush()
        if self.said_last and self.sock is not None and not self.unsent:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    def cut_off(self) -> None:
        for kind, what in self.expected:
            if kind == "job" and isinstance(what, Job):
                self.crowd.background.discard(what.payload)
        super().cut_off()

    def lost(self) -> None:
        self.check(self.said_last and not self.expected, "it was ended by the server")
        self.finish()

    def ask(self) -> None:
        """One thing."""
        draw = self.random.random()
        self.number += 1
        token = b"%s-%d" % (self.name.encode(), self.number)
        if draw < 0.1:
            token = token.ljust(self.random.randrange(self.large or 1), b".")
            self.say(wire.ECHO_REQ, payload=token)
            self.expected.append(("echo", token))
        elif draw < 0.2 and self.texts:
            self.unsent += self.random.choice((b"status\n", b"workers\n", b"show jobs\n"))
            self.expected.append(("text", b""))
        elif draw < 0.35 and self.dates:
            self.ask_date(token)
        else:
            self.submit(token)

    def ask_date(self, token: bytes) -> None:
        """Something for which Python is wanted."""
        name, right = self.random.choice(
            (
                ("f;cron=5 4 1 1 *", True),
                ("f;cron=61 * * * *", False),
                ("f;cron=no date", False),
                ("f;delay=1h", True),
                ("f;delay=soon", False),
                ("f;colour=red", False),
            )
        )
        self.say(wire.SUBMIT_JOB_BG, name, token, payload=token)
        self.expected.append(("made" if right else "error", token))

    def submit(self, token: bytes) -> None:
        """A job."""
        background = self.random.random() < 0.3
        payload = token.ljust(self.random.randrange(self.large or 1), b".")
        shared = not background and self.random.random() < 0.2
        job = Job(b"-" if shared else payload, background)
        function = self.random.choice(FUNCTIONS)
        if background:
            self.crowd.background.add(payload)
        if shared:  # its payload is its name, and one job does for all who ask at the same time
            self.say(wire.SUBMIT_JOB, function, "-", payload="-")
        else:
            kind = self.random.choice(
                (wire.SUBMIT_JOB_BG, wire.SUBMIT_JOB_HIGH_BG, wire.SUBMIT_JOB_LOW_BG)
                if background
                else (wire.SUBMIT_JOB, wire.SUBMIT_JOB_HIGH, wire.SUBMIT_JOB_LOW)
            )
            self.say(kind, function, token, payload=payload)
        self.expected.append(("job", job))

    def packet(self, packet: Packet) -> None:
        handle, _, body = packet.body.partition(b"\0")
        if packet.type in (wire.WORK_DATA, wire.WORK_STATUS, *ENDINGS):
            jobs = self.jobs.get(handle)
            self.check(bool(jobs), "no such job", packet)
            assert jobs
            job = jobs[0]
            if packet.type == wire.WORK_DATA:
                self.check(body == job.payload[:10], "other data", packet)
                job.data += 1
            elif packet.type == wire.WORK_STATUS:
                self.check(body == b"1\x002" and job.data > 0, "other figures", packet)
            else:
                self.check(packet.type == wire.WORK_COMPLETE, "failed", packet)
                self.check(
                    body == result_of(job.payload), "other result", packet.type, handle, len(body), len(job.payload)
                )
                jobs.pop()
                if not jobs:
                    del self.jobs[handle]
                self.ended += 1
                self.crowd.answered += 1
        else:
            self.check(bool(self.expected), "not asked for", packet)
            kind, what = self.expected.popleft()
            if packet.type == wire.JOB_CREATED:
                self.check(kind in ("job", "made"), "not asked for", packet, kind, what)
                if isinstance(what, Job) and not what.background:
                    what.handle = packet.body
                    self.jobs.setdefault(packet.body, []).append(what)
            elif packet.type == wire.ECHO_RES:
                self.check((kind, what) == ("echo", packet.body), "another echo", packet, kind, what)
            elif packet.type == wire.ERROR and kind == "job" and self.crowd.cuts:
                self.check(packet.body.startswith(b"QUEUE_ERROR"), packet)
                assert isinstance(what, Job)
                self.crowd.background.discard(what.payload)
            elif packet.type == wire.ERROR:
                self.check(kind == "error" and packet.body.startswith(b"INVALID_PARAMETER"), packet, kind, what)
            else:
                self.check(False, "not asked for", packet)
        self.go_on()

    def line(self, line: bytes) -> None:
        self.check(
            bool(self.expected) and self.expected[0][0] == "text", "not asked for", line, *list(self.expected)[:1]
        )
        if line == b".\n":
            self.expected.popleft()
            self.go_on()


class Worker(Member):
    """It does what there is to do, and may leave with a job in its hands so many times."""

    def __init__(self, crowd: Crowd, name: str, *, deaths: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.deaths = deaths * crowd.times
        super().__init__(crowd, name, tls)

    def begin(self) -> None:
        self.say(wire.SET_CLIENT_ID, self.name)
        for function in FUNCTIONS:
            self.say(wire.CAN_DO, function)
        self.say(wire.GRAB_JOB_UNIQ)

    def packet(self, packet: Packet) -> None:
        if packet.type == wire.NO_JOB:
            self.say(wire.PRE_SLEEP)
        elif packet.type == wire.NOOP:
            self.say(wire.GRAB_JOB_UNIQ)
        else:
            self.check(packet.type == wire.JOB_ASSIGN_UNIQ, "not asked for", packet)
            self.work(*packet.args(3))

    def cut_off(self) -> None:
        self.leave()
        if self.crowd.ends:
            self.done = True
        else:
            self.connect()

    def work(self, handle: bytes, function: bytes, unique: bytes, payload: bytes) -> None:
        """Do it, or not."""
        self.check(re.fullmatch(rb"H:[^:]+:\d+", handle) is not None, "no handle", handle)
        self.check(function.decode() in FUNCTIONS and payload.rstrip(b".") == unique, "another job", function, unique)
        if self.deaths and self.random.random() < 0.05:
            self.deaths -= 1
            self.leave(self.random.choice(("close", "reset")))
            self.connect()
            return
        self.say(wire.WORK_DATA, handle, payload=payload[:10])
        self.say(wire.WORK_STATUS, handle, "1", "2")
        self.say(wire.WORK_COMPLETE, handle, payload=result_of(payload))
        self.crowd.background.discard(payload)
        self.say(wire.GRAB_JOB_UNIQ)


class Vandal(Member):
    """It begins things and leaves in the midst of them, so many times."""

    def __init__(self, crowd: Crowd, name: str, times: int) -> None:
        self.times = times * crowd.times
        super().__init__(crowd, name)

    def begin(self) -> None:
        self.times -= 1
        self.ways = self.random.randrange(6)
        job = wire.request(wire.SUBMIT_JOB, "f", "", payload=b"vandal")
        if self.ways == 0:  # in the midst of a packet
            self.unsent += job[: self.random.randrange(1, len(job))]
        elif self.ways == 1:  # no packet
            self.unsent += b"\0RES" * 3
        elif self.ways == 2:  # an answer that it does not read
            self.unsent += wire.request(wire.ECHO_REQ, payload=b"x" * 50_000) * 8
        elif self.ways == 3:
            self.unsent += b"workers\nstatus\n" * 3
        else:
            self.unsent += wire.request(wire.CAN_DO, "nobody's") + wire.request(wire.PRE_SLEEP)
        if self.ways > 1:
            self.unsent += wire.request(wire.ECHO_REQ, payload=b"x")
        self.deaf = self.random.random() < 0.5

    def flush(self) -> None:
        try:
            super().flush()
        except (BrokenPipeError, ConnectionResetError):  # it was ended before it had said all
            self.again()
        else:
            self.go_on()

    def go_on(self) -> None:
        """Leave when all is said, or in the midst of it."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if self.sock is not None and (not self.unsent or self.ways == 2):
                if self.random.random() < 0.3:
                    with contextlib.suppress(OSError):
                        self.sock.shutdown(socket.SHUT_WR)
                    if not self.deaf:
                        return
                self.again()
                return
        if self.sock is not None and self.unsent and self.ways in (0, 1):
            self.again()

    def hear(self) -> None:
        try:
            super().hear()
        except (BrokenPipeError, ConnectionResetError):
            self.again()

    def left(self) -> str:
        return f"{self.times} times, way {self.ways}, {'deaf' if self.deaf else ''}, {len(self.unsent)} unsent"

    def look(self) -> None:
        self.heard.clear()

    def again(self) -> None:
        """Leave, and come again."""
        self.leave(self.random.choice(("close", "reset")))
        if self.times:
            self.connect()
        else:
            self.done = True

    def lost(self) -> None:
        self.again()


def counts(jobs: Iterable[str]) -> dict[str, int]:
    """What `status` says is still there, by function."""
    return {line.split("\t")[0]: int(line.split("\t")[1]) for line in jobs}
