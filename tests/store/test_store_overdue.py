"""What has waited for the store too long, and ends, changes or is replaced: the store hears of it all the same."""

from __future__ import annotations

from gearfast import Broker, InProcessPeer
from gearfast.broker.outbox import Waits
from gearfast.store.batches import Batches
from gearfast.store.record import state_of

NOW = 10.0


class Scene:
    """A broker with a client, and what a store has got from it."""

    def __init__(self) -> None:
        self.broker = Broker(b"H:t")
        self.batches = Batches(self.broker)
        self.batches.open(b"H:t", 0, False)
        self.broker.tick(NOW, NOW)
        self.client = InProcessPeer(self.broker)
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
