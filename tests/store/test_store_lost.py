"""A store that has lost what it had, while the server runs: the server has it still, and gives it everything again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gearfast.errors import StoreError, StoreLostError
from gearfast.store.contract import Batch
from tests.store.test_durable import BACKGROUND, grab, submit, worker_of
from tests.store.test_store_away import said
from tests.support import wire
from tests.support.durable import Contents, Obedient, serving
from tests.support.peers import Server, start_gearfast, until
from tests.support.processes import wait_for_line
from tests.support.wire import Connection

SOON: dict[str, Any] = {"store_timeout": 0.5, "store_retry": (0.01, 0.05)}


class Forgetful(Obedient):
    """A store that loses everything when it is told to, and notices when it is to write something."""

    def __init__(self, contents: Contents | None = None) -> None:
        super().__init__(contents)
        self.lost = False
        self.trouble_after_loss: Exception | None = None

    def lose(self) -> None:
        """Lose everything."""
        self.contents.jobs.clear()
        self.contents.metadata.clear()
        self.lost = True

    async def write(self, batch: Batch) -> None:
        """Say once that everything is lost, or write."""
        if self.lost:
            self.lost = False
            self.trouble, self.trouble_after_loss = self.trouble_after_loss, None
            raise StoreLostError("somebody dropped it")
        await super().write(batch)


def test_every_job_and_every_fact_is_written_again(caplog: pytest.LogCaptureFixture) -> None:
    store = Forgetful()
    with serving(store) as served, served.connect() as client, served.connect() as worker:
        submit(client, 3000)
        worker_of(worker, "f")
        grab(worker)
        metadata = dict(store.contents.metadata)
        store.lose()
        assert client.call(BACKGROUND, "f", "", payload="new").body == b"H:t:3001"
        assert 3001 in store.contents.jobs
        until(lambda: store.numbers() == list(range(1, 3002)), "all of them are there again")
        assert store.contents.metadata == metadata
        assert said(caplog, "somebody dropped it. The store begins anew, and the 3000 jobs that it had are ") == 1
        assert said(caplog, "All jobs are in the store again") == 1


def test_what_ends_meanwhile_is_not_in_it_afterwards() -> None:
    store = Forgetful()
    with serving(store, **SOON) as served, served.connect() as client, served.connect() as worker:
        submit(client, 100)
        worker_of(worker, "f")
        handles = [grab(worker)[0] for _ in range(40)]
        store.lose()
        store.gate.clear()
        client.request(BACKGROUND, "f", "", payload="new")
        store.wait_asked(1)
        for handle in handles:
            worker.request(wire.WORK_COMPLETE, handle, payload="")
        worker.sync()
        store.gate.set()
        until(lambda: store.numbers() == list(range(41, 102)), "what is left is there")


def test_nobody_is_told_that_a_job_is_stored_which_was_lost() -> None:
    """Not even one that was acknowledged before: its store is as empty as if it had never been written."""
    store = Forgetful()
    with serving(store) as served, served.connect() as client, served.connect() as other:
        client.call(BACKGROUND, "f", "u", payload="x")
        store.lose()
        store.trouble_after_loss = StoreError("away")
        client.request(BACKGROUND, "f", "", payload="new")
        until(lambda: not store.lost, "it is noticed")
        other.request(BACKGROUND, "f", "u", payload="x")
        with served.connect() as third:
            until(lambda: len(store.asked) > 5, "it is tried again")
            assert len(third.table("show jobs")) == 2
            store.trouble = None
        assert other.recv_packet().body == b"H:t:1"
        assert 1 in store.contents.jobs


def test_what_was_acknowledged_is_never_refused_however_long_it_takes() -> None:
    store = Forgetful()
    with serving(store, **SOON) as served, served.connect() as client:
        submit(client, 10)
        worker = worker_of(served.connect(), "f")
        grab(worker)
        store.lose()
        store.trouble_after_loss = StoreError("away")
        assert client.call(BACKGROUND, "f", "", payload="new").name == "ERROR"
        worker.close()
        assert client.call(BACKGROUND, "f", "", payload="new").name == "ERROR"
        assert len(client.table("show jobs")) == 10
        store.trouble = None
        until(lambda: store.numbers() == list(range(1, 11)), "all of them are there again")
        until(lambda: store.contents.jobs[1].attempts == 1, "and as they are now")


def test_one_that_it_does_not_take_the_second_time_is_tried_for_ever_and_is_in_nobodys_way() -> None:
    class Picky(Forgetful):
        picky = False

        async def write(self, batch: Batch) -> None:
            if self.picky and any(job.number == 7 for job in batch.adds):
                self.asked.append(batch)
                raise StoreError("not that one")
            await super().write(batch)

    store = Picky()
    with serving(store, **SOON) as served, served.connect() as client:
        submit(client, 100)
        store.lose()
        store.picky = True
        submit(client, 1)
        until(lambda: store.numbers() == [*range(1, 7), *range(8, 102)], "the others are there again")
        asked = len(store.asked)
        until(lambda: len(store.asked) > asked + 2, "it is tried again")
        store.picky = False
        until(lambda: 7 in store.contents.jobs, "it is there again")


def test_an_orderly_stop_writes_everything_again_before_it_ends() -> None:
    store = Forgetful()
    with serving(store) as served, served.connect() as client:
        submit(client, 2500)
        store.lose()
        served.stop()
    assert store.numbers() == list(range(1, 2501))
    assert store.contents.metadata["ceiling"] == "2500"


def test_an_orderly_stop_says_what_it_could_not_write_again() -> None:
    store = Forgetful()
    with serving(store, store_last_writes=0.5, **SOON) as served, served.connect() as client:
        submit(client, 25)
        store.lose()
        store.trouble_after_loss = StoreError("away for good")
        with pytest.raises(StoreError, match="25 acknowledged jobs could not be written to it: away for good"):
            served.stop()


def test_with_everything_written_at_the_end_what_was_there_before_is_written_too() -> None:
    contents = Contents()
    with serving(Forgetful(contents)) as served, served.connect() as client:
        submit(client, 30)
        served.stop()
    store = Forgetful(contents)
    with serving(store, store_on_shutdown=True) as served, served.connect() as client:
        submit(client, 5)
        store.lose()
        served.stop()
    assert store.numbers() == list(range(1, 36))


# --- a real file ---


def kept(path: Path) -> int:
    """How many jobs are in a file that nobody uses."""
    with closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute("SELECT count(*) FROM gearfast_gearman_queue").fetchone()[0]
        return count


def status(server: Server, client: Connection) -> list[str]:
    """The line of the one function."""
    assert server.alive()
    return client.table("status")


@pytest.mark.parametrize("names", [["jobs.db"], ["jobs.db-wal"], ["jobs.db", "jobs.db-wal"]], ids="+".join)
def test_a_file_that_is_deleted_while_the_server_runs_costs_nothing(tmp_path: Path, names: list[str]) -> None:
    """As reported: jobs were acknowledged into a deleted file, and the restart that was advised lost all others."""
    path = tmp_path / "jobs.db"
    with start_gearfast(f"--store=sqlite:{path}") as server, server.connect() as client:
        submit(client, 150)
        for name in names:
            (tmp_path / name).unlink()
        submit(client, 50)
        wait_for_line(server, "All jobs are in the store again")
        wait_for_line(server, f"{names[0]} was deleted or moved away while in use. The store begins anew")
        assert status(server, client) == ["f\t200\t0\t0"]
        server.process.kill()
        server.process.wait()
    with start_gearfast(f"--store=sqlite:{path}") as server, server.connect() as client:
        assert status(server, client) == ["f\t200\t0\t0"]
        number = int(client.call(BACKGROUND, "f", "", payload="x").body.rpartition(b":")[2])
        assert number > 200, "no number is used twice"
        assert server.stop() == 0
    assert kept(path) == 201
