"""The table of a real gearmand in a real PostgreSQL: filled by it, taken over, and given back to it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gearfast.errors import StoreError
from gearfast.plugins.postgresql import PostgreSql as Store
from gearfast.plugins.postgresql.jobs import SLICE
from gearfast.plugins.postgresql.stock import StockTable
from gearfast.store.contract import Batch, StoredJob, StoreSettings
from gearfast.store.testing import a_job, adding, same
from tests.support import wire
from tests.support.databases import PostgreSql
from tests.support.peers import start_gearmand, until

LATER = int(time.time()) + 100_000


@pytest.fixture(name="database", scope="module")
def run_database() -> Iterator[PostgreSql]:
    """A database of the file's own, since gearmand's table has one name."""
    with PostgreSql() as database:
        yield database


@pytest.fixture(name="settings")
def empty_database(database: PostgreSql) -> StoreSettings:
    """No table is there."""
    database.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return StoreSettings(url=database.url, timeout=20.0)


def gearmand_words(database: PostgreSql, table: str = "queue") -> list[str]:
    return ["--queue-type=Postgres", f"--libpq-conninfo={database.conninfo}", f"--libpq-table={table}"]


def submit(database: PostgreSql, *requests: bytes, table: str = "queue") -> list[wire.Packet]:
    """Have gearmand keep jobs, and end it; return its answers."""
    with start_gearmand(*gearmand_words(database, table)) as server, server.connect() as client:
        answers = []
        for request in requests:
            client.send(request)
            answers.append(client.recv_packet())
        return answers


async def take_over(settings: StoreSettings) -> tuple[list[StoredJob], dict[str, str]]:
    store = Store(settings)
    metadata = dict(await store.open())
    try:
        return [job async for jobs in store.replay() for job in jobs], metadata
    finally:
        await store.close()


def insert(database: PostgreSql, *rows: str) -> None:
    """Put rows into gearmand's table as SQL has them; the table is made as gearmand makes it."""
    database.run(
        "CREATE TABLE IF NOT EXISTS queue (unique_key VARCHAR(64), function_name VARCHAR(255), priority INTEGER,"
        " data BYTEA, when_to_run INTEGER, UNIQUE (unique_key, function_name))"
    )
    database.run(f"INSERT INTO queue (unique_key, function_name, priority, data, when_to_run) VALUES {', '.join(rows)}")


class TestFilledByGearmand:
    def test_every_kind_of_job(self, settings: StoreSettings, database: PostgreSql) -> None:
        payload = bytes(range(256)) * 5
        answers = submit(
            database,
            wire.request(wire.SUBMIT_JOB_BG, b"resize", b"u1", payload),
            wire.request(wire.SUBMIT_JOB_HIGH_BG, b"my-func-name", b"u2", b"high"),
            wire.request(wire.SUBMIT_JOB_LOW_BG, b"my-func-name", b"it's \"u\\3", b"low"),
            wire.request(wire.SUBMIT_JOB_EPOCH, b"later", b"u4", b"%d" % LATER, b"epoch"),
            wire.request(wire.SUBMIT_JOB_BG, b"empty", b"u5", b""),
            wire.request(wire.SUBMIT_JOB_BG, b"nameless", b"", b"the first"),
            wire.request(wire.SUBMIT_JOB_BG, "caf\u00e9".encode(), "\u00fcnique".encode(), b"text"),
            wire.request(wire.SUBMIT_JOB_BG, b"long", b"x" * 64, b"full"),
        )
        assert [answer.type for answer in answers] == [wire.JOB_CREATED] * len(answers)
        jobs, metadata = asyncio.run(take_over(settings))
        same(
            jobs,
            [
                StoredJob(1, b"resize", b"u1", 1, 0.0, 0, payload, b""),
                StoredJob(2, b"my-func-name", b"u2", 0, 0.0, 0, b"high", b""),
                StoredJob(3, b"my-func-name", b"it's \"u\\3", 2, 0.0, 0, b"low", b""),
                StoredJob(4, b"later", b"u4", 1, float(LATER), 0, b"epoch", b""),
                StoredJob(5, b"empty", b"u5", 1, 0.0, 0, b"", b""),
                StoredJob(6, b"nameless", b"", 1, 0.0, 0, b"the first", b""),
                StoredJob(7, "caf\u00e9".encode(), "\u00fcnique".encode(), 1, 0.0, 0, b"text", b""),
                StoredJob(8, b"long", b"x" * 63, 1, 0.0, 0, b"full", b""),
            ],
        )
        assert metadata == {"ceiling": "8"}
        assert database.run("SELECT count(*) FROM queue") == [["0"]]

    def test_of_jobs_without_a_unique_gearmand_keeps_one(self, settings: StoreSettings, database: PostgreSql) -> None:
        """What it refused was never acknowledged."""
        answers = submit(database, *(wire.request(wire.SUBMIT_JOB_BG, b"f", b"", b"%d" % n) for n in range(3)))
        assert [answer.type for answer in answers] == [wire.JOB_CREATED, wire.ERROR, wire.ERROR]
        jobs, _ = asyncio.run(take_over(settings))
        same(jobs, [StoredJob(1, b"f", b"", 1, 0.0, 0, b"0", b"")])

    def test_a_name_in_capitals(self, database: PostgreSql, settings: StoreSettings) -> None:
        """Gearmand does not quote it, so the table has small letters."""
        submit(database, wire.request(wire.SUBMIT_JOB_BG, b"f", b"u", b"p"), table="Queue_Of_Ours")
        jobs, _ = asyncio.run(take_over(StoreSettings(url=settings.url, table="Queue_Of_Ours")))
        same(jobs, [StoredJob(1, b"f", b"u", 1, 0.0, 0, b"p", b"")])


class TestTakingOver:
    def test_it_is_said_once_and_done_once(
        self, settings: StoreSettings, database: PostgreSql, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "gearfast")
        insert(database, "('a', 'f', 1, 'p', 0)", "('b', 'f', 1, 'p', NULL)")
        first, _ = asyncio.run(take_over(settings))
        again, metadata = asyncio.run(take_over(settings))
        same(again, first)
        assert metadata == {"ceiling": "2"}
        assert len(caplog.messages) == 1
        assert "2 jobs that gearmand left were taken over" in caplog.messages[0]

    def test_numbers_go_on_above_the_ceiling(self, settings: StoreSettings, database: PostgreSql) -> None:
        async def main() -> None:
            store = Store(settings)
            await store.open()
            await store.write(Batch([], [a_job(7)], {"ceiling": "1000", "prefix": "H:x"}))
            await store.close()
            insert(database, "('a', 'f', 0, 'p', 0)")
            jobs, metadata = await take_over(settings)
            same(jobs, [a_job(7), StoredJob(1001, b"f", b"a", 0, 0.0, 0, b"p", b"")])
            assert metadata == {"ceiling": "1001", "prefix": "H:x"}

        asyncio.run(main())

    def test_bad_rows_are_reported_and_kept(
        self, settings: StoreSettings, database: PostgreSql, caplog: pytest.LogCaptureFixture
    ) -> None:
        insert(
            database,
            "('good', 'f', 1, 'p', 0)",
            "('a', NULL, 1, 'p', 0)",
            "('b', 'f', 9, 'p', 0)",
            "('c', 'f', NULL, 'p', 0)",
            "(NULL, 'f', 1, NULL, NULL)",
        )
        for _ in range(2):
            caplog.clear()
            jobs, _ = asyncio.run(take_over(settings))
            same(
                jobs,
                [
                    StoredJob(1, b"f", b"good", 1, 0.0, 0, b"p", b""),
                    StoredJob(2, b"f", b"", 1, 0.0, 0, b"", b""),
                ],
            )
            errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
            assert len(errors) == 3
            assert "b'b'" in errors[1]
            assert "priority is 9" in errors[1]
        assert sorted(database.run("SELECT unique_key FROM queue")) == [["a"], ["b"], ["c"]]

    def test_several_slices(self, settings: StoreSettings, database: PostgreSql) -> None:
        insert(database, "('first', 'f', 1, 'p', 0)")
        number = 2 * SLICE + 10
        database.run(
            "INSERT INTO queue SELECT 'u' || n, 'f', CASE WHEN n % 1000 = 0 THEN 7 ELSE n % 3 END, 'p', 0"
            f" FROM generate_series(1, {number}) AS n"
        )
        jobs, metadata = asyncio.run(take_over(settings))
        names = [b"first", *(b"u%d" % n for n in range(1, number + 1) if n % 1000)]
        assert [job.unique for job in jobs] == names
        assert [job.number for job in jobs] == list(range(1, len(names) + 1))
        assert metadata == {"ceiling": str(len(names))}

    def test_large_rows_are_read_a_few_at_a_time(self, settings: StoreSettings, database: PostgreSql) -> None:
        insert(database, *(f"('{n}', 'f', 1, repeat('{n}', 20000000)::bytea, 0)" for n in range(1, 6)))
        jobs, _ = asyncio.run(take_over(settings))
        same(jobs, [StoredJob(n, b"f", b"%d" % n, 1, 0.0, 0, b"%d" % n * 20_000_000, b"") for n in range(1, 6)])

    @pytest.mark.parametrize("method", ["copy", "statements"])
    def test_an_end_in_the_middle_leaves_every_job_once(
        self, settings: StoreSettings, database: PostgreSql, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        """Each start takes one slice over, and ends within the next one's transaction."""
        insert(database, "('u0', 'f', 1, 'p', 0)")
        number = 3 * SLICE
        database.run(f"INSERT INTO queue SELECT 'u' || n, 'f', 1, 'p', 0 FROM generate_series(1, {number - 1}) AS n")

        def once(original: Callable[..., Any]) -> Callable[..., Any]:
            calls = iter([False])

            def call(*args: Any) -> Any:
                if next(calls, True):
                    raise asyncio.CancelledError
                return original(*args)

            return call

        async def main() -> None:
            for slices in (1, 2):
                store = Store(settings)
                with monkeypatch.context() as patch:
                    patch.setattr(store._jobs, method, once(getattr(store._jobs, method)))
                    with pytest.raises(asyncio.CancelledError):
                        await store.open()
                await store.close()
                assert database.run("SELECT count(*) FROM queue") == [[str(number - slices * SLICE)]]
            jobs, metadata = await take_over(settings)
            assert [job.unique for job in jobs] == [b"u%d" % n for n in range(number)]
            assert [job.number for job in jobs] == list(range(1, number + 1))
            assert metadata == {"ceiling": str(number)}

        asyncio.run(main())

    def test_a_table_without_times(self, settings: StoreSettings, database: PostgreSql) -> None:
        database.run(
            "CREATE TABLE queue (unique_key TEXT, function_name TEXT, priority INTEGER, data BYTEA);"
            " INSERT INTO queue VALUES ('u', 'f', 2, 'p')"
        )
        jobs, _ = asyncio.run(take_over(settings))
        same(jobs, [StoredJob(1, b"f", b"u", 2, 0.0, 0, b"p", b"")])

    @pytest.mark.parametrize(
        "table",
        [
            "CREATE TABLE queue (id INTEGER, unique_key TEXT); INSERT INTO queue VALUES (1, 'x')",
            "CREATE VIEW queue AS SELECT 1 AS unique_key, 2 AS function_name, 3 AS priority, 4 AS data",
        ],
    )
    def test_what_is_not_gearmands_is_left_alone(
        self, settings: StoreSettings, database: PostgreSql, caplog: pytest.LogCaptureFixture, table: str
    ) -> None:
        database.run(table)
        assert asyncio.run(take_over(settings)) == ([], {})
        assert "is not gearmand's, and is left alone" in caplog.text
        assert database.run("SELECT unique_key FROM queue") != []

    @pytest.mark.parametrize(("encoding", "text"), [("LATIN1", b"caf\xe9"), ("SQL_ASCII", b"\xff\xfe")])
    def test_other_encodings(self, database: PostgreSql, encoding: str, text: bytes) -> None:
        name = f"other_{encoding.lower()}"
        database.run(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0")
        settings = StoreSettings(url=database.url.rpartition("/")[0] + "/" + name)

        async def main() -> None:
            store = Store(settings)
            await store.open()
            await store.write(Batch([], [a_job(1, function=text, unique=b"u")], {"prefix": "H:\u4e16"}))
            assert await store.give_back() == (1, [])
            await store.close()
            jobs, metadata = await take_over(settings)
            same(jobs, [a_job(1, function=text, unique=b"u")])
            assert metadata == {"prefix": "H:\u4e16", "ceiling": "1"}

        asyncio.run(main())


class TestGivingBack:
    def test_gearmand_starts_on_it_and_runs_the_jobs(self, settings: StoreSettings, database: PostgreSql) -> None:
        jobs = [
            a_job(1, function=b"f", unique=b"u1", payload=b"one"),
            a_job(2, function=b"f", unique=b"", payload=b""),
            a_job(3, function=b"f", unique=b"-", payload=b"three", priority=0),
            a_job(4, function=b"f", unique=b"", payload=bytes(range(256)), priority=2, attempts=2),
        ]

        async def main() -> None:
            store = Store(settings)
            await store.open()
            await store.write(adding(jobs))
            assert await store.give_back() == (4, [])
            assert [slice_ async for slice_ in store.replay()] == []
            await store.close()

        asyncio.run(main())
        found = set()
        with start_gearmand(*gearmand_words(database)) as server, server.connect() as worker:
            worker.send(wire.request(wire.CAN_DO, b"f"))
            for _ in jobs:
                job = worker.call(wire.GRAB_JOB_UNIQ)
                assert job.type == wire.JOB_ASSIGN_UNIQ
                handle, function, unique, payload = job.args(3)
                assert function == b"f"
                found.add((unique, payload))
                worker.send(wire.request(wire.WORK_COMPLETE, handle, b""))
            until(lambda: database.run("SELECT count(*) FROM queue") == [["0"]], "gearmand has forgotten them")
        assert found == {
            (b"u1", b"one"),
            (b"gearfast-2", b""),
            (b"gearfast-3", b"three"),
            (b"gearfast-4", bytes(range(256))),
        }

    def test_what_gearmand_cannot_hold_stays(self, settings: StoreSettings, database: PostgreSql) -> None:
        bad = [
            a_job(10, function=b"\xff\xfe"),
            a_job(20, function=b"f" * 256),
            a_job(30, due=2.0**31),
            a_job(40, more=b"reducer"),
            a_job(50, unique=b"twice"),
        ]
        jobs = [a_job(number) for number in range(1, 100) if number % 10]

        async def main() -> None:
            store = Store(settings)
            await store.open()
            insert(database, "('twice', 'resize', 1, 'gearmand is here again', 0)")
            await store.write(adding([*jobs, *bad]))
            moved, stay = await store.give_back()
            assert moved == len(jobs)
            assert sorted(int(line.split()[1]) for line in stay) == [10, 20, 30, 40, 50]
            assert all("\n" not in line for line in stay)
            same([job async for some in store.replay() for job in some], bad)
            await store.close()

        asyncio.run(main())
        assert database.run("SELECT count(*) FROM queue") == [[str(len(jobs) + 1)]]

    def test_there_and_back(self, settings: StoreSettings, database: PostgreSql) -> None:
        jobs = [
            a_job(number, unique=b"u%d" % number, priority=number % 3, due=float(number % 2 * LATER))
            for number in range(1, SLICE + 100)
        ]

        async def main() -> None:
            store = Store(settings)
            await store.open()
            await store.write(Batch([], jobs, {"ceiling": str(len(jobs))}))
            assert await store.give_back() == (len(jobs), [])
            await store.close()
            back, _ = await take_over(settings)
            same(back, [job._replace(number=job.number + len(jobs)) for job in jobs])

        asyncio.run(main())


def test_a_table_that_may_not_be_changed_refuses_the_start(settings: StoreSettings, database: PostgreSql) -> None:
    """Gearmand's jobs would be left behind without a word."""
    insert(database, "('u', 'f', 1, 'p', 0)")
    database.run(
        "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN; GRANT ALL ON SCHEMA public TO guest;"
        " GRANT SELECT ON queue TO guest"
    )
    guest = StoreSettings(url=database.url.replace("gearfast@", "guest@"), timeout=20.0)

    async def main() -> None:
        store = Store(guest)
        with pytest.raises(StoreError, match="permission denied for table queue"):
            await store.open()
        await store.close()

    asyncio.run(main())
    database.run("DROP OWNED BY guest; DROP ROLE guest")


def test_the_name_in_the_log_is_the_table() -> None:
    assert StockTable("Queue", "PostgreSQL at h").place == "table queue of PostgreSQL at h"
