"""MySQL and MariaDB as a store, when the database or the connection is away: stopped, killed, frozen, idle."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from gearfast.errors import StoreError
from gearfast.plugins.mysql import MySql
from gearfast.store.contract import Batch, Store
from gearfast.store.testing import a_job, adding, same
from tests.support.databases import USER, MariaDb
from tests.support.mysql_stores import FAR, found, kept, opened, run, settings
from tests.support.peers import HOST


@pytest.fixture(scope="module", name="database")
def run_database() -> Iterator[MariaDb]:
    """A MariaDB to be stopped, killed and frozen; every test leaves it running."""
    with MariaDb() as database:
        yield database


def connections(database: MariaDb) -> list[str]:
    """The ids of what our user has connected."""
    return [row[0] for row in database.run(f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'")]


async def insisted(store: Store, batch: Batch) -> int:
    """Write as the server does, again and again until it is written; return how often it failed."""
    for failures in itertools.count():
        try:
            await store.write(batch)
        except StoreError:
            await asyncio.sleep(0.01)  # the back-off
        else:
            return failures
    raise AssertionError


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task, and have it end."""
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=FAR)
    assert done, "it waits for a server that does not answer"
    assert task.cancelled()


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_connection_that_was_ended_is_made_again_without_an_error(database: MariaDb) -> None:
    async def main() -> None:
        store = await opened(settings(database))
        await store.write(adding([a_job(1)]))
        for number, seen in ((2, True), (3, False)):  # whether our side knows already when it writes
            (old,) = connections(database)
            database.run(f"KILL {old}")
            if seen:
                await turns(50)
            await store.write(adding([a_job(number)]))
            (new,) = connections(database)
            assert new != old
        same(await kept(store), [a_job(1), a_job(2), a_job(3)])
        (old,) = connections(database)
        database.run(f"KILL {old}")
        same(await kept(store), [a_job(1), a_job(2), a_job(3)])
        await store.close()

    run(main())


def test_the_servers_limit_for_idle_connections_is_not_ours(database: MariaDb) -> None:
    """Another connection, made later, is ended for having nothing to do; ours is not, and so nor is our lock."""
    before = database.run("SELECT @@GLOBAL.wait_timeout")[0][0]

    async def main() -> None:
        database.run("SET GLOBAL wait_timeout = 1")
        store = await opened(settings(database))
        (ours,) = connections(database)
        idle = await opened(settings(database))
        await idle._link.run(b"SET SESSION wait_timeout = 1")
        connection = idle._link._connection
        await asyncio.wait_for(connection._proto.wait_closed(), FAR)
        assert connections(database) == [ours]
        await idle.write(adding([a_job(1)]))
        same(await kept(idle), [a_job(1)])
        await store.write(adding([a_job(1)]))
        await idle.close()
        assert connections(database) == [ours]
        await store.close()

    try:
        run(main())
    finally:
        database.run(f"SET GLOBAL wait_timeout = {before}")


def test_a_restart_between_writes_is_not_noticed(database: MariaDb) -> None:
    async def main() -> None:
        store = await opened(settings(database))
        for number, again in enumerate((database.restart, database.kill, database.stop), 1):
            await store.write(adding([a_job(number)]))
            again()
            if again != database.restart:
                database.start()
        await store.write(adding([a_job(4)]))
        same(await kept(store), list(map(a_job, range(1, 5))))
        await store.close()

    run(main())


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_writes_fail_while_the_database_is_away_and_then_work(database: MariaDb, how: str) -> None:
    async def main() -> None:
        where = settings(database)
        store = await opened(where)
        await store.write(adding([a_job(1)]))
        getattr(database, how)()
        for _ in range(3):
            with pytest.raises(StoreError, match="Can't connect") as error:
                await store.write(Batch([1], [a_job(2)], {"ceiling": "2"}))
            assert f"{HOST}:{database.port}" in str(error.value)
        with pytest.raises(StoreError, match="Can't connect"):
            await kept(store)
        database.start()
        await store.write(Batch([1], [a_job(2)], {"ceiling": "2"}))
        same(await kept(store), [a_job(2)])
        await store.close()

    run(main())


def test_nothing_written_is_lost_when_the_database_is_killed_under_load(database: MariaDb) -> None:
    """Every batch adds jobs, and removes those of the one before last: what stays is known exactly."""

    async def main() -> None:
        where = settings(database)
        store = await opened(where)
        batches = [[a_job(number) for number in range(first, first + 300)] for first in range(1, 30_000, 300)]
        written = 0

        async def write_all() -> None:
            nonlocal written
            for turn, batch in enumerate(batches):
                old = batches[turn - 2] if turn >= 2 else []
                await insisted(store, Batch([job.number for job in old], batch, {"ceiling": str(batch[-1].number)}))
                written = turn + 1

        writing = asyncio.ensure_future(write_all())
        for _ in range(4):
            aim = min(written + 10, len(batches))
            while written < aim:
                await asyncio.sleep(0)
            await asyncio.to_thread(database.kill)
            await asyncio.to_thread(database.start)
        await writing
        same(await kept(store), [*batches[-2], *batches[-1]])
        await store.close()
        again = MySql(where)
        assert (await again.open())["ceiling"] == str(batches[-1][-1].number)
        await again.close()

    run(main())


def test_a_write_can_be_given_up_while_the_database_is_frozen(database: MariaDb) -> None:
    """At several moments: none of it may come to pass after a later write, when the database goes on."""

    async def main() -> None:
        where = settings(database)
        store = await opened(where)
        await store.write(adding(map(a_job, range(1, 10))))
        large = [a_job(number, payload=bytes(20_000)) for number in range(10, 1000)]
        for count in (0, 1, 2, 3, 5, 8, 50, 1000):
            database.freeze()
            task = asyncio.ensure_future(store.write(adding(large)))
            await turns(count)
            assert not task.done()
            await cancelled(task)
            database.thaw()
            await insisted(store, Batch([job.number for job in large], [], {}))
        same(await kept(store), list(map(a_job, range(1, 10))))
        await store.close()
        same(await found(where), list(map(a_job, range(1, 10))))

    run(main())


def test_a_connection_to_a_frozen_database_is_not_waited_for(database: MariaDb) -> None:
    async def main() -> None:
        store = await opened(settings(database, timeout=0.2))
        with database.frozen():
            await cancelled_write(store, 1)
            with pytest.raises(StoreError, match=r"did not answer within 0\.2 s"):
                await store.write(adding([a_job(2)]))
            await cancelled_write(store, 3)  # while it connects
        await insisted(store, adding([a_job(4)]))
        assert a_job(4) in await kept(store)
        with database.frozen():
            await asyncio.wait_for(store.close(), FAR)

    async def cancelled_write(store: Store, number: int) -> None:
        task = asyncio.ensure_future(store.write(adding([a_job(number)])))
        await turns(20)
        await cancelled(task)

    run(main())


def test_a_server_that_came_while_we_were_away_keeps_the_jobs(database: MariaDb) -> None:
    async def main() -> None:
        where = settings(database, timeout=1.0)
        store = await opened(where)
        await store.write(adding([a_job(1)]))
        (old,) = connections(database)
        second = MySql(where)
        with pytest.raises(StoreError, match=f"another server uses .*{where.table}.* KILL {old}"):
            await second.open()
        database.run(f"KILL {old}")
        await second.open()
        await second.write(adding([a_job(2)]))
        for _ in range(2):
            with pytest.raises(StoreError, match="another server uses"):
                await store.write(adding([a_job(3)]))
        await second.close()
        await store.write(adding([a_job(4)]))
        same(await kept(store), [a_job(1), a_job(2), a_job(4)])
        await store.close()

    run(main())


def test_what_is_left_of_a_killed_server_is_not_in_the_way(database: MariaDb) -> None:
    """Its socket is closed, and nothing was said."""

    async def main() -> None:
        where = settings(database)
        first = await opened(where)
        await first.write(adding([a_job(1)]))
        first._link.drop()
        same(await found(where), [a_job(1)])

    run(main())


def test_two_tables_of_one_database_are_independent(database: MariaDb) -> None:
    async def main() -> None:
        one, other = await opened(settings(database)), await opened(settings(database))
        await one.write(adding([a_job(1)]))
        await other.write(adding([a_job(2)]))
        same(await kept(one), [a_job(1)])
        same(await kept(other), [a_job(2)])
        await one.close()
        await other.close()

    run(main())
