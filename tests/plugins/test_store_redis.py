"""Redis as a store, on a real one: its contract, and Redis stopped, killed, frozen, full, locked, and shared."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from typing import Any

import pytest
import redis as driver
import uvloop

from gearfast.errors import StoreError, StoreLostError
from gearfast.plugins.redis import Redis
from gearfast.plugins.redis.link import Command, Link
from gearfast.store.contract import Batch, StoredJob, StoreSettings
from gearfast.store.testing import StoreContract, a_job, adding, same
from tests.support import databases
from tests.support.databases import run_redis as run_redis
from tests.support.peers import HOST, free_port, until

prefixes = (f"prefix{number}" for number in itertools.count(1))


class TestContract(StoreContract):
    make_store = Redis

    @pytest.fixture
    def store_settings(self, redis: databases.Redis) -> StoreSettings:
        self.database = redis
        return StoreSettings(url=redis.url, table=next(prefixes))

    def lose(self, settings: StoreSettings) -> bool:
        ask(self.database, "DEL", *ask(self.database, "KEYS", f"gearfast:{{{settings.table}}}:*"))
        return True

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        return uvloop.run(main)


class TestContractOnAsyncio(TestContract):
    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(main)


@pytest.fixture(name="own")
def run_own() -> Iterator[databases.Redis]:
    """A Redis that this test may end."""
    with databases.Redis() as database:
        yield database


@pytest.fixture(autouse=True)
def log_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "gearfast")


def ask(database: databases.Redis, *words: bytes | str | int) -> Any:
    """Have a client of its own do one command."""
    with driver.Redis(host=HOST, port=database.port) as client:
        return client.execute_command(*words)


def settings(database: databases.Redis, **others: Any) -> StoreSettings:
    return StoreSettings(**{"url": database.url, "table": "mine", "timeout": 5.0, **others})


@contextlib.asynccontextmanager
async def opened(wanted: StoreSettings) -> AsyncIterator[Redis]:
    store = Redis(wanted)
    try:
        await store.open()
        yield store
    finally:
        await store.close()


async def kept(wanted: StoreSettings) -> list[StoredJob]:
    async with opened(wanted) as store:
        return [job async for jobs in store.replay() for job in jobs]


async def again(store: Redis, batch: Batch) -> None:
    """Write as the server does: until it succeeds."""
    while True:
        try:
            return await store.write(batch)
        except StoreLostError:
            raise
        except StoreError:
            continue


async def seen_to_end(store: Redis) -> None:
    """Until the event loop has seen that the other side closed the store's connection."""
    assert store._link is not None
    while not store._link.ended():
        await asyncio.sleep(0)


# --- Redis goes away ---


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_after_a_restart_of_redis_the_next_write_works(own: databases.Redis, how: str) -> None:
    async def main() -> None:
        async with opened(settings(own)) as store:
            await store.write(adding([a_job(1)]))
            getattr(own, how)()
            with pytest.raises(StoreError, match=f"redis://{HOST}:{own.port}/0: "):
                await store.write(adding([a_job(2)]))
            own.start()
            await store.write(adding([a_job(3)]))
            getattr(own, how)()
            own.start()
            await seen_to_end(store)
            await store.write(Batch([1], [a_job(4)], {}))
        same(await kept(settings(own)), [a_job(3), a_job(4)])

    uvloop.run(main())


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_nothing_acknowledged_is_lost_when_redis_ends_amid_writes(own: databases.Redis, how: str) -> None:
    size, batches = 700, itertools.count()

    async def main() -> None:
        acknowledged = list[int]()
        begun = asyncio.Event()

        async def fill(store: Redis) -> None:
            with contextlib.suppress(StoreError):
                while True:
                    first = 1 + size * next(batches)
                    numbers = range(first, first + size)
                    await store.write(adding(map(a_job, numbers)))
                    acknowledged.extend(numbers)
                    begun.set()

        async with opened(settings(own)) as store:
            for _ in range(3):
                begun.clear()
                filling = asyncio.ensure_future(fill(store))
                await begun.wait()
                await asyncio.to_thread(getattr(own, how))
                await filling
                own.start()
        found = await kept(settings(own))
        same(found, [a_job(job.number) for job in found])
        numbers = {job.number for job in found}
        assert numbers >= set(acknowledged)
        assert len(numbers) % size == 0, "a batch was written in part"

    uvloop.run(main())


def test_a_write_to_a_frozen_redis_may_be_given_up(own: databases.Redis) -> None:
    """And neither what lay in its socket comes up later, nor does a new connection wait for ever."""

    async def main() -> None:
        async with opened(settings(own, timeout=0.3)) as store:
            await store.write(adding([a_job(1)]))
            large = adding(a_job(number, payload=bytes(2000)) for number in range(2, 20_000))
            with own.frozen():
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(store.write(large), 0.3)
                with pytest.raises(StoreError, match="no answer"):
                    await store.write(adding([a_job(2)]))
            await again(store, Batch(list(range(2, 20_000)), [a_job(20_000)], {}))
        same(await kept(settings(own)), [a_job(1), a_job(20_000)])

    uvloop.run(main())


def test_a_replay_is_given_up_when_redis_is_frozen(own: databases.Redis) -> None:
    async def main() -> None:
        async with opened(settings(own, timeout=0.3)) as store:
            await store.write(adding([a_job(1)]))
            with own.frozen(), pytest.raises(StoreError, match="no answer"):
                await anext(store.replay())
            await again(store, adding([a_job(2)]))

    uvloop.run(main())


async def lost(store: Redis, batch: Batch) -> str:
    """Write as the server does, until the store says that it has lost something; what it says."""
    while True:
        try:
            await store.write(batch)
        except StoreLostError as error:
            return str(error)
        except StoreError:
            continue
        pytest.fail("it has written something, and did not say what it has lost")


@pytest.mark.parametrize("how", ["flushed", "restarted without a file"])
def test_a_redis_that_has_lost_everything_is_given_everything_again(how: str) -> None:
    async def main(database: databases.Redis) -> None:
        async with opened(settings(database)) as store:
            await store.write(adding([a_job(1)]))
            if how == "flushed":
                ask(database, "FLUSHALL")
            else:
                database.kill()
                database.start()
            assert "has lost the jobs that were stored there" in await lost(store, adding([a_job(2)]))
            await store.write(adding([a_job(1), a_job(2)]))
            await store.write(adding([a_job(3)]))
        same(await kept(settings(database)), [a_job(1), a_job(2), a_job(3)])

    with databases.Redis(appendonly=how == "flushed") as database:
        uvloop.run(main(database))


def test_a_redis_that_is_back_in_an_earlier_state_is_given_everything_again() -> None:
    """It writes its data down now and then, and was killed in between."""

    async def main(database: databases.Redis) -> None:
        async with opened(settings(database)) as store:
            await store.write(adding([a_job(1)]))
            ask(database, "SAVE")
            await store.write(adding([a_job(2)]))
            await store.write(adding([a_job(3)]))
            database.kill()
            database.start()
            assert "it is back in an earlier state" in await lost(store, adding([a_job(4)]))
            await store.write(adding(map(a_job, range(1, 5))))
        same(await kept(settings(database)), list(map(a_job, range(1, 5))))

    with databases.Redis(appendonly=False, options=["--dbfilename", "jobs.rdb"]) as database:
        uvloop.run(main(database))


def test_a_redis_that_was_restarted_and_has_everything_has_lost_nothing(own: databases.Redis) -> None:
    """Whether the last batch was executed or not."""

    async def main() -> None:
        async with opened(settings(own)) as store:
            for number in range(1, 30, 3):
                await store.write(adding([a_job(number)]))
                task = asyncio.ensure_future(store.write(adding([a_job(number + 1)])))
                for _ in range(number):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                own.kill()
                own.start()
                await again(store, adding([a_job(number + 1), a_job(number + 2)]))
        same(await kept(settings(own)), list(map(a_job, range(1, 31))))

    uvloop.run(main())


# --- Redis refuses ---


def test_a_full_redis(own: databases.Redis) -> None:
    """Jobs may still be removed, also on a new connection: that is what makes room."""

    async def main() -> None:
        async with opened(settings(own)) as store:
            await store.write(adding([a_job(1), a_job(2), a_job(3)]))
            ask(own, "CONFIG", "SET", "maxmemory", "1")
            for _ in range(2):
                with pytest.raises(StoreError, match=r"used memory > 'maxmemory'.*raise its maxmemory"):
                    await store.write(Batch([1], [a_job(4)], {}))
            await store.write(Batch([1], [], {}))
            ask(own, "CLIENT", "KILL", "TYPE", "normal")
            await again(store, Batch([2], [], {}))
            await store.write(Batch([2], [], {}))
            ask(own, "CONFIG", "SET", "maxmemory", "0")
            await store.write(adding([a_job(5)]))
        same(await kept(settings(own)), [a_job(3), a_job(5)])

    uvloop.run(main())


def test_a_redis_that_has_become_a_replica(own: databases.Redis) -> None:
    async def main() -> None:
        async with opened(settings(own)) as store:
            ask(own, "REPLICAOF", HOST, "1")
            with pytest.raises(StoreError, match=r"read only replica.*name the primary"):
                await store.write(adding([a_job(1)]))
            ask(own, "REPLICAOF", "NO", "ONE")
            await store.write(adding([a_job(1)]))
        same(await kept(settings(own)), [a_job(1)])

    uvloop.run(main())


def test_a_redis_that_cannot_save(own: databases.Redis) -> None:
    (own.data / "dump.rdb").mkdir()
    ask(own, "CONFIG", "SET", "save", "3600 1000000")
    ask(own, "SET", "something", "to save")
    with contextlib.suppress(driver.ResponseError):
        ask(own, "SAVE")
    ask(own, "BGSAVE")
    until(lambda: not ask(own, "INFO", "persistence")["rdb_bgsave_in_progress"], "the snapshot has failed")

    async def main() -> None:
        async with opened(settings(own)):
            pass

    with pytest.raises(StoreError, match=r"MISCONF.*look at its log and its disk"):
        uvloop.run(main())
    (own.data / "dump.rdb").rmdir()
    ask(own, "SAVE")
    uvloop.run(main())


def test_all_keys_lie_in_one_slot_of_a_cluster() -> None:
    options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    with databases.Redis(options=options) as database:
        wanted = settings(database, url=f"redis://{HOST}:{database.port}", table="a prefix")
        with pytest.raises(StoreError, match="not served"):
            uvloop.run(kept(wanted))
        ask(database, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        until(lambda: "cluster_state:ok" in str(ask(database, "CLUSTER", "INFO")), "the cluster is up")

        async def main() -> None:
            async with opened(wanted) as store:
                await store.write(Batch([], [a_job(number) for number in range(1, 5000)], {"a": "b"}))
                await store.write(Batch(list(range(2, 5000)), [], {}))

        uvloop.run(main())
        same(uvloop.run(kept(wanted)), [a_job(1)])


# --- others on the same Redis ---


def test_a_server_that_was_killed_keeps_nobody_out(redis: databases.Redis) -> None:
    async def main() -> None:
        wanted = settings(redis, table=next(prefixes))
        store = Redis(wanted)
        await store.open()
        await store.write(adding([a_job(1)]))
        assert store._link is not None
        store._link._transport.abort()  # as when its process ends
        same(await kept(wanted), [a_job(1)])
        with pytest.raises(StoreError, match="another gearfast server has used these jobs since"):
            await store.write(adding([a_job(2)]))
        same(await kept(wanted), [a_job(1)])
        await store.close()

    uvloop.run(main())


def test_of_two_that_start_at_once_one_is_refused(redis: databases.Redis) -> None:
    async def main() -> None:
        for _ in range(3):
            wanted = settings(redis, table=next(prefixes))
            stores = [Redis(wanted), Redis(wanted)]
            found = await asyncio.gather(*(store.open() for store in stores), return_exceptions=True)
            assert [type(one) for one in found].count(StoreError) >= 1
            for store, one in zip(stores, found, strict=True):
                if not isinstance(one, StoreError):
                    await store.write(adding([a_job(1)]))
                await store.close()

    uvloop.run(main())


def test_the_refusal_says_who_is_there_and_what_to_do(redis: databases.Redis) -> None:
    async def main() -> str:
        wanted = settings(redis, table=next(prefixes))
        async with opened(wanted):
            with pytest.raises(StoreError) as refused:
                await Redis(wanted).open()
            return str(refused.value)

    line = uvloop.run(main())
    assert f"another gearfast server, at {HOST}:" in line
    assert "stop it" in line
    assert "CLIENT KILL ID" in line


def test_other_prefixes_are_other_stores(redis: databases.Redis) -> None:
    async def main() -> None:
        one, other = (settings(redis, table=f"prefix of {number} \u00eb") for number in (1, 2))
        async with opened(one) as first, opened(other) as second:
            await first.write(Batch([], [a_job(1)], {"a": "1"}))
            await second.write(Batch([], [a_job(2)], {"a": "2"}))
        same(await kept(one), [a_job(1)])
        same(await kept(other), [a_job(2)])

    uvloop.run(main())


def test_a_user_who_may_do_little(own: databases.Redis, caplog: pytest.LogCaptureFixture) -> None:
    """Without CLIENT LIST the second one is let in, and then the first one can write no more."""
    ask(own, "ACL", "SETUSER", "little", "on", ">pw", "~*", "+@all", "-client", "-config", "-info")
    wanted = settings(own, url=f"redis://little:pw@{HOST}:{own.port}")

    async def main() -> None:
        async with opened(wanted) as first:
            await first.write(adding([a_job(1)]))
            async with opened(wanted) as second:
                for _ in range(2):
                    with pytest.raises(StoreError, match="another"):
                        await first.write(adding([a_job(2)]))
                await second.write(adding([a_job(3)]))
        same(await kept(wanted), [a_job(1), a_job(3)])

    uvloop.run(main())
    lines = {record.message.partition(": ")[2] for record in caplog.records if record.levelname == "WARNING"}
    assert len(lines) == 2
    assert any(line.startswith("CLIENT LIST is refused") for line in lines)
    assert any(line.startswith("its durability is not known") for line in lines)


def test_what_cannot_be_read_is_reported_and_stays(own: databases.Redis, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with opened(settings(own)) as store:
            await store.write(adding([a_job(1), a_job(2), a_job(3), a_job(4)]))
            ask(own, "HSET", "gearfast:{mine}:bucket:0", "2", b"\x02of a newer one" * 9, "3", "short", "x", "y")
            ask(own, "HSET", "gearfast:{mine}:bucket:0", "9" * 19, "", "04", "", "9" * 9999, "")
            ask(own, "SADD", "gearfast:{mine}:buckets", "7", "x", "9" * 9999)
        same(await kept(settings(own)), [a_job(1), a_job(4)])
        assert ask(own, "HLEN", "gearfast:{mine}:bucket:0") == 8

    uvloop.run(main())
    assert sum(record.levelname == "ERROR" for record in caplog.records) == 6


def test_nothing_is_left_when_all_jobs_are_done(own: databases.Redis) -> None:
    async def main() -> None:
        async with opened(settings(own)) as store:
            await store.write(adding(map(a_job, range(1, 10_000))))
            await store.write(Batch(list(range(1, 10_000)), [], {}))
            await store.write(Batch([], [], {}))

    uvloop.run(main())
    assert set(ask(own, "KEYS", "*")) == {b"gearfast:{mine}:owner"}


# --- what is awaited ---


class Waiting(Link):
    """Stands for a Redis that knows WAITAOF, and did or did not bring all to its disk in time."""

    def __init__(self, mark: bytes | None, synced: int) -> None:
        self.asked = list[Command]()
        self.end = [[1, 1, b"OK"], [synced, 0], b"OK", mark]

    async def send(self, commands: Iterable[Command]) -> int:
        self.asked += commands
        return 0

    async def answers(self, count: int) -> list[Any]:
        return self.end

    def ended(self) -> bool:
        return False

    async def drop(self) -> None:
        pass


def test_a_batch_waits_for_the_disk_where_that_can_be_asked_for() -> None:
    async def main(synced: int) -> Waiting:
        store = Redis(StoreSettings(url="redis://host"))
        store._waits = True
        store._link = link = Waiting(store._mark, synced)
        await store.write(adding([a_job(1)]))
        return link

    asked = [command[0] for command in asyncio.run(main(synced=1)).asked]
    assert asked == [b"MULTI", b"HSET", b"SADD", b"SET", b"EXEC", b"WAITAOF", b"WATCH", b"GET"]
    with pytest.raises(StoreError, match="not on the disk"):
        asyncio.run(main(synced=0))
