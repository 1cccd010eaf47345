"""What README tells a reader to type: it exists, it runs, and it prints what README says."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.options import parser
from gearfast.cli import options
from tests.house.test_layers import STOREYS
from tests.support.peers import HOST, PROJECT, Server, finish, free_port, launch, peer, run, start_gearfast, until
from tests.support.processes import greeting_of
from tests.support.wire import Connection

README = (PROJECT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")


def blocks(section: str) -> list[str]:
    """The indented blocks under a heading (the text before the first heading, if it is empty)."""
    text = re.split(r"^## ", README, flags=re.MULTILINE)
    (found,) = [part for part in text if part.startswith(section or "# ")]
    return [
        textwrap.dedent(block).strip("\n")
        for block in re.findall(r"(?:^(?: {4}.*)?\n)+", found, re.MULTILINE)
        if block.strip()
    ]


def commands(block: str) -> list[str]:
    """Its lines without comments."""
    lines = (re.sub(r"(^| +)# .*", "", line).strip() for line in block.splitlines())
    return [line for line in lines if line]


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"`?\bmake ([a-z-]+)\b(?=`|$| {2,})", README, re.MULTILINE))
    assert {"run", "test", "bench", "lint", "clean"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


def test_opens_with_the_two_commands() -> None:
    assert commands(blocks("")[0]) == ["make run", "make test"]


def test_options_exist() -> None:
    named = set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]*)", README)) - OF_OTHER_PROGRAMS
    assert "listen" in named
    of_the_benchmarks = {word[2:] for word in re.findall(r"--[a-z-]+", parser().format_help())}
    assert named - options.OPTIONS.keys() - of_the_benchmarks == set()


OF_OTHER_PROGRAMS = {"exec", "no-deps", "now", "oknodo", "retry", "status", "wheel-dir"}
"""systemctl's, gearadmin's, pip's and start-stop-daemon's."""


def test_files_and_links_exist() -> None:
    named = re.findall(r"\]\(([^):]+)\)", README)
    named += re.findall(r"(?<![\w/])((?:packaging|tests|gearfast|docs)/[\w./-]+)", README)
    assert len(named) > 5
    for name in named:
        assert (PROJECT / name.partition("#")[0]).exists(), name


def test_layout_names_every_storey() -> None:
    """And rooms that are there."""
    table = README.partition("## Layout of the house")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `gearfast/(\w+)/` \|[^|]*\|([^|]*)\|$", table, re.MULTILINE)
    assert [storey for storey, _ in rows] == list(STOREYS)
    for storey, named in rows:
        rooms = re.findall(r"`(\w+)`", named)
        assert rooms, storey
        for room in rooms:
            assert list((PROJECT / "gearfast" / storey).glob(f"{room}.py*")), room


@contextlib.contextmanager
def make_run(port: int, folder: Path) -> Iterator[None]:
    """What `make run` runs when all is built, until the block is left; its pid file is not the one in build/."""
    script = subprocess.run(
        ["make", "-n", "--no-print-directory", "run", f"ARGS=--pid-file={folder}/pid"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    line = script.stdout.splitlines()[-1]
    process = subprocess.Popen(
        ["sh", "-c", line], cwd=PROJECT, stderr=subprocess.PIPE, text=True, env=environment(port)
    )
    assert process.stderr is not None
    try:
        until_line = next((said for said in process.stderr if "is listening on" in said), "")
        assert f"{HOST}:{port}" in until_line
        yield
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait(20)
        process.stderr.close()


def environment(port: int) -> dict[str, str]:
    """README's programs on a port that is free: what says 4730 there is told by the environment here."""
    return {**os.environ, "GEARMAND_PORT": str(port), "JOB_SERVERS": f"{HOST}:{port}"}


def test_story(tmp_path: Path) -> None:
    """Server, worker, job, gearadmin: README's own words, each run for real, and the output it promises."""
    steps = commands(blocks("See it run")[0])
    assert steps[0] == "make run"
    worker_line, client_line = (line.split() for line in steps if line.startswith("php "))
    status_at = steps.index("gearadmin --status")
    promised_status, promised = steps[status_at + 1], steps[-1]
    port = free_port()
    told = environment(port)
    with make_run(port, tmp_path):
        worker = launch(peer("php"), PROJECT / worker_line[1], environment={**told, "JOBS": "1"})
        try:
            until(lambda: rows(port) == [["runLaterJob", "0", "0", "1"]], "the worker is there")
            added = run(peer("php"), PROJECT / client_line[1], environment=told)
            assert (added.code, added.out[:8]) == (0, "added H:")
            until(lambda: rows(port)[0][2] == "1", "the job is running")
            seen = run(peer("gearadmin"), "--status", f"--port={port}", f"--host={HOST}")
            assert seen.out.split() == [*promised_status.split(), "."]
            out, err = worker.communicate(timeout=60)
        finally:
            finish(worker)
    beginning, _, end = promised.partition(" ... ")
    assert (out.startswith(beginning), out.endswith(f"{end}\n"), err) == (True, True, "")


def rows(port: int) -> list[list[str]]:
    """The table of functions."""
    with Connection(HOST, port) as admin:
        return [line.split("\t") for line in admin.table("status")]


def test_service_line() -> None:
    """Debian's, with only the program's name changed."""
    (line,) = [block for block in blocks("In the place of gearmand") if block.startswith("gearfast ")]
    done = subprocess.run(
        [sys.executable, "-m", *line.split(), "--check-args", "--config-file=/dev/null"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_embedding(tmp_path: Path, number: int) -> None:
    """The program under "Inside a program" prints its address, serves there, and ends in order on Ctrl-C."""
    (snippet,) = [block for block in blocks("Inside a program") if "import uvloop" in block]
    program = tmp_path / "program.py"
    program.write_text(snippet)
    told = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, str(program)], stdout=pipe, stderr=pipe, text=True, env=told)
    assert process.stdout is not None
    try:
        match = re.fullmatch(r"\['127\.0\.0\.1:(\d+)'\]\n", process.stdout.readline())
        assert match is not None
        with Connection(HOST, int(match[1])) as admin:
            assert admin.admin("version").startswith(b"OK ")
            process.send_signal(number)
            assert process.communicate(timeout=20) == ("", "")
            assert admin.closed()
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_table_of_options_says_the_defaults() -> None:
    """Where README's table states a default, it is the default."""
    for name, stated in (
        ("worker-wakeup", "1"),
        ("worker-wakeup-grace", "50"),
        ("job-retries", "-1"),
        ("max-packet-size", "256M"),
        ("max-connections", "0"),
        ("max-connections-per-address", "0"),
        ("idle-packet-timeout", "60"),
        ("io-threads", "auto"),
        ("timeout-unit", "ms"),
    ):
        row = re.search(rf"^\| `--{name}=\w+` \|(.*)\|$", README, re.MULTILINE)
        assert row is not None, name
        assert options.OPTIONS[name].default == stated
        assert stated in row[1]


def test_hint_of_the_greeting_runs() -> None:
    """What the server's first line tells to try."""
    with start_gearfast() as server:
        hint = greeting(server)
        assert hint[:1] == ["gearadmin"]
        done = run(peer("gearadmin"), *hint[1:])
        assert (done.code, done.out, done.err) == (0, ".\n", "")


def greeting(server: Server) -> list[str]:
    """The command in the server's first line."""
    match = re.search(r"Look at it with: (.*?)\. Ctrl-C", greeting_of(server))
    assert match is not None
    return match[1].split()
