"""``gearfast store`` and ``gearfast --store`` as programs, with a real file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gearfast.cli import program
from gearfast.cli.jobfile import first_line, line_of
from tests.support.memory_store import AWKWARD, file_of
from tests.support.peers import PROJECT, start_gearfast, start_gearmand
from tests.support.processes import greeting_of
from tests.support.wire import CAN_DO, GRAB_JOB_UNIQ, JOB_CREATED, SUBMIT_JOB_HIGH_BG


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store in a file, with AWKWARD in it."""
    url = f"sqlite:{tmp_path}/jobs.db"
    lines = file_of(tmp_path / "awkward", first_line("H:a"), *(line_of(one, b"H:a") for one in AWKWARD))
    done = run("import", str(lines), f"--store={url}")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"%d jobs imported\n" % len(AWKWARD), b"")
    return url


def words(*more: str) -> list[str]:
    """The command line of ``gearfast store ...``."""
    return [sys.executable, "-m", "gearfast", "store", *more, "--config-file=/dev/null"]


def run(*more: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run ``gearfast store ...`` to its end."""
    return subprocess.run(words(*more), input=given, capture_output=True, cwd=PROJECT, timeout=60, check=False)


def test_every_byte_goes_from_file_to_file(url: str, tmp_path: Path) -> None:
    exported = run("export", f"--store={url}")
    assert exported.stdout.splitlines(keepends=True) == [
        first_line("H:a"),
        *(line_of(one, b"H:a") for one in sorted(AWKWARD)),
    ]
    other = f"sqlite:{tmp_path}/other.db"
    done = run("import", "-", f"--store={other}", "--durability=off", given=exported.stdout)
    assert (done.returncode, done.stdout) == (0, b"%d jobs imported\n" % len(AWKWARD))
    assert run("export", f"--store={other}").stdout == exported.stdout


def test_who_reads_may_have_seen_enough(url: str) -> None:
    for word in ("list", "export"):
        process = subprocess.Popen(
            words(word, f"--store={url}"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=PROJECT
        )
        assert process.stdout is not None
        process.stdout.close()
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")


def test_store_of_a_running_server_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with start_gearfast(f"--store=sqlite:{path}"):
        done = run("list", f"--store=sqlite:{path}")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.count(b"\n") == 1
    assert re.search(rb"jobs\.db.* in use by another server", done.stderr)
    assert run("count", f"--store=sqlite:{path}").returncode == 0


def test_what_is_imported_is_run(tmp_path: Path) -> None:
    """A server starts with it, says so, and the jobs are there under their handles."""
    plain = [one._replace(more=b"") for one in AWKWARD]
    url = f"sqlite:{tmp_path}/jobs.db"
    path = file_of(tmp_path / "jobs", first_line("H:a"), *(line_of(one, b"H:a") for one in plain))
    assert run("import", str(path), f"--store={url}").returncode == 0
    with start_gearfast(f"--store={url}", "--store-timeout=20") as server, server.connect() as worker:
        assert f", with {len(plain)} jobs from {url}. Look at it with" in greeting_of(server)
        worker.request(CAN_DO, plain[1].function)
        assigned = worker.call(GRAB_JOB_UNIQ)
        assert assigned.args(3) == [b"H:a:2", plain[1].function, plain[1].unique, plain[1].payload]


def test_jobs_of_gearmand_are_taken_over_and_given_back(tmp_path: Path) -> None:
    """The way from Debian's gearmand to gearfast, a look, and the way back."""
    path = tmp_path / "queue.db"
    options = ["-q", "libsqlite3", f"--libsqlite3-db={path}"]
    with start_gearmand(*options) as server, server.connect() as client:
        for unique in ("one", "two"):
            assert client.call(SUBMIT_JOB_HIGH_BG, "resize", unique, payload="payload").type == JOB_CREATED
    done = run("count", "--take-over", *options)
    assert done.stdout.splitlines()[1].split() == b"2 0 0 0 2 0 0 0 0 resize".split()
    assert b"2 jobs that gearmand left were taken over" in done.stderr
    assert run("export", "--to=gearmand", *options).stdout.startswith(b"2 jobs given back to gearmand")
    with start_gearmand(*options) as server, server.connect() as admin:
        assert admin.table("status") == ["resize\t2\t0\t0"]


def test_a_start_that_the_store_refuses_is_one_line(tmp_path: Path) -> None:
    line = ["--store=sqlite:" + str(tmp_path / "no" / "jobs.db"), "--config-file=/dev/null", "--log-file=none", "-p0"]
    done = subprocess.run(
        [sys.executable, "-m", "gearfast", *line], capture_output=True, text=True, cwd=PROJECT, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"{tmp_path}/no" in done.stderr


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("bogus:x", "bogus"),
        ("sqlite:", "does not name a file: write sqlite:FILE"),
        ("mysql://me:secret@h", "does not name a database"),
    ],
)
def test_check_args_looks_at_the_store_too(url: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--check-args", "--config-file=/dev/null", f"--store={url}"]) == 1
    said = capsys.readouterr().err
    assert (said.count("\n"), reason in said, "secret" in said) == (1, True, False), said
