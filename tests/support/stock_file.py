"""A SQLite file that Debian's gearmand and our store take turns with."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from gearfast.plugins.sqlite import Sqlite
from gearfast.plugins.sqlite import store as rooms
from gearfast.store.contract import Batch, StoredJob, StoreSettings
from tests.support import wire
from tests.support.peers import Server, start_gearmand
from tests.support.wire import Connection

LATER = 4_000_000_000
"""Seconds since 1970, beyond 32 bits."""
EVERY = bytes(range(256))

Submit = tuple[int, bytes, bytes, bytes]
SUBMITS: list[Submit] = [
    (wire.SUBMIT_JOB_BG, b"resize", b"one", b"payload"),
    (wire.SUBMIT_JOB_HIGH_BG, b"resize", b"two", b"high"),
    (wire.SUBMIT_JOB_LOW_BG, b"resize", b"three", b"low"),
    (wire.SUBMIT_JOB_BG, b"my-hyphenated-func", b"a-b-c", b"x"),
    (wire.SUBMIT_JOB_BG, b"resize", b"u" * 64, b"a long unique"),
    (wire.SUBMIT_JOB_BG, b"resize", b"v" * 63, b"not so long"),
    (wire.SUBMIT_JOB_BG, b"binary", b"every", EVERY * 300),
    (wire.SUBMIT_JOB_BG, b"\xff\xfe not UTF-8", b"\xe9", b"\0\0"),
    (wire.SUBMIT_JOB_BG, b'it\'s "quoted"; --', b"'", b"'"),
    (wire.SUBMIT_JOB_BG, b"empty", b"payload", b""),
    (wire.SUBMIT_JOB_BG, b"", b"no name", b"x"),
    (wire.SUBMIT_JOB_BG, b"dash", b"-", b"its own unique"),
]
PRIORITIES = {wire.SUBMIT_JOB_HIGH_BG: 0, wire.SUBMIT_JOB_BG: 1, wire.SUBMIT_JOB_LOW_BG: 2}


def expected(submits: list[Submit], first: int = 1) -> list[StoredJob]:
    """Our jobs for what gearmand was given: it keeps 63 bytes of a unique."""
    return [
        StoredJob(number, function, unique[:63], PRIORITIES[type_], 0.0, 0, payload, b"")
        for number, (type_, function, unique, payload) in enumerate(submits, first)
    ]


@contextlib.contextmanager
def gearmand(path: Path, *args: str) -> Iterator[Server]:
    with start_gearmand("-q", "libsqlite3", f"--libsqlite3-db={path}", *args) as server:
        yield server


def submit(connection: Connection, *submits: Submit) -> None:
    for type_, function, unique, payload in submits:
        assert connection.call(type_, function, unique, payload=payload).type == wire.JOB_CREATED


def kill(server: Server) -> None:
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()


@contextlib.contextmanager
def sql(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, looked at and changed by hand."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.text_factory = bytes
    try:
        yield connection
    finally:
        connection.close()


def stock_rows(path: Path, table: str = "gearman_queue") -> list[tuple[object, ...]]:
    with sql(path) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()


def empty_table(path: Path, columns: str = rooms.STOCK_TABLE.format("gearman_queue")) -> None:
    with sql(path) as connection:
        connection.execute(columns)


def taken(path: Path, table: str = "") -> tuple[dict[str, str], list[StoredJob]]:
    """The metadata and the jobs that a store finds there."""

    async def main() -> tuple[dict[str, str], list[StoredJob]]:
        store = Sqlite(StoreSettings(url=f"sqlite:{path}", table=table))
        metadata = dict(await store.open())
        try:
            return metadata, [job async for jobs in store.replay() for job in jobs]
        finally:
            await store.close()

    return asyncio.run(main())


def given_back(path: Path, *batches: Batch, table: str = "") -> tuple[int, list[str]]:
    async def main() -> tuple[int, list[str]]:
        store = Sqlite(StoreSettings(url=f"sqlite:{path}", table=table))
        await store.open()
        try:
            for batch in batches:
                await store.write(batch)
            return await store.give_back()
        finally:
            await store.close()

    return asyncio.run(main())
