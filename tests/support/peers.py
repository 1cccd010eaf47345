"""The programs the tests play against: where they are, and servers that are always ended.

`tests/peers.sh` fetches the real ones into build/peers/. One that cannot be had skips the test by name, on CI it
fails it: a green run there has really met every peer.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.wire import Connection

PROJECT = Path(__file__).resolve().parents[2]
PEERS = PROJECT / "build" / "peers"
HOST = "127.0.0.1"
START_SECONDS = 20.0
END_SECONDS = 10.0
RUN_SECONDS = 60.0
FETCH_SECONDS = 110.0  # below what a test may take

Environment = Mapping[str, str]
NONE: Environment = {}


@functools.cache
def _fetch() -> str:
    """Have the peers fetched if that was never tried here (`make test` has); return what was said."""
    words = ["sh", str(PROJECT / "tests" / "peers.sh"), "--once"]
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False).stderr
    except subprocess.TimeoutExpired:
        return "fetching takes long; do it first: sh tests/peers.sh"


def find(name: str) -> Path | str:
    """The program, or the reason why it cannot be had."""
    said = _fetch()
    program = PEERS / "bin" / name
    if program.exists():
        return program
    reason = PEERS / "missing" / name
    return reason.read_text().strip() if reason.exists() else said.strip() or "not fetched"


def peer(name: str) -> Path:
    """The program of that name, or a skip that says which one is missing and why (a failure on CI)."""
    found = find(name)
    if isinstance(found, Path):
        return found
    message = f"peer {name} is missing: {found}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


# Below what the system gives to outgoing connections, so that none of those takes a port before its server does; and
# never the same one twice, since a server may bind its own after the next one was chosen. Of several processes that
# play tests each has ports of its own.
_first = 10_000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_range = range(_first, 32_000, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
_ports = iter(random.sample(_range, len(_range)))


def free_port() -> int:
    """A port nobody listens on at the moment, and nobody else here is given."""
    for port in _ports:
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind((HOST, port))
            return port
    raise RuntimeError("no port is free")


@dataclass
class Server:
    """A running server."""

    name: str
    host: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def address(self) -> str:
        """host:port, as clients want it."""
        return f"{self.host}:{self.port}"

    def connect(self) -> Connection:
        """A connection for raw bytes."""
        return Connection(self.host, self.port)

    def alive(self) -> bool:
        """Whether the process is still there."""
        return self.process.poll() is None

    def wait_ready(self) -> None:
        """Until it answers; a process that ended instead is an error with its log."""
        limit = time.monotonic() + START_SECONDS
        while not _answers(self.port):
            if not self.alive() or time.monotonic() > limit:
                raise RuntimeError(f"{self.name} did not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.01)
        if not self.alive():
            raise RuntimeError(f"{self.name} has ended, and port {self.port} is somebody else's")

    def stop(self) -> int:
        """End the process (politely, then not) and return its exit code."""
        return end(self.process)


def end(process: subprocess.Popen[bytes]) -> int:
    """End a process and all that is left of it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait(END_SECONDS)


def _answers(port: int) -> bool:
    try:
        with Connection(HOST, port, timeout=1.0) as connection:
            return connection.admin("version").startswith(b"OK")
    except OSError:
        return False


def until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Ask again and again, until it is so; for what only another process can bring about."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError(f"after {seconds} s still not: {what}")
        time.sleep(0.005)


@dataclass
class Done:
    """How a program ended."""

    code: int
    out: str
    err: str


def run(program: Path, *args: str | Path, given: str = "", environment: Environment = NONE) -> Done:
    """Run a program to its end."""
    process = launch(program, *args, environment=environment)
    try:
        out, err = process.communicate(given, timeout=RUN_SECONDS)
    finally:
        finish(process)
    return Done(process.returncode, out, err)


def launch(program: Path, *args: str | Path, environment: Environment = NONE) -> subprocess.Popen[str]:
    """Start a program; the caller reads its output and ends it with `finish`."""
    return subprocess.Popen(
        [str(program), *(str(arg) for arg in args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
    )


def finish(process: subprocess.Popen[str]) -> None:
    """End a program that may still be running."""
    if process.poll() is None:
        process.kill()
    process.wait(END_SECONDS)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@contextlib.contextmanager
def start(name: str, command: Sequence[str | Path], port: int, ready: bool = True) -> Iterator[Server]:
    """Run a server until the block is left. It is ready when it answers, not when some time has passed."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    log = folder / "log"
    environment = {key: value for key, value in os.environ.items() if key != "GEARMAND_PORT"}
    environment["PYTHONPATH"] = os.pathsep.join([str(PROJECT), *environment.get("PYTHONPATH", "").split()])
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment,
            cwd=folder,
        )
    server = Server(name, HOST, port, process, log)
    try:
        if ready:
            server.wait_ready()
        yield server
    finally:
        end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _common(port: int) -> list[str]:
    return [f"--listen={HOST}", f"--port={port}", "--log-file=stderr", "--pid-file=server.pid"]


@contextlib.contextmanager
def start_gearmand(*args: str, port: int | None = None) -> Iterator[Server]:
    """Debian's gearmand on a free port."""
    port = port or free_port()
    program = peer("gearmand")
    with start("gearmand", [program, *_common(port), *args], port) as server:
        yield server


@contextlib.contextmanager
def start_gearfast(*args: str, port: int | None = None, ready: bool = True) -> Iterator[Server]:
    """Our server on a free port, from this checkout and this interpreter."""
    port = port or free_port()
    with start("gearfast", [sys.executable, "-m", "gearfast", *_common(port), *args], port, ready) as server:
        yield server
