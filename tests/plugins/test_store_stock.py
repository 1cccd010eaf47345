"""What Debian's gearmand left in a SQLite file is taken over: counted, and never twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gearfast.errors import StoreError
from gearfast.logs import NOTICE
from gearfast.plugins.sqlite import store as rooms
from gearfast.store.contract import Batch, StoredJob
from gearfast.store.testing import a_job, same
from tests.support import wire
from tests.support.peers import PROJECT
from tests.support.stock_file import (
    LATER,
    SUBMITS,
    empty_table,
    expected,
    gearmand,
    given_back,
    kill,
    sql,
    stock_rows,
    submit,
    taken,
)


@pytest.fixture(autouse=True)
def _notices(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(NOTICE, "gearfast")


# --- what gearmand leaves ---


def test_every_job_that_gearmand_left_is_taken_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "queue.db"
    with gearmand(path) as server, server.connect() as connection:
        submit(connection, *SUBMITS)
        answer = connection.call(wire.SUBMIT_JOB_EPOCH, b"later", b"when", b"%d" % LATER, payload=b"patience")
        assert answer.type == wire.JOB_CREATED
        kill(server)
    metadata, jobs = taken(path)
    later = StoredJob(len(SUBMITS) + 1, b"later", b"when", 1, float(LATER), 0, b"patience", b"")
    same(jobs, [*expected(SUBMITS), later])
    assert metadata == {"ceiling": str(len(jobs))}
    assert stock_rows(path) == []
    assert f"{len(jobs)} jobs that gearmand left were taken over" in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_nothing_is_taken_over_twice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "queue.db"
    with gearmand(path) as server, server.connect() as connection:
        submit(connection, *SUBMITS)
        kill(server)
    first = taken(path)
    caplog.clear()
    assert taken(path) == first
    assert "taken over" not in caplog.text


def test_jobs_without_a_unique_shared_one_key(tmp_path: Path) -> None:
    """Stock itself has lost all but the last of them."""
    path = tmp_path / "queue.db"
    with gearmand(path) as server, server.connect() as connection:
        submit(connection, *((wire.SUBMIT_JOB_BG, b"resize", b"", b"%d" % n) for n in range(5)))
        submit(connection, *((wire.SUBMIT_JOB_BG, b"other", b"-", b"%d" % n) for n in range(5)))
        kill(server)
    _, jobs = taken(path)
    same(
        jobs,
        [a_job(1, function=b"resize", payload=b"4"), a_job(2, function=b"other", unique=b"-", payload=b"4")],
    )


def test_a_file_that_gearmand_refuses_for_its_empty_payload_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    empty = (wire.SUBMIT_JOB_BG, b"empty", b"u", b"")
    with gearmand(path) as server, server.connect() as connection:
        submit(connection, empty)
        kill(server)
    assert stock_rows(path) == [(b"u", b"empty", 1, None, 0)]
    same(taken(path)[1], expected([empty]))


def test_what_gearmand_wrote_when_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    plain = [row for row in SUBMITS if row[3]]
    with gearmand(path, "--store-queue-on-shutdown") as server:
        with server.connect() as connection:
            submit(connection, *plain)
            assert stock_rows(path) == []
        assert server.stop() == 0
    _, jobs = taken(path)
    key = StoredJob._fields.index("function")
    # It wrote them by its hash table, in no order that means anything.
    found = sorted((job._replace(number=0) for job in jobs), key=lambda job: job[key:])
    assert found == sorted((job._replace(number=0) for job in expected(plain)), key=lambda job: job[key:])


def test_another_table_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    with gearmand(path, "--libsqlite3-table=jobs") as server, server.connect() as connection:
        submit(connection, *SUBMITS)
        kill(server)
    assert taken(path) == ({}, [])
    same(taken(path, table="jobs")[1], expected(SUBMITS))


def test_a_table_of_old_has_no_due_time(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    empty_table(
        path,
        "CREATE TABLE gearman_queue (unique_key TEXT, function_name TEXT, priority INTEGER, data BLOB,"
        " PRIMARY KEY (unique_key, function_name))",
    )
    with sql(path) as connection:
        connection.execute("INSERT INTO gearman_queue VALUES ('u', 'f', 0, x'00ff'), ('v', 'f', 2, NULL)")
    jobs = [
        a_job(1, function=b"f", unique=b"u", priority=0, payload=b"\0\xff"),
        a_job(2, function=b"f", unique=b"v", priority=2, payload=b""),
    ]
    same(taken(path)[1], jobs)
    assert given_back(path) == (2, [])
    with gearmand(path) as server, server.connect() as connection:
        assert connection.table("status") == ["f\t2\t0\t0"]


def test_columns_of_any_class(tmp_path: Path) -> None:
    """SQLite takes what it is given, and people have hands."""
    path = tmp_path / "queue.db"
    empty_table(path, "CREATE TABLE gearman_queue (unique_key, function_name, priority, data, when_to_run)")
    rows = (
        "(x'7531', x'66', 1, 'text', NULL), (2, 3, '2', 4, 0), (NULL, 'f', 0.0, 1.5, '4000000000'), ('', '', 1, '', -5)"
    )
    with sql(path) as connection:
        connection.execute(f"INSERT INTO gearman_queue VALUES {rows}")
    wanted = [
        (b"f", b"u1", 1, 0.0, b"text"),
        (b"3", b"2", 2, 0.0, b"4"),
        (b"f", b"", 0, 4e9, b"1.5"),
        (b"", b"", 1, 0.0, b""),
    ]
    same(
        taken(path)[1],
        [StoredJob(n, f, u, p, due, 0, payload, b"") for n, (f, u, p, due, payload) in enumerate(wanted, 1)],
    )
    assert stock_rows(path) == []


def test_numbers_go_on_where_ours_ended(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    given_back(path, Batch([], [a_job(7, unique=b"u"), a_job(9, more=b"stays")], {"ceiling": "500", "prefix": "H:x"}))
    metadata, jobs = taken(path)
    same(jobs, [a_job(9, more=b"stays"), a_job(501, unique=b"u", payload=b"payload of 7")])
    assert metadata == {"ceiling": "501", "prefix": "H:x"}


def test_numbers_go_on_where_ours_ended_whatever_the_facts_say(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    given_back(path, Batch([], [a_job(7, unique=b"u"), a_job(9, more=b"stays")], {"ceiling": "8"}))
    metadata, jobs = taken(path)
    same(jobs, [a_job(9, more=b"stays"), a_job(10, unique=b"u", payload=b"payload of 7")])
    assert metadata == {"ceiling": "10"}


# --- bad rows ---

BAD = {
    "(NULL, NULL, 1, x'00', 0)": "it has no function name",
    "('prio', 'f', 3, x'00', 0)": "its priority is 3",
    "('none', 'f', NULL, x'00', 0)": "its priority is None",
    "('word', 'f', 'high', x'00', 0)": "its priority is b'high'",
    f"('{'u' * 65}', 'f', 1, x'00', 0)": "its unique id has 65 bytes",
    "('due', 'f', 1, x'00', 'soon')": "its due time is b'soon'",
    "('nul', CAST(x'660066' AS TEXT), 1, x'00', 0)": "its function name has a NUL byte",
}


def test_a_bad_row_is_said_and_left_and_the_others_are_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "queue.db"
    with gearmand(path) as server, server.connect() as connection:
        submit(connection, *SUBMITS[:3])
        kill(server)
    with sql(path) as connection_:
        for row in BAD:
            connection_.execute(f"INSERT INTO gearman_queue VALUES {row}")
        connection_.execute("INSERT INTO gearman_queue VALUES ('last', 'f', 1, x'00', 0)")
        before = connection_.execute("SELECT * FROM gearman_queue ORDER BY rowid").fetchall()
    for _ in range(2):
        caplog.clear()
        _, jobs = taken(path)
        same(jobs, [*expected(SUBMITS[:3]), a_job(4, function=b"f", unique=b"last", payload=b"\0")])
        assert stock_rows(path) == before[3:-1]
        said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert [reason in line for reason, line in zip(BAD.values(), said, strict=True)] == [True] * len(BAD)


def test_the_log_does_not_drown_in_bad_rows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "queue.db"
    empty_table(path)
    with sql(path) as connection:
        bad = [(f"u{number}",) for number in range(5000)]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO gearman_queue VALUES (?, 'f', 9, NULL, 0)", bad)
        connection.execute("COMMIT")
        connection.execute("INSERT INTO gearman_queue VALUES ('good', 'f', 1, NULL, 0)")
    same(taken(path)[1], [a_job(1, function=b"f", unique=b"good", payload=b"")])
    lines = [record.getMessage() for record in caplog.records if "can be read by" not in record.getMessage()]
    assert len(lines) == 22
    assert "4980 more jobs stay there" in lines[20]
    assert "1 jobs that gearmand left were taken over" in lines[21]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE gearman_queue (name TEXT, colour TEXT)",
        "CREATE TABLE gearman_queue (unique_key, function_name, priority, data, PRIMARY KEY (data)) WITHOUT ROWID",
        "CREATE VIEW gearman_queue AS SELECT 1 AS unique_key",
    ],
)
def test_a_table_of_somebody_else_is_left_alone(
    tmp_path: Path, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "queue.db"
    empty_table(path, statement)
    assert taken(path) == ({}, [])
    assert ("does not have gearmand's columns" in caplog.text) == statement.startswith("CREATE TABLE")


# --- whatever moment it is killed at ---


def fill(path: Path, count: int) -> None:
    empty_table(path)
    with sql(path) as connection:
        rows = [(f"u{number}", f"payload of {number}".encode()) for number in range(1, count + 1)]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO gearman_queue VALUES (?, 'resize', 1, ?, 0)", rows)
        connection.execute("COMMIT")


def uniques(path: Path) -> tuple[list[bytes], list[bytes]]:
    """Whose rows are gearmand's, and whose are ours."""
    with sql(path) as connection:
        theirs = [row[0] for row in connection.execute("SELECT unique_key FROM gearman_queue ORDER BY rowid")]
        there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'gearfast_gearman_queue'").fetchone()
        query = "SELECT unique_key FROM gearfast_gearman_queue ORDER BY number"
        return theirs, [row[0] for row in connection.execute(query)] if there else []


@pytest.mark.parametrize(
    "trigger",
    [
        "BEFORE DELETE ON gearman_queue WHEN OLD.unique_key = 'u25'",
        "BEFORE INSERT ON gearfast_gearman_queue WHEN NEW.number = 25",
        "BEFORE INSERT ON gearfast_gearman_queue_metadata WHEN NEW.value = '30'",
    ],
)
def test_a_transaction_that_fails_in_the_middle_moves_nothing(
    tmp_path: Path, trigger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "SLICE_JOBS", 10)
    path = tmp_path / "queue.db"
    taken(path)
    fill(path, 45)
    with sql(path) as connection:
        connection.execute(f"CREATE TRIGGER stop {trigger} BEGIN SELECT RAISE(ABORT, 'no further'); END")
    with pytest.raises(StoreError, match="no further"):
        taken(path)
    every = [b"u%d" % number for number in range(1, 46)]
    assert uniques(path) == (every[20:], every[:20])
    with sql(path) as connection:
        connection.execute("DROP TRIGGER stop")
    metadata, jobs = taken(path)
    same(jobs, [a_job(number, unique=b"u%d" % number) for number in range(1, 46)])
    assert metadata == {"ceiling": "45"}


KILLED = """
import asyncio, os, signal, sys
from gearfast.store.contract import StoreSettings
from gearfast.plugins import sqlite
from gearfast.plugins.sqlite import Sqlite
from gearfast.plugins.sqlite.file import SqliteFile

sqlite.SLICE_JOBS = 100
steps = int(sys.argv[2])
prepare = SqliteFile._prepare

def watched(self, connection):
    prepare(self, connection)
    left = [steps]

    def step():
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    connection.set_progress_handler(step, 1)

SqliteFile._prepare = watched
asyncio.run(Sqlite(StoreSettings(url="sqlite:" + sys.argv[1])).open())
"""


@pytest.mark.parametrize("steps", [300, 3_000, 12_000, 30_000, 55_000])
def test_a_server_that_is_killed_while_it_takes_over(tmp_path: Path, steps: int) -> None:
    """After so many steps of SQLite's machine, wherever that is."""
    path = tmp_path / "queue.db"
    fill(path, 2000)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(steps)],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    theirs, ours = uniques(path)
    assert ours + theirs == [b"u%d" % number for number in range(1, 2001)]
    assert len(ours) % 100 == 0
    metadata, jobs = taken(path)
    same(jobs, [a_job(number, unique=b"u%d" % number) for number in range(1, 2001)])
    assert metadata == {"ceiling": "2000"}
