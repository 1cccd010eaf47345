"""Where the jobs of a world are kept, and how to look at them while no server runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from gearfast.plugins.stores import make_store
from gearfast.store.contract import Batch, StoredJob, StoreSettings
from tests.support.databases import Database

Metadata = Mapping[str, str]


async def read_all(url: str) -> tuple[list[StoredJob], Metadata]:
    """Every job and all metadata, as a server would get them."""
    store = make_store(StoreSettings(url=url))
    metadata = await store.open()
    try:
        return [job async for jobs in store.replay() for job in jobs], metadata
    finally:
        await store.close()


async def write_all(url: str, jobs: list[StoredJob], metadata: Metadata) -> None:
    """Put jobs into a store."""
    store = make_store(StoreSettings(url=url))
    await store.open()
    try:
        for at in range(0, len(jobs), 5000):
            await store.write(Batch([], jobs[at : at + 5000], metadata))
    finally:
        await store.close()


class Place:
    """A store at a URL, looked at where it is."""

    def __init__(self, url: str, durability: str = "full") -> None:
        self.url = url
        self.durability = durability

    @property
    def words(self) -> list[str]:
        """For the server's command line."""
        return ["--store", self.url, f"--durability={self.durability}"]

    def read(self) -> tuple[list[StoredJob], Metadata]:
        """What it holds."""
        return asyncio.run(read_all(self.url))

    def fill(self, jobs: list[StoredJob], metadata: Metadata) -> None:
        """Put jobs into it."""
        asyncio.run(write_all(self.url, jobs, metadata))

    def check(self) -> str:
        """What is wrong with it, or "ok", as SQLite says it."""
        return "ok"

    def clear(self) -> None:
        """Begin anew with nothing in it."""

    @property
    def environment(self) -> dict[str, str]:
        """For the server's process."""
        return {}

    def after_kill(self, chance: random.Random) -> str:
        """Do what else happens when the server is killed; return what must have survived."""
        return "everything"

    def close(self) -> None:
        """Leave nothing behind."""


class SqlitePlace(Place):
    """A file. It is copied to be looked at: what a killed server left is for the next server to mend."""

    def __init__(self, folder: Path, durability: str = "full") -> None:
        self.file = folder / "jobs.db"
        self.folder = folder
        super().__init__(f"sqlite:{self.file}", durability)

    def parts(self) -> list[Path]:
        """The file, and those beside it that belong to it."""
        beside = (self.file.with_name(self.file.name + end) for end in ("", "-wal", "-journal"))
        return [path for path in beside if path.exists()]

    @contextlib.contextmanager
    def copied(self) -> Iterator[Path]:
        """The path of a copy, until the block is left."""
        memory = Path("/dev/shm")
        copy = Path(tempfile.mkdtemp(prefix="crash-copy-", dir=memory if os.access(memory, os.W_OK) else self.folder))
        try:
            for part in self.parts():
                shutil.copy(part, copy / part.name)
            yield copy / self.file.name
        finally:
            shutil.rmtree(copy)

    def read(self) -> tuple[list[StoredJob], Metadata]:
        """What a copy of it holds."""
        with self.copied() as path:
            return asyncio.run(read_all(f"sqlite:{path}"))

    def check(self) -> str:
        """What SQLite says of a copy of it."""
        with self.copied() as path, contextlib.closing(sqlite3.connect(path)) as connection:
            try:
                return "; ".join(row[0] for row in connection.execute("PRAGMA integrity_check"))
            except sqlite3.DatabaseError as error:
                return str(error)

    def clear(self) -> None:
        """Leave no file."""
        for part in (*self.parts(), self.file.with_name(self.file.name + "-shm")):
            part.unlink(missing_ok=True)


class DatabasePlace(Place):
    """A database server of its own. It goes on when the server that uses it is killed."""

    def __init__(self, database: Database, durability: str = "full") -> None:
        database.start()
        self.database = database
        super().__init__(database.url, durability)

    def close(self) -> None:
        """End it."""
        self.database.end()
