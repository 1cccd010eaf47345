"""Jobs in a real PostgreSQL: the contract, and what becomes of them when the database fails."""

from __future__ import annotations

import asyncio
import itertools
import logging
import urllib.parse
from collections.abc import Callable, Iterator

import pytest
import uvloop

from gearfast.errors import ConfigError, StoreError
from gearfast.plugins.postgresql import PostgreSql as Store
from gearfast.plugins.postgresql.link import Connection
from gearfast.store.contract import Batch, StoredJob, StoreSettings
from gearfast.store.testing import StoreContract, a_job, adding, same
from tests.support.databases import PostgreSql
from tests.support.databases import run_postgresql as run_postgresql
from tests.support.peers import free_port

tables = (f"Table {number} of 'tests\"" for number in itertools.count())


class TestContract(StoreContract):
    make_store = Store

    @pytest.fixture
    def store_settings(self, postgresql: PostgreSql) -> StoreSettings:
        self.database = postgresql
        return StoreSettings(url=postgresql.url, table=next(tables))

    def lose(self, settings: StoreSettings) -> bool:
        table = f"gearfast_{settings.table}".replace('"', '""')
        self.database.run(f'DROP TABLE "{table}", "{table}_metadata"')
        return True


class TestContractOnUvloop(TestContract):
    def run(self, main):  # type: ignore[no-untyped-def]
        return uvloop.run(main)


@pytest.fixture(name="settings")
def own_table(postgresql: PostgreSql) -> StoreSettings:
    """A table of the shared database."""
    return StoreSettings(url=postgresql.url, table=next(tables), timeout=20.0)


@pytest.fixture(name="own")
def run_own() -> Iterator[PostgreSql]:
    """A database that may be harmed."""
    with PostgreSql() as database:
        yield database


async def kept(settings: StoreSettings) -> list[StoredJob]:
    """What a new store finds."""
    store = Store(settings)
    await store.open()
    try:
        return [job async for jobs in store.replay() for job in jobs]
    finally:
        await store.close()


def connection_of(store: Store) -> Connection:
    """The connection that it has now."""
    assert store._link.connection is not None
    return store._link.connection


async def write_until_done(store: Store, batch: Batch) -> int:
    """Write as the server does, again and again; return how often it failed."""
    for failed in itertools.count():
        try:
            async with asyncio.timeout(20):
                await store.write(batch)
        except StoreError:
            await asyncio.sleep(0.02)
        else:
            return failed
    raise AssertionError


async def write_while(own: PostgreSql, harm: Callable[[], None], batches: int) -> tuple[list[StoredJob], int]:
    """Write batches while the database is harmed; return what was acknowledged, and how many writes failed."""
    store = Store(StoreSettings(url=own.url, timeout=20.0))
    await store.open()
    acknowledged: dict[int, StoredJob] = {}
    failed = 0
    harming = None
    for number in range(batches):
        if number == batches // 3:
            harming = asyncio.create_task(asyncio.to_thread(harm))
        elif number > batches // 3 and harming is not None and number == 2 * batches // 3:
            await harming  # the last third finds the database well
        jobs = [a_job(number * 500 + place) for place in range(1, 501)]
        removes = [other for other in list(acknowledged)[:400] if other % 3]
        failed += await write_until_done(store, Batch(removes, jobs, {"ceiling": str(number)}))
        for other in removes:
            del acknowledged[other]
        acknowledged.update({job.number: job for job in jobs})
    await store.close()
    return list(acknowledged.values()), failed


class TestFailingDatabase:
    @pytest.mark.parametrize("ending", ["stop", "kill"])
    def test_it_is_restarted_under_load(self, own: PostgreSql, ending: str) -> None:
        def harm() -> None:
            getattr(own, ending)()
            own.start()

        async def main() -> None:
            acknowledged, failed = await write_while(own, harm, 60)
            assert failed
            same(await kept(StoreSettings(url=own.url)), acknowledged)

        asyncio.run(main())

    @pytest.mark.parametrize("ending", ["stop", "kill"])
    def test_it_is_restarted_while_nothing_is_written(self, own: PostgreSql, ending: str) -> None:
        async def main() -> None:
            store = Store(StoreSettings(url=own.url, timeout=20.0))
            await store.open()
            await store.write(adding([a_job(1)]))
            getattr(own, ending)()
            own.start()
            await write_until_done(store, adding([a_job(2)]))
            await store.close()
            same(await kept(StoreSettings(url=own.url)), [a_job(1), a_job(2)])

        asyncio.run(main())

    def test_one_backend_is_ended(self, settings: StoreSettings, postgresql: PostgreSql) -> None:
        async def main() -> None:
            store = Store(settings)
            await store.open()
            for number in range(1, 4):
                await write_until_done(store, adding([a_job(number)]))
                postgresql.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^gearfast '"
                )
            await write_until_done(store, adding([a_job(4)]))
            await store.close()
            same(await kept(settings), list(map(a_job, range(1, 5))))

        asyncio.run(main())

    @pytest.mark.parametrize("loop", [asyncio.run, uvloop.run])
    def test_a_write_to_a_frozen_one_can_be_cancelled(self, own: PostgreSql, loop: Callable[..., None]) -> None:
        async def main() -> None:
            store = Store(StoreSettings(url=own.url, timeout=20.0))
            await store.open()
            await store.write(adding([a_job(1)]))
            batch = Batch([1], list(map(a_job, range(2, 5000))), {"ceiling": "5000"})
            with own.frozen():
                for _ in range(3):  # on the old connection, and then on one that is never answered
                    write = asyncio.create_task(store.write(batch))
                    done, _ = await asyncio.wait([write], timeout=0.3)
                    assert not done
                    write.cancel()
                    done, _ = await asyncio.wait([write], timeout=20)
                    assert done
            await write_until_done(store, batch)
            await store.close()
            same(await kept(StoreSettings(url=own.url)), batch.adds)

        loop(main())

    def test_a_frozen_one_is_not_waited_for_longer_than_said(self, own: PostgreSql) -> None:
        async def main() -> None:
            store = Store(StoreSettings(url=own.url, timeout=0.3))
            await store.open()
            own.freeze()
            second = Store(StoreSettings(url=own.url, timeout=0.3))
            with pytest.raises(StoreError, match="did not answer in time"):
                await second.open()
            await second.close()
            await store.close()

        asyncio.run(main())

    def test_the_lock_of_a_connection_that_hangs_is_taken_from_it(
        self, settings: StoreSettings, postgresql: PostgreSql
    ) -> None:
        """As after a failure of the network, of which the database has not heard."""

        async def main() -> None:
            store = Store(settings)
            await store.open()
            lost = connection_of(store)
            store._link.connection = None  # still open, and still holds the lock
            await store.write(adding([a_job(1)]))
            lost.terminate()
            await store.close()
            same(await kept(settings), [a_job(1)])

        asyncio.run(main())

    def test_a_port_where_nobody_listens(self) -> None:
        async def main() -> None:
            store = Store(StoreSettings(url=f"postgresql://u:secret@127.0.0.1:{free_port()}/db"))
            with pytest.raises(StoreError, match=r"cannot be used: .*start it, or correct") as refused:
                await store.open()
            assert "secret" not in str(refused.value)
            await store.close()

        asyncio.run(main())


class TestSettings:
    @pytest.mark.parametrize(("durability", "commit"), [("full", "on"), ("normal", "off"), ("off", "off")])
    def test_durability_says_whether_a_commit_waits(
        self, settings: StoreSettings, durability: str, commit: str
    ) -> None:
        async def main() -> str:
            store = Store(StoreSettings(url=settings.url, table=settings.table, durability=durability))
            await store.open()
            try:
                return str(await connection_of(store).fetchval("SELECT current_setting('synchronous_commit')"))
            finally:
                await store.close()

        assert asyncio.run(main()) == commit

    def test_full_durability_does_not_trust_the_default(self, settings: StoreSettings) -> None:
        async def main(options: str) -> str:
            url = f"{settings.url}?options={urllib.parse.quote(options)}"
            store = Store(StoreSettings(url=url, table=settings.table))
            await store.open()
            try:
                return str(await connection_of(store).fetchval("SELECT current_setting('synchronous_commit')"))
            finally:
                await store.close()

        assert asyncio.run(main("-c synchronous_commit=off")) == "on"
        assert asyncio.run(main("-c synchronous_commit=remote_apply")) == "remote_apply"

    def test_a_database_that_does_not_sync_is_warned_of(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING, "gearfast")
        with PostgreSql(options=["-c", "fsync=off"]) as database:
            asyncio.run(kept(StoreSettings(url=database.url)))
        assert ["fsync=off" in line for line in caplog.messages] == [True]

    def test_a_good_one_is_not_warned_of(self, settings: StoreSettings, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING, "gearfast")
        asyncio.run(kept(settings))
        assert caplog.messages == []

    def test_the_table_must_not_be_cut(self) -> None:
        Store(StoreSettings(url="postgresql:", table="t" * 45))
        with pytest.raises(ConfigError, match="at most 45 bytes"):
            Store(StoreSettings(url="postgresql:", table="t" * 46))

    def test_deletes_find_their_jobs_by_the_index(self, settings: StoreSettings) -> None:
        """A plan made for an empty table would read all of it for each delete of a million jobs."""

        async def main() -> None:
            store = Store(settings)
            await store.open()
            plan = await connection_of(store).fetch(f"EXPLAIN {store._jobs.statements([1, 2, 3], {})}")
            await store.close()
            assert "Index" in "".join(row[0] for row in plan)
            assert "Seq Scan" not in "".join(row[0] for row in plan)

        asyncio.run(main())
