"""MySQL and MariaDB as a store: one transaction for each batch, in as few round trips as it fits into."""

import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Final

from asyncmy.errors import MySQLError

from gearfast.errors import ConfigError, StoreError, StoreLostError
from gearfast.logs import NOTICE
from gearfast.plugins.mysql.jobs import ROWS, JobTables
from gearfast.plugins.mysql.link import Link
from gearfast.plugins.mysql.stock import NOTED, StockTable
from gearfast.plugins.mysql.url import address_of
from gearfast.store.contract import Batch, StoredJob, StoreSettings

log = logging.getLogger("gearfast")

TABLE: Final = "gearman_queue"
LONGEST: Final = 64 - len("gearfast__metadata")
"""Characters of a table's name, of which the names of ours are made: 64 is the most."""
NO_SUCH_TABLE: Final = 1146
GIVEN_AT_ONCE: Final = 8 << 20
"""Bytes of large payloads that `replay` has in memory at once."""


class MySql:
    """The jobs in a table of InnoDB's. A lost connection is made again by itself; see ``Link`` for how that is safe."""

    def __init__(self, settings: StoreSettings) -> None:
        """Check the settings. Raises ConfigError."""
        table = settings.table or TABLE
        if len(table) > LONGEST:
            raise ConfigError(f"the name of table {table} is too long: {LONGEST} characters are the most")
        self._durability = settings.durability
        self._link = Link(address_of(settings.url, settings.password_beside), table, settings.timeout)
        self._tables = JobTables(self._link, table)
        self._stock = StockTable(self._link, table, self._tables)
        self.largest = self._tables.largest
        self._lost = False
        """The tables are gone, and the writer has not been told."""
        self._engines: Mapping[str, str] = {}
        """What `look` has found."""

    async def open(self) -> Mapping[str, str]:
        """Connect, make our tables, take over what gearmand left, and return the metadata. Raises StoreError."""
        metadata = await self._link.do(self._open)
        self.largest = self._tables.largest
        return metadata

    async def _open(self) -> Mapping[str, str]:
        engines = await self._tables.engines(*self._tables.names, self._stock.name)
        await self._say_durability()
        await self._tables.make(engines)
        if self._stock.name in engines:
            await self._stock.take_over(engines[self._stock.name])
        metadata = await self._tables.read_metadata()
        return {name.decode(): value.decode() for name, value in metadata.items() if name != NOTED}

    async def look(self) -> Mapping[str, str]:
        """Connect for reading only, and return the metadata; nothing is locked. Raises StoreError."""
        self._link.reading = True
        return await self._link.do(self._look)

    async def _look(self) -> Mapping[str, str]:
        self._engines = await self._tables.engines(*self._tables.names, self._stock.name)
        metadata = await self._tables.read_metadata() if self._tables.names[1] in self._engines else {}
        return {name.decode(): value.decode() for name, value in metadata.items() if name != NOTED}

    async def left(self) -> AsyncIterator[list[StoredJob]]:
        """Yield the jobs of gearmand's table, without numbers. Raises StoreError."""
        if self._stock.name in self._engines:
            async for jobs in self._stock.look():
                yield jobs

    async def replay(self) -> AsyncIterator[list[StoredJob]]:
        """Yield every job, by its number. Raises StoreError."""
        start = 0
        if self._link.reading and self._tables.names[0] not in self._engines:
            return
        while True:
            jobs = await self._link.do(partial(self._tables.read, start))
            if any(job.payload is None for job in jobs):
                async for some in self._with_payloads(jobs):
                    yield some
            elif jobs:
                yield jobs
            if len(jobs) < ROWS:
                return
            start = jobs[-1].number + 1

    async def _with_payloads(self, jobs: list[StoredJob]) -> AsyncIterator[list[StoredJob]]:
        """Yield jobs, few enough at a time that their payloads fit into memory."""
        held, size = list[StoredJob](), 0
        for job in jobs:
            found: StoredJob | None = job
            if job.payload is None:
                found = await self._link.do(partial(self._tables.read_large, job))
            if found is not None:
                held.append(found)
                size += len(found.payload)
            if size > GIVEN_AT_ONCE:
                yield held
                held, size = [], 0
        if held:
            yield held

    async def write(self, batch: Batch) -> None:
        """Write a batch in one transaction. Raises StoreError.

        When the connection has died meanwhile, also while it was used, the batch is written once more over a new one.
        Raises StoreLostError when somebody has dropped the tables: then they are there again, and empty.
        """
        try:
            if not self._lost:
                await self._link.do(partial(self._tables.change, batch))
                self.largest = self._tables.largest
                return
        except StoreError as error:
            cause = error.__cause__
            if not isinstance(cause, MySQLError) or cause.args[:1] != (NO_SUCH_TABLE,):
                raise
            if len(await self._link.do(partial(self._tables.engines, *self._tables.names))) == len(self._tables.names):
                raise  # it is another table, as of a trigger
            self._lost = True
        await self._link.do(self._make_anew)
        self._lost = False
        names = " or ".join(self._tables.names)
        raise StoreLostError(f"MySQL at {self._link.address}: the table {names} was dropped")

    async def _make_anew(self) -> None:
        await self._tables.make(await self._tables.engines(*self._tables.names))

    async def give_back(self) -> tuple[int, list[str]]:
        """Move the jobs into gearmand's table; return how many, and a line on each that stays. Raises StoreError."""
        return await self._stock.give_back()

    async def close(self) -> None:
        """End the connection."""
        await self._link.close()

    async def _say_durability(self) -> None:
        """Say in the log what the server does about a crash: a setting of the server's, and not ours to change."""
        ((flush, binary_log, sync),) = await self._link.run(
            b"SELECT @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.log_bin, @@GLOBAL.sync_binlog"
        )
        missing = [] if flush == 1 else [f"innodb_flush_log_at_trx_commit = 1 (it is {flush})"]
        if binary_log and sync != 1:  # what is not in the binary log after a crash, InnoDB rolls back
            missing.append(f"sync_binlog = 1 (it is {sync})")
        if not missing:
            log.log(NOTICE, "MySQL at %s writes every commit to its disk", self._link.address)
        elif self._durability == "full":
            log.warning(
                "MySQL at %s may lose the last second of acknowledged jobs when its machine fails; for durability full"
                " set on that server: %s", self._link.address, ", ".join(missing),
            )  # fmt: skip
        else:
            log.log(NOTICE, "MySQL at %s may lose the last second when its machine fails", self._link.address)
