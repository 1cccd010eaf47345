"""Private databases for the tests: a real PostgreSQL, MariaDB or Redis on a free port and in a folder of its own.

    with PostgreSql() as database:  # started, and surely ended; skips (fails on CI) when the program cannot be had
        store = make(database.url)
        database.run("SELECT count(*) FROM queue")  # what its own client prints, as rows of fields
        database.stop()  # orderly; start() again has the same port, and the data that were there
        database.kill()  # SIGKILL to all its processes; likewise
        with database.frozen():  # SIGSTOP to all its processes, then SIGCONT; freeze() and thaw() for the halves
            ...

What a test may do with one that others use too: its own table. For stops, kills and freezes it starts its own, which
takes about a second: an empty data folder is made once in a test run, and copied. `Redis` takes `appendonly` and
`appendfsync`; all take `options` for more words on the server's command line. They are durable as in production (each
commit is synced), but small. They are those of the benchmarks, found as the tests find their peers.

A test file that wants one for all its tests says `from tests.support.databases import run_postgresql as
run_postgresql` and takes the fixture `postgresql` (`run_mariadb`: `mariadb`; `run_redis`: `redis`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import databases
from benchmarks.databases import DATABASE, PASSWORD, USER, Database
from tests.support import peers

__all__ = ["DATABASE", "PASSWORD", "USER", "Database", "MariaDb", "PostgreSql", "Redis"]


class Fetched(Database):
    """A database whose program is a peer of the tests."""

    @classmethod
    def find(cls, name: str) -> Path:
        """The peer; skips the test when it cannot be had, or fails it on CI."""
        return peers.peer(name)

    @classmethod
    def free_port(cls) -> int:
        """One that no other server of the tests is given."""
        return peers.free_port()


class PostgreSql(Fetched, databases.PostgreSql):
    """PostgreSQL. As root it runs as somebody else: it refuses to be root."""


class MariaDb(Fetched, databases.MariaDb):
    """MariaDB, with a user of the tests' and a database of theirs."""


class Redis(Fetched, databases.Redis):
    """Redis; by default each command is in its log, and on the disk, before it is answered."""


@pytest.fixture(scope="session", name="postgresql")
def run_postgresql() -> Iterator[PostgreSql]:
    """A PostgreSQL for tests that keep to a table of their own."""
    with PostgreSql() as database:
        yield database


@pytest.fixture(scope="session", name="mariadb")
def run_mariadb() -> Iterator[MariaDb]:
    """A MariaDB for tests that keep to a table of their own."""
    with MariaDb() as database:
        yield database


@pytest.fixture(scope="session", name="redis")
def run_redis() -> Iterator[Redis]:
    """A Redis for tests that keep to a prefix of their own."""
    with Redis() as database:
        yield database
