"""The table of a real gearmand in a real MariaDB: filled by it, taken over, and given back to it."""

from __future__ import annotations

import itertools
import logging

import pytest

from gearfast.logs import NOTICE
from gearfast.store.contract import Batch, StoredJob, StoreSettings
from gearfast.store.testing import a_job, same
from tests.support import wire
from tests.support.databases import DATABASE, MariaDb
from tests.support.databases import run_mariadb as run_mariadb
from tests.support.mysql_stores import KilledError, killed_at, left, make, opened, run, settings, submit, taken

LATER = 1_900_000_000
MANY = 1200
"""More rows than are taken over at once."""


@pytest.fixture
def where(mariadb: MariaDb) -> StoreSettings:
    return settings(mariadb)


def insert(database: MariaDb, table: str, *rows: str) -> None:
    """Put rows into the table: unique id, function, priority, payload, due time, as SQL has them."""
    database.run(f"INSERT INTO {table} VALUES {', '.join(rows)}")


@pytest.mark.parametrize("charset", ["utf8mb4", "latin1"])
def test_every_kind_of_job_that_gearmand_left(mariadb: MariaDb, where: StoreSettings, charset: str) -> None:
    """It keeps jobs in the character set of the database; one of latin1 holds no more than that has."""
    payload = bytes(range(256)) * 5
    accented = "caf\u00e9".encode()
    mariadb.run(f"ALTER DATABASE {DATABASE} CHARACTER SET {charset}")
    try:
        types = submit(
            mariadb,
            where.table,
            wire.request(wire.SUBMIT_JOB_BG, b"resize", b"u1", payload),
            wire.request(wire.SUBMIT_JOB_HIGH_BG, b"my-func-name", b"u2", b"high"),
            wire.request(wire.SUBMIT_JOB_LOW_BG, b"my-func-name", b"it's \"u\\3", b"low"),
            wire.request(wire.SUBMIT_JOB_EPOCH, b"later", b"u4", b"%d" % LATER, b"epoch"),
            wire.request(wire.SUBMIT_JOB_BG, b"empty", b"u5", b""),
            wire.request(wire.SUBMIT_JOB_BG, b"nameless", b"", b"the first"),
            wire.request(wire.SUBMIT_JOB_BG, accented, "\u00fcnique".encode(), b"text"),
            wire.request(wire.SUBMIT_JOB_BG, b"long", b"x" * 64, b"full"),
            wire.request(wire.SUBMIT_JOB_BG, b"nameless", b"-", b"own"),
            wire.request(wire.SUBMIT_JOB_BG, b"space ", b"at end ", b"\0"),
        )
    finally:
        mariadb.run(f"ALTER DATABASE {DATABASE} CHARACTER SET utf8mb4")
    assert types == [wire.JOB_CREATED] * 10
    jobs, metadata = taken(where)
    same(
        jobs,
        [
            StoredJob(1, b"resize", b"u1", 1, 0.0, 0, payload, b""),
            StoredJob(2, b"my-func-name", b"u2", 0, 0.0, 0, b"high", b""),
            StoredJob(3, b"my-func-name", b"it's \"u\\3", 2, 0.0, 0, b"low", b""),
            StoredJob(4, b"later", b"u4", 1, float(LATER), 0, b"epoch", b""),
            StoredJob(5, b"empty", b"u5", 1, 0.0, 0, b"", b""),
            StoredJob(6, b"nameless", b"", 1, 0.0, 0, b"the first", b""),
            StoredJob(7, accented, "\u00fcnique".encode(), 1, 0.0, 0, b"text", b""),
            StoredJob(8, b"long", b"x" * 63, 1, 0.0, 0, b"full", b""),
            StoredJob(9, b"nameless", b"-", 1, 0.0, 0, b"own", b""),
            StoredJob(10, b"space ", b"at end ", 1, 0.0, 0, b"\0", b""),
        ],
    )
    assert metadata == {"ceiling": "10"}
    assert left(mariadb, where.table) == 0
    assert taken(where) == (jobs, metadata)


@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
def test_bad_rows_are_reported_and_stay(
    mariadb: MariaDb, where: StoreSettings, caplog: pytest.LogCaptureFixture, engine: str
) -> None:
    bad = [f"('bad{number}', NULL, 1, 'x', 0)" for number in range(30)]
    make(mariadb, where.table, engine)
    insert(mariadb, where.table, *bad[:15], "('u1', 'f', 1, 'p', 0)", *bad[15:], "(NULL, 'f', 2, NULL, 3)")
    insert(mariadb, where.table, "('u', 'f', 7, 'p', 0)", "('v', 'f', NULL, 'p', 0)", "('w', 'f', 0, 'p', NULL)")

    async def main() -> None:
        store = await opened(where)
        await store.write(Batch([], [a_job(100)], {"ceiling": "100", "prefix": "H:x"}))

    caplog.set_level(NOTICE, "gearfast")
    jobs, metadata = taken(where)
    same(
        jobs,
        [
            StoredJob(1, b"f", b"u1", 1, 0.0, 0, b"p", b""),
            StoredJob(2, b"f", b"", 2, 0.0, 0, b"", b""),
            StoredJob(3, b"f", b"w", 0, 0.0, 0, b"p", b""),
        ],
    )
    assert metadata == {"ceiling": "3"}
    said = [record for record in caplog.records if where.table in record.getMessage()]
    assert [record.levelno for record in said if record.levelno >= logging.ERROR] == [logging.ERROR] * 21
    assert "12 more jobs stay there" in said[20].getMessage()
    assert "3 jobs that gearmand left were taken over" in said[21].getMessage()
    assert left(mariadb, where.table) == 32
    run(main())
    assert taken(where) == ([*jobs, a_job(100)], {"ceiling": "100", "prefix": "H:x"})
    insert(mariadb, where.table, "('new', 'f', 1, 'p', 0)")
    assert taken(where)[0] == [*jobs, a_job(100), StoredJob(101, b"f", b"new", 1, 0.0, 0, b"p", b"")]
    assert left(mariadb, where.table) == 32


def test_forms_of_the_table(mariadb: MariaDb) -> None:
    """Without a due time, without a key, of bytes, of capitals that count, of texts of four bytes."""
    wanted = [StoredJob(1, b"f", b"u", 1, 0.0, 0, b"p", b""), StoredJob(2, b"f", b"U", 1, 0.0, 0, b"p", b"")]
    names = "unique_key {0}, function_name {0}, priority INT, data LONGBLOB"
    for columns in (
        names.format("VARCHAR(99)"),
        names.format("VARBINARY(99)"),
        names.format("TEXT CHARACTER SET utf32"),
        names.format("VARCHAR(99) CHARACTER SET ascii COLLATE ascii_bin") + ", when_to_run BIGINT, more INT",
        "data MEDIUMBLOB, PRIORITY TINYINT, Function_Name CHAR(9), Unique_Key CHAR(9) CHARACTER SET gbk",
    ):
        where = settings(mariadb)
        mariadb.run(f"CREATE TABLE {where.table} ({columns})")
        for unique in "uU":
            form = "(unique_key, function_name, priority, data)"
            mariadb.run(f"INSERT INTO {where.table} {form} VALUES ('{unique}', 'f', 1, 'p')")
        assert taken(where) == (wanted, {"ceiling": "2"}), columns
        assert left(mariadb, where.table) == 0


def test_a_table_that_is_none_of_gearmands_is_left_alone(
    mariadb: MariaDb, where: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    mariadb.run(f"CREATE TABLE {where.table} (unique_key INT, other INT); INSERT INTO {where.table} VALUES (1, 2)")
    assert taken(where) == ([], {})
    assert left(mariadb, where.table) == 1
    assert [record for record in caplog.records if "no column data" in record.getMessage()]


def test_many_rows_keep_their_order(mariadb: MariaDb, where: StoreSettings) -> None:
    make(mariadb, where.table)
    insert(mariadb, where.table, *(f"('{n * 7919 % 10007}', 'f', 1, '{n}', 0)" for n in range(MANY)))
    jobs, metadata = taken(where)
    assert [job.payload for job in jobs] == [b"%d" % n for n in range(MANY)]
    assert [job.number for job in jobs] == list(range(1, MANY + 1))
    assert metadata == {"ceiling": str(MANY)}


def test_rows_that_differ_little_or_not_at_all(mariadb: MariaDb, where: StoreSettings) -> None:
    """Without a key, and with an order that takes much for equal: each one is a job."""
    mariadb.run(
        f"CREATE TABLE {where.table} (unique_key VARCHAR(64), function_name VARCHAR(255), priority INT, data LONGBLOB,"
        " when_to_run INT) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
    )
    rows = ["('a', 'f', 1, 'p', 0)"] * 3 + [
        "('A', 'f', 1, 'p', 0)",
        "('\u00e4', 'f', 1, 'p', 0)",
        "('a ', 'f', 1, 'p', 0)",
    ]
    rows += ["('a', 'f', 1, 'P', 0)", "('a', 'f', 2, 'p', 0)", "('a', 'f', 1, NULL, 0)", "('a', 'f', 1, '', 0)"]
    rows += ["(NULL, 'f', 1, 'p', 0)", "('', 'f', 1, 'p', 0)", f"('a', 'f', 1, 'p', {LATER})"]
    mariadb.run(f"SET NAMES utf8mb4; INSERT INTO {where.table} VALUES {', '.join(rows)}")
    jobs, _ = taken(where)
    assert [(job.unique, job.priority, job.payload, job.due) for job in jobs] == [
        *[(b"a", 1, b"p", 0.0)] * 3,
        *((unique, 1, b"p", 0.0) for unique in (b"A", "\u00e4".encode(), b"a ")),
        *((b"a", *rest) for rest in ((1, b"P", 0.0), (2, b"p", 0.0), (1, b"", 0.0), (1, b"", 0.0))),
        *[(b"", 1, b"p", 0.0)] * 2,
        (b"a", 1, b"p", float(LATER)),
    ]
    assert left(mariadb, where.table) == 0


@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
def test_a_kill_at_any_moment_loses_and_doubles_nothing(
    mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """At every packet and every answer of the whole start, in one way or another."""
    monkeypatch.setattr("gearfast.plugins.mysql.stock.AT_ONCE", 2)
    wanted = [StoredJob(n, b"f", b"", 1, 0.0, 0, b"same", b"") for n in (1, 2, 3, 4, 5)]
    for moment in itertools.count(1):
        where = settings(mariadb)
        make(mariadb, where.table, engine)
        insert(mariadb, where.table, "('bad', NULL, 1, 'x', 0)", *["(NULL, 'f', 1, 'same', 0)"] * 5)
        with monkeypatch.context() as patch:
            killed_at(patch, moment)
            ended = start(where)
        again = killed_again(mariadb, where, monkeypatch, moment) if moment % 5 == 0 else None
        assert again in (None, True, False)
        jobs, metadata = taken(where)
        same(jobs, wanted)
        assert metadata == {"ceiling": "5"}
        assert left(mariadb, where.table) == 1
        if ended:
            break
    assert moment > 40


def start(where: StoreSettings) -> bool:
    """Whether a start, and the end after it, came to pass as a whole."""

    async def main() -> None:
        await opened(where)

    try:
        run(main())
    except KilledError:
        return False
    return True


def killed_again(database: MariaDb, where: StoreSettings, monkeypatch: pytest.MonkeyPatch, moment: int) -> bool:
    with monkeypatch.context() as patch:
        killed_at(patch, 20 + moment % 17)
        return start(where)
