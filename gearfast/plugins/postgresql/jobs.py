"""The two tables of ours in PostgreSQL: jobs and metadata."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from gearfast.errors import ConfigError
from gearfast.plugins.postgresql.link import Connection, quoted
from gearfast.store.contract import StoredJob

NAME_SIZE: Final = 63
"""Bytes of a name. PostgreSQL cuts longer ones, and the two tables could become one."""
AT_ONCE: Final = 150
"""Jobs packed for the wire before the event loop may serve others: less than half a millisecond."""
SLICE: Final = 4000
"""Small jobs that are read at once."""
SLICE_SIZE: Final = 32 << 20
"""Bytes of payload that are read at once, give or take one job."""
COLUMNS: Final = ("number", "function", "unique_key", "priority", "due", "attempts", "payload", "more")


class Jobs:
    """Statements on the tables ``gearfast_<table>`` and ``gearfast_<table>_metadata``."""

    def __init__(self, table: str) -> None:
        """Name them. Raises ConfigError when PostgreSQL cannot hold the name."""
        self.name = f"gearfast_{table}"
        metadata = f"{self.name}_metadata"
        if "\0" in metadata or len(metadata.encode(errors="surrogateescape")) > NAME_SIZE:
            most = NAME_SIZE - len("gearfast__metadata")
            raise ConfigError(f"{table!r} cannot name a table of PostgreSQL: take a name of at most {most} bytes")
        self.table, self.metadata_table = quoted(self.name), quoted(metadata)
        columns = ", ".join(COLUMNS)
        # The sum keeps a slice of large jobs short; it costs little, since payloads are not read for it.
        self.slice_query = (
            f"SELECT {columns} FROM (SELECT *, sum(octet_length(payload)) OVER (ORDER BY number ROWS UNBOUNDED"
            f" PRECEDING) - octet_length(payload) AS before FROM (SELECT * FROM {self.table} WHERE number > $1"
            f" ORDER BY number LIMIT {SLICE}) AS next) AS sized WHERE before < {SLICE_SIZE} ORDER BY number"
        )

    async def make(self, connection: Connection) -> None:
        """Make the tables that are missing."""
        async with connection.transaction():
            # Two servers that make one table in the same moment: the second would fail, IF NOT EXISTS or not.
            await connection.execute("SELECT pg_advisory_xact_lock(1734697330)")
            if await connection.fetchval("SELECT to_regclass($1::text) IS NULL", self.table):
                await connection.execute(
                    f"CREATE TABLE {self.table} (number BIGINT PRIMARY KEY, function BYTEA NOT NULL,"
                    " unique_key BYTEA NOT NULL, priority SMALLINT NOT NULL, due DOUBLE PRECISION NOT NULL,"
                    " attempts INTEGER NOT NULL, payload BYTEA NOT NULL, more BYTEA NOT NULL)"
                )
            if await connection.fetchval("SELECT to_regclass($1::text) IS NULL", self.metadata_table):
                # No text: that would have to be of the database's encoding.
                await connection.execute(
                    f"CREATE TABLE {self.metadata_table} (name BYTEA PRIMARY KEY, value BYTEA NOT NULL)"
                )

    async def are_missing(self, connection: Connection) -> bool:
        """Whether one of the tables is."""
        found = "SELECT to_regclass($1::text) IS NULL OR to_regclass($2::text) IS NULL"
        return bool(await connection.fetchval(found, self.table, self.metadata_table))

    async def metadata(self, connection: Connection) -> dict[str, str]:
        """Return all metadata."""
        rows = await connection.fetch(f"SELECT name, value FROM {self.metadata_table}")
        return {name.decode(errors="surrogateescape"): value.decode(errors="surrogateescape") for name, value in rows}

    async def after(self, connection: Connection, number: int) -> list[StoredJob]:
        """Return the next jobs after that number, as many as memory should hold at once."""
        return list(map(StoredJob._make, await connection.fetch(self.slice_query, number)))

    async def write(
        self, connection: Connection, removes: Sequence[int], adds: list[StoredJob], metadata: Mapping[str, str]
    ) -> None:
        """Write in one transaction and few round trips. Raises UniqueViolationError when a number is there already."""
        first = self.statements(removes, metadata)
        whole = not (first and adds)  # one statement, or several in one message, are one transaction by themselves
        if first:
            await connection.execute(first if whole else f"BEGIN; {first}")
        if adds:
            await self.copy(connection, adds)
        if not whole:
            await connection.execute("COMMIT")

    def statements(self, removes: Sequence[int], metadata: Mapping[str, str]) -> str:
        """Return the SQL that removes jobs and writes metadata. All values in it are digits: nothing needs quotes."""
        parts = []
        if removes:
            parts.append(f"DELETE FROM {self.table} WHERE number = ANY ('{{{','.join(map(str, removes))}}}'::bigint[])")
        if metadata:
            values = ", ".join(f"({literal(name)}, {literal(value)})" for name, value in metadata.items())
            parts.append(
                f"INSERT INTO {self.metadata_table} (name, value) VALUES {values}"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            )
        return "; ".join(parts)

    async def copy(self, connection: Connection, jobs: list[StoredJob]) -> None:
        """Add jobs; for both ends this is half the work of an INSERT."""
        records: Any = jobs if len(jobs) <= AT_ONCE else unhurried(jobs)
        await connection.copy_records_to_table(self.name, records=records, columns=COLUMNS)


async def unhurried(jobs: list[StoredJob]) -> AsyncIterator[StoredJob]:
    """Yield the jobs, and let the event loop serve others now and then."""
    for start in range(0, len(jobs), AT_ONCE):
        for job in jobs[start : start + AT_ONCE]:
            yield job
        await asyncio.sleep(0)


def literal(text: str) -> str:
    """Return the SQL for the bytes of a text."""
    return f"decode('{text.encode(errors='surrogateescape').hex()}', 'hex')"
