"""``gearfast store count``, ``list`` and ``export`` change nothing: not what gearmand has, nor what a gearfast has."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis as driver

from gearfast.cli import program
from tests.support import wire
from tests.support.databases import DATABASE, PASSWORD, USER, MariaDb, PostgreSql, Redis
from tests.support.peers import HOST, Server, start_gearfast, start_gearmand
from tests.support.wire import Connection

LOOKS = (["count"], ["list"], ["export"])


@dataclass
class Place:
    """A store of gearmand's, and how to see that it is as it was."""

    words: list[str]
    """Of gearmand's, and of gearfast's."""
    content: Callable[[], object]
    """Everything that is in it; two are equal when nothing was changed."""
    delete: bool = True
    """Whether it can be shown that gearmand deletes a job that is done."""


def files_of(folder: Path) -> dict[str, tuple[str, int]]:
    """What every file there holds, and when it was changed."""
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in folder.iterdir()
    }


@contextmanager
def in_sqlite(folder: Path) -> Iterator[Place]:
    """A file."""
    folder = folder / "of its own"
    folder.mkdir()
    yield Place(["-q", "libsqlite3", f"--libsqlite3-db={folder / 'queue.db'}"], lambda: files_of(folder))


@contextmanager
def in_postgresql(_: Path) -> Iterator[Place]:
    """A table, and which transactions have touched its rows."""
    with PostgreSql() as database:

        def content() -> object:
            tables = database.run("SELECT relname FROM pg_class WHERE relname LIKE '%queue%' ORDER BY 1")
            return tables, database.run("SELECT ctid, xmin, xmax, * FROM queue ORDER BY ctid")

        yield Place(["-q", "Postgres", f"--libpq-conninfo={database.conninfo}"], content)


@contextmanager
def in_mariadb(_: Path) -> Iterator[Place]:
    """A table."""
    with MariaDb() as database:
        words = [f"--mysql-host={HOST}", f"--mysql-port={database.port}", f"--mysql-user={USER}"]
        words += [f"--mysql-password={PASSWORD}", f"--mysql-db={DATABASE}"]

        def content() -> object:
            return database.run("SHOW TABLES"), database.run("SELECT *, HEX(data) FROM gearman_queue ORDER BY 1, 2")

        yield Place(["-q", "MySQL", *words], content)


@contextmanager
def in_redis(_: Path) -> Iterator[Place]:
    """Keys."""
    with Redis() as database:

        def content() -> object:
            with driver.Redis(host=HOST, port=database.port) as client:
                return {key: client.dump(key) for key in client.scan_iter()}

        yield Place(["-q", "redis", f"--redis-server={HOST}", f"--redis-port={database.port}"], content)


PLACES = {"sqlite": in_sqlite, "postgresql": in_postgresql, "mariadb": in_mariadb, "redis": in_redis}


@pytest.fixture(name="place", params=PLACES)
def make_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with PLACES[request.param](tmp_path) as place:
        yield place


def submit(client: Connection, function: str, unique: str, payload: str = "payload") -> bytes:
    """Submit a background job; its handle."""
    answer = client.call(wire.SUBMIT_JOB_BG, function, unique, payload=payload)
    assert answer.name == "JOB_CREATED"
    return answer.body


def finish_one(server: Server, function: str) -> None:
    """Do a job."""
    with server.connect() as worker:
        worker.request(wire.CAN_DO, function)
        worker.request(wire.WORK_COMPLETE, worker.call(wire.GRAB_JOB).args(2)[0], payload="")
        worker.sync()


class Store:
    """``gearfast store`` in this process, as there are many looks: what it prints."""

    def __init__(self, captured: pytest.CaptureFixture[bytes]) -> None:
        self.captured = captured

    def __call__(self, *words: str) -> tuple[int, list[bytes], bytes]:
        """Exit code, lines, and what it complains of."""
        self.captured.readouterr()
        code = program.main(["store", *words, "--config-file=/dev/null"])
        out, err = self.captured.readouterr()
        return code, out.splitlines(), err

    def lines(self, *words: str) -> list[bytes]:
        """The lines behind the first one, of what has nothing to complain of."""
        code, lines, err = self(*words)
        assert (code, err) == (0, b"")
        return lines[1:]

    def exported(self, *words: str) -> list[dict[str, object]]:
        """The jobs, as lines of JSON."""
        return [json.loads(line) for line in self.lines("export", *words)]


@pytest.fixture(name="store")
def make_store(capfdbinary: pytest.CaptureFixture[bytes]) -> Store:
    return Store(capfdbinary)


def test_a_look_at_what_a_running_gearmand_has(place: Place, store: Store) -> None:
    with start_gearmand(*place.words) as server, server.connect() as client:
        for unique in ("one", "two", "three"):
            submit(client, "resize", unique)
        submit(client, "mail", "four", "")
        before = place.content()
        for look in LOOKS:
            store.lines(*look, *place.words)
        assert place.content() == before
        none = [b"0"] * 4  # of what gearmand does not know
        assert [line.split() for line in store.lines("count", *place.words)] == [
            [b"0", b"1", b"0", b"0", b"1", *none, b"mail", b"(gearmand's)"],
            [b"0", b"3", b"0", b"0", b"3", *none, b"resize", b"(gearmand's)"],
            [b"0", b"4", b"0", b"0", b"4", *none, b"(all)"],
        ]
        jobs = store.exported(*place.words)
        assert sorted((job["handle"], job["function"], job["unique"], job["payload"]) for job in jobs) == [
            ("", "mail", "four", ""),
            *(("", "resize", unique, "payload") for unique in ("one", "three", "two")),
        ]
        assert place.content() == before
        # gearmand goes on working.
        submit(client, "resize", "five")
        finish_one(server, "mail")
        assert place.content() != before
        assert {job["unique"] for job in store.exported(*place.words)} == {"one", "two", "three", "five"}


def test_what_is_taken_over_on_request_is_ours_afterwards(place: Place, store: Store) -> None:
    with start_gearmand(*place.words) as server, server.connect() as client:
        submit(client, "resize", "one")
    code, lines, err = store("count", "--take-over", *place.words)
    assert (code, lines[1].split()[-1]) == (0, b"resize")
    assert b"1 jobs that gearmand left were taken over" in err
    (job,) = store.exported(*place.words)
    assert str(job["handle"]).endswith(":1")


def test_a_look_at_what_a_running_gearfast_has(place: Place, store: Store) -> None:
    """SQLite has the file for itself; in a database it can be read, and the server goes on."""
    with start_gearfast(*place.words) as server, server.connect() as client:
        for unique in ("one", "two"):
            submit(client, "resize", unique)
        code, lines, err = store("count", *place.words)
        if "libsqlite3" in place.words:
            assert (code, lines) == (1, [])
            assert b"queue.db is in use by another server or program: stop that one" in err
        else:
            assert (code, lines[1].split()[4:], err) == (0, [b"2", *[b"0"] * 4, b"resize"], b"")
            assert [job["unique"] for job in store.exported(*place.words)] == ["one", "two"]
        submit(client, "resize", "three")
        finish_one(server, "resize")
        assert server.stop() == 0
    assert [job["unique"] for job in store.exported(*place.words)] == ["two", "three"]


# --- a file ---


def gearfast_file(folder: Path, *, killed: bool) -> tuple[str, Path]:
    """What a server has left behind that was stopped, or killed; the URL, and the file."""
    path = folder / "jobs.db"
    url = f"--store=sqlite:{path}"
    with start_gearfast(url) as server, server.connect() as client:
        for number in range(300):
            submit(client, "resize", f"{number}")
        if killed:
            server.process.kill()
            server.process.wait()
        else:
            assert server.stop() == 0
    return url, path


@pytest.mark.parametrize("killed", [False, True])
def test_a_look_into_a_file_changes_not_a_byte_and_leaves_nothing_behind(
    tmp_path: Path, killed: bool, store: Store
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    url, path = gearfast_file(folder, killed=killed)
    before = files_of(folder)
    assert set(before) == ({"jobs.db", "jobs.db-wal"} if killed else {"jobs.db"})
    for look in LOOKS:
        store.lines(*look, url)
    assert len(store.exported(url)) == 300
    assert files_of(folder) == before
    os.chmod(path, 0o400)
    os.chmod(folder, 0o500)
    try:
        assert len(store.exported(url)) == 300
        assert files_of(folder) == before
    finally:
        os.chmod(folder, 0o700)


def test_a_look_into_a_file_without_a_store(tmp_path: Path, store: Store) -> None:
    empty, other = tmp_path / "empty", tmp_path / "other.db"
    empty.touch()
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE something (else_ INTEGER)")
    before = files_of(tmp_path)
    for path in (empty, other):
        (line,) = store.lines("count", f"--store=sqlite:{path}")
        assert line.split() == [b"0"] * 9 + [b"(all)"]
    assert files_of(tmp_path) == before


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "text"
    path.write_text("hello, world\n" * 100)
    code, lines, err = store("count", f"--store=sqlite:{path}")
    assert (code, lines, err.count(b"\n")) == (1, [], 1)
    assert b"is not an SQLite database" in err


def test_a_file_that_was_left_in_the_middle_of_a_write_says_so(tmp_path: Path, store: Store) -> None:
    """A rollback journal of a gearmand that was killed: whoever reads the file would have to mend it first."""
    live, path = tmp_path / "live", tmp_path / "queue.db"
    with closing(sqlite3.connect(live, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("PRAGMA cache_size=1")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t VALUES (?)", [(b"x" * 4000,) for _ in range(100)])
        for name in ("", "-journal"):
            (tmp_path / f"queue.db{name}").write_bytes((tmp_path / f"live{name}").read_bytes())
        connection.execute("ROLLBACK")
    before = files_of(tmp_path)
    code, _, err = store("count", f"--store=sqlite:{path}")
    assert code == 1
    assert b"was left in the middle of a write: start its server once and stop it again" in err
    assert files_of(tmp_path) == before
