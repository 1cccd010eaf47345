"""Stores on a MariaDB of the tests: made, run, killed and surely closed; and a gearmand on the same table."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any

import pytest
import uvloop

from gearfast.errors import StoreError
from gearfast.plugins.mysql import MySql
from gearfast.plugins.mysql.link import Link
from gearfast.store.contract import Store, StoredJob, StoreSettings
from tests.support import wire
from tests.support.databases import DATABASE, PASSWORD, USER, MariaDb
from tests.support.peers import HOST, start_gearmand

FAR = 40.0
"""Seconds after which what a test waits for will not come."""

_tables = (f"table{number}" for number in itertools.count(1))
_opened: list[MySql] = []


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test on uvloop, and close what it opened: a loop cannot be closed with a connection left in it."""

    async def closing() -> None:
        try:
            async with asyncio.timeout(FAR * 2):
                await main
        finally:
            while _opened:
                await _opened.pop().close()

    uvloop.run(closing())


def settings(database: MariaDb, **others: Any) -> StoreSettings:
    """Of an empty place in the database."""
    return StoreSettings(**{"url": database.url, "table": next(_tables), **others})


async def opened(where: StoreSettings) -> MySql:
    """A store that is open, until `run` ends."""
    store = MySql(where)
    _opened.append(store)
    await store.open()
    return store


async def kept(store: Store) -> list[StoredJob]:
    """What the store has."""
    return [job async for jobs in store.replay() for job in jobs]


async def found(where: StoreSettings) -> list[StoredJob]:
    """What a new store finds."""
    store = await opened(where)
    jobs = await kept(store)
    await store.close()
    return jobs


def open_once(where: StoreSettings) -> None:
    """Open a store, and close it."""

    async def main() -> None:
        await opened(where)

    run(main())


def refused(where: StoreSettings) -> str:
    """What is said when the store cannot be opened: one line."""
    said = ""

    async def main() -> None:
        nonlocal said
        with pytest.raises(StoreError) as error:
            await opened(where)
        said = str(error.value)

    run(main())
    assert "\n" not in said
    return said


def taken(where: StoreSettings) -> tuple[list[StoredJob], dict[str, str]]:
    """What a store has, and the metadata, after it took over what is there."""
    jobs: list[StoredJob] = []
    metadata: dict[str, str] = {}

    async def main() -> None:
        store = MySql(where)
        try:
            metadata.update(await store.open())
            jobs.extend(await kept(store))
        finally:
            await store.close()

    run(main())
    return jobs, metadata


# --- gearmand's table ---


def words(database: MariaDb, table: str) -> list[str]:
    """How gearmand is told to use the table."""
    place = [f"--mysql-host={HOST}", f"--mysql-port={database.port}", f"--mysql-db={DATABASE}"]
    return [
        "--queue-type=MySQL",
        *place,
        f"--mysql-user={USER}",
        f"--mysql-password={PASSWORD}",
        f"--mysql-table={table}",
    ]


def submit(database: MariaDb, table: str, *requests: bytes) -> list[int]:
    """Have gearmand keep jobs, and end it; return the types of its answers."""
    with start_gearmand(*words(database, table)) as server, server.connect() as client:
        types = []
        for request in requests:
            client.send(request)
            types.append(client.recv_packet().type)
        return types


def has(database: MariaDb, table: str, *functions: bytes) -> list[tuple[bytes, ...]]:
    """What gearmand, started on the table, gives to a worker: function, unique id, payload; and have it done."""
    jobs = list[tuple[bytes, ...]]()
    with start_gearmand(*words(database, table)) as server, server.connect() as worker:
        for function in functions:
            worker.request(wire.CAN_DO, function)
        while (packet := worker.call(wire.GRAB_JOB_UNIQ)).type == wire.JOB_ASSIGN_UNIQ:
            handle, function, unique, payload = packet.args(3)
            jobs.append((function, unique, payload))
            worker.request(wire.WORK_COMPLETE, handle, payload=b"")
        worker.sync()
    return jobs


def make(database: MariaDb, table: str, engine: str = "InnoDB", columns: str = "") -> None:
    """Make the table as gearmand does."""
    names = columns or "unique_key VARCHAR(64), function_name VARCHAR(255)"
    rest = "priority INT, data LONGBLOB, when_to_run INT, UNIQUE KEY (unique_key, function_name)"
    database.run(f"CREATE TABLE {table} ({names}, {rest}) ENGINE={engine}")


def left(database: MariaDb, table: str) -> int:
    """How many rows gearmand's table has."""
    return int(database.run(f"SELECT COUNT(*) FROM {table}")[0][0])


# --- the end of a process ---


class KilledError(Exception):
    """Where the process would have ended."""


def killed_at(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Have the connection end before the ``moment``-th packet is sent or answer is read."""
    moments = itertools.count(1)

    def pass_moment(link: Link) -> None:
        if next(moments) == moment:
            link.drop()
            raise KilledError

    class Cursor:
        def __init__(self, link: Link, cursor: Any) -> None:
            self.link, self.cursor = link, cursor

        async def execute(self, statements: bytes) -> None:
            pass_moment(self.link)
            await self.cursor.execute(statements)
            pass_moment(self.link)

        async def nextset(self) -> bool | None:
            more: bool | None = await self.cursor.nextset()
            pass_moment(self.link)
            return more

        def __getattr__(self, name: str) -> Any:
            return getattr(self.cursor, name)

    def cursor(link: Link) -> Any:
        return Cursor(link, link._connection.cursor())

    monkeypatch.setattr(Link, "_cursor", cursor)
