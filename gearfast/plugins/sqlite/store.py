"""Keeps jobs in one SQLite file.

Python's sqlite3 gives the interpreter's lock away for every step of a statement, and beside a busy event loop it may
wait milliseconds to have it back. So there are few steps: one statement writes many rows. The statements come in
a few sizes only, so that each is parsed once.
"""

import contextlib
import functools
import itertools
import operator
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Any, Final

from gearfast.errors import ConfigError, StoreError
from gearfast.plugins.sqlite.file import SqliteFile, Statement
from gearfast.store.contract import CEILING, Batch, StoredJob, StoreSettings, ceiling_of
from gearfast.store.stock import StockRow, Tally, job_of, log, row_of, staying

FORMAT: Final = 1
"""Of our tables, in the file's ``user_version``. Raise it when an older gearfast could not read them."""
SYNCHRONOUS: Final = {"full": "FULL", "normal": "NORMAL", "off": "OFF"}
"""With a write-ahead log: every commit reaches the disk; only a checkpoint does; nothing waits for the disk."""
COLUMNS: Final = {
    "number": "INTEGER PRIMARY KEY",
    "function_name": "BLOB NOT NULL",
    "unique_key": "BLOB NOT NULL",
    "priority": "INTEGER NOT NULL",
    "due": "REAL NOT NULL",
    "attempts": "INTEGER NOT NULL",
    "payload": "BLOB NOT NULL",
    "more": "BLOB NOT NULL",
}
"""The fields of StoredJob, in their order."""
READABLE: Final = " AND ".join(f"typeof({name}) = '{kind.split()[0].lower()}'" for name, kind in COLUMNS.items())
"""What is true of every row that we wrote; people have hands."""
STOCK_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS {} ( unique_key TEXT, function_name TEXT, priority INTEGER, data BLOB,"
    " when_to_run INTEGER, PRIMARY KEY (unique_key, function_name))"
)
"""gearmand 1.1.20's own words."""
STOCK_INSERT: Final = (
    "INSERT INTO {} (unique_key, function_name, priority, data, when_to_run)"
    " VALUES (CAST(? AS TEXT), CAST(? AS TEXT), ?, ?, ?)"
)
"""gearmand refuses to start on a name that is no text, and on a payload that is no blob."""

ROW: Final = 16 << 10
"""Bytes by which the file may grow for one job, besides its payload: a few pages."""
ROWS: Final = 64
"""Rows of the largest insert: binding its values holds the interpreter's lock for a tenth of a millisecond."""
KEYS: Final = 2048
"""Keys of the largest delete: their binding takes no longer."""
PAYLOAD: Final = operator.itemgetter(StoredJob._fields.index("payload"))
LOWEST: Final = -(2**63)
"""Not above any key."""
SLICE_JOBS: Final = 1000
"""A few more would not pay for falling out of the processor's cache."""
SLICE_BYTES: Final = 8 << 20
"""Payload after which a slice ends early, so that large jobs are not all in memory at once."""


def path_of(url: str) -> str:
    """Return the absolute path of ``sqlite:FILE``. Raises ConfigError."""
    path = url.partition(":")[2]
    if path.startswith("//"):
        path = path[2:] if path.startswith("///") else ""
    if not path or path == ":memory:" or "\0" in path:
        raise ConfigError(f"{url!r} does not name a file: write sqlite:FILE, such as sqlite:/var/lib/gearfast/jobs.db")
    return os.path.abspath(path)


def quoted(name: str) -> str:
    """Return the name as SQL writes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


@functools.cache
def inserting(table: str, rows: int) -> str:
    """Return the statement that writes so many jobs."""
    row = f"({','.join('?' * len(COLUMNS))})"
    return f"INSERT OR REPLACE INTO {table} VALUES " + ",".join([row] * rows)


@functools.cache
def deleting(table: str, key: str, keys: int) -> str:
    """Return the statement that deletes so many rows."""
    return f"DELETE FROM {table} WHERE {key} IN ({','.join('?' * keys)})"


def inserts(table: str, jobs: list[StoredJob], most: int) -> Iterator[Statement]:
    """Yield what writes the jobs, in powers of two; the last row is repeated where a quarter or less is missing."""
    place = 0
    while (left := len(jobs) - place) > 0:
        size = min(1 << (left - 1).bit_length(), most)
        if left < size - size // 4:
            size //= 2
        part = jobs[place : place + size]
        part += part[-1:] * (size - len(part))
        yield inserting(table, size), list(itertools.chain.from_iterable(part))
        place += size


def deletes(table: str, key: str, keys: list[int], most: int) -> Iterator[Statement]:
    """Yield what deletes the keys, in powers of two; the last key is repeated to fill one."""
    for place in range(0, len(keys), most):
        part = keys[place : place + most]
        size = 1 << (len(part) - 1).bit_length()
        yield deleting(table, key, size), part + part[-1:] * (size - len(part))


def growth(jobs: list[StoredJob]) -> int:
    """Return about how many bytes of the file the jobs need: what a row has besides its payload, and a few pages."""
    return sum(map(len, map(PAYLOAD, jobs))) + 256 * (len(jobs) - 1) + ROW if jobs else 0


def as_bytes(value: object) -> bytes | None:
    """Return what gearmand's table had in a column, of whatever class that was."""
    return value if isinstance(value, bytes | None) else str(value).encode()


def as_number(value: Any) -> Any:
    """Return a column's value as the whole number it says, and as it is when it says none."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return value
    return number if isinstance(value, bytes) or number == value else value


class Sqlite:
    """A store in one file: ``sqlite:FILE``."""

    largest = 999_000_000
    """Bytes: SQLite's own limit for a row is a little more."""

    def __init__(self, settings: StoreSettings) -> None:
        """Raise ConfigError when the URL cannot be used, or there is a password."""
        if settings.password:
            raise ConfigError("a store in a file has no password: remove it")
        self.path = path_of(settings.url)
        self._file = SqliteFile(self.path, SYNCHRONOUS[settings.durability], self._setup)
        self._table = settings.table or "gearman_queue"
        self._stock = quoted(self._table)
        self._jobs = quoted(f"gearfast_{self._table}")
        self._metadata = quoted(f"gearfast_{self._table}_metadata")
        self._rows = ROWS
        self._keys = KEYS

    async def open(self) -> Mapping[str, str]:
        """Open the file, take over what gearmand left in it, and return the metadata. Raises StoreError."""
        self._file.open()
        try:
            return await self._file.call(self._open)
        except Exception:
            await self._file.close()
            raise

    async def look(self) -> Mapping[str, str]:
        """Open the file for reading only, and return the metadata. Raises StoreError."""
        self._file.open(reading=True)
        try:
            return await self._file.call(self._read_metadata)
        except Exception:
            await self._file.close()
            raise

    async def left(self) -> AsyncIterator[list[StoredJob]]:
        """Yield the jobs of gearmand's table, without numbers. Raises StoreError."""
        tally = Tally(f"table {self._table} of {self.path}")
        sql = await self._file.call(self._stock_rows)
        last = LOWEST
        while sql is not None and (rows := await self._file.call(partial(self._some, sql, last, 4))):
            last = rows[-1][0]
            _, jobs = judged(rows, 0, tally)
            yield [job._replace(number=0) for job in jobs]
        tally.finish()

    async def replay(self) -> AsyncIterator[list[StoredJob]]:
        """Yield every job by its number. Raises StoreError."""
        last = LOWEST
        if not await self._file.call(partial(self._is_there, f"gearfast_{self._table}")):  # a look into another's file
            return
        while jobs := await self._file.call(partial(self._slice, last)):
            last = jobs[-1].number
            yield jobs
        await self._file.call(self._report_unreadable)

    async def write(self, batch: Batch) -> None:
        """Write the batch in one transaction. Raises StoreError, and what a value of a wrong type leads to."""
        await self._file.call(partial(self._write, batch))

    async def room(self) -> int:
        """Return how many bytes a job may have for which the disk has room now. Raises StoreError."""
        return max(0, await self._file.call(self._file.room) - ROW)

    async def close(self) -> None:
        """Bring everything into the one file, and close it."""
        await self._file.close()

    async def give_back(self) -> tuple[int, list[str]]:
        """Move the jobs into gearmand's table; return how many, and a line for each that it cannot hold."""
        return await self._file.call(self._give_back)

    # --- in the file's thread: our tables ---

    def _check_version(self, connection: sqlite3.Connection) -> int:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > FORMAT:
            raise StoreError(
                f"{self.path} was written by a newer gearfast: it has format {version}, and this one knows {FORMAT}"
            )
        return version

    def _setup(self, connection: sqlite3.Connection) -> None:
        version = self._check_version(connection)
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {self._jobs} ({columns})")
        connection.execute(f"CREATE TABLE IF NOT EXISTS {self._metadata} (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        if version < FORMAT:  # a start writes nothing that is there: the disk may be full
            connection.execute(f"PRAGMA user_version={FORMAT}")
        marks = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        self._keys = min(KEYS, 1 << marks.bit_length() - 1)
        self._rows = min(ROWS, 1 << (marks // len(COLUMNS)).bit_length() - 1)

    def _open(self) -> dict[str, str]:
        connection = self._file.connection()
        metadata = self._read_metadata()
        last: int | None = connection.execute(f"SELECT max(number) FROM {self._jobs}").fetchone()[0]
        ceiling = max(ceiling_of(metadata), last or 0)
        taken = self._take_over(ceiling)
        return metadata | {CEILING: str(ceiling + taken)} if taken else metadata

    def _read_metadata(self) -> dict[str, str]:
        connection = self._file.connection()
        self._check_version(connection)
        if not self._is_there(f"gearfast_{self._table}_metadata"):
            return {}
        return {name.decode(): value.decode() for name, value in connection.execute(f"SELECT * FROM {self._metadata}")}

    def _is_there(self, table: str) -> bool:
        sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"
        return self._file.connection().execute(sql, (table,)).fetchone() is not None

    def _write(self, batch: Batch) -> None:
        self._file.transact(self._statements(batch), growth(batch.adds))
        if batch.metadata:
            self._file.sync()

    def _statements(self, batch: Batch) -> list[Statement]:
        statements = [
            *deletes(self._jobs, "number", batch.removes, self._keys),
            *inserts(self._jobs, batch.adds, self._rows),
        ]
        if batch.metadata:
            pairs = ",".join(["(?,?)"] * len(batch.metadata))
            values = list(itertools.chain.from_iterable(batch.metadata.items()))
            statements.append((f"INSERT OR REPLACE INTO {self._metadata} VALUES {pairs}", values))
        return statements

    def _slice(self, last: int) -> list[StoredJob]:
        sql = f"SELECT * FROM {self._jobs} WHERE number > ? AND {READABLE} ORDER BY number LIMIT {SLICE_JOBS}"
        return list(map(StoredJob._make, self._some(sql, last, 6)))

    def _some(self, sql: str, last: int, payload: int) -> list[tuple[Any, ...]]:
        """Return rows until there are enough, or enough bytes in the column ``payload``."""
        rows, room = [], SLICE_BYTES
        with contextlib.closing(self._file.connection().execute(sql, (last,))) as cursor:
            for row in cursor:
                rows.append(row)
                if isinstance(row[payload], bytes):
                    room -= len(row[payload])
                    if room < 0:
                        break
        return rows

    def _report_unreadable(self) -> None:
        sql = f"SELECT number FROM {self._jobs} WHERE NOT ({READABLE}) ORDER BY number"
        tally = Tally(self.path)
        for (number,) in self._file.connection().execute(sql):
            tally.reject(number, "one of its columns is not what gearfast writes")
        tally.finish()

    # --- in the file's thread: gearmand's table ---

    def _take_over(self, ceiling: int) -> int:
        """Make gearmand's jobs ours, with the numbers behind ``ceiling``; return how many."""
        sql = self._stock_rows()
        if sql is None:
            return 0
        tally = Tally(f"table {self._table} of {self.path}")
        last = LOWEST
        try:
            while rows := self._some(sql, last, 4):
                last = rows[-1][0]
                keys, jobs = judged(rows, ceiling + tally.taken + 1, tally)
                if jobs:
                    moved = Batch([], jobs, {CEILING: str(jobs[-1].number)})
                    gone = deletes(self._stock, "rowid", keys, self._keys)
                    self._file.transact([*gone, *self._statements(moved)], growth(jobs))
                    tally.taken += len(jobs)
        finally:
            tally.finish()
        return tally.taken

    def _stock_rows(self) -> str | None:
        """Return the query for gearmand's rows, None when there is no such table. Tables of old have no due time."""
        connection = self._file.connection()
        if not self._is_there(self._table):
            return None
        for due in ("when_to_run", "0"):
            columns = f"rowid, unique_key, function_name, priority, data, {due}"
            sql = f"SELECT {columns} FROM {self._stock} WHERE rowid > ? ORDER BY rowid LIMIT {SLICE_JOBS}"
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute(f"EXPLAIN {sql}", (0,)).close()
                return sql
        log.error("table %s of %s does not have gearmand's columns: nothing is taken over", self._table, self.path)
        return None

    def _give_back(self) -> tuple[int, list[str]]:
        connection = self._file.connection()
        connection.execute(STOCK_TABLE.format(self._stock))
        with contextlib.suppress(sqlite3.OperationalError):  # the column is there, unless the table is of old
            connection.execute(f"ALTER TABLE {self._stock} ADD COLUMN when_to_run INTEGER")
        given, kept, last = 0, list[str](), LOWEST
        while jobs := self._slice(last):
            last = jobs[-1].number
            given += self._give(jobs, kept)
        self._file.connection().execute("PRAGMA journal_mode=DELETE").fetchall()  # as gearmand has its files
        return given, kept

    def _give(self, jobs: list[StoredJob], kept: list[str]) -> int:
        sql = STOCK_INSERT.format(self._stock)
        gone = []
        with self._file.transaction() as connection:
            for job in jobs:
                try:
                    connection.execute(sql, row_of(job))
                except StoreError as error:
                    kept.append(staying(job, error))
                except sqlite3.IntegrityError:
                    kept.append(staying(job, "gearmand's table has another job of that function and unique id"))
                else:
                    gone.append(job.number)
            for statement in deletes(self._jobs, "number", gone, self._keys):
                connection.execute(*statement)
        return len(gone)


def judged(rows: list[tuple[Any, ...]], number: int, tally: Tally) -> tuple[list[int], list[StoredJob]]:
    """Return the keys and the jobs of those of gearmand's rows that are jobs, by numbers from ``number`` on."""
    keys: list[int] = []
    jobs: list[StoredJob] = []
    for key, unique, function, priority, payload, due in rows:
        names = as_bytes(unique), as_bytes(function)
        try:
            row = StockRow(*names, as_number(priority), as_bytes(payload), as_number(due))
            jobs.append(job_of(row, number + len(jobs)))
            keys.append(key)
        except StoreError as error:
            tally.reject(names, error)
    return keys, jobs
