"""A connection that is cut in the middle of a batch: after any number of bytes there, or of its answer."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import uvloop

from gearfast.errors import StoreError, StoreLostError
from gearfast.plugins.stores import make_store
from gearfast.store.contract import Batch, Store, StoredJob, StoreSettings
from gearfast.store.testing import a_job, same
from tests.support.databases import Database, MariaDb, PostgreSql, Redis
from tests.support.peers import HOST

MAX_CUTS = 24
"""At even distances; and some more at both ends, where statements begin and end."""
ENDS = (0, 1, 5, 20, 60)
FAR = 1 << 60

tables = (f"cut{number}" for number in itertools.count(1))


@pytest.fixture(name="database", scope="module", params=[PostgreSql, MariaDb, Redis])
def make_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with request.param() as database:
        yield database


@dataclass
class Way:
    """The bytes of one direction."""

    passed: int = 0
    limit: int = FAR
    """After so many everything is cut."""


class Proxy:
    """Between a store and its database."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.there = Way()
        self.back = Way()
        self.open = set[asyncio.StreamWriter]()
        self.tasks = set[asyncio.Task[None]]()

    async def start(self) -> int:
        """Return the port to connect to."""
        self.server = await asyncio.start_server(self.serve, HOST, 0)
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes on in both directions until one of them ends."""
        far_reader, far_writer = await asyncio.open_connection(HOST, self.port)
        self.open |= {writer, far_writer}
        ways = [(reader, far_writer, self.there), (far_reader, writer, self.back)]
        for way in ways:
            task = asyncio.create_task(self.carry(*way))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        """Pass bytes on in one direction."""
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                part = data[: max(way.limit - way.passed, 0)]
                way.passed += len(part)
                writer.write(part)
                await writer.drain()
                if len(part) < len(data) or way.passed >= way.limit:
                    break
        self.cut()

    def cut(self) -> None:
        """End all connections, as a network does that fails: without a word."""
        for writer in self.open:
            writer.transport.abort()
        self.open.clear()

    async def close(self) -> None:
        """Leave nothing behind."""
        self.server.close()
        self.cut()
        while self.tasks:
            await asyncio.wait(self.tasks)


def batch(number: int) -> Batch:
    """The batch of that number: twenty jobs of several sizes, the end of those of the batch before, and more."""
    first = number * 20
    adds = [a_job(first + at, payload=bytes([number % 256]) * at * 50) for at in range(20)]
    return Batch(list(range(first - 20, first - 1)), adds, {"ceiling": str(first + 19)})


def kept_after(batches: int) -> list[StoredJob]:
    """What is there after so many batches: one job of each, and the last one whole."""
    last = [batch(number).adds[19] for number in range(1, batches)]
    return [*last, *batch(batches).adds]


async def written(store: Store, wanted: Batch) -> int:
    """Write it as the server does, until it is written; return how often that failed."""
    for failures in itertools.count():
        try:
            async with asyncio.timeout(20):
                await store.write(wanted)
        except StoreLostError:
            raise
        except StoreError:
            await asyncio.sleep(0.01)
        else:
            return failures
    raise AssertionError


async def cut_everywhere(database: Database, direction: str) -> None:
    """Write batches, each of them with a connection that is cut somewhere else in it."""
    proxy = Proxy(database.port)
    port = await proxy.start()
    settings = StoreSettings(url=database.url.replace(str(database.port), str(port)), table=next(tables), timeout=20.0)
    store = make_store(settings)
    await store.open()
    way = proxy.there if direction == "there" else proxy.back
    numbers = itertools.count(1)
    await written(store, batch(next(numbers)))
    before = way.passed
    await written(store, batch(next(numbers)))
    size = way.passed - before
    places = {*range(0, size, max(size // MAX_CUTS, 1)), *ENDS, *(size - end for end in ENDS)}
    failures = 0
    for place in sorted(places):
        way.limit = way.passed + place
        task = asyncio.ensure_future(written(store, batch(next(numbers))))
        while proxy.open and not task.done():
            await asyncio.sleep(0)
        way.limit = FAR
        failures += await task
    await store.close()
    await proxy.close()
    # MySQL's store connects again by itself, and tells nobody of the first time.
    assert failures > 0 or isinstance(database, MariaDb)
    reader = make_store(replace(settings, url=database.url))
    metadata = dict(await reader.open())
    found = [job async for jobs in reader.replay() for job in jobs]
    await reader.close()
    last = next(numbers) - 1
    same(found, kept_after(last))
    assert metadata["ceiling"] == batch(last).metadata["ceiling"]


@pytest.mark.parametrize("direction", ["there", "back"])
def test_a_batch_is_written_once_and_whole_wherever_its_connection_is_cut(database: Database, direction: str) -> None:
    uvloop.run(cut_everywhere(database, direction))
