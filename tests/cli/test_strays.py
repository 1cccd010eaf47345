"""What Python, its event loop and its libraries would write to standard error by themselves: lines of the log."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gearfast.cli.log import logbook
from gearfast.config import LOG_LAST_WRITES
from tests.support.loglines import messages
from tests.support.peers import PROJECT

log = logging.getLogger("gearfast")


@pytest.fixture
def said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[str]]]:
    """Return what reads the messages of the log; nothing may have been written past it."""
    level, propagate = log.level, log.propagate

    def read() -> list[str]:
        logbook.flush_log()
        assert capfd.readouterr() == ("", "")
        return messages((tmp_path / "log").read_text())

    logbook.open_log(str(tmp_path / "log"), "ERROR")
    yield read
    logbook.close_log()
    log.propagate = propagate
    log.setLevel(level)


class Grave:
    """Something that fails when it is let go of."""

    def __del__(self) -> None:
        raise ValueError("too late")

    def __repr__(self) -> str:
        return "<grave>"


def test_an_exception_that_cannot_be_raised(said: Callable[[], list[str]]) -> None:
    Grave()
    gc.collect()
    first, second, *_, last = said()
    assert first.startswith("Exception ignored in: <function Grave.__del__ at ")
    assert (second, last) == ("| Traceback (most recent call last):", "| ValueError: too late")


def test_an_exception_that_ends_a_thread(said: Callable[[], list[str]]) -> None:
    for target in (lambda: 1 // 0, lambda: sys.exit(3)):
        thread = threading.Thread(target=target, name="worker")
        thread.start()
        thread.join()
    first, *_, last = said()
    assert first == "The thread worker ended with an exception"
    assert last == "| ZeroDivisionError: integer division or modulo by zero"


def test_a_warning(tmp_path: Path) -> None:
    """At its own level: it is no error."""
    level, propagate = log.level, log.propagate
    with warnings.catch_warnings():  # which gives showwarning back, whoever replaced it
        warnings.simplefilter("always")
        logbook.open_log(str(tmp_path / "log"), "WARNING")
        try:
            warnings.warn("of old\nage", DeprecationWarning, stacklevel=1)
            logbook.flush_log()
            (line,) = messages((tmp_path / "log").read_text())
            assert line.startswith(r"DeprecationWarning: of old\nage (")
        finally:
            logbook.close_log()
            log.propagate = propagate
            log.setLevel(level)


PROGRAM = """
    import asyncio, os, signal, sys, threading
    from gearfast.cli import program
    from gearfast.server import server

    class Broken:
        def __del__(self):
            raise ValueError("broken")

    async def forgotten():
        raise RuntimeError("nobody asks")

    start = server.Server.start

    async def started(self):
        await start(self)
        self.loop.call_soon(lambda: 1 // 0)
        asyncio.ensure_future(forgotten())
        Broken()
        threading.Thread(target=lambda: [].pop()).start()
        FAULT
        self.loop.call_later(0.2, os.kill, os.getpid(), signal.SIGTERM)

    server.Server.start = started
    sys.exit(program.main())
"""
"""The program, with everything in it that can go wrong without anybody who could be told."""


def play(folder: Path, fault: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    options = ["--listen=127.0.0.1", "--port=0", "--config-file=/dev/null", "--pid-file=pid", *words]
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM).replace("FAULT", fault), *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=30 + LOG_LAST_WRITES,
        check=False,
    )


@pytest.mark.parametrize("place", ["stderr", "log"])
def test_of_the_whole_program(tmp_path: Path, place: str) -> None:
    done = play(tmp_path, "", f"--log-file={place}")
    assert (done.returncode, done.stdout) == (0, "")
    greeting = [line for line in done.stderr.splitlines() if " is listening on " in line]
    assert len(greeting) == 1
    rest = [line for line in done.stderr.splitlines() if line not in greeting]
    text = "\n".join(rest) if place == "stderr" else (tmp_path / "log").read_text()
    assert rest == [] or place == "stderr"
    found = messages(text)
    for end in ("ZeroDivisionError", "RuntimeError: nobody asks", "ValueError: broken", "IndexError"):
        assert any(line.startswith(f"| {end}") for line in found), end


@pytest.mark.parametrize("place", ["stderr", "log"])
def test_a_fault_of_its_own_that_ends_it(tmp_path: Path, place: str) -> None:
    """One line for the terminal; the log has the traceback."""
    done = play(tmp_path, "raise LookupError('ours')", f"--log-file={place}")
    assert done.returncode == 1
    *log_lines, last = done.stderr.splitlines()
    assert last == "gearfast: ended by an error of its own: LookupError('ours') (the log has more)"
    text = "\n".join(log_lines) if place == "stderr" else (tmp_path / "log").read_text()
    assert log_lines == [] or place == "stderr"
    found = messages(text)
    assert "LookupError('ours')" in found
    assert found[-1] == "| LookupError: ours"
