"""Unique ids that stay taken, in a store that is slow or does not take everything: what ended first is known first."""

from __future__ import annotations

import time

import pytest

from gearfast.store.contract import Batch, StoredJob
from tests.store.test_durable import BACKGROUND, finish, worker_of
from tests.store.test_store_away import said
from tests.store.test_store_lost import Forgetful
from tests.store.test_store_poison import MIB, TIMEOUT, Choosy, has_heard, submit
from tests.support import wire
from tests.support.durable import Contents, Obedient, Served, serving
from tests.support.peers import until
from tests.support.records import STATE, fields
from tests.support.wire import Connection

ENDED = b"\x06"
REMEMBERED = "f;unique_ttl=1h"


def is_remembered(job: StoredJob | None) -> bool:
    """Whether the store has no more of it than its unique id."""
    return job is not None and dict(fields(job.more)).get(STATE) == ENDED and job.payload == b""


def remembers(served: Served, number: int) -> None:
    """Wait for that."""
    until(lambda: is_remembered(served.store.contents.jobs.get(number)), f"the end of job {number} is in the store")


class Pausing(Obedient):
    """A store that does nothing more when it has this job, until it is let."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def apply(self, batch: Batch) -> None:
        """Pause."""
        super().apply(batch)
        if any(job.number == self.number for job in batch.adds):
            self.gate.clear()


def submit_remembered(client: Connection, unique: str, payload: bytes = b"x") -> bytes:
    """Submit a job whose unique id stays taken; its handle."""
    answer = client.call(BACKGROUND, REMEMBERED, unique, payload=payload)
    assert answer.name == "JOB_CREATED"
    return answer.body


def test_who_is_told_that_a_job_is_accepted_which_is_done_already_can_rely_on_its_unique_id() -> None:
    """If the server were killed then, the next one would have to know it."""
    with serving() as served, served.connect() as client, served.connect() as looker:
        served.store.gate.clear()
        client.request(BACKGROUND, REMEMBERED, "before", payload="x")
        served.store.wait_asked(1)
        client.request(BACKGROUND, REMEMBERED, "u", payload="x")
        until(lambda: len(looker.table("show jobs")) == 2, "the second one is there")
        finish(served, 2)
        assert not has_heard(client)
        served.store.gate.set()
        assert [client.recv_packet().body for _ in range(2)] == [b"H:t:1", b"H:t:2"]
        assert is_remembered(served.store.contents.jobs[2])


def test_nobody_is_told_of_a_later_job_before_it_is_known_that_an_earlier_one_has_ended() -> None:
    """Though the earlier one waits among those that the store has not taken, and the later one does not."""
    store = Choosy(lambda job: job.attempts > 0)
    settings = {"store_timeout": TIMEOUT, "store_retry": (0.01, 0.05)}
    with serving(store, **settings) as served, served.connect() as client:
        submit_remembered(client, "u")
        with served.connect() as worker:
            worker_of(worker, "f")
            worker.call(wire.GRAB_JOB)  # and is lost with it: an attempt that the store does not take
        until(lambda: store.failed > 2, "it is tried again")
        finish(served, 1)
        for _ in range(20):
            assert submit(client)[0] == "JOB_CREATED"
            assert is_remembered(store.contents.jobs[1])


def test_many_numbers_to_forget_are_forgotten_before_anybody_is_told_of_a_later_job() -> None:
    """Also when they are more than go into one batch."""
    store = Pausing(302)
    with serving(store, store_batch=10) as served, served.connect() as client, served.connect() as looker:
        for _ in range(300):
            submit(client)
        served.store.gate.clear()
        client.request(BACKGROUND, "f", "", payload="blocks")
        served.store.wait_asked(301)
        finish(served, 300)
        client.request(BACKGROUND, "f", "", payload="later")
        until(lambda: len(looker.table("show jobs")) == 2, "the later one is there")
        store.gate.set()
        assert client.recv_packet().body == b"H:t:301"
        until(lambda: 302 in store.contents.jobs, "the later one is in the store")
        assert looker.sync() == looker.sync() == b""
        assert not has_heard(client)
        store.gate.set()
        assert client.recv_packet().body == b"H:t:302"
        assert store.numbers() == [301, 302]


def test_a_unique_id_that_the_store_does_not_take_is_forgotten_with_its_job() -> None:
    """The server that runs remembers it all the same; what is done must not come back."""
    store = Choosy(lambda job: is_remembered(job) and job.unique == b"evil")
    settings = {"store_timeout": 0.3, "store_retry": (0.01, 0.05)}
    with serving(store, **settings) as served, served.connect() as client:
        evil, good = submit_remembered(client, "evil"), submit_remembered(client, "good")
        finish(served, 2)
        remembers(served, 2)
        until(lambda: submit(client)[0] == "JOB_CREATED" and store.numbers()[0] == 2, "the store has no more of it")
        assert [submit_remembered(client, unique) for unique in ("evil", "good")] == [evil, good]


def test_unique_ids_that_are_as_large_as_batches_go_one_by_one() -> None:
    """A job whose unique id is its payload."""
    with serving(store_batch_bytes=MIB) as served, served.connect() as client:
        for letter in b"abcd":
            submit_remembered(client, "-", bytes([letter]) * (MIB // 2 + 1))
        served.store.gate.clear()
        client.request(BACKGROUND, "f", "", payload="blocks")
        served.store.wait_asked(5)
        finish(served, 4)
        served.store.gate.set()
        assert client.recv_packet().name == "JOB_CREATED"
        until(lambda: sum(len(batch.removes) for batch in served.store.written) == 4, "all of them have ended there")
        assert [len(batch.removes) for batch in served.store.written if batch.removes] == [1] * 4
        assert served.store.numbers() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("background", [False, True])
def test_a_store_that_has_lost_everything_gets_back_the_unique_ids_that_it_had(
    background: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Those of foreground jobs it never had."""
    store = Forgetful()
    with serving(store) as served, served.connect() as client, served.connect() as worker:
        kind = BACKGROUND if background else wire.SUBMIT_JOB
        assert client.call(kind, REMEMBERED, "u", payload="x").name == "JOB_CREATED"
        finish(served, 1)
        if background:
            remembers(served, 1)
        else:
            assert client.recv_packet().name == "WORK_COMPLETE"
        store.lose()
        assert worker.call(BACKGROUND, "f", "", payload="x").body == b"H:t:2"
        until(lambda: said(caplog, "All jobs are in the store again") == 1, "the store has what it is to have")
        assert store.numbers() == ([1, 2] if background else [2])
        assert worker.call(BACKGROUND, "f", "u", payload="x").body == b"H:t:1"


def test_the_last_ones_are_remembered_where_all_is_written_at_the_end() -> None:
    now = time.time()
    jobs = {number: StoredJob(number, b"f", b"u%d" % number, 1, 0.0, 0, b"x", b"") for number in (1, 2)}
    contents = Contents(jobs, {"prefix": "H:t"})
    with serving(Obedient(contents), store_on_shutdown=True) as served, served.connect() as client:
        client.send(b"policy f unique_ttl=1h\n")
        assert client.recv_line().startswith(b"OK")
        submit_remembered(client, "u3")
        finish(served, 3)
        served.stop()
    assert [is_remembered(contents.jobs[number]) for number in (1, 2, 3)] == [True] * 3
    assert all(now + 3000 < job.due < now + 4000 for job in contents.jobs.values())
