"""`python -m benchmarks lateness`: how late delayed jobs reach a waiting worker, among very many that are not due yet.

A million jobs wait for times far away; ten thousand fall due within one second; meanwhile other clients and workers
keep the server busy. Each of the ten thousand has its due time in its payload, and the worker takes the time when its
JOB_ASSIGN has arrived.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import struct
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.build import BuildFailed, build
from benchmarks.processes import Cores, Tree
from benchmarks.subjects.gearfast import Gearfast
from benchmarks.subjects.subject import HOST, free_port

SUBMIT_JOB_BG, JOB_CREATED, JOB_ASSIGN, NO_JOB, NOOP, ERROR = 18, 8, 11, 10, 6, 19
CAN_DO, GRAB_JOB, PRE_SLEEP, WORK_COMPLETE = 1, 9, 4, 13
HEADER = struct.Struct(">4sII")
PIECE = 1 << 18
"""Bytes sent and received at once."""
IN_FLIGHT = 20_000
"""Submits that are not answered yet."""
GRABS = 16
"""GRAB_JOBs of a worker that are not answered yet."""
AHEAD = 4.0
"""Seconds between the last submit and the first moment."""
REST = 5.0
"""Seconds in which the server is left alone, to see what waiting jobs cost."""


def packet(kind: int, body: bytes) -> bytes:
    """Return a request."""
    return HEADER.pack(b"\0REQ", kind, len(body)) + body


class Talk:
    """A connection, and the packets that come on it."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection((HOST, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def packets(self) -> Iterator[tuple[int, bytes]]:
        """Yield those of the next piece that comes."""
        data = self.rest + self.sock.recv(PIECE)
        at = 0
        while len(data) - at >= HEADER.size:
            _, kind, size = HEADER.unpack_from(data, at)
            if len(data) - at < HEADER.size + size:
                break
            yield kind, data[at + HEADER.size : at + HEADER.size + size]
            at += HEADER.size + size
        self.rest = data[at:]


def submit(port: int, function: str, moments: Sequence[float]) -> None:
    """Submit a job for each moment, and see that it was created."""
    talk = Talk(port)
    for start in range(0, len(moments), IN_FLIGHT):
        some = moments[start : start + IN_FLIGHT]
        talk.sock.sendall(
            b"".join(
                packet(
                    SUBMIT_JOB_BG, f"{function};at={when:.6f}".encode() + b"\0\0" + struct.pack(">d", round(when, 6))
                )
                for when in some
            )
        )
        answers = 0
        while answers < len(some):
            for kind, body in talk.packets():
                if kind != JOB_CREATED:
                    raise SystemExit(f"a submit was answered {kind}: {body!r}")
                answers += 1
    talk.sock.close()


def work(port: int, function: str, jobs: int) -> list[float]:
    """Take so many jobs; return by how many seconds each came late."""
    talk = Talk(port)
    talk.sock.sendall(packet(CAN_DO, function.encode()))
    grab = packet(GRAB_JOB, b"")
    late: list[float] = []
    asked = 0
    while len(late) < jobs:
        out = b""
        if not asked:
            out, asked = grab * GRABS, GRABS
            talk.sock.sendall(out)
        none = False
        for kind, body in talk.packets():
            now = time.time()
            if kind == JOB_ASSIGN:
                handle, _, payload = body.split(b"\0", 2)
                late.append(now - struct.unpack(">d", payload)[0])
                asked -= 1
                out = packet(WORK_COMPLETE, handle + b"\0") + (grab if not none else b"")
                asked += not none
                talk.sock.sendall(out)
            elif kind == NO_JOB:
                asked -= 1
                none = True
            elif kind != NOOP:
                raise SystemExit(f"a worker heard {kind}: {body!r}")
        if none and not asked:
            talk.sock.sendall(packet(PRE_SLEEP, b""))
            if not any(kind == NOOP for kind, _ in talk.packets()):
                raise SystemExit("a worker was woken by something else than NOOP")
    talk.sock.close()
    return late


def others(port: int, rate: float, seconds: float) -> None:
    """Keep the server busy with other jobs at this rate."""
    from benchmarks.load import Load

    load = Load(port)
    load.clients(8, in_flight=64)
    load.workers(8)
    outcome = load.run_at(rate, int(rate * seconds))
    print(f"other jobs: {outcome.jobs} in {outcome.seconds:.1f} s, {outcome.jobs / outcome.seconds:.0f} a second")


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the figure that this share of them does not exceed, in milliseconds."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


def measure(tree: Tree, port: int, waiting: int, due: int, rate: float) -> list[float]:
    """Return by how many seconds each job came late, in order."""
    began = time.perf_counter()
    submit(port, "wait", [time.time() + 3600 + number / 1000 for number in range(waiting)])
    print(f"{waiting} jobs wait, submitted in {time.perf_counter() - began:.1f} s")
    before = tree.cpu()
    time.sleep(REST)
    print(f"while nothing else happens they cost {(tree.cpu() - before) / REST * 100:.2f} % of a core")
    first = time.time() + AHEAD
    submit(port, "due", [first + number / due for number in range(due)])
    busy = multiprocessing.Process(target=others, args=(port, rate, AHEAD + 2))
    busy.start()
    late = sorted(work(port, "due", due))
    busy.join()
    return late


def main(words: Sequence[str]) -> int:
    """Measure, and show the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks lateness", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--waiting", type=int, default=1_000_000, help="jobs that wait for times far away")
    parser.add_argument("--due", type=int, default=10_000, help="jobs that fall due within one second")
    parser.add_argument("--rate", type=float, default=20_000.0, help="other jobs a second meanwhile")
    given = parser.parse_args(words)
    try:
        build()
    except BuildFailed as error:
        raise SystemExit(str(error)) from None
    subject, port, cores = Gearfast(), free_port(), Cores()
    tree = subject.start(port, cores)
    try:
        with cores.for_generator():
            late = measure(tree, port, given.waiting, given.due, given.rate)
    finally:
        subject.stop()
    show(given.due, late)
    return 0


def show(due: int, late: Sequence[float]) -> None:
    """Print the percentiles."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("jobs", "earliest", "median", "90 %", "99 %", "99.9 %", "latest"):
        table.add_column(name, justify="right")
    shares = [percentile(late, share) for share in (0.5, 0.9, 0.99, 0.999)]
    figures = [late[0] * 1000, *shares, late[-1] * 1000]
    table.add_row(str(due), *(f"{figure:.2f} ms" for figure in figures))
    Console().print(table)
