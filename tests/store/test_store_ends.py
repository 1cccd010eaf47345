"""What brought the first writer into trouble: two writes at a time, nobody who looks, and ends that were none."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gearfast import Config
from gearfast import Server as Gearfast
from gearfast.errors import StoreError
from gearfast.store.contract import Batch, StoredJob
from tests.store.test_durable import BACKGROUND, grab, worker_of
from tests.support import wire
from tests.support.durable import Contents, Obedient, Served, serving
from tests.support.peers import HOST, until
from tests.support.wire import Connection
from tests.whole.test_tls import issue

SOON: dict[str, Any] = {"store_timeout": 0.3, "store_retry": (0.01, 0.05)}


class Shaky(Obedient):
    """A store whose writes take their time, and fail at random once it is told to."""

    def __init__(self, contents: Contents | None = None) -> None:
        super().__init__(contents)
        self.random = random.Random(5)
        self.failing = 0.0

    async def write(self, batch: Batch) -> None:
        """Take a moment, or fail."""
        await asyncio.sleep(self.random.choice((0.0, 0.005)))
        if self.random.random() < self.failing:
            raise StoreError("not now")
        await super().write(batch)


def acknowledged(served: Served, clients: list[Connection], rounds: int) -> set[int]:
    """Submit ten jobs on each connection again and again; the numbers of those that were in the store in time."""
    numbers = set()
    for _ in range(rounds):
        for client in clients:
            client.send(wire.request(BACKGROUND, "f", "", payload="x") * 10)
        for client in clients:
            for _ in range(10):
                number = int(client.recv_packet().body.rpartition(b":")[2])
                assert number in served.store.contents.jobs, "acknowledged before it was stored"
                numbers.add(number)
    return numbers


def test_one_write_at_a_time_when_numbers_run_out_under_load() -> None:
    store = Shaky()
    with serving(store, store_numbers=100, store_retry=(0.001, 0.005)) as served:
        store.failing = 0.2
        clients = [served.connect() for _ in range(3)]
        numbers = acknowledged(served, clients, 40)
        store.failing = 0.0
        for client in clients:
            client.close()
        served.stop()
    assert numbers == set(store.contents.jobs)


def test_one_write_at_a_time_when_clients_that_waited_are_read_again() -> None:
    with serving(store_backlog=1000) as served, served.connect() as client:
        client.send(wire.request(BACKGROUND, "f", "", payload="x" * 600) * 50)
        assert [client.recv_packet().name for _ in range(50)] == ["JOB_CREATED"] * 50


def test_every_submit_is_answered_while_the_store_is_away_and_a_worker_has_the_job() -> None:
    with serving(**SOON) as served, served.connect() as client, served.connect() as worker:
        worker_of(worker, "f")
        served.store.trouble = StoreError("away")
        for _ in range(3):
            client.request(BACKGROUND, "f", "", payload="x")
            while grab(worker) == (b"", b""):
                pass
            assert client.recv_packet().name == "ERROR"


@contextlib.contextmanager
def serving_tls(folder: Path, **settings: Any) -> Iterator[tuple[Served, Connection, Connection]]:
    """A server, and two connections to it, all with TLS."""
    authority = issue(folder, "authority")
    files = issue(folder, "server", authority)
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.check_hostname = False
    settings |= {"ssl": True, "ssl_certificate": str(files.certificate), "ssl_key": str(files.key)}
    with serving(**settings) as served, served.connect() as one, served.connect() as other:
        for connection in (one, other):
            connection.sock = context.wrap_socket(connection.sock, server_hostname="localhost")
        yield served, one, other


@pytest.mark.parametrize("way", ["close", "reset"])
def test_a_tls_worker_that_leaves_with_a_job_is_news_for_the_store(tmp_path: Path, way: str) -> None:
    with serving_tls(tmp_path) as (served, client, worker):
        client.call(BACKGROUND, "f", "", payload="x")
        grab(worker_of(worker, "f"))
        getattr(worker, way)()
        until(lambda: served.store.contents.jobs[1].attempts == 1, "the attempt is written")
        client.close()
        served.stop()


def test_a_store_that_is_cancelled_from_within_has_failed_like_any_other() -> None:
    with serving(**SOON) as served, served.connect() as client:
        served.store.trouble = asyncio.CancelledError()
        assert client.call(BACKGROUND, "f", "", payload="x").name == "ERROR"
        served.store.trouble = None
        assert client.call(BACKGROUND, "f", "", payload="x").name == "JOB_CREATED"


def test_no_number_is_given_out_that_the_store_does_not_know_to_be_in_use() -> None:
    with serving(store_numbers=100, **SOON) as served, served.connect() as client:
        served.store.trouble = StoreError("away")
        answers = [client.call(wire.SUBMIT_JOB, "f", "", payload="x") for _ in range(101)]
        assert [answer.name for answer in answers] == ["JOB_CREATED"] * 100 + ["ERROR"]
        assert answers[100].args() == [b"QUEUE_ERROR", b"No job numbers are left until the store is back"]
        served.store.trouble = None
        until(lambda: int(served.store.contents.metadata["ceiling"]) > 100, "more numbers are reserved")
        assert client.call(BACKGROUND, "f", "", payload="x").name == "JOB_CREATED"


def test_a_refused_job_that_may_be_in_the_store_is_gone_after_an_orderly_stop() -> None:
    contents = Contents()
    with serving(Obedient(contents), **SOON) as served, served.connect() as client, served.connect() as other:
        assert client.call(wire.SUBMIT_JOB, "f", "u", payload="1").body == b"H:t:1"
        served.store.trouble_afterwards = StoreError("lost the connection during COMMIT")
        assert other.call(BACKGROUND, "f", "u", payload="1").name == "ERROR"
        served.store.trouble_afterwards = None
        served.stop()
    assert contents.jobs == {}


def test_a_refused_job_that_is_asked_for_again_and_ends_at_once_is_gone_from_the_store() -> None:
    contents = Contents()
    with serving(Obedient(contents), **SOON) as served, served.connect() as client, served.connect() as other:
        client.call(wire.SUBMIT_JOB, "f", "u", payload="1")
        served.store.trouble_afterwards = StoreError("lost the connection during COMMIT")
        other.request(BACKGROUND, "f", "u", payload="1")
        until(lambda: 1 in contents.jobs, "job 1 is in the store")
        served.store.trouble = StoreError("away")
        assert other.recv_packet().name == "ERROR"
        handle, _ = grab(worker_of(other, "f"))
        # In one turn of the server: nothing is handed to the store in between.
        again = wire.request(BACKGROUND, "f", "u", payload="1")
        other.send(again + wire.request(wire.WORK_COMPLETE, handle, payload="done"))
        assert client.recv_packet().name == "WORK_COMPLETE"
        served.store.trouble = served.store.trouble_afterwards = None
        served.stop()
    assert contents.jobs == {}


def test_attempts_count_over_restarts_when_everything_is_written_at_the_end() -> None:
    contents = Contents()
    for runs in (1, 2):
        with serving(Obedient(contents), store_on_shutdown=True) as served, served.connect() as client:
            if runs == 1:
                client.call(BACKGROUND, "f", "", payload="x")
            worker = worker_of(served.connect(), "f")
            grab(worker)
            worker.close()
            while f"H:t:1\t{runs}\t0\t1" not in client.table("show jobs"):
                pass
            served.stop()
        assert contents.jobs[1].attempts == runs


def test_a_slow_store_is_given_the_time_it_needs_at_the_end() -> None:
    contents = Contents()
    store = Obedient(contents)
    settings: dict[str, Any] = {"store_on_shutdown": True, "store_last_writes": 0.2, "store_batch": 10}
    with serving(store, **settings) as served, served.connect() as client:
        client.send(wire.request(BACKGROUND, "f", "", payload="x") * 300)
        for _ in range(300):
            client.recv_packet()
        store.delay = 0.02
        served.stop()
    assert len(contents.jobs) == 300


class Endless(Obedient):
    """A store that has more jobs than anybody can wait for."""

    async def replay(self) -> AsyncIterator[list[StoredJob]]:
        """Never end."""
        await asyncio.Event().wait()
        yield []


def test_a_stop_is_heeded_while_the_store_replays() -> None:
    async def main() -> None:
        store = Endless()
        server = Gearfast(Config(listen=(HOST,), port=0), [], store)
        start = asyncio.create_task(server.start())
        while not store.is_open:
            await asyncio.sleep(0)
        server.stop()
        with pytest.raises(StoreError, match="told to stop"):
            await start
        assert not store.is_open

    uvloop.run(main())


def test_what_is_in_the_store_already_is_not_written_once_more_at_the_end() -> None:
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client:
        client.call(BACKGROUND, "f", "", payload="1")
        served.stop()
    with serving(Obedient(contents), store_on_shutdown=True) as served, served.connect() as client:
        client.call(BACKGROUND, "f", "", payload="2")
        served.stop()
        assert [job.payload for batch in served.store.asked for job in batch.adds] == [b"2"]
    assert sorted(job.payload for job in contents.jobs.values()) == [b"1", b"2"]
