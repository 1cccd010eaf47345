"""gearmand's own table in MySQL or MariaDB: what it left is taken over, and can be given back."""

import hashlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Final, NamedTuple

from asyncmy.errors import MySQLError

from gearfast.errors import StoreError
from gearfast.plugins.mysql.jobs import COLUMNS, ROWS, JobTables, literal, quoted
from gearfast.plugins.mysql.link import Link
from gearfast.store.contract import CEILING, Batch, StoredJob, ceiling_of
from gearfast.store.stock import StockRow, Tally, job_of, row_of, staying

CREATE: Final = (
    b"CREATE TABLE %b (unique_key VARCHAR(64), function_name VARCHAR(255), priority INT, data LONGBLOB,"
    b" when_to_run INT, UNIQUE KEY (unique_key, function_name)) ENGINE=InnoDB"
)
NOTED: Final = b"\xfftaken"
"""Names which rows of a table without transactions are ours already; no text, so no name of something else."""
AT_ONCE: Final = 500
"""Rows taken over, or given back, in one transaction."""
WIDE: Final = (b"ucs2", b"utf16", b"utf16le", b"utf32")
"""Character sets in which no ASCII letter is one byte."""
DUPLICATE: Final = 1062
NOT_HELD: Final = {DUPLICATE, 1264, 1300, 1366, 1406, 3854}
"""Error numbers that say that gearmand's table cannot hold a value: there already, out of range, no text, too long."""


class Found(NamedTuple):
    """A row of gearmand's table, without its payload."""

    row: StockRow
    size: int
    """Bytes of the payload."""
    where: bytes
    """The condition that only this row meets, or others that are the same in everything."""

    @property
    def mark(self) -> str:
        """What it is known by after its deletion failed."""
        return hashlib.sha256(self.where).hexdigest()[:32]


class StockTable:
    """gearmand's table."""

    def __init__(self, link: Link, name: str, ours: JobTables) -> None:
        self._link = link
        self._ours = ours
        self.name = name
        self._table = quoted(name)
        self._charsets = dict[bytes, bytes | None]()
        """The character set of each column that there is; None: it holds bytes, or numbers."""

    # --- taking over ---

    async def take_over(self, engine: str) -> None:
        """Make gearmand's rows jobs of ours, some at a time.

        With transactions a row is ours, and gearmand's no more, at one moment. Without them (MyISAM) it is noted as
        ours in the transaction that makes it ours, and is deleted afterwards; the next start deletes what is noted.
        """
        tally = Tally(f"table {self.name} at {self._link.address}")
        if not await self._is_gearmands(tally):
            return
        metadata = await self._ours.read_metadata()
        noted = set(metadata.get(NOTED, b"").decode().split())
        ceiling = ceiling_of({CEILING: metadata.get(CEILING.encode(), b"0").decode()})
        left = 0
        while found := await self._read(left):
            good = [one for one in found if not self._is_bad(one, tally)]
            if engine.lower() == "innodb":
                taken, deleted = await self._move(good, ceiling)
            else:
                taken, deleted = await self._move_in_steps(good, noted, ceiling)
            ceiling += taken
            tally.taken += taken
            left += len(found) - (len(good) if deleted else 0)
        await self._link.run(b"DELETE FROM %b WHERE name = %b" % (self._ours.metadata, literal(NOTED)))
        tally.finish()

    async def _move(self, rows: list[Found], ceiling: int) -> tuple[int, int]:
        """Make rows jobs with the numbers after ``ceiling``, in a transaction; return how many, and how many are gone.

        The payloads never leave the database.
        """
        if not rows:
            return 0, 0
        metadata = {CEILING: str(ceiling + len(rows))}
        deletes = [self._delete(one) + b" LIMIT 1" for one in rows]
        counts = await self._ours.change(Batch([], [], metadata), [*self._copies(rows, ceiling), *deletes])
        return len(rows), sum(counts[len(rows) :])

    async def _move_in_steps(self, rows: list[Found], noted: set[str], ceiling: int) -> tuple[int, int]:
        """Do the same where a deletion cannot be taken back; rows that are noted are ours already.

        Rows that are the same in everything are taken and deleted together, wherever they are: after a crash nobody
        could tell how many of them were deleted.
        """
        kinds = {one.mark: one for one in rows}
        fresh = [one for mark, one in kinds.items() if mark not in noted]
        taken = [one for one, count in zip(fresh, await self._count(fresh), strict=True) for _ in range(count)]
        if taken:
            metadata = {CEILING: str(ceiling + len(taken))}
            marks = literal(" ".join(noted | kinds.keys()).encode())
            note = b"REPLACE INTO %b VALUES (%b, %b)" % (self._ours.metadata, literal(NOTED), marks)
            await self._ours.change(Batch([], [], metadata), [*self._copies(taken, ceiling), note])
        deleted = await self._ours.change(Batch([], [], {}), [self._delete(one) for one in kinds.values()])
        noted -= kinds.keys()
        return len(taken), sum(deleted)

    # --- looking ---

    async def look(self) -> AsyncIterator[list[StoredJob]]:
        """Yield its rows as jobs that have no number, some at a time; they stay where they are."""
        tally = Tally(f"table {self.name} at {self._link.address}")
        if not await self._link.do(partial(self._is_gearmands, tally)):
            return
        noted = set((await self._link.do(self._notes)).split())
        at = 0
        while found := await self._link.do(partial(self._read, at)):
            at += len(found)
            # What is noted is a job of ours already, and was to be deleted.
            good = [one for one in found if one.mark not in noted and not self._is_bad(one, tally)]
            yield [await self._link.do(partial(self._with_payload, one)) for one in good]
        tally.finish()

    async def _notes(self) -> str:
        if self._ours.names[1] not in await self._ours.engines(self._ours.names[1]):
            return ""
        return (await self._ours.read_metadata()).get(NOTED, b"").decode()

    async def _with_payload(self, one: Found) -> StoredJob:
        payload = b""
        if one.size:
            [[payload]] = await self._link.run(b"SELECT data FROM %b WHERE %b LIMIT 1" % (self._table, one.where))
        return job_of(one.row._replace(payload=payload), 0)

    async def _is_gearmands(self, tally: Tally) -> bool:
        """Learn the columns; say in the log when they are not gearmand's."""
        self._charsets = await self._columns()
        if missing := {b"unique_key", b"function_name", b"priority", b"data"} - self._charsets.keys():
            tally.reject(self.name, f"the table has no column {min(missing).decode()}, so gearmand did not make it")
        return not missing

    async def _count(self, kinds: list[Found]) -> tuple[int, ...]:
        if not kinds:
            return ()
        counts = (b"(SELECT COUNT(*) FROM %b WHERE %b)" % (self._table, one.where) for one in kinds)
        rows = await self._link.run(b"SELECT " + b", ".join(counts))
        return tuple(rows[0])

    def _copies(self, rows: list[Found], ceiling: int) -> list[bytes]:
        return [self._copy(one, number) for number, one in enumerate(rows, ceiling + 1)]

    def _delete(self, one: Found) -> bytes:
        return b"DELETE FROM %b WHERE %b" % (self._table, one.where)

    def _copy(self, one: Found, number: int) -> bytes:
        job = job_of(one.row, number)
        names = (literal(job.function), literal(job.unique))
        return b"REPLACE INTO %b %b SELECT %d, %b, %b, %d, %r, 0, IFNULL(data, ''), '' FROM %b WHERE %b LIMIT 1" % (
            *(self._ours.jobs, COLUMNS, number, *names, job.priority, job.due),
            *(self._table, one.where),
        )

    def _is_bad(self, one: Found, tally: Tally) -> bool:
        """Say in the log why a row cannot be a job."""
        row = one.row
        try:
            job = job_of(row, 0)
            if (size := one.size + len(job.function) + len(job.unique)) > self._ours.largest:
                raise StoreError(f"its {size} bytes are more than max_allowed_packet of the server lets through")
        except StoreError as error:
            tally.reject((row.function, row.unique), error)
            return True
        return False

    async def _columns(self) -> dict[bytes, bytes | None]:
        return dict(
            await self._link.run(
                b"SELECT LOWER(column_name), character_set_name FROM information_schema.columns"
                b" WHERE table_schema = DATABASE() AND table_name = %b" % literal(self.name.encode())
            )
        )

    async def _read(self, left: int) -> list[Found]:
        """Return the next rows, in the order of the table, after ``left`` that stay where they are."""
        when = b"when_to_run" if b"when_to_run" in self._charsets else b"NULL"
        names = b", ".join(
            b"CAST(%b AS BINARY), CAST(CONVERT(%b USING utf8mb4) AS BINARY)" % (name, name)
            for name in (b"unique_key", b"function_name")
        )
        limit = max(
            1, min(AT_ONCE, self._link.packet // 1024)
        )  # so that one statement about them all fits into a packet
        rows = await self._link.run(
            b"SELECT %b, priority, %b, OCTET_LENGTH(data), SHA2(data, 256) FROM %b LIMIT %d, %d"
            % (names, when, self._table, left, limit)
        )
        return [self._found(*row) for row in rows]

    def _found(
        self,
        unique: bytes | None, unique_text: bytes | None, function: bytes | None, function_text: bytes | None,
        priority: int | None, when: int | None, size: int | None, digest: bytes | None,
    ) -> Found:  # fmt: skip
        where = [
            self._is(b"unique_key", unique),
            self._is(b"function_name", function),
            b"priority <=> %b" % (b"NULL" if priority is None else b"%r" % priority),
            b"SHA2(data, 256) <=> %b" % (b"NULL" if digest is None else literal(digest)),
        ]
        if b"when_to_run" in self._charsets:
            where.append(b"when_to_run <=> %b" % (b"NULL" if when is None else b"%r" % when))
        payload = None if size is None else b""
        names = self._sent(b"unique_key", unique, unique_text), self._sent(b"function_name", function, function_text)
        row = StockRow(*names, priority, payload, when)
        return Found(row, size or 0, b" AND ".join(where))

    def _is(self, column: bytes, value: bytes | None) -> bytes:
        """The condition that a name has just these bytes, found by the index, whose order may take others for equal."""
        charset = self._charsets[column]
        if value is None:
            return b"%b IS NULL" % column
        if charset is None:
            return b"%b = x'%b'" % (column, value.hex().encode())
        same = b"x'%b'" % value.hex().encode()
        return b"%b = _%b %b AND CAST(%b AS BINARY) = %b" % (column, charset, same, column, same)

    def _sent(self, column: bytes, raw: bytes | None, text: bytes | None) -> bytes | None:
        """Return a name as it was sent to gearmand, from what the column holds, as it is and in UTF-8.

        gearmand hands names over in the character set of its client library: UTF-8 today, so a column of another one
        holds them converted; latin1 formerly, so a column of latin1 holds them as they were.
        """
        charset = self._charsets[column]
        if raw is None or charset is None or (charset not in WIDE and is_utf8(raw)):
            return raw
        return text

    # --- giving back ---

    async def give_back(self) -> tuple[int, list[str]]:
        """Move our jobs into gearmand's table; return how many, and a line on each that stays. Raises StoreError."""
        await self._link.do(self._prepare)
        given, lines, start = 0, list[str](), 0
        while True:
            jobs = await self._link.do(partial(self._ours.read, start))
            for at in range(0, len(jobs), AT_ONCE):
                some, stay = await self._link.do(partial(self._give, jobs[at : at + AT_ONCE]))
                given += some
                lines += stay
            if len(jobs) < ROWS:
                return given, lines
            start = jobs[-1].number + 1

    async def _prepare(self) -> None:
        if self.name not in await self._ours.engines(self.name):
            await self._link.run(CREATE % self._table)
        self._charsets = await self._columns()
        if b"when_to_run" not in self._charsets:  # gearmand reads five columns, and ends when there are fewer
            await self._link.run(b"ALTER TABLE %b ADD COLUMN when_to_run INT" % self._table)
            self._charsets = await self._columns()

    async def _give(self, jobs: list[StoredJob]) -> tuple[int, list[str]]:
        """Move some jobs in a transaction.

        A table without transactions has them at once; a second attempt then finds the same row there.
        """
        given, lines = list[int](), list[str]()
        inserts = list[tuple[StoredJob, StockRow, bytes]]()
        for job in jobs:
            try:
                row = row_of(job)
                inserts.append((job, row, self._insert(job.number, row)))
            except StoreError as error:
                lines.append(staying(job, error))
        await self._link.run(b"START TRANSACTION")
        while inserts:
            done, failed = await self._insert_some([statement for _, _, statement in inserts])
            given += [job.number for job, _, _ in inserts[:done]]
            if failed is not None:
                job, row, _ = inserts[done]
                if failed.args[0] == DUPLICATE and await self._is_there(job.number, row):
                    given.append(job.number)
                else:
                    lines.append(staying(job, failed.args[1]))
            inserts = inserts[done + 1 :]
        await self._ours.change(Batch(given, [], {}), begin=False)
        return len(given), lines

    async def _insert_some(self, statements: list[bytes]) -> tuple[int, MySQLError | None]:
        """Execute statements up to the first that the table refuses; return how many went well, and why it does."""
        done = 0
        try:
            async for _ in self._link.each(b";".join(statements)):
                done += 1
        except MySQLError as error:
            if error.args[0] not in NOT_HELD:
                raise
            return done, error
        return done, None

    def _insert(self, number: int, row: StockRow) -> bytes:
        unique, function = self._names(row)
        return (
            b"INSERT INTO %b (unique_key, function_name, priority, data, when_to_run)"
            b" SELECT %b, %b, %d, payload, %d FROM %b WHERE number = %d"
            % (self._table, unique, function, row.priority or 0, row.due or 0, self._ours.jobs, number)
        )

    async def _is_there(self, number: int, row: StockRow) -> bool:
        """Whether gearmand has just this row already."""
        unique, function = self._names(row)
        rows = await self._link.run(
            b"SELECT CAST(CONVERT(unique_key USING utf8mb4) AS BINARY),"
            b" CAST(CONVERT(function_name USING utf8mb4) AS BINARY), q.priority, when_to_run, data <=> payload"
            b" FROM %b AS q JOIN %b AS ours ON number = %d WHERE unique_key = %b AND function_name = %b"
            % (self._table, self._ours.jobs, number, unique, function)
        )
        return (row.unique, row.function, row.priority, row.due, 1) in rows

    def _names(self, row: StockRow) -> tuple[bytes, bytes]:
        """The unique id and the function as values that the server converts to what the columns hold."""
        return self._text(b"unique_key", row.unique or b""), self._text(b"function_name", row.function or b"")

    def _text(self, column: bytes, value: bytes) -> bytes:
        return (b"_utf8mb4 " if self._charsets[column] else b"") + b"x'%b'" % value.hex().encode()


def is_utf8(name: bytes) -> bool:
    """Whether a name is text in UTF-8."""
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
