"""A disk that is full, and then has room again: nothing is acknowledged that is not written, and nothing is lost."""

from __future__ import annotations

import re
import resource
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import wire
from tests.support.peers import HOST, PROJECT, Server, free_port, start, start_gearfast, until
from tests.support.processes import log_of
from tests.support.wire import Connection

MIB = 1 << 20
SIZE = 20_000
"""Bytes of a payload that fills a small disk quickly."""
SMALL_ONES = 20
"""So many of them leave room for a large one."""
WORDS = ("--store-timeout=1", "--verbose=NOTICE")

Room = Callable[[Server], None]


def limited(server: Server) -> None:
    """No file of the server's may become larger than a megabyte: SQLite gets an error like that of a broken disk."""
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (MIB, resource.RLIM_INFINITY))


def unlimited(server: Server) -> None:
    """There is room again."""
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@dataclass
class Clients:
    """What they were told."""

    acknowledged: dict[bytes, bytes] = field(default_factory=dict)
    """Payloads by handle."""
    refused: dict[bytes, bytes] = field(default_factory=dict)
    """Texts by payload."""
    submits: int = 0

    def payload(self) -> bytes:
        """One that nobody has had."""
        self.submits += 1
        return (b"%d " % self.submits).ljust(SIZE, b".")

    def hear(self, connection: Connection, payload: bytes) -> bool:
        """Read one answer; return whether the job was acknowledged."""
        answer = connection.recv_packet()
        if answer.type == wire.JOB_CREATED:
            self.acknowledged[answer.body] = payload
            return True
        code, text = answer.args(1)
        assert (answer.type, code) == (wire.ERROR, b"QUEUE_ERROR")
        self.refused[payload] = text
        return False

    def submit(self, connection: Connection, function: str = "f") -> bool:
        """Submit one job, and wait for the answer."""
        payload = self.payload()
        connection.request(wire.SUBMIT_JOB_BG, function, "", payload=payload)
        return self.hear(connection, payload)

    def submit_many(self, connection: Connection, jobs: int) -> int:
        """Submit jobs in one go; return how many were acknowledged."""
        payloads = [self.payload() for _ in range(jobs)]
        connection.send(b"".join(wire.request(wire.SUBMIT_JOB_BG, "f", "", payload=payload) for payload in payloads))
        return sum(self.hear(connection, payload) for payload in payloads)


def finish_one(worker: Connection) -> bytes:
    """Take a job and do it; return its handle."""
    answer = worker.call(wire.GRAB_JOB)
    assert answer.name == "JOB_ASSIGN"
    handle = answer.args(2)[0]
    worker.request(wire.WORK_COMPLETE, handle, payload="")
    assert worker.sync() == b""
    return handle


def play(server: Server, make_room: Room) -> Clients:
    """Fill the disk, see what is refused and what goes on, make room, and see that all is well again."""
    clients = Clients()
    with server.connect() as client, server.connect() as other, server.connect() as worker:
        worker.request(wire.CAN_DO, "held")
        worker.request(wire.CAN_DO, "fore")
        for _ in range(6):
            assert clients.submit(client, "held")
        while clients.submit(client):
            assert clients.submits < 1000, "the disk is never full"
        assert clients.submit_many(other, 20) == 0
        assert not clients.submit(client)
        for text in clients.refused.values():
            assert text.startswith(b"The job could not be stored within 1 s: "), text
            assert b"full" in text or b"disk I/O error" in text
        for _ in range(3):
            del clients.acknowledged[finish_one(worker)]
        assert other.call(wire.SUBMIT_JOB, "fore", "", payload="x").name == "JOB_CREATED"
        finish_one(worker)
        assert other.recv_packet().name == "WORK_COMPLETE"
        make_room(server)
        until(lambda: clients.submit(client), "jobs are stored again")
        assert clients.submit_many(other, 20) == 20
    return clients


def check_log(server: Server) -> None:
    """However often it was tried: one line when it went away, one when it was back."""

    def said() -> list[str]:
        return [line for line in log_of(server).splitlines() if "The store is " in line]

    until(lambda: "The store is available again" in "".join(said()[-1:]), "it is back")
    lines = said()
    assert 1 <= len(lines) // 2 <= 2, lines  # the log beside the file, and then the file itself
    assert ["is unavailable" in line for line in lines] == [True, False] * (len(lines) // 2), lines


def check_restart(store: str, clients: Clients) -> None:
    """All that was acknowledged is there, and nothing else."""
    with start_gearfast(store, *WORDS) as server, server.connect() as worker:
        worker.request(wire.CAN_DO, "f")
        worker.request(wire.CAN_DO, "held")
        found = {}
        while (answer := worker.call(wire.GRAB_JOB)).name == "JOB_ASSIGN":
            handle, _, payload = answer.args(2)
            found[handle] = payload
        assert found.keys() == clients.acknowledged.keys()
        assert found == clients.acknowledged
        assert not set(found.values()) & clients.refused.keys()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_file_that_may_not_grow(tmp_path: Path, end: signal.Signals) -> None:
    store = f"--store=sqlite:{tmp_path / 'jobs.db'}"
    with start_gearfast(store, *WORDS) as server:
        limited(server)
        clients = play(server, unlimited)
        check_log(server)
        server.process.send_signal(end)
        assert server.process.wait(20) == (0 if end == signal.SIGTERM else -end)
    check_restart(store, clients)


def may_mount() -> bool:
    """Whether this user may have a disk of its own."""
    done = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    return done.returncode == 0


def on_small_disk(disk: Path, filler: int, port: int, size: int = 3) -> list[str]:
    """The command of a server whose store is on a disk of some megabytes that only it sees, with a file on it."""
    words = [f"--listen={HOST}", f"--port={port}", "--log-file=stderr", f"--store=sqlite:{disk / 'jobs.db'}", *WORDS]
    script = f'mount -t tmpfs -o size={size}m none "$0" && {{ head -c "$1" /dev/zero >"$0/filler"; shift; exec "$@"; }}'
    command = ["unshare", "-m", "sh", "-c", script, str(disk), str(filler)]
    return [*command, sys.executable, "-m", "gearfast", *words]


@pytest.fixture(name="disk")
def make_disk(tmp_path: Path) -> Path:
    """Where a small disk may be."""
    if not may_mount():
        pytest.skip("this user may not mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    return disk


def test_a_start_on_a_full_disk_is_refused(disk: Path) -> None:
    command = on_small_disk(disk, 4 * MIB, free_port())
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"gearfast: the disk of {disk / 'jobs.db'} is full: make room there"


def test_a_full_disk_that_has_room_again(tmp_path: Path, disk: Path) -> None:
    def seen_by(server: Server) -> Path:
        return Path(f"/proc/{server.pid}/root") / disk.relative_to("/")

    port = free_port()
    with start("gearfast", on_small_disk(disk, MIB, port), port) as server:
        clients = play(server, lambda server: (seen_by(server) / "filler").unlink())
        check_log(server)
        server.process.send_signal(signal.SIGSTOP)  # as good as dead; its disk dies with it
        for name in ("jobs.db", "jobs.db-wal"):
            shutil.copyfile(seen_by(server) / name, tmp_path / name)
        server.process.kill()
    check_restart(f"--store=sqlite:{tmp_path / 'jobs.db'}", clients)


def test_a_job_for_which_the_disk_has_no_room_is_refused_at_once_and_is_nobody_elses_trouble(disk: Path) -> None:
    port = free_port()
    with (
        start("gearfast", on_small_disk(disk, 0, port, size=24), port) as server,
        server.connect() as large,
        server.connect() as small,
    ):
        clients = Clients()
        for _ in range(3):
            large.request(wire.SUBMIT_JOB_BG, "f", "", payload=b"x" * 16 * MIB)
            for _ in range(SMALL_ONES):
                if select.select([large.sock], [], [], 0)[0]:
                    break
                assert clients.submit(small)
            code, text = large.recv_packet().args(1)
            assert code == b"QUEUE_ERROR"
            found = re.fullmatch(
                rb"The store has room for (\d+) bytes now, and this job has 16777217: make room .*", text
            )
            assert found is not None, text
            assert 8 * MIB < int(found[1]) < 12 * MIB
        large.request(wire.SUBMIT_JOB_BG, "f", "", payload=b"x" * 8 * MIB)
        assert large.recv_packet().type == wire.JOB_CREATED
        assert "The store is" not in log_of(server)
