"""Streams of garbage, and peers that come and go by the thousand: afterwards the server is what it was.

Everything is drawn from one seed; GEARFAST_SEED=N tries another. What is drawn mostly leaves the stream in step, so
that the packets behind it are looked at too; the rest (sizes that lie, cut packets, no protocol) ends its connection.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.support import wire
from tests.support.peers import Server, start_gearfast
from tests.support.processes import MIB, log_of, resident
from tests.support.wire import Connection, Packet

SEED = int(os.environ.get("GEARFAST_SEED", "20261121"))
PACKETS = 150_000
PER_CONNECTION = 250
STORM = 2_000
MEMORY = 16 * MIB
"""Bytes a server may have in use more than before when all the garbage's jobs are gone: function names stay."""

NAMES = [b"f", b"g", b"h", b"", b"a b", b"\xff\xfe", b"long" * 20]
UNIQUES = [b"", b"", b"", b"-", b"u", b"v", b"w" * 64, b"w" * 65]
NUMBERS = [b"0", b"1", b"-1", b"2500x", b"abc", b"", b"9" * 19, b"9" * 40, b"\0\0\0\1", b" 7", b"4102444800"]
PAYLOADS = [b"", b"p", b"\0", b"payload" * 10, b"\0REQ\0\0\0\x07", b"version\n", bytes(3000)]
SUBMITS = [
    *(wire.SUBMIT_JOB, wire.SUBMIT_JOB_BG, wire.SUBMIT_JOB_HIGH, wire.SUBMIT_JOB_HIGH_BG),
    *(wire.SUBMIT_JOB_LOW, wire.SUBMIT_JOB_LOW_BG),
]
REPORTS = [wire.WORK_DATA, wire.WORK_WARNING, wire.WORK_COMPLETE, wire.WORK_EXCEPTION]
BARE = [wire.PRE_SLEEP, wire.GRAB_JOB, wire.GRAB_JOB_UNIQ, wire.GRAB_JOB_ALL, wire.RESET_ABILITIES]
LINES = [
    *(b"status", b"workers", b"version", b"prioritystatus", b"verbose", b"getpid", b"show unique jobs", b"show", b""),
    *(b"create function f", b"drop function g", b"drop function h", b"maxqueue f 100000", b"maxqueue nothing", b" "),
]


class Garbage:
    """Draws packets, whole and broken."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.kinds: list[Callable[[], bytes]] = [
            *(
                self.submit,
                self.submit,
                self.submit_late,
                self.reduce,
                self.ability,
                self.ability,
                self.bare,
                self.bare,
            ),
            *(self.report, self.report, self.progress, self.fail, self.question, self.echo, self.option, self.line),
        ]

    def one(self, of: list[bytes]) -> bytes:
        """One of these."""
        return self.random.choice(of)

    def handle(self) -> bytes:
        """A handle, which may well be of a job."""
        number = self.random.choice(
            [0, 1, 2**64 - 1, 2**64, self.random.randrange(20_000), self.random.randrange(20_000)]
        )
        return (
            self.one([b"%b:%d" % (PREFIX, number), PREFIX, b"", b"H:elsewhere:1", b"h" * 64])
            if number % 7 == 0
            else (b"%b:%d" % (PREFIX, number))
        )

    def submit(self) -> bytes:
        """A job."""
        return wire.raw(
            wire.REQ, self.random.choice(SUBMITS), b"\0".join([self.one(NAMES), self.one(UNIQUES), self.one(PAYLOADS)])
        )

    def submit_late(self) -> bytes:
        """A delayed job."""
        parts = [self.one(NAMES), self.one(UNIQUES), self.one(NUMBERS), self.one(PAYLOADS)]
        return wire.raw(wire.REQ, wire.SUBMIT_JOB_EPOCH, b"\0".join(parts))

    def reduce(self) -> bytes:
        """A job with a reducer."""
        kind = self.random.choice([wire.SUBMIT_REDUCE_JOB, wire.SUBMIT_REDUCE_JOB_BACKGROUND])
        parts = [self.one(NAMES), self.one(UNIQUES), self.one(UNIQUES), b"0", self.one(PAYLOADS)]
        return wire.raw(wire.REQ, kind, b"\0".join(parts))

    def ability(self) -> bytes:
        """An ability given, taken, or given with a deadline."""
        kind = self.random.choice([wire.CAN_DO, wire.CAN_DO, wire.CANT_DO, wire.CAN_DO_TIMEOUT])
        parts = [self.one(NAMES)] + ([self.one(NUMBERS)] if kind == wire.CAN_DO_TIMEOUT else [])
        return wire.raw(wire.REQ, kind, b"\0".join(parts))

    def bare(self) -> bytes:
        """A request without a body, or with one that nobody asked for."""
        return wire.raw(wire.REQ, self.random.choice(BARE), self.one([b"", b"", b"", b"junk"]))

    def report(self) -> bytes:
        """A result."""
        return wire.raw(wire.REQ, self.random.choice(REPORTS), self.handle() + b"\0" + self.one(PAYLOADS))

    def progress(self) -> bytes:
        """A progress report."""
        return wire.raw(wire.REQ, wire.WORK_STATUS, b"\0".join([self.handle(), self.one(NUMBERS), self.one(NUMBERS)]))

    def fail(self) -> bytes:
        """A failure."""
        return wire.raw(wire.REQ, wire.WORK_FAIL, self.handle())

    def question(self) -> bytes:
        """A question about a job."""
        kind = self.random.choice([wire.GET_STATUS, wire.GET_STATUS_UNIQUE])
        return wire.raw(wire.REQ, kind, self.one([self.handle(), self.one(UNIQUES)]))

    def echo(self) -> bytes:
        """An echo."""
        return wire.raw(wire.REQ, wire.ECHO_REQ, self.one(PAYLOADS))

    def option(self) -> bytes:
        """An option, or a name for the worker list."""
        kind = self.random.choice([wire.OPTION_REQ, wire.SET_CLIENT_ID])
        return wire.raw(wire.REQ, kind, self.one([b"exceptions", b"Exceptions\0", b"", b"o" * 200]))

    def line(self) -> bytes:
        """A line of text."""
        return self.one([*LINES, b"cancel job " + self.handle()]) + self.one([b"\n", b"\r\n"])

    def packet(self) -> bytes:
        """One packet: whole, or mutated."""
        packet = self.random.choice(self.kinds)()
        if packet[:1] != b"\0":
            return packet
        dice = self.random.random()
        if dice < 0.5:
            return packet
        body = packet[12:]
        if dice < 0.75:  # some of its bytes are others
            flipped = bytearray(body)
            for _ in range(self.random.randrange(1, 4) if body else 0):
                flipped[self.random.randrange(len(body))] = self.random.randrange(256)
            return packet[:12] + flipped
        if dice < 0.85:  # it is shorter than it should be, and its size is right
            return wire.raw(wire.REQ, self.kind_of(packet), body[: self.random.randrange(len(body) + 1)])
        if dice < 0.997:  # it claims to be another one, or an answer
            return wire.raw(self.one([wire.REQ, wire.RES]), self.random.randrange(1, 43), body)
        return self.broken(packet)

    @staticmethod
    def kind_of(packet: bytes) -> int:
        """The type in a header."""
        type_: int = struct.unpack_from(">I", packet, 4)[0]
        return type_

    def broken(self, packet: bytes) -> bytes:
        """Bytes behind which nothing is in step any more."""
        return self.random.choice(
            [
                packet[: self.random.randrange(1, len(packet))],
                packet[:8] + self.random.randbytes(4) + packet[12:],
                packet[:8] + struct.pack(">I", max(0, len(packet) - 12 + self.random.randrange(-3, 4))) + packet[12:],
                packet[:4] + self.random.randbytes(4) + packet[8:],
                self.random.randbytes(1) + packet[1:],
                b"\0" + self.random.randbytes(self.random.randrange(1, 200)),
                self.random.randbytes(self.random.randrange(1, 200)),
                b"t" * 9000,
            ]
        )


PREFIX = b"H:r"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that must be the same process, and say nothing of failures, at the end."""
    with start_gearfast(f"--job-handle-prefix={PREFIX.decode()}", "--backlog=1000") as started:
        yield started
        said = log_of(started)
        assert started.stop() == 0
        assert "Traceback" not in said, said[-3000:]
        assert "Error" not in said, said[-3000:]


def play(server: Server, data: bytes) -> bytes:
    """Send it all and hear the server out, until it ends the connection: after its answers, or at once."""
    with server.connect() as peer:
        peer.send(data)
        try:
            peer.half_close()
        except OSError:  # the server was quicker
            return b""
        return peer.read_to_end()


def serve_one(server: Server) -> None:
    """A correct client and a correct worker do one job."""
    with server.connect() as client, server.connect() as worker:
        worker.request(wire.CAN_DO, "correct")
        worker.request(wire.PRE_SLEEP)
        assert worker.sync() == b""
        handle = client.call(wire.SUBMIT_JOB, "correct", "", payload="ask").body
        assert worker.recv_packet().name == "NOOP"
        answer = worker.call(wire.GRAB_JOB)
        assert (answer.name, answer.args(2)) == ("JOB_ASSIGN", [handle, b"correct", b"ask"])
        worker.request(wire.WORK_COMPLETE, handle, payload="told")
        assert client.recv_packet() == Packet(wire.RES, wire.WORK_COMPLETE, handle + b"\0told")
        assert b"correct\t0\t0\t1" in table(client, b"status")


def table(admin: Connection, line: bytes) -> list[bytes]:
    """The lines of an answer; names may be any bytes here."""
    admin.send(line + b"\n")
    return admin.recv_table().split(b"\n")[:-2]


def clear(admin: Connection) -> None:
    """Cancel every job there is."""
    handles = [line.split("\t")[0] for line in admin.table("show jobs")]
    for at in range(0, len(handles), 1000):
        admin.send("".join(f"cancel job {handle}\n" for handle in handles[at : at + 1000]).encode())
        assert set(admin.sync().splitlines()) <= {b"OK", b"ERR UNKNOWN_JOB"}
    assert admin.table("show jobs") == []


def test_garbage(server: Server) -> None:
    """Packets of every type, half of them mutated, over some hundred connections."""
    garbage = Garbage(SEED)
    connections = PACKETS // PER_CONNECTION
    streams = [b"".join(garbage.packet() for _ in range(PER_CONNECTION)) for _ in range(connections)]
    for stream in streams[: connections // 10]:
        play(server, stream)
    with server.connect() as admin:
        clear(admin)
    before = resident(server)
    heard: Counter[bytes] = Counter()
    for stream in streams[connections // 10 :]:
        heard.update(re.findall(rb"\0RES\0\0\0[\x01-\x2a]", play(server, stream), re.DOTALL))
    serve_one(server)
    assert heard[wire.RES + b"\0\0\0" + bytes([wire.JOB_CREATED])] > PACKETS // 20  # most of it was looked at
    assert heard[wire.RES + b"\0\0\0" + bytes([wire.ERROR])] > PACKETS // 10
    with server.connect() as admin:
        clear(admin)
        assert {line.split(b"\t")[1] for line in table(admin, b"status") if line.count(b"\t") == 3} == {b"0"}
        assert admin.admin("getpid") == b"OK %d\n" % server.pid
    grown = resident(server) - before
    assert grown < MEMORY


def test_garbage_over_many_connections_at_once(server: Server) -> None:
    """The same, interleaved: what one peer breaks is nothing to the next."""
    garbage = Garbage(SEED + 1)
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(server.connect()) for _ in range(50)]
        for _ in range(20):
            for at, peer in enumerate(peers):
                data = b"".join(garbage.packet() for _ in range(10))
                cut = garbage.random.randrange(len(data) + 1)
                peer.send(data[:cut])
                if garbage.random.random() < 0.05:
                    garbage.random.choice([peer.close, peer.reset])()
                    peers[at] = stack.enter_context(server.connect())
                else:
                    peer.send(data[cut:])
        serve_one(server)
    serve_one(server)


def test_storm_of_connections(server: Server) -> None:
    """Peers that come and go, in every manner and with every kind of unfinished business."""
    garbage = Garbage(SEED + 2)
    beginnings = [
        *(b"", b"\0", b"\0REQ\0\0", b"stat", b"version\n", wire.request(wire.ECHO_REQ, payload="x")),
        wire.raw(wire.REQ, wire.SUBMIT_JOB, b"f\0u\0pay", 1000),
        wire.request(wire.SUBMIT_JOB, "f", "", payload="x"),
        wire.request(wire.CAN_DO, "f") + wire.request(wire.PRE_SLEEP),
        wire.request(wire.CAN_DO, "f") + wire.request(wire.GRAB_JOB),
    ]
    before = 0
    for number in range(STORM):
        peer = server.connect()
        peer.send(garbage.one(beginnings))
        garbage.random.choice([peer.close, peer.reset])()
        if number == STORM // 10:
            serve_one(server)
            before = resident(server)
    serve_one(server)
    with server.connect() as admin:
        clear(admin)
        assert len(admin.table("workers")) == 1
        assert admin.admin("getpid") == b"OK %d\n" % server.pid
    grown = resident(server) - before
    assert grown < MEMORY
