"""Background jobs in a PostgreSQL database.

One connection does everything, and holds an advisory lock for as long as it lives: a write that succeeds was made by
the only server there is. So a pooler in between must leave a connection to one client (pgbouncer:
``pool_mode=session``).
"""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import asyncpg  # type: ignore[import-untyped]

from gearfast.errors import StoreError, StoreLostError
from gearfast.plugins.postgresql.jobs import Jobs
from gearfast.plugins.postgresql.link import LOCK_WAIT, Connection, Link
from gearfast.plugins.postgresql.stock import StockTable
from gearfast.store.contract import Batch, StoredJob, StoreSettings

STOCK_TABLE: Final = "queue"
"""gearmand's own default."""


class PostgreSql:
    """Keeps jobs in the tables ``gearfast_<table>`` and ``gearfast_<table>_metadata``.

    Durability ``full``: a commit has returned, as the database is set (a standby included); ``normal`` and ``off``:
    the last second before a crash of the database may be lost, and nothing is lost by one of the server.
    """

    largest = 2**30 - 2**20
    """PostgreSQL allocates 1 GiB at most for a row or a message, and there is some wrapping."""

    def __init__(self, settings: StoreSettings) -> None:
        """Read the settings; connects to nothing. Raises ConfigError when they cannot be used."""
        self._link = Link(settings)
        self._jobs = Jobs(settings.table or STOCK_TABLE)
        self._stock = StockTable(settings.table or STOCK_TABLE, self._link.place)
        self._doubtful = False
        """Whether jobs of the next batch may be there already."""
        self._lost = False
        """The tables are gone, and the writer has not been told."""

    async def open(self) -> Mapping[str, str]:
        """Connect, make the tables, take over what gearmand left, and return the metadata. Raises StoreError."""
        with self._link.reasons():
            connection = await self._link.connect()
            await self._jobs.make(connection)
            await self._link.lock(self._jobs.table, LOCK_WAIT)
            await self._link.warn()
            return await self._stock.take_over(connection, self._jobs, await self._jobs.metadata(connection))

    async def look(self) -> Mapping[str, str]:
        """Connect for reading only, and return the metadata; nothing is locked. Raises StoreError."""
        self._link.reading = True
        with self._link.reasons():
            connection = await self._connected()
            if await self._jobs.are_missing(connection):
                return {}
            return await self._jobs.metadata(connection)

    async def left(self) -> AsyncIterator[list[StoredJob]]:
        """Yield the jobs of gearmand's table, without numbers. Raises StoreError."""
        with self._link.reasons():
            async for jobs in self._stock.look(await self._connected()):
                yield jobs

    async def replay(self) -> AsyncIterator[list[StoredJob]]:
        """Yield every job, by its number, a few thousand at a time. Raises StoreError."""
        if self._link.reading and await self._tables_are_missing():
            return
        jobs = await self._after(-1)
        while jobs:
            last = jobs[-1].number
            yield jobs
            jobs = await self._after(last)

    async def write(self, batch: Batch) -> None:
        """Return when the whole batch is committed. Raises StoreError; the next call then connects anew.

        Raises StoreLostError when somebody has dropped the tables: then they are there again, and empty.
        """
        try:
            if not self._lost:
                await self._write(batch)
                return
        except StoreError as error:
            if not isinstance(error.__cause__, asyncpg.UndefinedTableError) or not await self._tables_are_missing():
                raise
            self._lost = True
        with self._link.reasons():
            connection = await self._link.connect()
            await self._jobs.make(connection)
            await self._link.lock(self._jobs.table, self._link.timeout)
        self._lost = False
        raise StoreLostError(f"{self._link.place}: the table {self._jobs.table} or its metadata were dropped")

    async def _tables_are_missing(self) -> bool:
        with self._link.reasons():
            connection = self._link.connection if self._link.reading else await self._link.connect()
            return await self._jobs.are_missing(connection)

    async def _write(self, batch: Batch) -> None:
        doubtful, self._doubtful = self._doubtful, True
        with self._link.reasons():
            connection = await self._connected()
            if doubtful:
                await self._replace(connection, batch)
            else:
                try:
                    await self._jobs.write(connection, *batch)
                except asyncpg.UniqueViolationError:
                    if connection.is_in_transaction():
                        await connection.execute("ROLLBACK")
                    await self._replace(connection, batch)
        self._doubtful = False

    async def close(self) -> None:
        """Give everything back."""
        await self._link.close()

    async def give_back(self) -> tuple[int, list[str]]:
        """Move all jobs into gearmand's own table; return how many, and a line for each that stays.

        Raises StoreError; every job is then in one of the two tables.
        """
        moved = 0
        stay: list[str] = []
        with self._link.reasons():
            connection = await self._connected()
            await self._stock.make(connection)
            async for jobs in self.replay():
                async with connection.transaction():
                    gone = await self._stock.insert(connection, jobs, stay)
                    if gone:
                        await connection.execute(self._jobs.statements(gone, {}))
                moved += len(gone)
        return moved, stay

    async def _connected(self) -> Connection:
        return await self._link.connected(self._jobs.table)

    async def _after(self, number: int) -> list[StoredJob]:
        with self._link.reasons():
            return await self._jobs.after(await self._connected(), number)

    async def _replace(self, connection: Connection, batch: Batch) -> None:
        """Write a batch that is repeated, or has jobs that replace others: with these removed first."""
        last = {job.number: job for job in batch.adds}
        await self._jobs.write(connection, [*batch.removes, *last], list(last.values()), batch.metadata)
