"""A database that is read and not changed: not a byte of it, and no file beside it that was not there before."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from gearfast.errors import StoreError

IN_USE: Final = "{path} is in use by another server or program: stop that one, or use another file"
HALF_WRITTEN: Final = "{path} was left in the middle of a write: start its server once and stop it again"
BUSY_SECONDS: Final = 2.0
"""How long another program may keep us off: gearmand, for a commit."""

JOURNAL_BYTE: Final = 18
"""In the file: 2 when there is a write-ahead log."""
SHARED_FIRST, SHARED_SIZE = 0x40000002, 510
"""The bytes that SQLite locks: for reading the file, and for having it alone, to write."""


@contextlib.contextmanager
def reader(path: str) -> Iterator[sqlite3.Connection]:
    """Open the database for reading, while gearmand uses it too. Raises StoreError when a gearfast does."""
    with contextlib.ExitStack() as held:
        try:
            file = held.enter_context(open(path, "rb"))
        except OSError as error:
            raise StoreError(
                f"{path} cannot be read ({error.strerror}): is it the right file, and the right user?"
            ) from None
        options = "mode=ro"
        if has_log(file.read(100)) and not os.path.exists(f"{path}-shm"):
            # A gearfast has the file for itself: there is one that runs, or nobody.
            keep_off(file.fileno(), path)
            # To read the log SQLite would make a file beside it, and to see that there is none it would make one too.
            options = "mode=ro&vfs=unix-none" if size_of(f"{path}-wal") else "immutable=1"
        connection = sqlite3.connect(
            f"file:{quote(path)}?{options}", timeout=BUSY_SECONDS, isolation_level=None, uri=True
        )
        held.callback(connection.close)
        connection.text_factory = bytes
        if "none" in options:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
                raise StoreError(HALF_WRITTEN.format(path=path)) from error
            raise
        yield connection


def has_log(head: bytes) -> bool:
    """Whether a database that begins so has a write-ahead log."""
    return head[JOURNAL_BYTE : JOURNAL_BYTE + 1] == b"\x02"


def keep_off(descriptor: int, path: str) -> None:
    """Take the lock of a reader, so that no server begins to write meanwhile. Raises StoreError when one runs."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, SHARED_SIZE, SHARED_FIRST)
    except OSError:
        raise StoreError(IN_USE.format(path=path)) from None


def size_of(path: str) -> int:
    """Return the bytes of a file; 0 when there is none."""
    with contextlib.suppress(OSError):
        return os.stat(path).st_size
    return 0
