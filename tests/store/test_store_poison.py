"""What a store does not take, or does not forget, while it takes all else: only who asked for it waits."""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from gearfast.errors import StoreError
from gearfast.store.contract import Batch, StoredJob
from tests.store.test_durable import BACKGROUND, finish, grab, worker_of
from tests.store.test_store_away import said
from tests.support import wire
from tests.support.durable import Contents, Obedient, serving
from tests.support.peers import until
from tests.support.wire import Connection

MIB = 1 << 20
TIMEOUT = 3.0
"""Seconds that a submit waits."""
SOON = TIMEOUT * 3 / 4
"""Seconds that the others may wait, on a busy machine: less than after which they would be refused."""


class Choosy(Obedient):
    """A store that does not take some jobs, and does not forget some."""

    def __init__(
        self, evil: Callable[[StoredJob], bool], *, hangs: bool = False, contents: Contents | None = None
    ) -> None:
        super().__init__(contents)
        self.evil = evil
        self.hangs = hangs
        self.failed = 0
        self.unforgotten: set[int] = set()
        self.trouble_with_metadata = False

    async def write(self, batch: Batch) -> None:
        """Refuse the whole batch, or hang, or do as told."""
        bad = self.unforgotten.intersection(batch.removes) or any(map(self.evil, batch.adds))
        if bad or (self.trouble_with_metadata and batch.metadata):
            self.failed += 1
            await asyncio.sleep(3600 if self.hangs else 0)
            raise StoreError("evil")
        await super().write(batch)


def is_evil(job: StoredJob) -> bool:
    """What these tests call an evil job."""
    return job.payload.startswith(b"evil")


def has_heard(client: Connection) -> bool:
    """Whether there is something to be read."""
    return bool(select.select([client.sock], [], [], 0)[0])


def submit(client: Connection, payload: bytes = b"good") -> tuple[str, bytes]:
    """Submit a background job; name and last argument of the answer."""
    answer = client.call(BACKGROUND, "f", "", payload=payload)
    return answer.name, answer.args()[-1]


def submit_until(good: Connection, evil: Connection) -> list[float]:
    """Have one submit jobs until the other one has an answer; how long each of them took."""
    took = []
    while not has_heard(evil):
        began = time.monotonic()
        assert submit(good)[0] == "JOB_CREATED"
        took.append(time.monotonic() - began)
    return took


@pytest.mark.parametrize("hangs", [False, True])
def test_others_do_not_wait_for_a_job_that_is_not_taken(hangs: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Whether the store says so or hangs; and who asked for it gets the answer in its own time."""
    store = Choosy(is_evil, hangs=hangs)
    with serving(store, store_timeout=TIMEOUT) as served, served.connect() as evil, served.connect() as good:
        began = time.monotonic()
        evil.request(BACKGROUND, "f", "", payload="evil")
        took = submit_until(good, evil)
        assert TIMEOUT <= time.monotonic() - began < TIMEOUT + SOON
        name, text = evil.recv_packet().args()
        reason = b"it did not answer for %d s" % TIMEOUT if hangs else b"evil"
        assert (name, text) == (b"QUEUE_ERROR", b"The job could not be stored within %d s: %b" % (TIMEOUT, reason))
        assert max(took) < SOON
        assert store.failed > 1, "it is tried again"
        assert not any(map(is_evil, store.contents.jobs.values()))
    assert said(caplog, "The store does not take job 1, but others: ") == 1


@pytest.mark.parametrize(("hangs", "place"), [(False, 10), (True, 0), (True, 10), (True, 20)])
def test_who_was_in_one_batch_with_it_is_not_refused(hangs: bool, place: int) -> None:
    """Wherever in the batch it is, three attempts find it."""
    store = Choosy(is_evil, hangs=hangs)
    with serving(store, store_timeout=TIMEOUT) as served, served.connect() as first, ExitStack() as connections:
        store.gate.clear()
        first.request(BACKGROUND, "f", "", payload="good")
        store.wait_asked(1)
        clients = [connections.enter_context(served.connect()) for _ in range(21)]
        with served.connect() as admin:
            for at, client in enumerate(clients):
                client.request(BACKGROUND, "f", "", payload="evil" if at == place else "good")
                until(lambda at=at: len(admin.table("show jobs")) == at + 2, "it has come")  # type: ignore[misc]
        store.gate.set()
        answers = [client.recv_packet().name for client in clients]
        assert [at for at, name in enumerate(answers) if name != "JOB_CREATED"] == [place]


def test_ten_large_jobs_that_are_not_taken_let_others_through_in_between() -> None:
    class Slow(Choosy):
        async def write(self, batch: Batch) -> None:
            if any(map(is_evil, batch.adds)):
                await asyncio.sleep(0.2)
            await super().write(batch)

    store = Slow(is_evil)
    with serving(store, store_timeout=TIMEOUT, store_batch_bytes=10_000) as served, ExitStack() as connections:
        good, *clients = [connections.enter_context(served.connect()) for _ in range(11)]
        for client in clients:
            client.send(wire.request(BACKGROUND, "f", "", payload=b"evil".ljust(20_000, b".")))
        took = submit_until(good, clients[-1])
        assert max(took) < SOON / 2
        assert {client.recv_packet().name for client in clients} == {"ERROR"}


def test_many_evil_jobs_in_one_batch_are_found() -> None:
    store = Choosy(is_evil)
    with serving(store, store_timeout=TIMEOUT) as served, served.connect() as first, served.connect() as other:
        store.gate.clear()
        first.request(BACKGROUND, "f", "", payload="good")
        store.wait_asked(1)
        evil, good = (wire.request(BACKGROUND, "f", "", payload=text) for text in ("evil", "good"))
        other.send((good * 9 + evil) * 10)
        store.gate.set()
        answers = [other.recv_packet().name for _ in range(100)]
        assert answers == (["JOB_CREATED"] * 9 + ["ERROR"]) * 10
        assert served.store.numbers() == [1, *(at + 2 for at in range(100) if at % 10 != 9)]


def test_large_jobs_that_wait_keep_nobody_else_from_being_read() -> None:
    """They count for those who sent them."""
    store = Choosy(is_evil)
    settings = {"store_batch_bytes": 10_000, "store_backlog": 50_000, "store_timeout": TIMEOUT}
    with serving(store, **settings) as served, served.connect() as good, served.connect() as evil:
        large = wire.request(BACKGROUND, "f", "", payload=b"evil".ljust(20_000, b"."))
        evil.send(large * 10)
        until(lambda: store.failed > 0, "the first one is tried")
        store.gate.clear()
        good.send(wire.request(BACKGROUND, "f", "", payload="good") * 100)
        with served.connect() as admin:
            until(lambda: len(admin.table("show jobs")) >= 100, "all of them are read")
            assert len(admin.table("show jobs")) < 105, "more than 50,000 bytes wait of the large ones"
        store.gate.set()
        assert [good.recv_packet().name for _ in range(100)] == ["JOB_CREATED"] * 100


# --- what is not forgotten ---


def test_a_job_that_is_not_forgotten_keeps_nothing_else_from_being_written(caplog: pytest.LogCaptureFixture) -> None:
    store = Choosy(is_evil)
    with serving(store, store_timeout=TIMEOUT) as served, served.connect() as client:
        for _ in range(40):
            submit(client)
        store.unforgotten = {7}
        finish(served, 30)
        assert submit(client)[0] == "JOB_CREATED"
        until(lambda: store.numbers() == [7, *range(31, 42)], "the others are forgotten")
        assert submit(client)[0] == "JOB_CREATED"
        until(lambda: said(caplog, "The store does not forget job 7, but others: evil") == 1, "the log names it")
        served.stop()
        assert said(caplog, "1 ended job may be run once more after the next start") == 1
    assert 7 in store.contents.jobs


def test_a_number_whose_removal_hangs_keeps_who_submits_meanwhile_for_two_attempts() -> None:
    """A job is refused for which the store hangs, and so it does when it is to forget it: somebody holds its row."""
    store = Choosy(is_evil, hangs=True)
    store.unforgotten = {1}
    with serving(store, store_timeout=TIMEOUT) as served, served.connect() as client:
        assert submit(client, b"evil")[0] == "ERROR"
        before = store.failed
        assert submit(client)[0] == "JOB_CREATED"
        assert store.failed - before <= 2, "together with it, and it alone"
        assert submit(client)[0] == "JOB_CREATED"


def test_it_is_forgotten_as_soon_as_the_store_does_so() -> None:
    store = Choosy(is_evil)
    with serving(store, store_retry=(0.01, 0.05)) as served, served.connect() as client:
        submit(client)
        store.unforgotten = {1}
        finish(served, 1)
        until(lambda: store.failed > 3, "it is tried again")
        store.unforgotten = set()
        store.wait_gone(1)


def test_a_number_that_is_not_forgotten_is_not_forgotten_later_either_if_it_is_asked_for_again() -> None:
    """A job that was refused, and perhaps is in the store; a foreground client has kept it alive."""
    store = Choosy(lambda job: False)
    settings = {"store_timeout": 0.3, "store_retry": (0.01, 0.05)}
    with serving(store, **settings) as served, served.connect() as client, served.connect() as other:
        client.call(wire.SUBMIT_JOB, "f", "u", payload="1")
        store.unforgotten = {1}
        store.trouble_afterwards = StoreError("lost the connection during COMMIT")
        assert other.call(BACKGROUND, "f", "u", payload="1").name == "ERROR"
        store.trouble_afterwards = None
        until(lambda: store.failed > 2, "it is not forgotten")
        assert other.call(BACKGROUND, "f", "u", payload="1").body == b"H:t:1"
        store.unforgotten = set()
        for _ in range(5):
            submit(other)
        assert 1 in store.contents.jobs


# --- metadata, and changes ---


def test_facts_that_are_not_taken_keep_no_job_from_being_written() -> None:
    """Until all numbers are used up that the store knows of."""
    store = Choosy(is_evil)
    settings = {"store_numbers": 100, "store_timeout": TIMEOUT, "store_retry": (0.01, 0.05)}
    with serving(store, **settings) as served, served.connect() as client:
        store.trouble_with_metadata = True
        assert {submit(client)[0] for _ in range(100)} == {"JOB_CREATED"}
        assert submit(client) == ("ERROR", b"No job numbers are left until the store is back")
        store.trouble_with_metadata = False
        until(lambda: submit(client)[0] == "JOB_CREATED", "there are numbers again")


def test_attempts_that_are_not_taken_keep_no_job_from_being_written() -> None:
    store = Choosy(lambda job: job.attempts > 0, hangs=True)
    with serving(store, store_timeout=TIMEOUT) as served, served.connect() as client:
        submit(client)
        worker = worker_of(served.connect(), "f")
        grab(worker)
        worker.close()
        began = time.monotonic()
        while time.monotonic() < began + TIMEOUT:
            asked = time.monotonic()
            assert submit(client)[0] == "JOB_CREATED"
            assert time.monotonic() < asked + SOON
        assert store.contents.jobs[1].attempts == 0


# --- a store that says how much it can take ---


class Roomy(Obedient):
    """A store that knows how much room there is."""

    free = 1 << 30

    async def room(self) -> int:
        """Return that."""
        return self.free


def test_a_job_for_which_there_is_no_room_is_refused_at_once_and_nothing_is_tried() -> None:
    store = Roomy()
    store.free = 30_000
    with serving(store, store_batch_bytes=10_000, store_timeout=60.0) as served, served.connect() as client:
        assert submit(client, b"x" * 29_999)[0] == "JOB_CREATED"
        asked = len(store.asked)
        name, text = submit(client, b"x" * 30_000)
        assert (name, text) == (
            "ERROR",
            b"The store has room for 30000 bytes now, and this job has 30001: make room there, or submit it later",
        )
        assert submit(client, b"x" * 9000)[0] == "JOB_CREATED"
        assert [job.number for batch in store.asked[asked:] for job in batch.adds] == [3]
        assert client.table("show jobs") == ["H:t:1\t0\t0\t1", "H:t:3\t0\t0\t1"]
        store.free = 1 << 20
        assert submit(client, b"x" * 30_000)[0] == "JOB_CREATED"


def test_a_job_that_was_acknowledged_is_not_refused_for_want_of_room() -> None:
    """It is in the store; that it was lost by a worker is not written."""
    store = Roomy()
    with serving(store, store_batch_bytes=10_000, store_timeout=0.3) as served, served.connect() as client:
        submit(client, b"x" * 30_000)
        store.free = 0
        worker = worker_of(served.connect(), "f")
        grab(worker)
        worker.close()
        until(lambda: client.table("show jobs") == ["H:t:1\t1\t0\t1"], "it has been lost")
        assert submit(client)[0] == "JOB_CREATED"
        assert len(client.table("show jobs")) == 2


def test_a_store_that_cannot_say_how_much_room_it_has_is_away() -> None:
    class Silent(Roomy):
        async def room(self) -> int:
            raise StoreError("who knows")

    with serving(Silent(), store_batch_bytes=10_000, store_timeout=0.3) as served, served.connect() as client:
        assert submit(client, b"x" * 30_000) == ("ERROR", b"The job could not be stored within 0.3 s: who knows")
        assert submit(client)[0] == "JOB_CREATED"
