"""The end of a server whose store is away or hangs, or has jobs that nobody does: soon, and with a word about it."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gearfast.logs import NOTICE
from tests.store.test_durable import finish, grab, submit, worker_of
from tests.support import wire
from tests.support.databases import Database, MariaDb, PostgreSql, Redis
from tests.support.durable import Obedient, serving
from tests.support.peers import Server, start_gearfast, until
from tests.support.processes import log_of, wait_for_line
from tests.support.wire import Connection
from tests.whole.test_drain import drain

NOTICED = "--verbose=NOTICE"


@pytest.fixture(name="database", scope="module", params=[PostgreSql, MariaDb, Redis])
def make_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with request.param() as database:
        yield database


def told(server: Server, number: signal.Signals = signal.SIGTERM) -> float:
    """Tell it to end; the moment."""
    server.process.send_signal(number)
    return time.monotonic()


@pytest.mark.parametrize("how", ["freeze", "kill"])
def test_a_stop_with_nothing_to_lose_takes_five_seconds_whatever_the_database_does(
    database: Database, how: str
) -> None:
    with start_gearfast(f"--store={database.url}", NOTICED) as server:
        with server.connect() as client:
            submit(client, 10)
        getattr(database, how)()
        finish(server, 3)
        began = told(server)
        assert server.process.wait(30) == 0
        took = time.monotonic() - began
        database.thaw() if how == "freeze" else database.start()
        assert took < 8
        wait_for_line(
            server, "3 ended jobs may be run once more after the next start, because the store did not delete it: "
        )
    with start_gearfast(f"--store={database.url}", NOTICED) as server:
        with server.connect() as client:
            [(left, _, _)] = [line.split("\t")[1:] for line in client.table("status")]
        assert 7 <= int(left) <= 10, "the database may have done in the end what it was asked for"
        finish(server, int(left))
        assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once_and_says_what_is_missing(tmp_path: Path, number: signal.Signals) -> None:
    """Jobs would be lost, so the first one lets it wait for a minute."""
    path = tmp_path / "jobs.db"
    with (
        start_gearfast(f"--store=sqlite:{path}", "--store-queue-on-shutdown") as server,
        server.connect() as client,
    ):
        pid_file = server.log.with_name("server.pid")
        until(pid_file.exists, "it is there: it is written when the server listens")
        submit(client, 5)
        path.rename(tmp_path / "away")
        path.write_text("something else")
        told(server)
        assert client.read_to_end() == b""
        wait_for_line(server, "The store is unavailable")
        assert server.alive()
        began = told(server, number)
        assert server.process.wait(20) == 1
        assert time.monotonic() - began < 3
        last = log_of(server).splitlines()[-1]
        assert last.endswith(
            "was told a second time to stop, and ended at once: 5 acknowledged jobs could not be written to it"
        )
        assert not pid_file.exists()


def test_a_second_signal_while_the_database_hangs_in_the_replay(database: Database) -> None:
    database.freeze()
    try:
        with start_gearfast(f"--store={database.url}", NOTICED, ready=False) as server:
            until(lambda: signal.SIGTERM in handled_by(server.pid), "it has its handlers")
            told(server)
            told(server)
            assert server.process.wait(10) in (0, 1)
    finally:
        database.thaw()


def handled_by(pid: int) -> set[signal.Signals]:
    """The signals that a process has handlers for (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    mask = int(status.partition("SigCgt:")[2].split()[0], 16)
    return {number for number in signal.Signals if mask >> (number - 1) & 1}


# --- a drain ---


def alone(path: Path, *words: str) -> Iterator[tuple[Server, Connection]]:
    """A server with a store, and a client of it."""
    with start_gearfast(f"--store=sqlite:{path}", NOTICED, *words) as server, server.connect() as client:
        yield server, client


@pytest.fixture(name="drained")
def make_drained(tmp_path: Path) -> Iterator[tuple[Server, Connection]]:
    yield from alone(tmp_path / "jobs.db")


def left(path: Path) -> list[tuple[bytes, float]]:
    """Functions and due times of the jobs in a file that nobody uses."""
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT function_name, due FROM gearfast_gearman_queue ORDER BY number"
        return connection.execute(sql).fetchall()


def test_a_drain_leaves_to_the_store_what_is_safe_there(drained: tuple[Server, Connection], tmp_path: Path) -> None:
    """A job due in 2100, and one that no worker does."""
    server, client = drained
    submit(client, 1)
    assert client.call(wire.SUBMIT_JOB_EPOCH, "g", "", "4102444800", payload="").name == "JOB_CREATED"
    server.process.send_signal(signal.SIGUSR1)
    assert server.process.wait(20) == 0
    wait_for_line(server, "Draining: 0 running jobs, and 0 foreground jobs, are waited for; of 2 in all the others ")
    assert left(tmp_path / "jobs.db") == [(b"f", 0.0), (b"g", 4102444800.0)]


def test_a_drain_waits_for_what_runs_and_begins_nothing_else(
    drained: tuple[Server, Connection], tmp_path: Path
) -> None:
    server, client = drained
    submit(client, 3)
    with server.connect() as worker, server.connect() as sleeper:
        worker_of(worker, "f")
        handle, _ = grab(worker)
        drain(server)
        for connection in (worker, worker_of(sleeper, "f")):
            assert grab(connection) == (b"", b"")
            connection.request(wire.PRE_SLEEP)
            assert connection.sync() == b"", "it may sleep"
        submit(client, 1)
        assert sleeper.sync() == b"", "nobody is woken"
        wait_for_line(server, "Draining: 1 running jobs, and 0 foreground jobs, are waited for")
        worker.request(wire.WORK_COMPLETE, handle, payload="")
        assert server.process.wait(20) == 0
    assert len(left(tmp_path / "jobs.db")) == 3


def test_a_drain_waits_for_clients_that_wait(drained: tuple[Server, Connection], tmp_path: Path) -> None:
    """Their jobs are in no store. So workers go on until there is none left."""
    server, client = drained
    submit(client, 1)
    with server.connect() as waiting, server.connect() as worker:
        assert waiting.call(wire.SUBMIT_JOB, "f", "", payload="fore").name == "JOB_CREATED"
        drain(server)
        assert waiting.call(wire.SUBMIT_JOB, "f", "", payload="fore too").name == "JOB_CREATED"
        worker_of(worker, "f")
        done = []
        while (found := grab(worker))[0]:
            done.append(found[1])
            worker.request(wire.WORK_COMPLETE, found[0], payload="done")
            if found[1] == b"fore too":
                break
        assert [waiting.recv_packet().name for _ in range(2)] == ["WORK_COMPLETE"] * 2
        assert server.process.wait(20) == 0
    assert done == [b"x", b"fore", b"fore too"]
    assert left(tmp_path / "jobs.db") == []


def test_a_drain_with_a_store_ends_when_the_last_client_leaves(drained: tuple[Server, Connection]) -> None:
    server, client = drained
    submit(client, 1)
    with server.connect() as waiting:
        waiting.call(wire.SUBMIT_JOB, "f", "u", payload="fore")
        drain(server)
        waiting.close()
        assert server.process.wait(20) == 0


def test_a_drain_is_given_up_when_it_has_taken_long_enough(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    for server, client in alone(path, "--drain-timeout=0.2"):
        submit(client, 2)
        with server.connect() as worker:
            grab(worker_of(worker, "f"))
            server.process.send_signal(signal.SIGUSR1)
            assert server.process.wait(20) == 0
        wait_for_line(server, "Draining took 0.2 s and is given up: 1 running jobs, and 0 foreground jobs, are ")
    assert len(left(path)) == 2


def test_without_a_store_everything_is_waited_for_and_that_is_said() -> None:
    with start_gearfast(NOTICED, "--drain-timeout=1") as server, server.connect() as client:
        submit(client, 2)
        assert client.call(wire.SUBMIT_JOB_EPOCH, "g", "", "4102444800", payload="").name == "JOB_CREATED"
        began = told(server, signal.SIGUSR1)
        assert server.process.wait(20) == 0
        assert time.monotonic() - began >= 1
        said = "Draining: 3 jobs are waited for, 0 of them running, 1 not due yet (the first at 2"
        wait_for_line(server, said)


def test_a_drain_says_now_and_then_what_it_waits_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(NOTICE, "gearfast")
    with serving(Obedient(), drain_log_interval=0.02) as served, served.connect() as client, served.connect() as worker:
        submit(client, 2)
        handle, _ = grab(worker_of(worker, "f"))
        served.loop.call_soon_threadsafe(served.server.drain)
        served.loop.call_soon_threadsafe(served.server.drain)  # once is enough
        until(lambda: sum("Draining: 1 running" in text for text in caplog.messages) > 3, "it is said again")
        worker.request(wire.WORK_COMPLETE, handle, payload="")
        served.thread.join(20)
        assert not served.thread.is_alive()
    assert served.store.numbers() == [2]


def test_a_drain_while_the_store_replays_ends_the_start(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with closing(sqlite3.connect(path)) as holder:
        holder.execute("CREATE TABLE t (a)")
        holder.execute("BEGIN EXCLUSIVE")  # so that the start takes half a second
        with start_gearfast(f"--store=sqlite:{path}", ready=False) as server:
            until(lambda: not server.alive() or signal.SIGUSR1 in handled_by(server.pid), "it has its handlers")
            server.process.send_signal(signal.SIGUSR1)
            assert server.process.wait(20) == 0
