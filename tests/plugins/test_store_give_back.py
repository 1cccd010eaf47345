"""Our jobs given back to Debian's gearmand, which reads every one of them; and single rows, to and fro."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gearfast.errors import StoreError
from gearfast.store.contract import Batch, ceiling_of
from gearfast.store.stock import StockRow, job_of, row_of
from gearfast.store.testing import a_job, adding, same
from tests.support import wire
from tests.support.stock_file import EVERY, LATER, SUBMITS, gearmand, given_back, kill, sql, stock_rows, submit, taken
from tests.support.wire import Connection


def grab_all(connection: Connection, functions: set[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    """Function, unique and payload of every job that gearmand hands out; each is completed."""
    for function in functions:
        connection.request(wire.CAN_DO, function)
    found = []
    while (packet := connection.call(wire.GRAB_JOB_UNIQ)).type == wire.JOB_ASSIGN_UNIQ:
        handle, function, unique, payload = packet.args(3)
        # Of a unique of 64 bytes it tells 63 and two NULs.
        found.append((function, unique, payload))
        connection.request(wire.WORK_COMPLETE, handle, payload=b"")
        connection.sync()
    return found


def test_gearmand_reads_what_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    jobs = [
        a_job(1, function=b"f", unique=b"one", priority=0),
        a_job(2, function=b"f", unique=b"", payload=b""),
        a_job(3, function=b"f", unique=b"", payload=EVERY * 1000),
        a_job(4, function=b"f", unique=b"-", payload=b"\0", priority=2),
        a_job(5, function=b"my-func", unique=b"u" * 64, payload=b"long", attempts=3),
        a_job(6, function=b"\xff'\"", unique=b"\xfe", payload=b"'"),
        a_job(7, function=b"g", unique=b"later", payload=b"x", due=LATER - 0.25),
    ]
    assert given_back(path, Batch([], jobs, {"ceiling": "7"})) == (7, [])
    assert taken_nowhere(path)
    with gearmand(path) as server, server.connect() as connection:
        connection.send(b"status\n")
        lines = connection.recv_table().splitlines()
        assert sorted(lines) == [b".", b"f\t4\t0\t0", b"g\t1\t0\t0", b"my-func\t1\t0\t0", b"\xff'\"\t1\t0\t0"]
        found = grab_all(connection, {job.function for job in jobs})
        assert sorted(found) == sorted(
            [
                (b"f", b"one", b"payload of 1"),
                (b"f", b"gearfast-2", b""),
                (b"f", b"gearfast-3", EVERY * 1000),
                (b"f", b"gearfast-4", b"\0"),
                (b"my-func", b"u" * 63, b"long"),
                (b"\xff'\"", b"\xfe", b"'"),
            ]
        )
        # It finds the row of each job that is done; the delayed one alone is left.
        assert stock_rows(path) == [(b"later", b"g", 1, b"x", LATER)]
        kill(server)
    metadata, again = taken(path)
    same(again, [jobs[6]._replace(number=8, due=float(LATER))])
    assert metadata == {"ceiling": "8"}


def taken_nowhere(path: Path) -> bool:
    """Whether no job is ours any more, and the file is alone and in gearmand's own mode."""
    with sql(path) as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        left = connection.execute("SELECT count(*) FROM gearfast_gearman_queue").fetchone()[0]
    return mode == b"delete" and left == 0 and os.listdir(path.parent) == [path.name]


def test_there_and_back_again(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    with gearmand(path) as server, server.connect() as connection:
        submit(connection, *SUBMITS)
        kill(server)
    _, first = taken(path)
    assert given_back(path) == (len(SUBMITS), [])
    with gearmand(path) as server:
        kill(server)
    _, second = taken(path)
    dash = first[-1]._replace(unique=b"gearfast-%d" % len(first))
    same([job._replace(number=job.number - len(first)) for job in second], [*first[:-1], dash])


def test_what_gearmand_cannot_hold_stays(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    jobs = [
        a_job(1, unique=b"u"),
        a_job(2, more=b"\x01reducer"),
        a_job(3, function=b"a\0b"),
        a_job(4, unique=b"u"),
        a_job(5, unique=b"x" * 65),
        a_job(6, unique=b"good"),
    ]
    count, lines = given_back(path, adding(jobs))
    assert count == 2
    assert [line.partition(" ")[2].partition(" ")[0] for line in lines] == ["2", "3", "4", "5"]
    assert "reducer" in lines[0]
    assert "NUL" in lines[1]
    assert "another job of that function and unique id" in lines[2]
    assert "65 bytes" in lines[3]
    with sql(path) as connection:
        left = connection.execute("SELECT number FROM gearfast_gearman_queue ORDER BY number").fetchall()
    assert left == [(2,), (3,), (4,), (5,)]
    assert [row[0] for row in stock_rows(path)] == [b"u", b"good"]


def test_thousands_are_given_back(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    jobs = [a_job(number) for number in range(1, 2501)]
    assert given_back(path, adding(jobs)) == (2500, [])
    with gearmand(path) as server, server.connect() as connection:
        assert connection.table("status") == ["resize\t2500\t0\t0"]


# --- rows by themselves ---


def test_a_row_and_back() -> None:
    row = StockRow(b"unique", b"f", 2, b"payload", LATER)
    assert row_of(job_of(row, 5)) == row


def test_a_due_time_that_has_passed_is_none() -> None:
    assert [job_of(StockRow(b"u", b"f", 1, None, due), 1).due for due in (None, 0, -1, -(2**63), 1, 10**9)] == [0.0] * 6


@pytest.mark.parametrize(
    "row",
    [
        StockRow(b"u", b"f", True, b"", 0),
        StockRow(b"u", b"f", 1, b"", 2**63),
        StockRow(b"u", b"f", -1, b"", 0),
        StockRow("u", b"f", 1, b"", 0),  # type: ignore[arg-type]
        StockRow(b"u", "f", 1, b"", 0),  # type: ignore[arg-type]
        StockRow(b"u", b"f", 1, "p", 0),  # type: ignore[arg-type]
        StockRow(b"u", b"f", 1, b"", 1.5),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_row_is_no_job(row: StockRow) -> None:
    with pytest.raises(StoreError):
        job_of(row, 1)


@pytest.mark.parametrize("due", [-1.0, float("inf"), float("nan"), 1e19])
def test_a_due_time_gearmand_cannot_read_stays_ours(due: float) -> None:
    with pytest.raises(StoreError, match="due time"):
        row_of(a_job(1, due=due))


def test_a_fraction_of_a_second_is_not_too_early() -> None:
    assert row_of(a_job(1, due=1.000001)).due == 2


@pytest.mark.parametrize("text", ["", "ten", "-1", "1.5", "\u0661", "1_0", " 1"])
def test_a_ceiling_that_is_no_number_is_damage(text: str) -> None:
    with pytest.raises(StoreError, match="is damaged"):
        ceiling_of({"ceiling": text})


def test_the_ceiling_is_nought_at_first() -> None:
    assert ceiling_of({}) == 0
    assert ceiling_of({"ceiling": str(2**63 - 1)}) == 2**63 - 1
