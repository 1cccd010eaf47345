"""The wall clock is set forward or back while delayed jobs wait in a store: each comes when its time has come."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import wire
from tests.support.peers import Server, start_gearfast
from tests.support.processes import log_of
from tests.support.wire import Connection

HOUR = 3600

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing can be loaded into a program so"),
    pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="something else is loaded into it already"),
]


class Clock:
    """The wall clock of a server."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """So far ahead of ours; below 0: behind it."""
        if not self.file.exists():
            self.file.write_bytes(struct.pack("l", seconds))
            return
        with self.file.open("r+b") as file:  # in its place: the server has it in its memory
            file.write(struct.pack("l", seconds))


@pytest.fixture(name="clock")
def make_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    library = tmp_path / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", library, source], check=True)
    clock = Clock(tmp_path / "seconds")
    monkeypatch.setenv("CLOCK_FILE", str(clock.file))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    return clock


def submit(client: Connection, function: str, due: int) -> None:
    """Submit a job that is due then, in seconds since 1970."""
    assert client.call(wire.SUBMIT_JOB_EPOCH, function, "", str(due), payload="x").name == "JOB_CREATED"


def jobs(client: Connection) -> int:
    """How many there are."""
    return len(client.table("show jobs"))


def comes(server: Server, function: str) -> None:
    """There is such a job, or a worker that sleeps is woken for it soon."""
    with server.connect() as worker:
        worker.request(wire.CAN_DO, function)
        while (answer := worker.call(wire.GRAB_JOB)).name == "NO_JOB":
            worker.request(wire.PRE_SLEEP)
            assert worker.recv_packet().name == "NOOP"
        handle, name, _ = answer.args(2)
        assert name == function.encode()
        worker.request(wire.WORK_COMPLETE, handle, payload="")
        worker.sync()


def sleeps(server: Server, function: str) -> None:
    """There is no such job for a worker, and no reason to wake it."""
    with server.connect() as worker:
        worker.request(wire.CAN_DO, function)
        assert worker.call(wire.GRAB_JOB).name == "NO_JOB"
        worker.request(wire.PRE_SLEEP)
        assert worker.sync() == b""


def test_a_clock_that_is_set_forward_brings_jobs_sooner(tmp_path: Path, clock: Clock) -> None:
    with start_gearfast(f"--store=sqlite:{tmp_path / 'jobs.db'}") as server, server.connect() as client:
        now = int(time.time())
        submit(client, "hour", now + HOUR)
        submit(client, "day", now + 24 * HOUR)
        sleeps(server, "hour")
        clock.set(HOUR + 5)
        comes(server, "hour")
        sleeps(server, "day")
        assert jobs(client) == 1


def test_a_clock_that_is_set_back_brings_them_later_and_loses_none(tmp_path: Path, clock: Clock) -> None:
    """Also over a crash: in the store a job is due at a moment, and not after so many seconds."""
    words = (f"--store=sqlite:{tmp_path / 'jobs.db'}", "--verbose=WARNING")
    now = int(time.time())
    with start_gearfast(*words) as server, server.connect() as client:
        submit(client, "soon", now + 2)
        submit(client, "hour", now + HOUR)
        clock.set(-24 * HOUR)
        submit(client, "yesterday", now - 23 * HOUR)
        sleeps(server, "yesterday")
        server.process.kill()
        server.process.wait()
    with start_gearfast(*words) as server, server.connect() as client:
        assert jobs(client) == 3
        for function in ("soon", "hour", "yesterday"):
            sleeps(server, function)
        clock.set(60)
        comes(server, "soon")
        comes(server, "yesterday")
        sleeps(server, "hour")
        assert jobs(client) == 1
        assert "The store" not in log_of(server)
    clock.set(2 * HOUR)
    with start_gearfast(*words) as server, server.connect() as worker:
        worker.request(wire.CAN_DO, "hour")
        assert worker.call(wire.GRAB_JOB).name == "JOB_ASSIGN"


@pytest.mark.parametrize("jump", [-10 * HOUR, 10 * HOUR])
def test_nobody_is_refused_because_the_clock_was_set(tmp_path: Path, clock: Clock, jump: int) -> None:
    """What waits for the store is measured by another clock."""
    words = (f"--store=sqlite:{tmp_path / 'jobs.db'}", "--verbose=WARNING")
    with start_gearfast(*words) as server, server.connect() as client:
        request = wire.request(wire.SUBMIT_JOB_BG, "f", "", payload="x" * 1000)
        for round_ in range(5):
            client.send(request * 200)
            clock.set(jump * (round_ % 2))
            assert {client.recv_packet().name for _ in range(200)} == {"JOB_CREATED"}
        assert "The store" not in log_of(server)
        assert server.stop() == 0
