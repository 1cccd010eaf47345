"""The servers that are measured: each is found, started on a free port, and ended by its process."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Subject:
    """A server program: its name, and the words that start it (without the port)."""

    label: str
    command: tuple[str, ...]
    missing: str = ""

    @contextmanager
    def running(self) -> Iterator[tuple[int, int]]:
        """Start it and yield its port and pid."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [*self.command, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
        )
        try:
            await_port(port, process)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(30)


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{process.args!r} did not start; run it by hand to see why")


def gearfast() -> Subject:
    """Return this tree's own server."""
    return Subject("gearfast", (sys.executable, "-m", "gearfast", "--listen=127.0.0.1", "--log-file=none"))


def gearmand() -> Subject:
    """Return Debian's gearmand: the private one of `make test`, or the system's."""
    private = ROOT / "build" / "peers" / "bin" / "gearmand"
    found = str(private) if private.exists() else shutil.which("gearmand")
    if found is None:
        return Subject("gearmand", (), "not installed: `sh tests/peers.sh`, or apt install gearman-job-server")
    return Subject("gearmand", (found, "--listen=127.0.0.1", "--log-file=none"))
