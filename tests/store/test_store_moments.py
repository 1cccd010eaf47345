"""A moment's trouble of a store is nobody's fault: nothing is given up for it, and whoever waits gets an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gearfast import Config
from gearfast.broker.timetable import Timetable
from gearfast.errors import StoreError
from gearfast.ground.clock import monotonic
from gearfast.store.attempts import Attempts
from gearfast.store.contract import Batch
from gearfast.store.lone import Loner
from gearfast.store.record import state_of
from tests.store.test_durable import BACKGROUND, finish, grab, worker_of
from tests.store.test_store_lost import Forgetful
from tests.store.test_store_overdue import NOW, Scene
from tests.store.test_store_poison import submit
from tests.store.test_store_remembers import REMEMBERED, is_remembered, submit_remembered
from tests.support import wire
from tests.support.durable import Contents, Obedient, serving
from tests.support.memory_store import Plain
from tests.support.peers import until

SOON: dict[str, Any] = {"store_timeout": 1.0, "store_retry": (0.01, 0.05)}


class Moody(Obedient):
    """A store that does not take some batches, so many times."""

    def __init__(self, dislikes: Callable[[Batch], bool]) -> None:
        super().__init__()
        self.dislikes = dislikes
        self.moods = 0

    async def write(self, batch: Batch) -> None:
        """Refuse it, or do as told."""
        if self.moods > 0 and self.dislikes(batch):
            self.moods -= 1
            raise StoreError("Deadlock found when trying to get lock")
        await super().write(batch)


def test_what_is_remembered_is_not_given_up_for_a_moments_trouble() -> None:
    store = Moody(lambda batch: bool(batch.removes))
    with serving(store, store_retry=(0.01, 0.05)) as served, served.connect() as client:
        for unique in ("a", "b", "c"):
            submit_remembered(client, unique)
        store.moods = 12
        finish(served, 3)
        until(lambda: submit(client)[0] == "JOB_CREATED" and store.moods == 0, "it takes everything again")
        until(lambda: all(is_remembered(store.contents.jobs[number]) for number in (1, 2, 3)), "they are remembered")


def test_a_burial_is_not_given_up_for_a_moments_trouble() -> None:
    """The next server would hand it out again."""
    store = Moody(lambda batch: any(job.number == 1 for job in batch.adds))
    with serving(store, store_retry=(0.01, 0.05)) as served, served.connect() as client, served.connect() as worker:
        assert client.call(BACKGROUND, "f;retries=0", "u", payload="x").name == "JOB_CREATED"
        worker_of(worker, "f")
        handle, _ = grab(worker)
        store.moods = 6
        worker.request(wire.WORK_FAIL, handle)
        assert worker.sync() == b""
        until(lambda: submit(client)[0] == "JOB_CREATED" and store.moods == 0, "it takes everything again")
        until(lambda: state_of(store.contents.jobs[1].more) == "buried", "the store knows that it is buried")


def test_a_job_that_is_asked_for_again_while_its_number_is_tried_is_kept() -> None:
    """It had been refused, and a foreground client has kept it alive."""

    class Slow(Moody):
        tried = 0

        async def write(self, batch: Batch) -> None:
            if self.moods and self.dislikes(batch):
                self.tried += 1
                await asyncio.sleep(0.1)
            await super().write(batch)

    store = Slow(lambda batch: batch.removes == [1])
    with serving(store, **SOON) as served, served.connect() as client, served.connect() as other:
        client.call(wire.SUBMIT_JOB, "f", "u", payload="1")
        store.trouble_afterwards = StoreError("lost the connection during COMMIT")
        assert other.call(BACKGROUND, "f", "u", payload="1").name == "ERROR"
        store.moods, store.trouble_afterwards = 1000, None
        with served.connect() as good:
            until(lambda: submit(good)[0] == "JOB_CREATED" and store.tried > 1, "the number is tried by itself")
        assert other.call(BACKGROUND, "f", "u", payload="1").body == b"H:t:1"
        store.moods = 0
        assert submit(other)[0] == "JOB_CREATED"
        assert 1 in store.contents.jobs
        assert served.server.broker.unkept == 0


@pytest.mark.parametrize("ends", [False, True])
def test_who_joins_a_job_that_the_store_has_lost_gets_an_answer_in_time(ends: bool) -> None:
    store = Forgetful()
    with serving(store, **SOON) as served, served.connect() as client, served.connect() as other:
        submit_remembered(client, "u")
        store.trouble_after_loss = StoreError("away")
        store.lose()
        client.request(BACKGROUND, "f", "", payload="x")
        until(lambda: served.server.broker.unkept == 0 and not store.lost, "the server knows of the loss")
        if ends:
            finish(served, 1)
        answer = other.call(BACKGROUND, REMEMBERED, "u", payload="x")
        assert answer.name == ("JOB_CREATED" if ends else "ERROR")
        assert client.recv_packet().name == "ERROR"


def test_who_joins_a_job_of_a_schedule_gets_an_answer_in_time() -> None:
    with serving(**SOON) as served, served.connect() as client, served.connect() as other:
        handle = client.call(BACKGROUND, "f;cron=0 0 1 1 *", "u", payload="x").body
        served.store.trouble = StoreError("away")
        timetable = Timetable(served.server.broker)
        served.loop.call_soon_threadsafe(lambda: timetable.run(handle, monotonic()))
        until(lambda: len(client.table("show jobs")) == 1, "it has fired")
        assert other.call(BACKGROUND, "f", "u", payload="x").name == "ERROR"
        served.store.trouble = None
        until(lambda: served.store.numbers() == [1, 2], "the job was kept all the same")


def test_a_unique_id_whose_time_is_over_is_that_of_the_next_job_after_a_restart() -> None:
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client:
        submit_remembered(client, "u")
        finish(served, 1)
        until(lambda: is_remembered(contents.jobs[1]), "the end of the first one is in the store")
        submit_remembered(client, "v")
    contents.jobs[1] = contents.jobs[1]._replace(due=1.0)
    contents.jobs[2] = contents.jobs[2]._replace(unique=b"u")
    with serving(Obedient(contents)) as served, served.connect() as client:
        assert client.call(BACKGROUND, "f", "u", payload="x").body == b"H:t:2"
        served.store.wait_gone(1)


# --- bytes that wait ---


def test_one_that_is_refused_while_it_is_tried_is_counted_out_once() -> None:
    scene = Scene()
    attempts = Attempts(Plain(), scene.batches, Config(), lambda numbers, *_: scene.batches.unkeep(numbers))
    scene.submit(b"x" * 100)
    scene.begin()
    number, since, size, stored = scene.batches.failed() or (0, 0.0, 0, False)
    lone = attempts.plan.lone
    lone.add(Loner(number=number, since=since, size=size, stored=stored), NOW)
    lone.all_now(NOW)
    planned = attempts.plan.loner()
    assert planned is not None
    assert scene.broker.outbox.bytes == size > 100
    attempts.refuse_overdue()
    assert scene.broker.outbox.bytes == 0
    attempts.plan.taken(planned, 0.0)
    assert scene.broker.outbox.bytes == 0


def test_two_changes_that_wait_are_not_counted_out_as_one_heavy_job() -> None:
    scene = Scene(heavy=1000)
    attempts = Attempts(Plain(), scene.batches, Config(), lambda *_: None)
    lone, outbox = attempts.plan.lone, scene.broker.outbox
    handle = scene.submit(b"x" * 600)
    scene.write_all()
    scene.broker.move_job(handle, priority=0, now=NOW)
    scene.begin()
    number, _, size, stored = scene.batches.failed() or (0, 0.0, 0, False)
    lone.add(Loner(number=number, size=size, stored=stored), NOW)
    lone.all_now(NOW)
    planned = attempts.plan.loner()
    assert planned is not None
    scene.broker.move_job(handle, priority=1, now=NOW)
    attempts.refuse_overdue()
    attempts.plan.failed(planned, "no", 0.0, slow=False)
    assert (outbox.bytes, outbox.heavy_bytes) == (2 * size, 0)
    scene.broker.cancel_job(handle)
    lone.all_now(NOW)
    assert attempts.plan.loner() is None
    assert (outbox.bytes, outbox.heavy_bytes) == (0, 0)
