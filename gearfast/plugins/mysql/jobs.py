"""Our two tables in MySQL or MariaDB: the jobs, and the metadata."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from gearfast.errors import StoreError
from gearfast.plugins.mysql.link import Link
from gearfast.store.contract import Batch, StoredJob

log = logging.getLogger("gearfast")

COLUMNS: Final = b"(number, function, `unique`, priority, due, attempts, payload, more)"
CREATE_JOBS: Final = (
    b"CREATE TABLE %b (number BIGINT UNSIGNED NOT NULL PRIMARY KEY, function LONGBLOB NOT NULL,"
    b" `unique` LONGBLOB NOT NULL, priority TINYINT UNSIGNED NOT NULL, due DOUBLE NOT NULL,"
    b" attempts BIGINT UNSIGNED NOT NULL, payload LONGBLOB NOT NULL, more LONGBLOB NOT NULL) ENGINE=InnoDB"
)
CREATE_FACTS: Final = (
    b"CREATE TABLE %b (name VARBINARY(255) NOT NULL PRIMARY KEY, value LONGBLOB NOT NULL) ENGINE=InnoDB"
)

PIECE: Final = 256 << 10
"""Bytes sent at once at most, so that neither building nor sending them keeps the event loop for long."""
SLICE: Final = 64 << 10
"""Bytes of statement made between two turns of the event loop: some 0.3 ms of work."""
MAX_STEP: Final = 128
"""Jobs made into text between two turns, however small they are."""
LARGE: Final = 32 << 10
"""Payloads above these bytes are not made into text: they are sent as they are, each in a statement of its own."""
DELETED: Final = 500
"""Numbers in one DELETE: its server looks them all up before it begins."""
OVERHEAD: Final = 64
"""Bytes of a packet that are for what surrounds our statements."""
ROWS: Final = 2000
"""Jobs read at once."""


def quoted(name: str) -> bytes:
    """Return the name of a table or column as it stands in a statement."""
    return b"`%b`" % name.replace("`", "``").encode()


def literal(value: bytes) -> bytes:
    """Return any bytes as they stand in a statement of a connection whose character set is ``binary``."""
    return b"'%b'" % value.replace(b"\\", b"\\\\").replace(b"'", b"\\'")


def rows_of(jobs: Sequence[StoredJob]) -> list[bytes | None]:
    """Return each job as a row of an INSERT; None where the payload is too large for that."""
    return [
        b"(%d,'%b','%b',%d,%r,%d,'%b','%b')"
        % (
            number,
            function.replace(b"\\", b"\\\\").replace(b"'", b"\\'"),
            unique.replace(b"\\", b"\\\\").replace(b"'", b"\\'"),
            priority,
            due,
            attempts,
            payload.replace(b"\\", b"\\\\").replace(b"'", b"\\'"),
            more.replace(b"\\", b"\\\\").replace(b"'", b"\\'") if more else b"",
        )
        if len(payload) <= LARGE
        else None
        for number, function, unique, priority, due, attempts, payload, more in jobs
    ]


class JobTables:
    """The jobs and the metadata, over a link."""

    def __init__(self, link: Link, table: str) -> None:
        self._link = link
        self.names = (f"gearfast_{table}", f"gearfast_{table}_metadata")
        self.jobs, self.metadata = map(quoted, self.names)

    @property
    def largest(self) -> int:
        """Bytes of names and payload that surely fit into a packet, and into a row that is read, with all else."""
        return self._link.packet - min(64 << 10, self._link.packet // 8)

    async def engines(self, *names: str) -> dict[str, str]:
        """Return the engine of each of these tables that there is."""
        rows = await self._link.run(
            b"SELECT table_name, COALESCE(engine, 'none'), @@lower_case_table_names FROM information_schema.tables"
            b" WHERE table_schema = DATABASE() AND LOWER(table_name) IN (%b)"
            % b", ".join(literal(name.lower().encode()) for name in names)
        )
        there = {found.decode(): engine.decode() for found, engine, _ in rows}
        if rows and rows[0][2]:  # the server keeps all names in small letters
            there = {name: there[name.lower()] for name in names if name.lower() in there}
        return there

    async def make(self, engines: Mapping[str, str]) -> None:
        """Make the tables that are missing; ``engines`` has those that are there, by name. Raises StoreError."""
        for name, statement in zip(self.names, (CREATE_JOBS, CREATE_FACTS), strict=True):
            engine = engines.get(name)
            if engine is None:
                await self._link.run(statement % quoted(name))
            elif engine.lower() != "innodb":
                raise StoreError(
                    f"table {name} must be InnoDB, which {engine} is not: ALTER TABLE {name} ENGINE=InnoDB"
                )

    # --- writing ---

    async def change(self, batch: Batch, also: Sequence[bytes] = (), begin: bool = True) -> list[int]:
        """Write a batch, and do the statements ``also``, in one transaction and few round trips.

        Returns how many rows each statement of ``also`` changed. With ``begin`` False there is a transaction already.
        """
        waiting = [b"START TRANSACTION"] if begin else []
        size, counts = 0, list[int]()
        async for part in self._parts(batch, also):
            if isinstance(part, StoredJob) or size + len(part) >= self._room():
                counts += await self._send(waiting)
                size = 0
            if isinstance(part, StoredJob):
                await self._insert(part)
            else:
                waiting.append(part)
                size += len(part) + 1
        waiting.append(b"COMMIT")
        counts += await self._send(waiting)
        return counts[len(counts) - 1 - len(also) : -1]

    async def _parts(self, batch: Batch, also: Sequence[bytes]) -> AsyncIterator[bytes | StoredJob]:
        """Yield statements shorter than a packet, and the jobs that are too large for that."""
        removes = batch.removes
        step = max(1, min(DELETED, (self._room() - 128) // 20))
        for at in range(0, len(removes), step):
            yield b"DELETE FROM %b WHERE number IN (%b)" % (self.jobs, str(removes[at : at + step])[1:-1].encode())
            await asyncio.sleep(0)
        async for part in self._adds(batch.adds):
            yield part
        if batch.metadata:
            rows = [
                b"(%b,%b)" % (literal(name.encode()), literal(value.encode())) for name, value in batch.metadata.items()
            ]
            yield b"REPLACE INTO %b (name, value) VALUES %b" % (self.metadata, b",".join(rows))
        for statement in also:
            yield statement

    async def _adds(self, jobs: list[StoredJob]) -> AsyncIterator[bytes | StoredJob]:
        head = b"REPLACE INTO %b %b VALUES " % (self.jobs, COLUMNS)
        room = self._room() - len(head)
        rows: list[bytes] = []
        at, step, size = 0, 16, 0
        while at < len(jobs):
            made = 1
            part = jobs[at : at + step]
            for job, row in zip(part, rows_of(part), strict=True):
                if rows and (row is None or size + len(row) >= room):
                    yield head + b",".join(rows)
                    rows, size = [], 0
                if row is None or len(row) >= room:
                    yield job
                else:
                    rows.append(row)
                    size += len(row) + 1
                    made += len(row)
            at += step
            step = max(1, min(MAX_STEP, step * SLICE // made))
            await asyncio.sleep(0)
        if rows:
            yield head + b",".join(rows)

    def _room(self) -> int:
        return min(PIECE, self._link.packet) - OVERHEAD

    async def _send(self, waiting: list[bytes]) -> list[int]:
        """Have the statements that wait executed; they wait no longer."""
        statements = b";".join(waiting)
        waiting.clear()
        return [count async for count in self._link.each(statements)] if statements else []

    async def _insert(self, job: StoredJob) -> None:
        size = sum(map(len, (job.function, job.unique, job.payload, job.more)))
        if size + 4 * OVERHEAD > self._link.packet:
            raise StoreError(
                f"a job of {size} bytes is more than the database takes: raise max_allowed_packet on the server"
            )
        statement = await self._link.prepare(b"REPLACE INTO %b %b VALUES (?,?,?,?,?,?,?,?)" % (self.jobs, COLUMNS))
        await statement.execute(job)

    # --- reading ---

    async def read_metadata(self) -> dict[bytes, bytes]:
        """Return all that was noted."""
        return dict(await self._link.run(b"SELECT name, value FROM %b" % self.metadata))

    async def read(self, start: int) -> list[StoredJob]:
        """Return the next jobs from number ``start`` on, by number.

        Where the payload is large it is None: many of them would not fit into memory at once.
        """
        statement = await self._link.prepare(
            b"SELECT number, function, `unique`, priority, due, attempts,"
            b" IF(OCTET_LENGTH(payload) > %d, NULL, payload), more FROM %b WHERE number >= ? ORDER BY number LIMIT %d"
            % (LARGE, self.jobs, ROWS)
        )
        return list(map(StoredJob._make, (await statement.execute((start,))).rows))

    async def read_large(self, job: StoredJob) -> StoredJob | None:
        """Return a job with its payload; None when it cannot be had, which is logged."""
        of_it = b" FROM %b WHERE number = %d" % (self.jobs, job.number)
        ((size,),) = await self._link.run(b"SELECT OCTET_LENGTH(payload)" + of_it)
        if size + len(job.function) + len(job.unique) + len(job.more) + OVERHEAD > self._link.packet:
            log.error(
                "the job with number %d stays in table %s: its %d bytes are more than the server's max_allowed_packet",
                job.number, self.names[0], size,
            )  # fmt: skip
            return None
        ((payload,),) = await self._link.run(b"SELECT payload" + of_it)
        return job._replace(payload=payload)
