"""Where the file lies, and whether it still is the one that was opened: what goes to another one would be lost."""

import contextlib
import logging
import os
import stat
from typing import Final

from gearfast.errors import StoreError

log = logging.getLogger("gearfast")

Identity = tuple[int, int]
"""Of a file: its device, and its number there."""

PRIVATE: Final = 0o600
"""Jobs are nobody's business but the server's, whatever the umask. SQLite gives its log the file's own rights."""

OTHER: Final = "{} is not the file opened at the start: move it away, and all jobs are written to a new one there"


class GoneError(Exception):
    """The file, or its log, has been deleted or moved away. The message says which."""


def identity(path: str) -> Identity | None:
    """Return which file lies there, None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Place:
    """The paths of a database and its log, and which files were found there when they were opened."""

    def __init__(self, path: str) -> None:
        """Take an absolute path."""
        self.path = path
        self.log = f"{path}-wal"
        self._file: Identity | None = None
        self._log: Identity | None = None
        self._warned = False

    def check(self) -> None:
        """Say in our words what SQLite calls "unable to open database file". Raises StoreError."""
        folder = os.path.dirname(self.path)
        if os.path.isdir(self.path):
            raise StoreError(f"{self.path} is a folder: name a file in it")
        if not os.path.isdir(folder):
            raise StoreError(f"the folder {folder} does not exist: create it, or use another file")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(f"the folder {folder} cannot be written: give this user permission to write there")
        if os.path.exists(self.path) and not os.access(self.path, os.R_OK | os.W_OK):
            raise StoreError(f"{self.path} cannot be written: give this user permission to write to it")

    def make(self) -> None:
        """Make an empty file that only this user can read, if there is none; say so if everybody can read it.

        Raises StoreError when it is not the one that was there before.
        """
        try:
            # Before anybody has opened it: to close it would give up the locks that SQLite has on it.
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        except FileExistsError:
            if self._file is not None and identity(self.path) != self._file:
                raise StoreError(OTHER.format(self.path)) from None
            self._warn()
            return
        except OSError:  # SQLite will say it
            return
        os.fchmod(descriptor, PRIVATE)
        os.close(descriptor)

    def opened(self) -> None:
        """Keep in mind which files these are. The log is there from the first transaction on."""
        self._file, self._log = identity(self.path), identity(self.log)

    def closed(self) -> None:
        """The log is brought into the file and deleted, or was of no use."""
        self._log = None

    def forget(self) -> None:
        """Whatever is opened next is what is meant."""
        self._file = self._log = None

    def look(self) -> None:
        """Raise GoneError when the file or its log lies there no more, StoreError when another one does."""
        for path, known in ((self.path, self._file), (self.log, self._log)):
            there = identity(path)
            if known is None or there == known:
                continue
            if there is not None:
                raise StoreError(OTHER.format(path))
            raise GoneError(f"{path} was deleted or moved away while in use")

    def is_foreign(self) -> bool:
        """Whether the log there is not ours: SQLite deletes it by its name when it closes the file."""
        return self._log is not None and identity(self.log) not in (None, self._log)

    def _warn(self) -> None:
        with contextlib.suppress(OSError):
            if os.stat(self.path).st_mode & stat.S_IROTH and not self._warned:
                self._warned = True
                log.warning("%s can be read by every user of this machine: chmod 600 it", self.path)
