"""Whoever is to read the log does not: the server goes on, and ends when it is told to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gearfast.cli.log import logbook
from gearfast.config import LOG_BACKLOG, LOG_LAST_WRITES
from tests.support import wire
from tests.support.loglines import messages
from tests.support.peers import free_port
from tests.support.wire import Connection
from tests.whole.test_daemon import HOST, PATIENCE, command, environment

SIZE = 8000
"""Of a function's name, which stands in the line of each job: a pipe is full after a few."""


@contextlib.contextmanager
def serving(folder: Path, log: str, stderr: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server that logs every job there, and its port; it serves when the block begins."""
    port = free_port()
    words = command(f"--port={port}", f"--log-file={log}", "--verbose=DEBUG", "--pid-file=pid")
    process = subprocess.Popen(words, cwd=folder, env=environment(), stderr=stderr, stdin=subprocess.DEVNULL)
    try:
        with wire.connect(HOST, port):
            yield process, port
    finally:
        process.kill()
        process.wait(PATIENCE)


def submit(port: int, count: int, size: int = SIZE) -> None:
    """Submit background jobs, and see that each is acknowledged."""
    with Connection(HOST, port) as client:
        for _ in range(count):
            client.request(wire.SUBMIT_JOB_BG, "f" * size, "", payload="")
        assert sum(packet.name == "JOB_CREATED" for packet in client.packets()) == count


def ends_soon(process: subprocess.Popen[bytes]) -> None:
    """It ends well on SIGTERM, and does not wait long for the log."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert time.monotonic() - began < LOG_LAST_WRITES + 5


@pytest.mark.parametrize("full", ["before the start", "while it serves"])
def test_a_pipe_that_nobody_reads(tmp_path: Path, full: str) -> None:
    reading, writing = os.pipe()
    if full == "before the start":  # then what a terminal is told is held up too
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        os.set_blocking(writing, True)
    with serving(tmp_path, "stderr", writing) as (process, port):
        submit(port, 50)
        ends_soon(process)
    os.close(writing)
    os.close(reading)


def test_a_log_file_that_is_a_pipe_nobody_reads(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    reading = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    with serving(tmp_path, "log", subprocess.DEVNULL) as (process, port):
        submit(port, 50)
        process.send_signal(signal.SIGHUP)  # to open it anew is held up as well
        submit(port, 1)
        ends_soon(process)
    os.close(reading)


def test_a_terminal_that_is_stopped(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcflow(theirs, termios.TCOOFF)  # Ctrl-S
    with serving(tmp_path, "stderr", theirs) as (process, port):
        submit(port, 50)
        ends_soon(process)
    os.close(theirs)
    os.close(ours)


def test_a_reader_that_comes_back_is_told_how_much_it_missed(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    jobs = LOG_BACKLOG // SIZE + 200
    with serving(tmp_path, "stderr", writing) as (process, port):
        os.close(writing)
        submit(port, jobs)
        with open(reading, encoding="utf-8") as pipe:
            said = []
            for line in pipe:
                said.append(line)
                if " lost: " in line:
                    break
            process.terminate()
            said += pipe.readlines()
        assert process.wait(PATIENCE) == 0
    found = messages("".join(line for line in said if "is listening on" not in line))
    kept = sum(message.startswith("accepted,") for message in found)
    (lost,) = (message for message in found if " lost: " in message)
    assert lost == f"{jobs - kept} lines were lost: whatever reads the log did not keep up"
    assert found[-1] == "Shutdown complete"


def test_an_error_that_ends_the_start_waits_for_nobody(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, getattr(fcntl, "F_SETPIPE_SZ", fcntl.F_GETFL), 4096)
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    process = subprocess.Popen(command("--bogus"), cwd=tmp_path, env=environment(), stderr=writing)
    assert process.wait(PATIENCE) == 1
    os.close(writing)
    os.close(reading)


def test_a_syslog_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds up neither who logs nor the file beside it."""
    let_go, entered = threading.Event(), threading.Event()

    def syslog(priority: int, message: str) -> None:
        entered.set()
        let_go.wait(PATIENCE)

    monkeypatch.setattr("syslog.syslog", syslog)
    level, propagate = logbook.log.level, logbook.log.propagate
    logbook.open_log(str(tmp_path / "log"), "INFO", to_syslog=True)
    try:
        logbook.log.info("one")
        assert entered.wait(PATIENCE)
        for _ in range(1000):
            logbook.log.info("more")
        began = time.monotonic()
        logbook.close_log()
        assert time.monotonic() - began < LOG_LAST_WRITES + 5
        assert len(messages((tmp_path / "log").read_text())) == 1001
    finally:
        let_go.set()
        logbook.log.setLevel(level)
        logbook.log.propagate = propagate


def test_lines_of_a_busy_server_are_all_there(tmp_path: Path) -> None:
    """Nothing is lost because there is much: people count these lines."""
    with serving(tmp_path, "log", subprocess.DEVNULL) as (process, port):
        for _ in range(10):
            submit(port, 2000, 20)
        ends_soon(process)
    found = messages((tmp_path / "log").read_text())
    assert found.count(f"accepted,{'f' * 20},,0") == 20_000
    assert found[-1] == "Shutdown complete"
