"""The programs of the two articles, run by php with the gearman extension.

They run against Debian's gearmand too: a failure there is a fault of the test.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peers import PROJECT, Server, finish, launch, peer, run, start_gearfast, start_gearmand, until

SEEDS = PROJECT / "tests" / "seeds"

ORDER = (
    "Processing tasks uid:test user id--title:Add a code title that requires asynchronous execution at the delay"
    "--body:Execute the details of this asynchrony success\n"
)
MAIL = "test@gmail.com|{}|Это тестовое сообщение\n"


@pytest.fixture(params=["gearmand", "gearfast"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Either server, fresh."""
    with (start_gearmand if request.param == "gearmand" else start_gearfast)() as started:
        yield started


def _php(program: str, *words: str, servers: str, **environment: str) -> str:
    done = run(peer("php"), SEEDS / program, *words, environment={"JOB_SERVERS": servers, **environment})
    assert (done.code, done.err) == (0, ""), done
    return done.out


def _worker(program: str, servers: str, **environment: str) -> subprocess.Popen[str]:
    return launch(peer("php"), SEEDS / program, environment={"JOB_SERVERS": servers, **environment})


def _ready(server: Server, function: str, jobs: int | None = None) -> bool:
    """Whether there is a worker for the function (and so many jobs)."""
    with server.connect() as admin:
        for line in admin.table("status"):
            name, total, _running, workers = line.split("\t")
            if name == function:
                return int(workers) > 0 and jobs in (None, int(total))
    return False


def test_delayed_order(server: Server) -> None:
    """add_job.php is done at once; work_job.php, already waiting, prints after its sleep."""
    worker = _worker("work_job.php", server.address, JOBS="2")
    try:
        until(lambda: _ready(server, "runLaterJob"), "a worker for runLaterJob")
        assert _php("add_job.php", servers=server.address, SLEEP_TIME="2").startswith("added H:")
        assert worker.poll() is None
        _php("add_job.php", servers=server.address, SLEEP_TIME="1")
        out, err = worker.communicate(timeout=60)
    finally:
        finish(worker)
    assert (out, err, worker.returncode) == (ORDER * 2, "", 0)
    with server.connect() as admin:
        assert admin.table("show jobs") == []


def test_order_before_worker(server: Server) -> None:
    """The order waits for the worker, as after a reboot of the worker's machine."""
    _php("add_job.php", servers=server.address, SLEEP_TIME="1")
    out = _php("work_job.php", servers=server.address, JOBS="1")
    assert out == ORDER


def test_mail_in_three_priorities(server: Server, tmp_path: Path) -> None:
    """Queued low, normal, high; sent high, normal, low, and in order within each."""
    mailbox = tmp_path / "mailbox"
    words = ["low:l1", "normal:n1", "high:h1", "low:l2", "normal:n2", "high:h2"]
    _php("mail_client.php", *words, servers=server.address)
    with server.connect() as admin:
        assert admin.table("prioritystatus") == ["sendmail\t2\t2\t2\t0"]
    _php("mail_worker.php", servers=server.address, JOBS="6", MAILBOX=str(mailbox))
    assert mailbox.read_text() == "".join(MAIL.format(name) for name in ("h1", "h2", "n1", "n2", "l1", "l2"))


def test_mail_while_worker_waits(server: Server) -> None:
    """One mail after the other to a sleeping worker."""
    worker = _worker("mail_worker.php", server.address, JOBS="3")
    try:
        until(lambda: _ready(server, "sendmail"), "a worker for sendmail")
        for priority in ("normal", "low", "high"):
            _php("mail_client.php", f"{priority}:{priority}", servers=server.address)
            until(lambda: _ready(server, "sendmail", 0) or worker.poll() is not None, "the mail is sent")
        out, err = worker.communicate(timeout=60)
    finally:
        finish(worker)
    assert (out, err) == ("".join(MAIL.format(name) for name in ("normal", "low", "high")), "")


def test_worker_killed_with_mail_in_hand(server: Server) -> None:
    """The order of a worker that is killed is done by the next one."""
    _php("add_job.php", servers=server.address, SLEEP_TIME="60")
    _php("add_job.php", servers=server.address, SLEEP_TIME="0")
    first = _worker("work_job.php", server.address)
    try:
        with server.connect() as admin:
            until(lambda: admin.table("status") == ["runLaterJob\t2\t1\t1"], "the first job is running")
            first.kill()
            until(lambda: admin.table("status") == ["runLaterJob\t2\t0\t0"], "the job is back in the queue")
    finally:
        finish(first)
    assert _php("work_job.php", servers=server.address, JOBS="1") == ORDER
    with server.connect() as admin:
        assert [line.split("\t")[1] for line in admin.table("show jobs")] == ["1"]


@pytest.mark.parametrize("kind", ["gearmand", "gearfast"])
def test_several_servers(kind: str) -> None:
    """addServers: one worker serves two servers, whichever of them a client has chosen."""
    start = start_gearmand if kind == "gearmand" else start_gearfast
    with start() as one, start() as two:
        both = f"{one.address},{two.address}"
        _php("mail_client.php", "normal:to one", servers=one.address)
        _php("mail_client.php", "normal:to two", servers=two.address)
        _php("mail_servers.php", "to any", servers=both)
        with one.connect() as first, two.connect() as second:
            queued = [line.split("\t")[:2] for admin in (first, second) for line in admin.table("status")]
        assert sorted(queued) == [["sendmail", "1"], ["sendmail", "2"]]
        out = _php("mail_worker.php", servers=both, JOBS="3")
        assert sorted(out.splitlines(keepends=True)) == [MAIL.format(name) for name in ("to any", "to one", "to two")]


def test_foreground_tasks(server: Server) -> None:
    """Results, data, warnings, progress, failure and exception reach the task's callbacks in order."""
    worker = _worker("tasks_worker.php", server.address, JOBS="16")
    try:
        out = _php("tasks_client.php", servers=server.address)
        told = worker.communicate(timeout=60)[1]
    finally:
        finish(worker)
    lines = out.splitlines()
    assert lines[:3] == ["reverse: olleH", "high: b\0a", "low: zyx"]
    assert lines[3:11] == [
        "warning slowly",
        *(line for n, letter in enumerate("abc", 1) for line in (f"data {letter}", f"status {n}/3")),
        "complete spell abc (unique-spell)",
    ]
    assert lines[11:13] == ["failed fail", "exception it broke"]
    numbers, end = lines[-2].removeprefix("all: ").split()[:-1], lines[-2].split()[-1]
    assert (sorted(numbers), end) == (sorted(str(n)[::-1] for n in range(10, 20)), "done")
    assert lines[-1] == "background: [true,false,0,0]"
    assert set(told.splitlines()) <= {"code 0", "code 27"}
