"""One job that the store does not take is no other job's trouble."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gearfast.errors import ConfigError, StoreError
from gearfast.store.contract import Batch
from tests.store.test_durable import BACKGROUND, grab, worker_of
from tests.store.test_store_ends import SOON, serving_tls
from tests.support import wire
from tests.support.durable import Contents, Obedient, serving

if TYPE_CHECKING:
    from gearfast import Server


class Picky(Obedient):
    """A store that takes no batch in which a job has been lost by a worker."""

    tries = 0

    async def write(self, batch: Batch) -> None:
        """Refuse it, or do as told."""
        if any(job.attempts for job in batch.adds):
            self.tries += 1
            raise StoreError("that is too large")
        await super().write(batch)


def test_what_has_changed_of_a_job_and_cannot_be_written_keeps_nobody_waiting() -> None:
    store = Picky()
    with serving(store, **SOON) as served, served.connect() as client:
        client.call(BACKGROUND, "big", "", payload="1")
        worker = worker_of(served.connect(), "big")
        grab(worker)
        worker.close()
        answers = [client.call(BACKGROUND, "f", "", payload="x").name for _ in range(50)]
        assert answers == ["JOB_CREATED"] * 50
        served.stop()
    assert store.tries > 0
    assert store.numbers() == list(range(1, 52))
    assert store.contents.jobs[1].attempts == 0


def test_nor_does_it_keep_numbers_from_being_reserved() -> None:
    with serving(Picky(), store_numbers=40, **SOON) as served, served.connect() as client:  # 20 are asked for at a time
        client.call(BACKGROUND, "big", "", payload="1")
        worker = worker_of(served.connect(), "big")
        grab(worker)
        worker.close()
        names = {client.call(wire.SUBMIT_JOB, "f", "", payload="x").name for _ in range(25)}
        while int(served.store.contents.metadata["ceiling"]) < 50:
            client.sync()
        names |= {client.call(wire.SUBMIT_JOB, "f", "", payload="x").name for _ in range(30)}
        assert names == {"JOB_CREATED"}


def test_of_several_new_jobs_only_the_one_that_does_not_fit_is_refused() -> None:
    class Small(Obedient):
        async def write(self, batch: Batch) -> None:
            if any(len(job.payload) > 100 for job in batch.adds):
                raise StoreError("no room for that")
            await super().write(batch)

    with serving(Small(), **SOON) as served, served.connect() as client, served.connect() as other:
        small = wire.request(BACKGROUND, "f", "", payload="x")
        other.send(small * 20 + wire.request(BACKGROUND, "f", "", payload="x" * 200))
        assert [other.recv_packet().name for _ in range(21)] == ["JOB_CREATED"] * 20 + ["ERROR"]
        assert client.call(BACKGROUND, "f", "", payload="x").name == "JOB_CREATED"


def test_a_store_may_know_one_number_ahead() -> None:
    with serving(store_numbers=1) as served, served.connect() as client:
        for number in range(1, 20):
            assert client.call(BACKGROUND, "f", "", payload="x").body == b"H:t:%d" % number


def test_a_prefix_that_no_store_could_keep_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not valid UTF-8"), serving(job_handle_prefix="H:\udcff"):
        pass


def test_what_a_tls_worker_has_done_is_told_to_the_store_at_once(tmp_path: Path) -> None:
    """Although nobody else says anything: the worker is told nothing, so nothing is written to it."""
    with serving_tls(tmp_path, store_timeout=10_000.0) as (served, client, worker):
        client.call(BACKGROUND, "f", "", payload="x")
        handle, _ = grab(worker_of(worker, "f"))
        worker.request(wire.WORK_COMPLETE, handle, payload="done")
        served.store.wait_gone(1)


def test_nobody_is_late_any_more_once_the_server_takes_its_peers_down() -> None:
    """What is gathered for the end has nobody who waits, however long a plugin takes to stop."""

    class Slow:
        async def start(self, server: Server) -> None:
            pass

        async def stop(self) -> None:
            writer = served.server.writer
            assert writer is not None
            assert writer.clock is not None
            assert writer.clock.cancelled()
            served.store.trouble = None

    contents = Contents()
    with serving(Obedient(contents), store_on_shutdown=True, store_numbers=100, **SOON) as served:
        served.server.started.append(Slow())
        served.store.trouble = StoreError("away")
        with served.connect() as client:
            for _ in range(60):  # more than half of the numbers: more are asked for
                client.call(BACKGROUND, "f", "", payload="x")
        served.stop()
    assert len(contents.jobs) == 60
