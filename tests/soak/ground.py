"""The server of a soak, and how its peers get to it: over TLS, or in plain through a Unix socket."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support import wire
from tests.support.peers import Server, start, until
from tests.support.peers import free_port as port_for
from tests.support.processes import resident
from tests.support.wire import Connection
from tests.whole.test_tls import issue


class Link(Connection):
    """A connection on a socket of any kind."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(wire.TIMEOUT)
        self.buffer = b""

    def __enter__(self) -> Link:
        return self

    def admin(self, line: str) -> bytes:
        """Send a line, read one; a name may be any bytes."""
        self.send(line.encode(errors="surrogateescape") + b"\n")
        return self.recv_line()

    def table(self, line: str) -> list[str]:
        """The same for a table."""
        self.send(line.encode() + b"\n")
        return self.recv_table().decode(errors="surrogateescape").split("\n")[:-2]


class Ground:
    """What the peers of a soak share. `wrong` stays empty as long as nothing is."""

    def __init__(self, server: Server, path: Path, authority: Path, seed: int) -> None:
        self.server = server
        self.path = path
        self.context = ssl.create_default_context(cafile=str(authority))
        self.seed = seed
        self.fewest = 0
        """Descriptors with one connection."""
        self.over = threading.Event()
        self.wrong: list[str] = []
        self.count: Counter[str] = Counter()
        self.acknowledged: set[bytes] = set()
        """Handles of background jobs."""
        self.seen: set[bytes] = set()
        """Handles of jobs that a worker has had, or that an administrator has cancelled."""

    def plain(self) -> Link:
        """A connection in plain."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(wire.TIMEOUT)
        sock.connect(str(self.path))
        return Link(sock)

    def secure(self) -> Link:
        """One over TLS."""
        sock = socket.create_connection((self.server.host, self.server.port), wire.TIMEOUT)
        return Link(self.context.wrap_socket(sock, server_hostname="localhost"))

    def connect(self, chance: random.Random) -> Link:
        """Either."""
        return self.secure() if chance.random() < 0.3 else self.plain()

    # --- what is left ---

    def descriptors(self) -> int:
        """The server's open ones."""
        return len(os.listdir(f"/proc/{self.server.pid}/fd"))

    def drain(self, functions: Sequence[str]) -> None:
        """Have every job of these functions done and the others cancelled, when all connections have gone but one."""
        with self.plain() as worker:
            until(lambda: len(worker.table("workers")) == 1, "the others have left", 60)
            while jobs := [line.split("\t")[0].encode() for line in worker.table("show jobs")]:
                for name in functions:
                    worker.request(wire.CAN_DO, name)
                while (answer := worker.call(wire.GRAB_JOB)).type == wire.JOB_ASSIGN:
                    handle = answer.args(2)[0]
                    self.seen.add(handle)
                    worker.request(wire.WORK_COMPLETE, handle, payload="")
                worker.request(wire.RESET_ABILITIES)
                for handle in set(jobs) - self.acknowledged:  # of a function that a bad stream has named
                    worker.admin(f"cancel job {handle.decode()}")

    def rest(self) -> tuple[int, int]:
        """Bytes of memory and descriptors when there is one connection, and who was refused has been let go of."""
        with self.plain() as witness:
            until(lambda: len(witness.table("workers")) == 1, "nobody else is there")
            with contextlib.suppress(TimeoutError):  # then the figure says it
                until(lambda: self.descriptors() <= self.fewest, "no descriptor is left over", 60)
            return resident(self.server), self.descriptors()

    def begin(self) -> None:
        """Have everything opened that stays open: count the descriptors then."""
        with self.secure() as peer:
            assert peer.call(wire.SUBMIT_JOB_BG, "first", "", payload="").type == wire.JOB_CREATED
        self.drain(["first"])
        with self.plain() as witness:
            until(lambda: len(witness.table("workers")) == 1, "it has left")
            self.fewest = self.descriptors()

    def in_use(self) -> list[str]:
        """Functions with jobs or workers, after all that can be dropped were."""
        with self.plain() as admin:
            for line in admin.table("status"):
                admin.admin(f"drop function {line.split(chr(9))[0]}")
            return [line for line in admin.table("status") if line.split("\t")[1:] != ["0", "0", "0"]]


@contextlib.contextmanager
def ground(folder: Path, python: str, seed: int) -> Iterator[Ground]:
    """A server with a store, for all kinds of peers."""
    authority = issue(folder, "authority")
    files = issue(folder, "server", authority)
    port, path = port_for(), folder / "socket"
    words = [
        "--listen=127.0.0.1",
        f"--listen=unix:{path}",
        f"--port={port}",
        "--ssl",
        f"--ssl-certificate={files.certificate}",
        f"--ssl-key={files.key}",
        f"--store=sqlite:{folder / 'jobs.db'}",
        f"--log-file={folder / 'log'}",
        "--verbose=NOTICE",
    ]
    with start("soak", [python, "-m", "gearfast", *words], port, ready=False) as server:
        made = Ground(server, path, authority.certificate, seed)
        until(path.exists, "it listens")
        yield made


def reopen(ground: Ground) -> None:
    """Have the log and the TLS files opened anew."""
    os.kill(ground.server.pid, signal.SIGHUP)
