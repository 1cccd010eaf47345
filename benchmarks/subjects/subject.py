"""A subject: a server program that can be found, started on a port, watched and stopped."""

from __future__ import annotations

import contextlib
import random
import shlex
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from benchmarks.labels import program_of, threaded
from benchmarks.processes import Cores, Tree

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "build" / "peers" / "bin"
HOST = "127.0.0.1"
START_SECONDS = 20.0
STOP_SECONDS = 30.0
# connections that may wait to be accepted, said to every server that can be told: gearmand's own 32 would measure the
# kernel's retries
BACKLOG = 1024


class MissingError(Exception):
    """A subject that cannot be measured; the message is the reason, with what brings it."""


class StartError(Exception):
    """A server that ended or stayed silent instead of serving; the message holds what it printed."""


class Subject(ABC):
    """One server program. What differs is said by its own file: label, find, command, version."""

    label: str
    """what it is called in the results: its name, and the threads that it is told to have"""
    protocol = "gearman"
    process: subprocess.Popen[bytes] | None = None

    def __init__(self, asked: str | None = None, threads: int = 0) -> None:
        """Take the program `asked` for, or the one that `find` comes upon; with so many threads, 0: as it comes."""
        self.asked = asked
        self.threads = threads
        if threads:
            self.label = threaded(self.label, threads)

    @property
    def program(self) -> str:
        """Its name alone."""
        return program_of(self.label)

    @abstractmethod
    def find(self) -> str:
        """Return the program. Raises MissingError."""

    @abstractmethod
    def command(self, program: str, port: int | str) -> list[str]:
        """Return the words that start it in the foreground on that port of loopback."""

    @abstractmethod
    def version(self, program: str) -> str:
        """Return what it says it is."""

    def refusal(self, program: str) -> str:
        """Return why it cannot have the threads that it is told to have, or ""."""
        return f"{self.program} has no option for threads" if self.threads else ""

    @property
    def log(self) -> Path:
        """What the server prints."""
        return ROOT / "build" / "bench" / f"{self.label.replace(' ', '-')}.log"

    def start(self, port: int, cores: Cores, more: Sequence[str] = ()) -> Tree:
        """Start it, maybe with more words, and wait until it accepts connections. Raises MissingError, StartError."""
        words = [*self.command(self.find(), port), *more]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log, cores.for_servers():
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT)
        limit = time.monotonic() + START_SECONDS
        while not _accepts(port):
            if self.process.poll() is not None or time.monotonic() > limit:
                self.stop()
                raise StartError(f"{self.label} did not start: {self.last_words() or shlex.join(words)}")
            time.sleep(0.01)
        return Tree(self.process.pid)

    def stop(self) -> None:
        """End it: politely, then not."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def death(self) -> str:
        """Return how it ended by itself, or "" while it is running."""
        code = self.process.poll() if self.process is not None else None
        return "" if code is None else f"{self.label} ended with status {code}. {self.last_words()}".strip()

    def last_words(self) -> str:
        """Return the end of what it printed."""
        with contextlib.suppress(OSError):
            return self.log.read_text(errors="replace")[-2000:].strip()
        return ""


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a port that nobody listens on, below those that the system gives to outgoing connections."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
