"""One SQLite file that this process has for itself, and the thread that works on it."""

import asyncio
import contextlib
import ctypes
import os
import queue
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from gearfast.errors import StoreError, StoreLostError
from gearfast.ground.clock import monotonic
from gearfast.plugins.sqlite.place import GoneError, Place
from gearfast.plugins.sqlite.reader import IN_USE, reader

T = TypeVar("T")
Statement = tuple[str, Sequence[Any]]
"""SQL, and the values of its marks."""

BUSY_SECONDS: Final = 0.5
"""How long another program may have the file: a reader for a moment, not a server."""
LOOK_SECONDS: Final = 1.0
"""Between looks at how full the disk is, while there is room enough for what is written."""
SPARE: Final = 1 << 20
"""Bytes of the disk that are left to deletes: without them a full disk would never become emptier."""
PRAGMAS: Final = (
    "locking_mode=EXCLUSIVE",
    "secure_delete=OFF",  # Debian's default overwrites what is deleted: twice the pages
    "cache_size=-8192",  # KiB
    "wal_autocheckpoint=4000",  # pages, 16 MB: a stall of some 30 ms, and less to write than with SQLite's 1000
    "journal_size_limit=67108864",  # bytes
)
# To bind bytes, sqlite3 asks for two protocols that they have not, and makes an error for each: half of its time.
sqlite3.register_adapter(bytes, bytes)

NICE: Final = 10
"""Of the thread: on a core that it shares with the event loop, peers go first."""

TEXTS: Final = {
    sqlite3.SQLITE_BUSY: IN_USE,
    sqlite3.SQLITE_LOCKED: IN_USE,
    sqlite3.SQLITE_NOTADB: "{path} is not an SQLite database: move it away, or use another file",
    sqlite3.SQLITE_FULL: "the disk of {path} is full: make room there",
    sqlite3.SQLITE_READONLY: "{path} cannot be written: give this user permission to write to it",
    sqlite3.SQLITE_CANTOPEN: "{path} cannot be opened: check the folder, and its permissions",
    sqlite3.SQLITE_CORRUPT: "{path} is damaged: save what is left with sqlite3's .recover, or use another file",
}
IN_MEMORY: Final = "{path} is damaged: move it away while the server runs, and all jobs are written to a new one there"
DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
HARMLESS: Final = (
    0,  # no error of SQLite's
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_MISMATCH,
)
"""Errors after which a connection is as good as before."""


class Desk(threading.Thread):
    """Does one thing after the other, away from the event loop: in two thirds of an executor's time."""

    def __init__(self) -> None:
        super().__init__(name="gearfast-sqlite", daemon=True)
        self._work: queue.SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self.start()

    def call(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have it done; to cancel the future only means that nobody waits for it."""
        future = asyncio.get_running_loop().create_future()
        self._work.put((future, work))
        return future

    def end(self) -> None:
        """End the thread, behind what it was given."""
        self._work.put(None)

    def run(self) -> None:
        """Work until the end."""
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while (task := self._work.get()) is not None:
            future, work = task
            result = error = None
            try:
                result = work()
            except BaseException as reason:
                error = reason
            # A loop that was closed in a hurry raises: then nobody waits.
            with contextlib.suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(resolve, future, result, error)
            del task, future, work, result, error


def resolve(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    """Wake who waits for the future, if somebody does."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class SqliteFile:
    """The file, its connection and its thread. All but ``open``, ``call`` and ``close`` is for the thread."""

    def __init__(self, path: str, synchronous: str, setup: Callable[[sqlite3.Connection], None]) -> None:
        """Take an absolute path; ``setup`` makes the tables, in a transaction on every new connection."""
        self.path = path
        self._place = Place(path)
        self._synchronous = synchronous
        self._setup = setup
        self._desk: Desk | None = None
        self._connection: sqlite3.Connection | None = None
        self._lost = ""  # what became of the file, until who writes has been told
        self._reading = False
        self._guest = contextlib.ExitStack()  # what is open for reading
        self._serving = False  # all that is in the file is in the server's memory too
        self._looked = 0.0
        self._room = 0

    def open(self, *, reading: bool = False) -> None:
        """Start the thread; ``reading``: nothing will be changed. Raises StoreError when it runs already."""
        if self._desk is not None:
            raise StoreError(f"{self.path} is open already")
        self._desk = Desk()
        self._reading = reading
        self._place.forget()
        self._serving = False

    async def call(self, work: Callable[[], T]) -> T:
        """Return what the work returns. Raises StoreError for what SQLite raises; StoreLostError, see ``transact``."""
        if self._desk is None:
            raise StoreError(f"{self.path} is not open")
        try:
            return await self._desk.call(partial(self._explained, work))
        except StoreLostError:  # a call that was given up has told nobody
            self._lost = ""
            raise

    async def close(self) -> None:
        """Bring everything into the one file, close it, and end the thread."""
        desk, self._desk = self._desk, None
        if desk is not None:
            done = desk.call(self._close)
            desk.end()
            await done

    # --- in the thread ---

    def connection(self) -> sqlite3.Connection:
        """Return the connection; make one at first, and when the last one broke."""
        if self._connection is None and self._reading:
            self._connection = self._guest.enter_context(reader(self.path))
        elif self._connection is None:
            self._look()
            self._place.check()
            self._place.make()
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._place.opened()
        return self._connection

    def transact(self, statements: list[Statement], growth: int = 0) -> None:
        """Run the statements as one transaction, by which the file may grow ``growth`` bytes; 0 for what only deletes.

        Raises StoreLostError when the file is not there any more: then there is a new one, and it is empty.
        """
        self._look()
        connection = self.connection()
        if self._lost:
            raise StoreLostError(self._lost)
        self._write(connection, statements, growth)
        self._serving = True
        if self._look():  # it went to nowhere, and nobody is told that it is stored
            self.connection()
            raise StoreLostError(self._lost)

    def _write(self, connection: sqlite3.Connection, statements: list[Statement], growth: int) -> None:
        now = monotonic()
        self._room -= 2 * growth  # in the log, and then in the file
        if (growth and self._room < 0) or now >= self._looked + LOOK_SECONDS:
            self._looked = now
            self._make_room(connection, growth)
        try:
            self._transact(statements)
        except sqlite3.Error as error:
            if primary(error) != sqlite3.SQLITE_FULL:
                raise
            # If the log still fits into the file, its own room is free again.
            checkpoint(connection, "RESTART")
            self._transact(statements)

    def sync(self) -> None:
        """Have what was written reach the disk where a commit does not see to that: for what is rare and dear."""
        if self._synchronous == "NORMAL":
            checkpoint(self.connection(), "FULL")

    @contextlib.contextmanager
    def transaction(self, *, explicit: bool = True) -> Iterator[sqlite3.Connection]:
        """Commit what is done with the connection, or undo it; what is only one statement needs no more than itself."""
        connection = self.connection()
        try:
            if explicit:
                connection.execute("BEGIN")
            yield connection
            if explicit:
                connection.execute("COMMIT")
        except BaseException as error:
            if not (undone(connection) and primary(error) in HARMLESS):
                self._let_go()
            raise

    def _transact(self, statements: list[Statement]) -> None:
        with self.transaction(explicit=len(statements) != 1) as connection:
            for sql, values in statements:
                connection.execute(sql, values)

    def _explained(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            damaged = self._serving and primary(error) in DAMAGED
            text = IN_MEMORY if damaged else TEXTS.get(primary(error), "{path}: {error}")
            raise StoreError(text.format(path=self.path, error=error)) from error

    def _look(self) -> bool:
        """Let go of the file if it lies there no more; return whether that is so. Raises StoreError if another does."""
        try:
            self._place.look()
        except GoneError as gone:
            self._lost = str(gone)
            self._let_go()
            return True
        return False

    def _let_go(self) -> None:
        """Close the connection. What SQLite would delete with it must be its own: else it stays open for good."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._place.is_foreign():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
            return
        with contextlib.suppress(sqlite3.Error):
            connection.close()
        self._place.closed()

    def _make_room(self, connection: sqlite3.Connection, growth: int) -> None:
        """Keep so much of the disk free that jobs can still be deleted. Raises StoreError for what makes it fuller."""
        self._room = self._left(connection, growth)
        if growth and self._room < 0:
            checkpoint(connection, "TRUNCATE")
            self._room = self._left(connection, growth)
            if self._room < 0:
                raise StoreError(TEXTS[sqlite3.SQLITE_FULL].format(path=self.path))

    def room(self) -> int:
        """Return by how many bytes the file can grow now: they are written twice, where no page of it is unused."""
        connection = self.connection()
        checkpoint(connection, "TRUNCATE")
        free, more = self._free(connection)
        return max(0, min(free, (free - more) // 2))

    def _left(self, connection: sqlite3.Connection, growth: int) -> int:
        """Return the bytes left once so many more are written, and all of the log is in the file; below 0: too few."""
        free, more = self._free(connection)
        return free - growth - max(more + growth, 0)

    def _free(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """Return the free bytes of the disk, and by how many the file grows when it gets all that is in the log."""
        disk = os.statvfs(os.path.dirname(self.path))
        if not disk.f_blocks:  # a file system that does not say
            return sys.maxsize // 4, 0
        unused: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
        page: int = connection.execute("PRAGMA page_size").fetchone()[0]
        try:
            log = os.stat(f"{self.path}-wal").st_size
        except OSError:
            log = 0
        return disk.f_bavail * disk.f_frsize - SPARE, log - unused * page

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.text_factory = bytes  # gearmand's names are any bytes in columns of text
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] != b"wal":
            raise StoreError(f"{self.path} cannot have a write-ahead log on this file system: use another disk")
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        # Only a transaction that writes takes the file for good; that is when another server is found out.
        connection.execute("BEGIN IMMEDIATE")
        self._setup(connection)
        connection.execute("COMMIT")

    def _close(self) -> None:
        if self._reading:
            self._connection = None
            self._guest.close()
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                # An orderly end is durable, whatever the durability.
                self._connection.execute("PRAGMA synchronous=FULL")
        self._let_go()


def checkpoint(connection: sqlite3.Connection, kind: str) -> None:
    """Bring the log into the file, if that is possible now; nothing is lost if not."""
    with contextlib.suppress(sqlite3.Error):
        connection.execute(f"PRAGMA wal_checkpoint({kind})").fetchall()


def undone(connection: sqlite3.Connection) -> bool:
    """Roll back what is left of a transaction; return whether that worked."""
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        return False
    return True


def primary(error: BaseException) -> int:
    """Return SQLite's primary result code, 0 when the error is not SQLite's."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
