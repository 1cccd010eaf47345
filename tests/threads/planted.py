"""That ThreadSanitizer sees what it is there for: a race that was planted, and every process that a test starts.

It is for the build of `make test-threads` only, which names this file; no other run collects it.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.compiled import hands
from tests.support.peers import PROJECT, start_gearfast
from tests.support.processes import WATCHED

pytestmark = pytest.mark.skipif(not WATCHED, reason="it needs the build of make test-threads")

COUNTING = """
import sys

from tests.support.compiled import hands

shared = hands()
shared.expect_threads(2)
shared.without_interpreter(2, 1000, sys.argv[1] == "True")
"""
SEEN = 66
"""The exit code of a process in which the sanitizer saw something."""


def counting(guarded: bool, folder: Path) -> tuple[int, list[str]]:
    """Two threads count in a process of its own; its exit code, and what the sanitizer wrote of it."""
    hands()
    options = [word for word in os.environ["TSAN_OPTIONS"].split() if not word.startswith("log_path=")]
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, str(guarded)],
        cwd=PROJECT,
        env=os.environ | {"TSAN_OPTIONS": " ".join([*options, f"log_path={folder}/race"])},
        timeout=60,
        check=False,
    )
    return done.returncode, [report.read_text() for report in folder.glob("race.*")]


def test_planted_race(tmp_path: Path) -> None:
    code, reports = counting(False, tmp_path)
    assert (code, len(reports)) == (SEEN, 1)
    assert "WARNING: ThreadSanitizer: data race" in reports[0]
    assert "hands_count" in reports[0]


def test_the_same_under_the_lock_is_none(tmp_path: Path) -> None:
    assert counting(True, tmp_path) == (0, [])


@pytest.mark.parametrize("name", ["gearfast.broker.broker", "gearfast.ground.lock", "tests.threads.hands"])
def test_what_is_compiled_here_is_watched(name: str) -> None:
    hands()
    library = importlib.import_module(name).__file__
    assert library is not None
    assert b"__tsan_write" in Path(library).read_bytes()


def test_a_server_that_a_test_starts_is_watched_too() -> None:
    """It writes where the run looks at its end."""
    with start_gearfast() as server:
        process = Path(f"/proc/{server.pid}")
        assert "libtsan" in (process / "maps").read_text()
        told = f"TSAN_OPTIONS={os.environ['TSAN_OPTIONS']}".encode()
        assert told in (process / "environ").read_bytes().split(b"\0")
        assert b"/races/" in told
