"""The stores that durable jobs are kept in: each is started empty for one trial, on one disk, and gone afterwards."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import sqlite3
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import databases
from benchmarks.build import PLACE
from benchmarks.databases import Database, MariaDb, PostgreSql, Redis
from benchmarks.machine import first_line
from benchmarks.subjects.subject import HOST, MissingError, StartError

KEPT = PLACE / "kept"
"""Below it are the files of all stores: the same disk for whoever is measured."""

Words = Mapping[str, list[str]]
"""label of a subject: what its command line says to use the store"""


class Store(ABC):
    """One kind of store."""

    name: str

    def missing(self) -> str:
        """Return why it cannot be measured and what brings it, or ""."""
        return ""

    @abstractmethod
    def version(self) -> str:
        """Return what it says it is."""

    @abstractmethod
    def running(self) -> contextlib.AbstractContextManager[Words]:
        """Have an empty one while in the block. Raises StartError."""


class Sqlite(Store):
    """A file: no server."""

    name = "SQLite"

    def version(self) -> str:
        """Return that of Python's; gearmand brings its own."""
        return f"SQLite {sqlite3.sqlite_version}"

    @contextlib.contextmanager
    def running(self) -> Iterator[Words]:
        """Have a folder for it."""
        with folder() as place:
            yield {
                "gearfast": [f"--store=sqlite:{place / 'jobs.db'}"],
                "gearmand": ["--queue-type=libsqlite3", f"--libsqlite3-db={place / 'jobs.db'}"],
            }


class Served(Store):
    """A database server of the harness's own, on loopback; durable as it comes, and alike for all subjects."""

    kind: type[Database]
    programs: tuple[str, ...]
    driver: str
    extra: str

    def missing(self) -> str:
        """Return which program or package is not there."""
        try:
            for name in self.programs:
                self.kind.find(name)
        except MissingError as error:
            return str(error)
        if importlib.util.find_spec(self.driver) is None:
            return f"no driver: pip install 'gearfast[{self.extra}]'"
        return ""

    def version(self) -> str:
        """Return the first line that the server prints."""
        line = first_line(str(self.kind.find(self.programs[0])), "--version")
        return line.rpartition("/")[2]  # some begin with the path of the program

    @contextlib.contextmanager
    def running(self) -> Iterator[Words]:
        """Start one, and end it."""
        KEPT.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as ending:
            try:
                database = self.make()
                ending.callback(database.end)
                database.start()
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                raise StartError(f"{self.name}: {error}") from error
            yield {"gearfast": [f"--store={database.url}"], "gearmand": self.stock(database)}

    def make(self) -> Database:
        """Return one that is not started."""
        return self.kind(place=KEPT)

    @abstractmethod
    def stock(self, database: Database) -> list[str]:
        """Return what gearmand's command line says."""


class Postgres(Served):
    """PostgreSQL."""

    name, kind, programs, driver, extra = "PostgreSQL", PostgreSql, ("postgres", "initdb"), "asyncpg", "postgres"

    def stock(self, database: Database) -> list[str]:
        """Return gearmand's words for it."""
        assert isinstance(database, PostgreSql)
        return ["--queue-type=Postgres", f"--libpq-conninfo={database.conninfo}"]


class Maria(Served):
    """MariaDB."""

    name, kind, programs, driver, extra = "MariaDB", MariaDb, ("mariadbd", "mariadb-install-db"), "asyncmy", "mysql"

    def stock(self, database: Database) -> list[str]:
        """Return gearmand's words for it."""
        user = [f"--mysql-user={databases.USER}", f"--mysql-password={databases.PASSWORD}"]
        place = [f"--mysql-host={HOST}", f"--mysql-port={database.port}", f"--mysql-db={databases.DATABASE}"]
        return ["--queue-type=MySQL", *place, *user]


class RedisAlways(Served):
    """Redis that has each command on the disk before it answers."""

    name, kind, programs, driver, extra = "Redis", Redis, ("redis-server",), "redis", "redis"
    synced = "always"

    def make(self) -> Database:
        """Return one with an append-only file."""
        return Redis(appendonly=True, appendfsync=self.synced, place=KEPT)

    def stock(self, database: Database) -> list[str]:
        """Return gearmand's words for it."""
        return ["--queue-type=redis", f"--redis-server={HOST}", f"--redis-port={database.port}"]


class RedisEverySecond(RedisAlways):
    """Redis that syncs once a second, its default: a power cut takes the last second."""

    name = "Redis everysec"
    synced = "everysec"


STORES: Mapping[str, Store] = {
    store.name: store for store in (Sqlite(), Postgres(), Maria(), RedisAlways(), RedisEverySecond())
}


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Have an empty folder on the disk of the stores while in the block."""
    KEPT.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=KEPT))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
