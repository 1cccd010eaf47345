"""gearmand's own table in PostgreSQL: taken over, and given back."""

import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from operator import itemgetter
from typing import Any

from gearfast.errors import StoreError
from gearfast.plugins.postgresql.jobs import SLICE, SLICE_SIZE, Jobs
from gearfast.plugins.postgresql.link import FAILURES, Connection, one_line, quoted
from gearfast.store.contract import CEILING, StoredJob, ceiling_of
from gearfast.store.stock import StockRow, Tally, job_of, row_of, staying

log = logging.getLogger("gearfast")


class StockTable:
    """The table that ``gearmand -q Postgres --libpq-table`` uses."""

    def __init__(self, name: str, place: str) -> None:
        """Name it; ``place`` is for the log."""
        self.name = name.lower()  # gearmand does not quote it, and PostgreSQL then reads it in small letters
        self.table = quoted(self.name)
        self.place = f"table {self.name} of {place}"

    async def take_over(self, connection: Connection, jobs: Jobs, metadata: dict[str, str]) -> dict[str, str]:
        """Make its rows our jobs, some thousand in a transaction; return the metadata as they are then."""
        columns = await self.columns(connection)
        if not columns:
            return metadata
        tally = Tally(self.place)
        read = f"{self.query(columns)} FOR UPDATE"
        async for some in self.places(connection):
            async with connection.transaction():
                rows = await connection.fetch(read, some)
                taken, gone = read_rows(rows, ceiling_of(metadata), tally)
                if taken:
                    metadata = {**metadata, CEILING: str(taken[-1].number)}
                    await connection.execute(jobs.statements([], {CEILING: metadata[CEILING]}))
                    await jobs.copy(connection, taken)
                    await connection.execute(f"DELETE FROM {self.table} WHERE ctid = ANY ($1::tid[])", gone)
            tally.taken += len(taken)
        tally.finish()
        return metadata

    async def look(self, connection: Connection) -> AsyncIterator[list[StoredJob]]:
        """Yield its rows as jobs that have no number, some thousand at a time; they stay where they are."""
        columns = await self.columns(connection)
        tally = Tally(self.place)
        if columns:
            async for some in self.places(connection):
                jobs, _ = read_rows(await connection.fetch(self.query(columns), some), 0, tally)
                yield [job._replace(number=0) for job in jobs]
        tally.finish()

    async def places(self, connection: Connection) -> AsyncIterator[list[Any]]:
        """Yield where its rows are: only that tells one from another. So many at a time as may be read at once."""
        await connection.execute(
            "DECLARE gearfast_places NO SCROLL CURSOR WITH HOLD FOR"
            f" SELECT ctid, coalesce(octet_length(data), 0) FROM {self.table} ORDER BY ctid"
        )
        while places := await connection.fetch(f"FETCH {SLICE} FROM gearfast_places"):
            for some in slices(places):
                yield some
        await connection.execute("CLOSE gearfast_places")

    def query(self, columns: set[str]) -> str:
        """Return what reads the rows at some places, each with its place and then with the fields of StockRow."""
        due = "when_to_run" if "when_to_run" in columns else "NULL::integer"
        return (
            "SELECT ctid, convert_to(unique_key::text, getdatabaseencoding()),"
            f" convert_to(function_name::text, getdatabaseencoding()), priority, data, {due}"
            f" FROM {self.table} WHERE ctid = ANY ($1::tid[])"
        )

    async def columns(self, connection: Connection) -> set[str]:
        """Return the names of its columns; none when there is no such table, or it is somebody else's."""
        rows = await connection.fetch(
            "SELECT attname::text, relkind::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
            " WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped",
            self.table,
        )
        columns = {name for name, _ in rows}
        missing = {"unique_key", "function_name", "priority", "data"} - columns
        if rows and (missing or rows[0][1] != "r"):
            what = f"it has no column {min(missing)}" if missing else "it is not an ordinary table"
            log.warning("the %s is not gearmand's, and is left alone: %s", self.place, what)
            return set()
        return columns

    async def make(self, connection: Connection) -> None:
        """Make it as gearmand does, when it is not there."""
        if await connection.fetchval("SELECT to_regclass($1::text) IS NULL", self.table):
            await connection.execute(
                f"CREATE TABLE {self.table} (unique_key VARCHAR(64), function_name VARCHAR(255), priority INTEGER,"
                " data BYTEA, when_to_run INTEGER, UNIQUE (unique_key, function_name))"
            )

    async def insert(self, connection: Connection, jobs: Iterable[StoredJob], stay: list[str]) -> list[int]:
        """Add jobs of ours; return the numbers of those that it can hold, and say in ``stay`` why not the others."""
        rows = []
        for job in jobs:
            try:
                rows.append((job, row_of(job)))
            except StoreError as error:
                stay.append(staying(job, error))
        return await self.insert_rows(connection, rows, stay) if rows else []

    async def insert_rows(
        self, connection: Connection, rows: list[tuple[StoredJob, StockRow]], stay: list[str]
    ) -> list[int]:
        """Add rows, all at once; when that fails each half by itself, down to the row that is at fault."""
        try:
            async with connection.transaction():
                await connection.executemany(
                    f"INSERT INTO {self.table} (unique_key, function_name, priority, data, when_to_run) VALUES"
                    " (convert_from($1, getdatabaseencoding()), convert_from($2, getdatabaseencoding()), $3, $4, $5)",
                    # gearmand too writes NULL for an empty payload.
                    [(*row[:3], row.payload or None, row.due) for _, row in rows],
                )
            return [job.number for job, _ in rows]
        except FAILURES as error:
            if connection.is_closed():
                raise
            if len(rows) == 1:
                stay.append(staying(rows[0][0], one_line(error)))
                return []
        half = len(rows) // 2
        first = await self.insert_rows(connection, rows[:half], stay)
        return first + await self.insert_rows(connection, rows[half:], stay)


def read_rows(rows: Iterable[Sequence[Any]], ceiling: int, tally: Tally) -> tuple[list[StoredJob], list[Sequence[int]]]:
    """Return the jobs of rows of gearmand's, numbered from the ceiling on, and the places of these rows."""
    taken: list[StoredJob] = []
    gone = []
    for place, *fields in sorted(rows, key=itemgetter(0)):
        row = StockRow(*fields)
        try:
            taken.append(job_of(row, ceiling + len(taken) + 1))
        except StoreError as error:
            tally.reject((row.function, row.unique), error)
        else:
            gone.append(place)
    return taken, gone


def slices(places: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Return the places (each with the size of what is there) in lists of which each may be read at once."""
    lists: list[list[Any]] = [[]]
    total = 0
    for place, size in places:
        if total > SLICE_SIZE:
            lists.append([])
            total = 0
        lists[-1].append(place)
        total += size
    return lists
