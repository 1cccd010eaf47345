"""The peers of a server that will be killed: clients, workers and an administrator, all on one thread.

None of them blocks. Each tells the chronicle what it is about to say before it says it, and what it hears when it
hears it; so whatever moment the server dies at, the chronicle knows what had been said.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from collections import deque
from typing import ClassVar

from tests.crash.chronicle import Chronicle, Said
from tests.crash.wanted import Job, Submit
from tests.crash.wishes import Wishes
from tests.support import wire

PREFIX = b"H:crash:"


def number_of(handle: bytes) -> int:
    """The job number of a handle."""
    assert handle.startswith(PREFIX), handle
    return int(handle[len(PREFIX) :])


def handle_of(number: int) -> bytes:
    """The handle of a job number."""
    return b"%b%d" % (PREFIX, number)


class Peer:
    """One connection, and what has not been read from it and sent on it yet."""

    def __init__(self, sock: socket.socket, chronicle: Chronicle, chance: random.Random) -> None:
        self.sock = sock
        self.chronicle = chronicle
        self.chance = chance
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.open = True
        self.leaving = False

    def say(self, type_: int, *args: bytes, payload: bytes | None = None) -> None:
        """Send one request, as far as the connection takes it now."""
        self.outgoing += wire.request(type_, *args, payload=payload)

    def flush(self) -> None:
        """Send what can be sent."""
        if self.open and self.outgoing:
            with contextlib.suppress(BlockingIOError):
                try:
                    del self.outgoing[: self.sock.send(self.outgoing)]
                except (BrokenPipeError, ConnectionResetError):
                    self.outgoing.clear()  # what can be read still is

    def read(self) -> None:
        """Take what has come."""
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except (ConnectionResetError, TimeoutError):
            data = b""
        if not data:
            self.open = False
            return
        self.incoming += data
        self.digest()

    def digest(self) -> None:
        """Hear every packet that is complete."""
        at, data = 0, self.incoming
        while len(data) - at >= wire.HEADER.size:
            _, type_, size = wire.HEADER.unpack_from(data, at)
            if len(data) - at - wire.HEADER.size < size:
                break
            at += wire.HEADER.size + size
            self.hear(type_, bytes(data[at - size : at]))
            if self.leaving:
                break
        del data[:at]

    def hear(self, type_: int, body: bytes) -> None:
        """One packet has come."""
        raise NotImplementedError

    def act(self, calm: bool) -> None:
        """Go on; `calm` asks for as little new work as possible."""

    def hang_up(self) -> None:
        """Leave, politely or not."""
        self.flush()
        self.leaving = True
        if self.chance.random() < 0.3:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.open = False

    def gone(self) -> None:
        """The connection has ended, by whoever's doing."""


class Client(Peer):
    """Submits jobs, so many at a time; now and then it asks after one."""

    def __init__(
        self,
        sock: socket.socket,
        chronicle: Chronicle,
        chance: random.Random,
        wishes: Wishes,
        depth: int,
        may_be_refused: bool = False,
    ) -> None:
        super().__init__(sock, chronicle, chance)
        self.wishes = wishes
        self.depth = depth
        self.waiting: deque[Submit | int] = deque()  # a number: of a job asked after
        self.may_be_refused = may_be_refused

    def act(self, calm: bool) -> None:
        """Submit until enough is under way."""
        if self.waiting and (self.depth == 1 or len(self.waiting) > self.depth // 2):
            return
        if not calm and self.chance.random() < 0.002:
            self.hang_up()
            return
        while not calm and len(self.waiting) < self.depth:
            self.waiting.append(self.submit() if self.chance.random() < 0.95 else self.ask())
        self.flush()

    def submit(self) -> Submit:
        """Ask for one job."""
        wish = self.wishes.next()
        self.chronicle.submitted(wish)
        names = [b";".join(filter(None, (wish.function, wish.parameters))), wish.unique]
        if wish.due:
            self.say(wire.SUBMIT_JOB_EPOCH, *names, b"%d" % wish.due, payload=wish.payload)
        elif wish.parameters.startswith(b"cron=") and self.chance.random() < 0.5:
            fields, _, rest = wish.parameters.removeprefix(b"cron=").partition(b";")
            names[0] = b";".join(filter(None, (wish.function, rest)))
            self.say(wire.SUBMIT_JOB_SCHED, *names, *fields.split(b" "), payload=wish.payload)
        elif wish.reducer:
            self.say(wire.SUBMIT_REDUCE_JOB_BACKGROUND, *names, wish.reducer, b"", payload=wish.payload)
        else:
            lanes = (wire.SUBMIT_JOB_HIGH, wire.SUBMIT_JOB, wire.SUBMIT_JOB_LOW)
            kept = (wire.SUBMIT_JOB_HIGH_BG, wire.SUBMIT_JOB_BG, wire.SUBMIT_JOB_LOW_BG)
            self.say((lanes if wish.foreground else kept)[wish.priority], *names, payload=wish.payload)
        return wish

    def ask(self) -> int:
        """Ask after a job that must be there; 0: whatever."""
        job = self.chronicle.pick(self.chance, self.chronicle.is_queued)
        number = 0 if job is None else job.number
        self.say(wire.GET_STATUS, handle_of(number))
        return number

    def hear(self, type_: int, body: bytes) -> None:
        """Answers come in the order of the questions; results of foreground jobs come in between."""
        if type_ == wire.JOB_CREATED:
            wish = self.waiting.popleft()
            assert isinstance(wish, Submit)
            self.chronicle.created(wish, number_of(body))
        elif type_ == wire.ERROR:
            wish = self.waiting.popleft()
            assert isinstance(wish, Submit)
            self.chronicle.refused(wish, body.decode(errors="replace"), self.may_be_refused)
        elif type_ == wire.STATUS_RES:
            number = self.waiting.popleft()
            assert isinstance(number, int)
            if number:
                self.chronicle.told(number, body.split(b"\0")[1] == b"1")


class Worker(Peer):
    """Grabs jobs and ends them in every way there is; sometimes it dies with some in hand."""

    grabs: ClassVar[dict[int, tuple[str, ...]]] = {
        wire.JOB_ASSIGN: ("function",),
        wire.JOB_ASSIGN_UNIQ: ("function", "unique"),
        wire.JOB_ASSIGN_ALL: ("function", "unique", "reducer"),
    }

    def __init__(
        self,
        sock: socket.socket,
        chronicle: Chronicle,
        chance: random.Random,
        functions: list[bytes],
        careful: bool = False,
    ) -> None:
        super().__init__(sock, chronicle, chance)
        self.functions = functions
        self.careful = careful
        self.hands: dict[int, Job] = {}
        self.grabbing: deque[tuple[int, list[Said]]] = deque()  # when it asked, and what it had said to be done
        self.done: list[Said] = []
        self.depth = chance.choice((1, 1, 4, 16))
        self.asleep = False
        self.register()

    def register(self) -> None:
        """Say what it can do."""
        for function in self.functions:
            self.say(wire.CAN_DO, function)

    def act(self, calm: bool) -> None:
        """Grab until there are enough under way."""
        while self.open and not self.asleep and len(self.grabbing) < self.depth:
            self.grabbing.append((self.chronicle.tick(), self.done))
            self.done = []
            self.say(self.chance.choice((wire.GRAB_JOB, wire.GRAB_JOB_UNIQ, wire.GRAB_JOB_ALL)))
        self.flush()

    def hear(self, type_: int, body: bytes) -> None:
        """A job, or none."""
        if type_ == wire.NOOP:
            self.asleep = False
        elif type_ == wire.NO_JOB:
            self.chronicle.confirm(self.grabbing.popleft()[1])
            self.finish_some(len(self.hands))
            if not self.grabbing and not self.done:
                self.asleep = True
                self.say(wire.PRE_SLEEP)
        elif type_ in self.grabs:
            asked, done = self.grabbing.popleft()
            self.chronicle.confirm(done)
            names = self.grabs[type_]
            handle, *values, payload = body.split(b"\0", len(names) + 1)
            parts = dict(zip(names, values, strict=True))
            self.take(self.chronicle.assigned(number_of(handle), self, asked, {**parts, "payload": payload}))

    def take(self, job: Job) -> None:
        """Do something with it."""
        self.hands[job.number] = job
        what = 0.0 if self.careful else self.chance.random()
        if what > 0.997:
            self.hang_up()
        elif what > 0.994 and not self.grabbing:  # what is on its way would be lost too
            self.chronicle.lost_by_worker(list(self.hands.values()))
            self.hands.clear()
            self.say(wire.RESET_ABILITIES)
            self.register()
        elif what < 0.9:
            self.finish_some(1 if self.chance.random() < 0.9 else len(self.hands))

    def finish_some(self, count: int) -> None:
        """End the newest jobs in hand."""
        for _ in range(count):
            number, job = self.hands.popitem()
            handle = handle_of(number)
            how = self.chance.random() * (0.3 if job.retries >= 0 and not self.careful else 1)
            self.done.append((job, self.chronicle.failed(job) if how < 0.15 else self.chronicle.ended(job)))
            if how < 0.1:
                self.say(wire.WORK_FAIL, handle)
            elif how < 0.15:
                self.say(wire.WORK_EXCEPTION, handle, payload=b"trouble")
            else:
                if how < 0.2:
                    self.say(wire.WORK_DATA, handle, payload=b"some")
                    self.say(wire.WORK_STATUS, handle, b"1", b"2")
                self.say(wire.WORK_COMPLETE, handle, payload=b"result")

    def gone(self) -> None:
        """What it held is queued again."""
        unheard = [said for _, done in self.grabbing for said in done] + self.done
        self.chronicle.lost_by_worker(list(self.hands.values()), len(self.grabbing), unheard)
        self.hands.clear()
