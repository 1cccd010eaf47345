"""Debian's command-line tools: `gearman` as client and worker, and every option of `gearadmin`."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.support import wire
from tests.support.peers import Done, Server, finish, launch, peer, run, start_gearfast, start_gearmand, until


@pytest.fixture(params=["gearmand", "gearfast"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Either server, fresh."""
    with (start_gearmand if request.param == "gearmand" else start_gearfast)() as started:
        yield started


def _gearman(server: Server, *words: str, given: str = "") -> Done:
    return run(peer("gearman"), "-h", server.host, "-p", str(server.port), *words, given=given)


def _launch(server: Server, *words: str) -> subprocess.Popen[str]:
    return launch(peer("gearman"), "-h", server.host, "-p", str(server.port), *words)


def _worker(server: Server, *words: str) -> subprocess.Popen[str]:
    """A worker which is known to the server when this returns."""

    def workers() -> int:
        with server.connect() as admin:
            return sum(int(line.split("\t")[3]) for line in admin.table("status"))

    before = workers()
    process = _launch(server, "-w", *words)
    until(lambda: workers() > before, "the worker has registered")
    return process


def _worked(process: subprocess.Popen[str]) -> str:
    """Wait for the end of a worker (-c) and return what it printed."""
    try:
        return process.communicate(timeout=60)[0]
    finally:
        finish(process)


def _admin(server: Server, *words: str) -> Done:
    return run(peer("gearadmin"), "-h", server.host, "-p", str(server.port), *words)


# From the least to the most urgent, and gearman's option for it.
LANES: list[tuple[str, list[str]]] = [("low", ["-L"]), ("normal", []), ("high", ["-I"])]

# --- gearman -------------------------------------------------------------------------------------------


def test_foreground(server: Server) -> None:
    """The result of a command comes back; so do large ones, and the worker ends after its count."""
    worker = _worker(server, "-f", "rev", "-c", "3", "rev")
    try:
        assert _gearman(server, "-f", "rev", given="hello\n").out == "olleh\n"
        assert _gearman(server, "-f", "rev", "argument").out.strip() == "tnemugra"
        large = "0123456789abcdef" * 20_000
        assert _gearman(server, "-f", "rev", given=large).out.strip() == large[::-1]
        assert worker.wait(60) == 0
    finally:
        finish(worker)


def test_lines_as_data(server: Server) -> None:
    """A worker with -n sends each line of its command as WORK_DATA; the client prefixes them with -P."""
    worker = _worker(server, "-f", "cat", "-n", "-c", "2", "cat")
    try:
        # This worker sends with each line all lines before it once more.
        assert _gearman(server, "-f", "cat", given="one\ntwo\n").out == "one\none\ntwo\n"
        assert _gearman(server, "-P", "-f", "cat", given="one\ntwo\n").out == "cat: one\ncat: one\ntwo\ncat: "
    finally:
        finish(worker)


def test_job_per_line(server: Server) -> None:
    """-n makes a job of each line; -N strips the line's end."""
    worker = _worker(server, "-f", "rev", "-c", "5", "rev")
    try:
        assert _gearman(server, "-n", "-f", "rev", given="ab\ncd\nef\n").out == "ba\ndc\nfe\n"
        assert _gearman(server, "-N", "-f", "rev", given="ab\ncd\n").out == "badc"
    finally:
        finish(worker)


def test_background_in_three_priorities(server: Server) -> None:
    """Queued low, normal, high; printed high, normal, low."""
    for name, option in LANES:
        for number in "12":
            done = _gearman(server, "-b", *option, "-f", "show", f"{name}{number} ")
            assert (done.code, done.err) == (0, "")
    assert _admin(server, "--priority-status").out == "show\t2\t2\t2\t0\n.\n"
    worker = _launch(server, "-w", "-f", "show", "-c", "6")
    assert _worked(worker).split() == ["high1", "high2", "normal1", "normal2", "low1", "low2"]


def test_foreground_priorities(server: Server) -> None:
    """The same in the foreground: three clients wait, served by priority."""
    clients = []
    try:
        for queued, (name, option) in enumerate(LANES, 1):
            words = [*option, "-f", "f", f"{name} "]
            clients.append(_launch(server, *words))
            until(lambda queued=queued: _total(server, "f") == queued, "the job is queued")  # type: ignore[misc]
        worker = _launch(server, "-w", "-f", "f", "-c", "3")
        assert _worked(worker).split() == ["high", "normal", "low"]
        assert [client.wait(60) for client in clients] == [0, 0, 0]
    finally:
        for client in clients:
            finish(client)


def _total(server: Server, function: str) -> int:
    with server.connect() as admin:
        for line in admin.table("status"):
            if line.startswith(function + "\t"):
                return int(line.split("\t")[1])
    return 0


def test_unique(server: Server) -> None:
    """Two background jobs with one unique id are one job, the first."""
    for text in ("first", "second"):
        assert _gearman(server, "-b", "-u", "same", "-f", "f", text).code == 0
    assert _gearman(server, "-b", "-u", "other", "-f", "f", " third").code == 0
    assert sorted(_admin(server, "--show-unique-jobs").out.split()) == [".", "other", "same"]
    assert _worked(_launch(server, "-w", "-f", "f", "-c", "2")) == "first third"


def test_failing_command(server: Server) -> None:
    """A command that exits with an error fails the job, and the client says so; failed is not tried again."""
    worker = _worker(server, "-f", "fail", "false")
    try:
        for _ in range(2):
            done = _gearman(server, "-f", "fail", "x")
            assert (done.code, done.out, done.err) == (1, "", "Job failed\n")
        assert _gearman(server, "-b", "-f", "fail", "x").code == 0
        until(lambda: _total(server, "fail") == 0, "the background job has failed for good")
    finally:
        finish(worker)


def test_timeout_of_client(server: Server) -> None:
    """A client that gives up (-t) leaves no job that anybody would run."""
    done = _gearman(server, "-t", "50", "-f", "f", "x")
    assert "GEARMAN_TIMEOUT" in done.err
    with server.connect() as worker:
        worker.request(wire.CAN_DO, "f")
        until(lambda: worker.call(wire.GRAB_JOB).type == wire.NO_JOB, "the abandoned job is gone", 5)


def test_several_functions(server: Server) -> None:
    """One client, two functions, two workers."""
    first, second = _worker(server, "-f", "a", "-c", "1", "cat"), _worker(server, "-f", "b", "-c", "1", "rev")
    try:
        done = _gearman(server, "-P", "-f", "a", "-f", "b", given="xyz")
        assert sorted(re.findall("[ab]: [xyz]{3}", done.out)) == ["a: xyz", "b: zyx"]
    finally:
        finish(first)
        finish(second)


# --- gearadmin -----------------------------------------------------------------------------------------

READS = ["--status", "--workers", "--priority-status", "--show-jobs", "--show-unique-jobs", "--getpid"]
OTHERS = [
    ["--server-version"],
    ["--server-verbose"],
    ["--create-function", "made"],
    ["--create-function", "made"],
    ["--drop-function", "made"],
    ["--drop-function", "made"],
    ["--drop-function", "busy"],
    ["--cancel-job", "H:nowhere:9"],
    ["--status"],
    ["--status", "--workers"],
]


def _masked(text: str, server: Server) -> list[str]:
    text = re.sub(r"H:[^:\s]+:", "H:host:", text)
    text = re.sub(rf"^{server.pid}$", "PID", text, flags=re.MULTILINE)
    text = re.sub(r"^\d+ 127\.0\.0\.1 ", "FD 127.0.0.1 ", text, flags=re.MULTILINE)
    text = re.sub(r"^v?\d+\.\d+(\.\d+)?\S*$", "VERSION", text, flags=re.MULTILINE)
    return sorted(text.splitlines(keepends=True))


def _session(server: Server) -> list[tuple[list[str], int, list[str], list[str]]]:
    """What gearadmin prints for each of its options, with some jobs and a worker there."""
    said = []
    with server.connect() as worker, server.connect() as client:
        worker.request(wire.SET_CLIENT_ID, "me")
        worker.request(wire.CAN_DO, "busy")
        worker.sync()
        client.call(wire.SUBMIT_JOB, "busy", "u1", payload="x")
        client.call(wire.SUBMIT_JOB_HIGH_BG, "busy", "u2", payload="x")
        client.call(wire.SUBMIT_JOB_LOW_BG, "idle", "", payload="x")
        assert worker.call(wire.GRAB_JOB).type == wire.JOB_ASSIGN
        handle = client.call(wire.SUBMIT_JOB_BG, "idle", "to be cancelled", payload="x").body.decode()
        for words in [*([read] for read in READS), *OTHERS, ["--cancel-job", handle]]:
            done = _admin(server, *words)
            shown = [re.sub(r"H:[^:]+:", "H:host:", word) for word in words]
            said.append((shown, done.code, _masked(done.out, server), _masked(done.err, server)))
    return said


def test_gearadmin_is_the_same() -> None:
    """Every option prints the same against both servers, but for pids, descriptors and the version."""
    with start_gearmand() as gearmand, start_gearfast() as gearfast:
        stock, ours = _session(gearmand), _session(gearfast)
    for theirs, mine in zip(stock, ours, strict=True):
        assert mine == theirs, theirs[0]


def test_gearadmin_prints(server: Server) -> None:
    """And what it prints is right: an end-to-end look at the most used options."""
    assert _admin(server, "--create-function", "f").out == "OK\n" or server.name == "gearmand"
    assert _gearman(server, "-b", "-f", "g", "x").code == 0
    assert _masked(_admin(server, "--status").out, server)[0] == ".\n"
    assert "g\t1\t0\t0\n" in _admin(server, "--status").out
    assert _admin(server, "--getpid").out.split() == [str(server.pid)]


# --- netcat --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_netcat_gets_its_whole_answer(end: str) -> None:
    """A pipe into netcat closes its sending side at once; stock answers that every second time."""
    with start_gearfast() as server:
        with server.connect() as client:
            for number in range(2000):
                client.request(wire.SUBMIT_JOB_BG, f"f{number}", "", payload="x")
            client.sync()
        for _ in range(20):
            done = run(peer("nc"), "-N", server.host, str(server.port), given=f"status{end}version{end}")
            assert done.out.count("\t1\t0\t0\n") == 2000
            assert re.search(r"\n\.\nOK \S+\n$", done.out)
