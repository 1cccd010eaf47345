"""Our jobs given back to gearmand's table in a real MariaDB, and a real gearmand started on them."""

from __future__ import annotations

import itertools

import pytest

from gearfast.plugins.mysql import MySql
from gearfast.store.contract import StoredJob, StoreSettings
from gearfast.store.testing import a_job, adding, same
from tests.support.databases import MariaDb
from tests.support.databases import run_mariadb as run_mariadb
from tests.support.mysql_stores import (
    KilledError,
    has,
    kept,
    killed_at,
    left,
    make,
    opened,
    run,
    settings,
    submit,
    taken,
)

LATER = 1_900_000_000


@pytest.fixture
def where(mariadb: MariaDb) -> StoreSettings:
    return settings(mariadb)


async def give_back(where: StoreSettings, *jobs: StoredJob) -> tuple[int, list[str]]:
    """Write jobs, and give back all there are."""
    store = await opened(where)
    await store.write(adding(jobs))
    given = await store.give_back()
    await store.close()
    return given


def test_gearmand_starts_on_what_it_was_given_back(mariadb: MariaDb, where: StoreSettings) -> None:
    accented = "caf\u00e9".encode()
    payload = bytes(range(256)) * 300
    jobs = [
        a_job(1, unique=b"u1", payload=payload),
        a_job(2, priority=0),
        a_job(3, priority=2, unique=b"-"),
        a_job(4, unique=b"empty", payload=b""),
        a_job(5, function=b"later", unique=b"later", due=float(LATER)),
        a_job(6, function=accented, unique=accented, payload=b"text"),
        a_job(7, function=b"it's \\ \"", unique=b"it's \\ \"", payload=b"it's \\ \""),
        a_job(8, unique=b"x" * 64, payload=b"large" * 100_000),
        a_job(9, unique=b"failed", attempts=3),
    ]
    submit(mariadb, where.table)  # it makes its table

    async def main() -> None:
        assert await give_back(where, *jobs) == (9, [])
        same(await found_without_taking(where), [])

    run(main())
    due = mariadb.run(f"SELECT unique_key, priority, when_to_run FROM {where.table} WHERE when_to_run > 0")
    assert due == [["later", "1", str(LATER)]]
    assert sorted(has(mariadb, where.table, b"resize", accented, b"it's \\ \"")) == sorted(
        [
            (b"resize", b"u1", payload),
            (b"resize", b"gearfast-2", b"payload of 2"),
            (b"resize", b"gearfast-3", b"payload of 3"),
            (b"resize", b"empty", b""),
            (accented, accented, b"text"),
            (b"it's \\ \"", b"it's \\ \"", b"it's \\ \""),
            (b"resize", b"x" * 63, b"large" * 100_000),
            (b"resize", b"failed", b"payload of 9"),
        ]
    )
    assert left(mariadb, where.table) == 1, "gearmand finds each row again when its job is done"
    assert [(job.unique, job.due) for job in taken(where)[0]] == [(b"later", float(LATER))]


async def found_without_taking(where: StoreSettings) -> list[StoredJob]:
    """What is ours, with gearmand's table out of sight."""
    store = MySql(where)
    store._stock.name = "none"
    try:
        await store.open()
        return await kept(store)
    finally:
        await store.close()


def test_what_gearmands_table_cannot_hold_stays(mariadb: MariaDb, where: StoreSettings) -> None:
    jobs = [
        a_job(1, function=b"f" * 256),
        a_job(2, unique=b"same", payload=b"first"),
        a_job(3, unique=b"same", payload=b"second"),
        a_job(4, unique=b"SAME", payload=b"first"),
        a_job(5, function=b"\xff"),
        a_job(6, due=2.0**31),
        a_job(7, more=b"reducer"),
        a_job(8, unique=b"a\0b"),
        a_job(9),
    ]

    async def main() -> None:
        given, lines = await give_back(where, *jobs)
        assert given == 2
        assert [int(line.split()[1]) for line in sorted(lines)] == [1, 3, 4, 5, 6, 7, 8]
        assert not [line for line in lines if "\n" in line]
        same(await found_without_taking(where), [jobs[0], *jobs[2:8]])

    run(main())
    assert sorted(has(mariadb, where.table, b"resize")) == [
        (b"resize", b"gearfast-9", b"payload of 9"),
        (b"resize", b"same", b"first"),
    ]


def test_a_table_without_due_times_gets_them(mariadb: MariaDb, where: StoreSettings) -> None:
    mariadb.run(
        f"CREATE TABLE {where.table} (unique_key VARCHAR(64), function_name VARCHAR(255), priority INT, data LONGBLOB)"
    )

    async def main() -> None:
        assert await give_back(where, a_job(1, due=float(LATER)), a_job(2, unique=b"u")) == (2, [])

    run(main())
    assert has(mariadb, where.table, b"resize") == [(b"resize", b"u", b"payload of 2")]


def test_many_jobs_go_there_and_come_back(mariadb: MariaDb, where: StoreSettings) -> None:
    jobs = [a_job(n, unique=b"u%d" % n, payload=b"p" * (n * 97 % 50_000)) for n in range(1, 2500)]

    async def main() -> None:
        assert await give_back(where, *jobs) == (len(jobs), [])

    run(main())
    there = sorted(taken(where)[0], key=lambda job: int(job.unique[1:]))
    same([job._replace(number=n) for n, job in enumerate(there, 1)], jobs)


@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
def test_a_kill_while_giving_back_loses_and_doubles_nothing(
    mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr("gearfast.plugins.mysql.stock.AT_ONCE", 2)
    jobs = [a_job(1), a_job(2, unique=b"u"), a_job(3, unique=b"U"), a_job(4, payload=b""), a_job(5, unique=b"v")]

    async def attempt(where: StoreSettings, moment: int) -> bool:
        store = await opened(where)
        await store.write(adding(jobs))
        with monkeypatch.context() as patch:
            killed_at(patch, moment)
            try:
                assert (await store.give_back())[0] == 4
            except KilledError:
                return False
        await store.close()
        return True

    async def again(where: StoreSettings) -> None:
        store = MySql(where)
        name, store._stock.name = store._stock.name, "none"
        await store.open()
        store._stock.name = name
        given, lines = await store.give_back()
        assert given <= 4
        assert len(lines) == 1
        await store.close()

    async def main() -> None:
        for moment in itertools.count(1):
            where = settings(mariadb)
            make(mariadb, where.table, engine)
            ended = await attempt(where, moment)
            await again(where)
            same(await found_without_taking(where), [jobs[2]])
            there = mariadb.run(f"SELECT unique_key, data FROM {where.table} ORDER BY unique_key")
            assert there == [
                ["gearfast-1", "payload of 1"], ["gearfast-4", ""], ["u", "payload of 2"], ["v", "payload of 5"]
            ]  # fmt: skip
            if ended:
                break
        assert moment > 20

    run(main())
