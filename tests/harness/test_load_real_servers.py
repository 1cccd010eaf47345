"""The load generator against the servers it is made for: what it says was done is what they say."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.errors import WrongAnswer
from tests.support.loading import load
from tests.support.peers import HOST, Server, free_port, peer, start, start_gearfast, start_gearmand, until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(name="server", params=["gearfast", "gearmand"])
def start_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A Gearman server with nothing in its queue."""
    with start_gearfast() if request.param == "gearfast" else start_gearmand() as server:
        yield server


def status(server: Server) -> dict[str, tuple[int, int, int]]:
    """Jobs, running jobs and workers of each function."""
    with server.connect() as connection:
        rows = [line.split("\t") for line in connection.table("status")]
    return {name: (int(total), int(running), int(workers)) for name, total, running, workers in rows}


def workers_left(server: Server) -> int:
    """How many workers the server knows."""
    return sum(workers for _, _, workers in status(server).values())


def test_jobs_are_submitted_then_worked(server: Server) -> None:
    many = load(server.port)
    many.clients(3, in_flight=7)
    outcome = many.run(1000)
    assert (outcome.jobs, sum(count for _, count in outcome.latencies)) == (1000, 1000)
    assert status(server)["work0"] == (1000, 0, 0)
    many.hang_up(["clients"])
    many.workers(4)
    assert status(server)["work0"] == (1000, 0, 4)
    outcome = many.run(400)
    assert (outcome.jobs, outcome.latencies) == (400, [])
    assert status(server)["work0"] == (600, 0, 4)
    assert many.run(600).jobs == 600
    assert status(server)["work0"] == (0, 0, 4)
    many.hang_up()
    until(lambda: workers_left(server) == 0, "the workers have gone")


def test_two_loads_play_one_server_with_functions_of_their_own(server: Server) -> None:
    one, two = load(server.port, stem="one"), load(server.port, stem="two")
    one.clients(2, in_flight=5)
    two.clients(2, in_flight=5)
    assert one.run(300).jobs == two.run(200).jobs + 100 == 300
    assert {name: row[0] for name, row in status(server).items()} == {"one0": 300, "two0": 200}
    two.workers(2)
    one.workers(2)
    two.hang_up(["clients"])
    assert two.run(200).jobs == 200
    assert status(server)["one0"][0] == 300


def test_background_jobs_are_submitted_and_worked_at_once(server: Server) -> None:
    many = load(server.port)
    many.clients(2, in_flight=20)
    many.workers(5)
    for jobs in (1, 500, 3):
        assert many.run(jobs).jobs == jobs
        assert status(server)["work0"] == (0, 0, 5)


def test_what_an_earlier_run_left_is_worked_too(server: Server) -> None:
    many = load(server.port)
    many.clients(1, in_flight=10)
    many.run(100)
    many.workers(2)
    assert many.run(50).jobs == 50
    assert status(server)["work0"] == (100, 0, 2)
    many.hang_up(["clients"])
    many.clients(1, in_flight=10, foreground=True)
    assert many.run(50).jobs == 50
    assert status(server)["work0"] == (0, 0, 2)


def test_results_come_back(server: Server) -> None:
    many = load(server.port)
    many.clients(3, in_flight=4, foreground=True, payload=200, unique=36, functions=5)
    many.workers(3, functions=5, result=3000)
    outcome = many.run(600)
    assert (outcome.jobs, sum(count for _, count in outcome.latencies)) == (600, 600)
    assert set(status(server).values()) == {(0, 0, 3)}
    assert many.run_at(2000, 400).jobs == 400
    assert set(status(server).values()) == {(0, 0, 3)}


def test_many_sleep_and_few_are_needed(server: Server) -> None:
    many = load(server.port)
    many.workers(150)
    many.clients(1, foreground=True)
    assert many.run(30).jobs == 30
    assert many.run(30).jobs == 30
    assert status(server)["work0"] == (0, 0, 150)


def test_a_job_goes_to_who_can_do_it(server: Server) -> None:
    many = load(server.port)
    many.clients(1, functions=2)
    many.run(2)
    many.hang_up(["clients"])
    many.workers(1, functions=1)
    many.workers(1, functions=2)
    # There is one job to take, and the first worker asks for it: in the second run in vain.
    assert (many.run(1).jobs, many.run(1).jobs) == (1, 1)
    assert status(server) == {"work0": (0, 0, 2), "work1": (0, 0, 1)}


@pytest.mark.parametrize("payload", [0, 7, 1 << 20])
def test_payloads_of_every_size(server: Server, payload: int) -> None:
    many = load(server.port)
    many.clients(2, in_flight=2, payload=payload)
    many.run(20)
    many.workers(2)
    many.hang_up(["clients"])
    assert many.run(20).jobs == 20
    many.clients(2, in_flight=2, foreground=True, payload=payload)
    assert many.run(20).jobs == 20


def test_callers_come_and_go(server: Server) -> None:
    many = load(server.port)
    many.callers(5)
    outcome = many.run(200)
    assert (outcome.jobs, sum(count for _, count in outcome.latencies)) == (200, 200)
    assert many.run_at(500, 100).jobs == 100
    assert status(server)["work0"][0] == 300
    many.workers(2)
    assert many.run(100).jobs == 100
    many.hang_up(["callers"])
    assert many.run(300).jobs == 300
    assert status(server)["work0"][0] == 0


def test_delayed_jobs_are_worked_when_they_are_due(server: Server) -> None:
    many = load(server.port)
    many.clients(1, in_flight=10, delay=1)
    assert many.run(40).jobs == 40
    assert status(server)["work0"][:2] == (40, 0)
    many.hang_up(["clients"])
    # Debian's gearmand wakes nobody when a job becomes due: the next to ask gets it.
    all_due = time.time() + 2
    until(lambda: time.time() > all_due, "all jobs are due")
    many.workers(2)
    assert many.run(40).jobs == 40


def test_the_others_do_not_disturb(server: Server) -> None:
    many = load(server.port)
    many.idle(200)
    many.deaf(1, most=1 << 22)
    for command in ("status", "workers", "show jobs", "version"):
        many.poll(command, hertz=200)
    many.clients(2, in_flight=5, foreground=True, functions=3)
    many.workers(2, functions=3)
    outcome = many.run(2000)
    assert outcome.jobs == 2000
    assert sum(count for _, count in outcome.polls) >= 4
    assert many.run_at(1000, 200).jobs == 200


@contextlib.contextmanager
def start_beanstalkd() -> Iterator[Server]:
    """Debian's beanstalkd on a free port, empty."""
    port = free_port()
    program = peer("beanstalkd")
    with start("beanstalkd", [program, "-l", HOST, "-p", str(port)], port, ready=False) as server:
        until(lambda: listens(port), "beanstalkd listens")
        yield server


def listens(port: int) -> bool:
    """Whether anybody accepts connections there."""
    with contextlib.suppress(OSError):
        socket.create_connection((HOST, port)).close()
        return True
    return False


def left_in(server: Server) -> int:
    """How many jobs beanstalkd still has."""
    with server.connect() as connection:
        assert connection.admin("stats\r").startswith(b"OK ")
        text = connection.recv_until(b"\r\n")
    counts = dict(line.split(b": ") for line in text.splitlines() if b": " in line)
    return sum(int(counts[b"current-jobs-" + kind]) for kind in (b"ready", b"reserved", b"delayed", b"buried"))


def test_a_unix_socket() -> None:
    with tempfile.TemporaryDirectory() as folder:  # tmp_path may be too long a path for one
        path = f"{folder}/{'x' * (107 - len(folder) - 1)}"
        with start_gearfast(f"--listen=unix:{path}") as server:
            until(lambda: Path(path).is_socket(), "it listens there too")
            many = load(1, path=path)
            many.clients(3, in_flight=4, foreground=True)
            many.workers(2)
            assert many.run(200).jobs == 200
            assert status(server)["work0"] == (0, 0, 2)
            with server.connect() as admin:
                assert sum(" unix " in line for line in admin.table("workers")) == 5
            many.hang_up()
            with pytest.raises(ConnectionError, match="cannot connect"):
                load(server.port, path=f"{folder}/nobody").clients(1)


def test_beanstalkd() -> None:
    with start_beanstalkd() as server:
        many = load(server.port, protocol="beanstalk")
        many.idle(20)
        many.clients(3, in_flight=7, payload=100)
        assert many.run(500).jobs == 500
        assert left_in(server) == 500
        many.hang_up(["clients"])
        many.workers(4)
        assert many.run(400).jobs == 400
        assert left_in(server) == 100
        assert many.run(100).jobs == 100
        many.clients(2, in_flight=3, payload=0)
        for jobs in (1, 300):
            outcome = many.run(jobs)
            assert (outcome.jobs, sum(count for _, count in outcome.latencies)) == (jobs, jobs)
            assert left_in(server) == 0
        assert many.run_at(1000, 100).jobs == 100
        many.hang_up(["clients"])
        many.callers(2)
        many.deaf(1, most=1 << 20)
        assert many.run(100).jobs == 100
        assert left_in(server) == 0


def test_beanstalkd_with_more_workers_than_jobs() -> None:
    with start_beanstalkd() as server:
        many = load(server.port, protocol="beanstalk")
        many.workers(50)
        many.clients(1)
        assert many.run(1_000_000_000, seconds=0.2).jobs > 0
        assert many.run(5).jobs == 5
        assert left_in(server) == 0


def test_beanstalkd_that_refuses() -> None:
    with start_beanstalkd() as server:
        many = load(server.port, protocol="beanstalk")
        many.clients(1, payload=100_000)
        with pytest.raises(WrongAnswer, match="client 0: b'JOB_TOO_BIG' came"):
            many.run(1)
