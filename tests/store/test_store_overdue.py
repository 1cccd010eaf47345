"""What has waited for the store too long, and ends, changes or is replaced: the store hears of it all the same."""

from __future__ import annotations

import pytest

from gearfast import Broker, Config, InProcessPeer, Report
from gearfast.broker.outbox import Waits
from gearfast.store.attempts import Attempts
from gearfast.store.batches import Batches
from gearfast.store.lone import Loner
from gearfast.store.record import state_of
from tests.support.brokering import grabbed
from tests.support.memory_store import Plain

NOW = 10.0
LATE = 100.0


class Scene:
    """A broker with a client, a worker for `f`, and what a store has got from it."""

    def __init__(self, heavy: int = (1 << 64) - 1) -> None:
        self.broker = Broker(b"H:t")
        self.batches = Batches(self.broker)
        self.batches.open(b"H:t", 0, False, heavy)
        self.broker.tick(NOW, NOW)
        self.client, self.worker = InProcessPeer(self.broker), InProcessPeer(self.broker)
        self.worker.can_do(b"f")
        self.kept: dict[int, tuple[str, int, bytes]] = {}

    def submit(self, payload: bytes, asked: bytes = b"") -> bytes:
        """With the unique id `u`."""
        return self.client.submit(b"f", payload, b"u", background=True, parameters=asked, now=NOW) or b""

    def begin(self, line: Waits = Waits.FRESH) -> None:
        """A batch is on its way, and the store takes it, whatever is heard of that."""
        removes, adds = self.batches.collect(line, 100, 1000, 100)
        for number in removes:
            self.kept.pop(number, None)
        self.kept |= {job.number: (state_of(job.more), job.priority, job.payload) for job in adds}

    def write_all(self) -> None:
        """Until nothing waits any more."""
        while self.batches.waits:
            self.batches.seek()
            for line in Waits:
                self.begin(line)
                self.batches.written()

    def wait_too_long(self) -> None:
        """Whatever is to be stored has waited too long for that."""
        numbers, _, _ = self.batches.overdue(LATE)
        self.batches.unkeep(numbers)

    def lose_everything(self) -> None:
        """The store has nothing, and is to have all of it again."""
        self.kept.clear()
        self.batches.doubt(True)
        while self.batches.promise():
            pass
        self.batches.seek()


@pytest.mark.parametrize("how", ["the batch failed", "the batch is on its way", "it failed by itself"])
def test_a_job_that_has_ended_is_not_left_in_the_store_as_one_that_is_to_be_done(how: str) -> None:
    """After a restart it would be done again; its unique id stays taken."""
    scene = Scene()
    handle = scene.submit(b"x", b"unique_ttl=1h")
    scene.begin()
    if how == "the batch failed":
        scene.batches.rolled_back()
    alone = scene.batches.failed() if how == "it failed by itself" else None
    scene.worker.tell(grabbed(scene.worker, NOW), Report.COMPLETE, b"", NOW)
    scene.wait_too_long()
    if alone is not None:
        scene.batches.unkeep([alone[0]])
    if how == "the batch is on its way":
        scene.batches.written()
    assert scene.submit(b"x") == handle
    scene.write_all()
    assert scene.kept == {1: ("ended", 1, b"")}


def test_one_that_was_never_in_the_store_is_remembered_by_it_as_soon_as_that_can_be() -> None:
    scene = Scene()
    handle = scene.submit(b"x", b"unique_ttl=1h")
    scene.worker.tell(grabbed(scene.worker, NOW), Report.COMPLETE, b"", NOW)
    scene.wait_too_long()
    assert scene.batches.is_stored(1), "its client waits no more"
    assert scene.submit(b"x") == handle
    scene.write_all()
    assert scene.kept == {1: ("ended", 1, b"")}


@pytest.mark.parametrize("change", ["moved", "replaced"])
def test_what_changes_while_it_is_given_back_to_the_store_is_written_once_more(change: str) -> None:
    """Though the batch that was on its way when it had waited too long is written after all."""
    scene = Scene()
    handle = scene.submit(b"x")
    scene.write_all()
    scene.lose_everything()
    scene.begin(Waits.ANEW)
    if change == "moved":
        scene.broker.move_job(handle, priority=0, now=NOW)
    else:
        scene.submit(b"y", b"duplicate=replace")
    scene.batches.overdue(LATE)
    scene.batches.written()
    assert scene.kept == {1: ("job", 1, b"x")}
    scene.write_all()
    assert scene.kept == {1: ("job", 0, b"x") if change == "moved" else ("job", 1, b"y")}


def test_a_replacement_is_not_left_out_with_the_change_that_the_store_did_not_take() -> None:
    """Its client would wait for ever."""
    scene = Scene()
    handle = scene.submit(b"x")
    scene.write_all()
    scene.broker.move_job(handle, priority=0, now=NOW)
    scene.begin()
    assert scene.batches.failed() is not None
    scene.submit(b"y", b"duplicate=replace")
    scene.batches.collect_one(1)
    scene.batches.failed()
    scene.batches.leave_out(1)
    assert not scene.batches.is_stored(1)
    scene.write_all()
    assert scene.batches.is_stored(1)
    assert scene.kept == {1: ("job", 1, b"y")}


def test_what_changes_while_it_is_tried_by_itself_is_tried_once_more() -> None:
    scene = Scene()
    told: list[int] = []
    attempts = Attempts(Plain(), scene.batches, Config(), lambda numbers, *_: told.extend(numbers))
    lone = attempts.plan.lone
    handle = scene.submit(b"x")
    scene.write_all()
    scene.broker.move_job(handle, priority=0, now=NOW)
    scene.begin()
    number, _, size, stored = scene.batches.failed() or (0, 0, 0, False)
    lone.add(Loner(number=number, size=size, stored=stored), NOW)
    written = []
    for again in (True, False):
        lone.all_now(NOW)
        planned = attempts.plan.loner()
        assert planned is not None
        written += [job.payload for job in planned.batch.adds]
        if again:
            scene.submit(b"y", b"duplicate=replace")
            attempts.refuse_overdue()
        attempts.plan.taken(planned, 0.0)
    assert (written, told) == ([b"x", b"y"], [1])
    assert not lone
    assert scene.broker.outbox.bytes == 0
