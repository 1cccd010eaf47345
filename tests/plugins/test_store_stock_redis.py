"""What gearmand leaves in a Redis is taken over, and given back: with Debian's own gearmand where it can be had."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import redis as driver
import uvloop

from gearfast.plugins.redis import Redis
from gearfast.plugins.redis.stock import row_from
from gearfast.store.contract import Batch, StoreSettings
from gearfast.store.testing import a_job, adding, same
from tests.plugins.test_store_redis import kept, opened
from tests.support import databases, wire
from tests.support.databases import run_redis as run_redis
from tests.support.peers import HOST, Server, start_gearmand

Job = tuple[bytes, bytes, bytes]
"""Function, unique, payload."""

UUID = b"01234567-89ab-cdef-0123-456789ABCDEF"
SUBMITS = {0: wire.SUBMIT_JOB_HIGH_BG, 1: wire.SUBMIT_JOB_BG, 2: wire.SUBMIT_JOB_LOW_BG}

prefixes = (f"stock{number}_" for number in itertools.count(1))


@pytest.fixture(name="client")
def make_client(redis: databases.Redis) -> Iterator[driver.Redis]:
    with driver.Redis(host=HOST, port=redis.port) as client:
        yield client


@pytest.fixture(name="settings")
def make_settings(redis: databases.Redis) -> StoreSettings:
    return StoreSettings(url=redis.url, table=next(prefixes))


@pytest.fixture(autouse=True)
def log_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "gearfast")


@contextlib.contextmanager
def gearmand_on(redis: databases.Redis, prefix: str) -> Iterator[Server]:
    words = [f"--redis-server={HOST}", f"--redis-port={redis.port}", f"--redis-prefix={prefix}"]
    with start_gearmand("-q", "redis", *words) as server:
        yield server


def submit(server: Server, jobs: Iterable[tuple[Job, int]]) -> None:
    with server.connect() as client:
        for (function, unique, payload), priority in jobs:
            assert client.call(SUBMITS[priority], function, unique, payload=payload).type == wire.JOB_CREATED


def work(server: Server, functions: Iterable[bytes]) -> list[Job]:
    """Do all the work there is; return it."""
    done = list[Job]()
    with server.connect() as worker:
        for function in functions:
            worker.request(wire.CAN_DO, function)
        while (packet := worker.call(wire.GRAB_JOB_UNIQ)).type == wire.JOB_ASSIGN_UNIQ:
            handle, function, unique, payload = packet.args(4)
            done.append((function, unique, payload))
            worker.request(wire.WORK_COMPLETE, handle, payload=b"")
        worker.sync()
    return done


def taken(settings: StoreSettings) -> set[tuple[bytes, bytes, int, bytes]]:
    """Let a store take over what is there; function, unique, priority and payload of its jobs."""
    found = uvloop.run(kept(settings))
    assert [job.number for job in found] == list(range(1, len(found) + 1))
    return {(job.function, job.unique, job.priority, job.payload) for job in found}


def lines(caplog: pytest.LogCaptureFixture, level: str) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == level]


# --- with the real gearmand ---


def test_what_a_killed_gearmand_leaves_is_taken_over(
    redis: databases.Redis, client: driver.Redis, settings: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    every = bytes(range(256))
    jobs: list[tuple[Job, int]] = [
        ((b"plain", b"normal", b"normal"), 1),
        ((b"plain", b"high", b"high"), 0),
        ((b"plain", b"low", b"low"), 2),
        ((b"plain", UUID, every), 1),
        ((b"plain", b"nothing", b""), 0),
        ((b"plain", b"with-hyphens", b"\0nul\0"), 1),
        ((b"plain", b"", b"overwritten"), 1),
        ((b"plain", b"", b"the last of the empty ones"), 1),
        ((b"plain", b"-", b"a hyphen"), 1),
        ((b"caf\xc3\xa9 \xff", b"\xfe \n", b"bytes"), 2),
        ((b"my-func", UUID, b"hyphens"), 1),
        ((b"my-func", b"", b"hyphens, and no unique"), 1),
        ((b"my-func", b"u", b"read as gearmand does"), 1),
        ((b"plain", b"x" * 64, b"long"), 1),
    ]
    with gearmand_on(redis, settings.table) as server:
        submit(server, jobs)
        server.process.kill()
    wanted = {(*names, priority, payload) for (*names, payload), priority in jobs}
    wanted -= {(b"plain", b"", 1, b"overwritten"), (b"my-func", b"u", 1, b"read as gearmand does")}
    wanted -= {(b"plain", b"x" * 64, 1, b"long")}
    wanted |= {(b"my", b"func-u", 1, b"read as gearmand does"), (b"plain", b"x" * 63, 1, b"long")}
    assert taken(settings) == wanted
    assert not client.keys(f"{settings.table}*")
    [line] = [line for line in lines(caplog, "NOTICE") if "taken over" in line]
    assert f": {len(wanted)} jobs that gearmand left" in line
    unsure = [line for line in lines(caplog, "WARNING") if "is read as" in line]
    assert len(unsure) == 4  # three of my-func, and the unique with hyphens
    assert any("my-func-u" in line and "function b'my'" in line for line in unsure)
    assert not lines(caplog, "ERROR")
    assert taken(settings) == wanted
    assert len([line for line in lines(caplog, "NOTICE") if "taken over" in line]) == 1


def test_what_is_given_back_is_done_by_gearmand(
    redis: databases.Redis, client: driver.Redis, settings: StoreSettings
) -> None:
    jobs = [
        a_job(1, unique=b"one", priority=0),
        a_job(2, unique=b"two-with-hyphens", priority=1),
        a_job(3, unique=UUID, priority=2),
        a_job(4, unique=b"", payload=b""),
        a_job(5, unique=b"-"),
        a_job(6, unique=b"x" * 63),
        a_job(7, function=b"f" * 500, unique=b"long", attempts=3),
        a_job(8, function=b"a b", unique=b"c d"),
        a_job(9, unique=b"large", payload=b"\xff" * 2_000_000),
        a_job(2000, unique=b"due", due=1.5),
    ]

    async def main() -> tuple[int, list[str]]:
        async with opened(settings) as store:
            await store.write(Batch([], jobs, {"ceiling": "2000"}))
            return await store.give_back()

    assert uvloop.run(main()) == (len(jobs), [])
    ours = f"gearfast:{{{settings.table}}}:"
    assert set(client.keys(f"{ours}*")) == {f"{ours}owner".encode(), f"{ours}metadata".encode()}
    with gearmand_on(redis, settings.table) as server:
        done = work(server, {job.function for job in jobs})
    named = {b"": b"gearfast-4", b"-": b"gearfast-5"}
    assert set(done) == {(job.function, named.get(job.unique, job.unique), job.payload) for job in jobs}
    ordered = [unique for function, unique, _ in done if function == b"resize"]
    assert (ordered[0], ordered[-1]) == (b"one", UUID)
    assert not client.keys(f"{settings.table}*")


def test_there_and_back_with_many(redis: databases.Redis, settings: StoreSettings) -> None:
    jobs = [((b"f%d" % (n % 7), b"u-%d" % n, b"payload %d" % n), n % 3) for n in range(700)]
    with gearmand_on(redis, settings.table) as server:
        submit(server, jobs)
        server.process.kill()

    async def main() -> tuple[int, list[str]]:
        async with opened(settings) as store:
            return await store.give_back()

    assert uvloop.run(main()) == (700, [])
    with gearmand_on(redis, settings.table) as server:
        assert sorted(work(server, {b"f%d" % n for n in range(7)})) == sorted(job for job, _ in jobs)


# --- what else may be there ---


def test_what_gearmand_2_leaves(client: driver.Redis, settings: StoreSettings) -> None:
    p = settings.table
    client.hset(f"{p}-my-func-a-b", mapping={"data": b"\0x", "priority": 0, "function": "my-func", "unique": "a-b"})
    client.hset(f"{p}-f-", mapping={"data": "", "priority": 2, "function": "f", "unique": ""})
    assert taken(settings) == {(b"my-func", b"a-b", 0, b"\0x"), (b"f", b"", 2, b"")}


def test_what_a_very_old_gearmand_leaves(client: driver.Redis, settings: StoreSettings) -> None:
    client.set(f"{settings.table}-f-u", b"old\0payload")
    assert taken(settings) == {(b"f", b"u", 1, b"old\0payload")}


def test_what_is_no_job_is_reported_and_stays(
    client: driver.Redis, settings: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    p = settings.table
    client.rpush(f"{p}-a-list", "x")
    client.hset(f"{p}-no-payload", mapping={"priority": 1})
    client.hset(f"{p}-no-priority", mapping={"data": "x"})
    client.hset(f"{p}-bad-priority", mapping={"data": "x", "priority": 7})
    client.hset(f"{p}-more-fields", mapping={"data": "x", "priority": 1, "else": 1})
    client.hset(f"{p}-x-f-u", mapping={"data": "x", "priority": 1, "function": "f", "unique": "u"})
    client.hset(f"{p}-f-{'u' * 65}", mapping={"data": "x", "priority": 1})
    client.hset(f"{p}-nothing", mapping={"data": "x", "priority": 1})
    client.hset(f"{p}-good-one", mapping={"data": "x", "priority": 1})
    client.set(f"{p}of-somebody-else", "x")
    there = set(client.keys(f"{p}*"))
    assert taken(settings) == {(b"good", b"one", 1, b"x")}
    assert set(client.keys(f"{p}*")) == there - {f"{p}-good-one".encode()}
    said = lines(caplog, "ERROR")
    assert len(said) == 8
    for key, why in {
        "a-list": "it is a list",
        "no-payload": "no payload",
        "no-priority": "no priority",
        "bad-priority": "no priority of 0, 1 or 2",
        "more-fields": "fields that gearmand does not write",
        "x-f-u": "another prefix",
        "uuu": "65 bytes",
        "nothing": "does not name a function and a unique id",
    }.items():
        assert any(re.search(f"{p}-.*{key}.* {why}", line) for line in said), key


def test_only_the_first_bad_ones_are_named(
    client: driver.Redis, settings: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(30):
        client.hset(f"{settings.table}-f-{number}", mapping={"data": "x"})
        client.hset(f"{settings.table}-a-b-{number}", mapping={"data": "x", "priority": 1})
    assert len(taken(settings)) == 30
    assert len(lines(caplog, "ERROR")) == 21
    assert lines(caplog, "ERROR")[-1].endswith("10 more jobs stay there")
    unsure = [line for line in lines(caplog, "WARNING") if "keys " in line]
    assert len(unsure) == 21
    assert unsure[-1].endswith("10 more keys could be read in several ways")


def test_a_take_over_that_is_ended_amid_goes_on_where_it_was(client: driver.Redis, settings: StoreSettings) -> None:
    with client.pipeline() as pipeline:
        for number in range(1300):
            pipeline.hset(f"{settings.table}-f-{number}", mapping={"data": number, "priority": 1})
        pipeline.execute()

    async def ended(turns: int) -> bool:
        store = Redis(settings)
        opening = asyncio.ensure_future(store.open())
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        await store.close()
        return opening.cancelled()

    async def main() -> None:
        moments = 0
        while await ended(turns=int(1.3**moments)):
            moments += 1
        assert moments > 3

    uvloop.run(main())
    jobs = uvloop.run(kept(settings))
    assert sorted(job.payload for job in jobs) == sorted(b"%d" % number for number in range(1300))
    assert not client.keys(f"{settings.table}*")


def test_numbers_go_on_from_the_ceiling(client: driver.Redis, settings: StoreSettings) -> None:
    async def metadata() -> dict[str, str]:
        store = Redis(settings)
        try:
            return dict(await store.open())
        finally:
            await store.close()

    async def write() -> None:
        async with opened(settings) as store:
            await store.write(Batch([], [a_job(41)], {"ceiling": "1000", "prefix": "H:a"}))

    uvloop.run(write())
    for number in range(3):
        client.hset(f"{settings.table}-f-{number}", mapping={"data": number, "priority": 1})
    assert uvloop.run(metadata()) == {"ceiling": "1003", "prefix": "H:a"}
    assert [job.number for job in uvloop.run(kept(settings))] == [41, 1001, 1002, 1003]
    assert uvloop.run(metadata()) == {"ceiling": "1003", "prefix": "H:a"}


def test_what_gearmand_cannot_keep_stays_ours_and_is_named(client: driver.Redis, settings: StoreSettings) -> None:
    stay = {
        1: (a_job(1, due=4e9), "it is delayed"),
        2: (a_job(2, payload=b"a\0b"), "NUL byte"),
        3: (a_job(3, function=b"my-func"), "hyphen"),
        4: (a_job(4, more=b"reducer"), "reducer"),
        5: (a_job(5, function=b"f" * 501), "501 bytes"),
        6: (a_job(6, function=b""), "0 bytes"),
        8: (a_job(8, unique=b"same"), "another job has its function and unique id"),
        9: (a_job(9, unique=b"there"), "gearmand has a job with its function and unique id"),
    }
    good = [a_job(7, unique=b"same"), *(a_job(number) for number in range(10, 2000))]
    gearmands = f"{settings.table}-resize-there"

    async def main() -> tuple[int, list[str]]:
        async with opened(settings) as store:
            await store.write(adding([*(job for job, _ in stay.values()), *good]))
            client.hset(gearmands, mapping={"data": "x", "priority": 1})
            found = await store.give_back()
            client.delete(gearmands)
            same([job async for jobs in store.replay() for job in jobs], [job for job, _ in stay.values()])
        return found

    given, left = uvloop.run(main())
    assert given == len(good)
    assert len(left) == len(stay)
    for number, (_, why) in stay.items():
        assert any(line.startswith(f"job {number} of ") and " stays: " in line and why in line for line in left), number


def test_a_prefix_with_a_hyphen_is_nothing_gearmand_could_read(redis: databases.Redis, client: driver.Redis) -> None:
    settings = StoreSettings(url=redis.url, table=f"my-app-{next(prefixes)}")
    client.hset(f"{settings.table}-f-u", mapping={"data": "x", "priority": 1})

    async def main() -> tuple[int, list[str]]:
        async with opened(settings) as store:
            return await store.give_back()

    given, [line] = uvloop.run(main())
    assert (given, "prefix has a hyphen" in line) == (0, True)
    [job] = uvloop.run(kept(settings))
    assert (job.function, job.unique) == (b"f", b"u")


@pytest.mark.parametrize(
    ("rest", "function", "unique", "sure"),
    [
        (b"f-u", b"f", b"u", True),
        (b"f-", b"f", b"", True),
        (b"f--", b"f", b"-", True),
        (b"f-" + UUID, b"f", UUID, True),
        (b"f-" + UUID.lower(), b"f", UUID.lower(), True),
        (b"my-f-" + UUID, b"my-f", UUID, False),
        (b"my-f-", b"my-f", b"", False),
        (b"my-f--", b"my-f", b"-", False),
        (b"f-order-1", b"f", b"order-1", False),
        (b"f-order-" + UUID[1:], b"f", b"order-" + UUID[1:], False),
    ],
)
def test_how_a_key_is_read(rest: bytes, function: bytes, unique: bytes, sure: bool) -> None:
    fields: Any = [b"data", b"1", None, None]
    row, certain = row_from(b"my-prefix-" + rest, b"my-prefix", fields)
    assert (row.function, row.unique, certain) == (function, unique, sure)
