"""A server in this process, on a store that does what a test says, when it says so."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import uvloop

from gearfast import Config
from gearfast import Server as Gearfast
from gearfast.errors import StoreError
from gearfast.plugins.admin import Admin
from gearfast.store.contract import Batch, StoredJob
from tests.support import wire
from tests.support.peers import HOST, until
from tests.support.wire import Connection


@dataclass
class Contents:
    """What a store holds; it outlives the store object, as a file would."""

    jobs: dict[int, StoredJob] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


class Obedient:
    """A store on a dictionary. It writes at once, or when it is let, or fails; it tells what it was asked."""

    def __init__(self, contents: Contents | None = None, *, largest: int = 1 << 30) -> None:
        self.contents = contents or Contents()
        self.largest = largest
        self.asked: list[Batch] = []
        self.written: list[Batch] = []
        self.trouble: BaseException | None = None
        self.full = False
        self.delay = 0.0
        self.trouble_afterwards: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.cancelled = 0
        self.calls = 0
        self.is_open = False
        self.broken = False
        """Two writes at a time were asked for, or one before it was opened or after it was closed."""

    async def open(self) -> Mapping[str, str]:
        """Return the metadata."""
        if self.trouble is not None:
            raise self.trouble
        self.is_open = True
        return dict(self.contents.metadata)

    async def replay(self) -> AsyncIterator[list[StoredJob]]:
        """Yield the jobs, three at a time."""
        jobs = [self.contents.jobs[number] for number in sorted(self.contents.jobs)]
        for at in range(0, len(jobs), 3):
            yield jobs[at : at + 3]

    async def write(self, batch: Batch) -> None:
        """Do as told by `gate` and `trouble`."""
        self.broken |= self.calls > 0 or not self.is_open
        self.calls += 1
        self.asked.append(batch)
        try:
            await asyncio.sleep(self.delay)
            while not self.gate.is_set():
                await asyncio.sleep(0.002)
            if self.trouble is not None:
                raise self.trouble
            if self.full and batch.adds:
                raise StoreError("it is full")
            self.apply(batch)
            if self.trouble_afterwards is not None:
                raise self.trouble_afterwards
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.calls -= 1

    def apply(self, batch: Batch) -> None:
        """Make it durable."""
        for number in batch.removes:
            self.contents.jobs.pop(number, None)
        for job in batch.adds:
            self.contents.jobs[job.number] = job
        self.contents.metadata.update(batch.metadata)
        self.written.append(batch)

    async def close(self) -> None:
        """Let go."""
        self.is_open = False

    # --- what a test asks of it ---

    def numbers(self) -> list[int]:
        """The jobs it holds."""
        return sorted(self.contents.jobs)

    def wait_asked(self, number: int) -> None:
        """Wait until a job with this number has been given to it."""
        until(lambda: any(job.number == number for batch in self.asked for job in batch.adds), f"job {number} is given")

    def wait_gone(self, number: int) -> None:
        """Wait until it holds that job no more."""
        until(lambda: number not in self.contents.jobs, f"job {number} is removed")


class Served:
    """A running server; `stop` ends it in order."""

    def __init__(self, store: Obedient, **settings: Any) -> None:
        self.store = store
        config = Config(**{"listen": (HOST,), "port": 0, "job_handle_prefix": "H:t", **settings})
        self.server = Gearfast(config, [Admin()], store)
        self.ready = threading.Event()
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        self.ready.wait(20)

    def run(self) -> None:
        """Run the server's loop."""
        try:
            uvloop.run(self.main())
        except Exception as error:
            self.failure = error
        self.ready.set()

    async def main(self) -> None:
        """Serve until `stop`."""
        self.loop = asyncio.get_running_loop()
        await self.server.start()
        self.port = int(self.server.addresses[0].rpartition(":")[2])
        self.ready.set()
        await self.server.wait_closed()

    def connect(self) -> Connection:
        """Open a connection."""
        return wire.connect(HOST, self.port)

    def stop(self) -> None:
        """End in order; raise what the server raised."""
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self.loop.call_soon_threadsafe(self.server.stop)
        self.thread.join(60)
        assert not self.thread.is_alive()
        assert not self.store.broken, "a store is asked for one write at a time, between open and close"
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure


@contextlib.contextmanager
def serving(store: Obedient | None = None, **settings: Any) -> Iterator[Served]:
    """Run a server on this store until the block is left."""
    served = Served(store or Obedient(), **settings)
    try:
        if served.failure is not None:
            served.stop()
        yield served
    finally:
        served.store.gate.set()
        served.store.trouble = served.store.trouble_afterwards = None
        served.store.full = False
        with contextlib.suppress(StoreError):
            served.stop()
