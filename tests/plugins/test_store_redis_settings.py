"""How a store in Redis is reached and set up: its URL, its prefix, who may in, and what the log says of it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import uvloop
from redis import exceptions as refused

from gearfast.errors import ConfigError, StoreError
from gearfast.plugins.redis import Redis
from gearfast.plugins.redis.link import reason_of
from gearfast.plugins.redis.store import promise
from gearfast.store.contract import StoreSettings
from gearfast.store.testing import a_job, adding
from tests.plugins.test_store_redis import ask, opened, settings
from tests.plugins.test_store_redis import log_all as log_all
from tests.plugins.test_store_redis import run_own as run_own
from tests.support import databases
from tests.support.peers import HOST, free_port
from tests.whole.test_tls import issue


async def largest(wanted: StoreSettings) -> int:
    async with opened(wanted) as store:
        return store.largest


# --- the way to it ---


def test_a_password(own: databases.Redis) -> None:
    ask(own, "CONFIG", "SET", "requirepass", "s3cret/@")
    address = f"{HOST}:{own.port}"

    async def main(url: str) -> None:
        async with opened(settings(own, url=url)) as store:
            await store.write(adding([a_job(1)]))

    for url in (f"redis://{address}", f"redis://:wrong@{address}/0"):
        with pytest.raises(StoreError, match="name the user and the password in the URL") as refused:
            uvloop.run(main(url))
        assert "wrong@" not in str(refused.value)
    uvloop.run(main(f"valkey://:s3cret%2F%40@{address}"))
    uvloop.run(main(f"redis://default:s3cret%2F%40@{address}/0"))


def test_a_socket_and_another_database(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main(url: str) -> list[int]:
        async with opened(StoreSettings(url=url, table="mine")) as store:
            found = [job.number async for jobs in store.replay() for job in jobs]
            await store.write(adding([a_job(len(found) + 1)]))
        return found

    with databases.Redis(options=["--unixsocket", str(path)]) as database:
        first = f"redis://{HOST}:{database.port}"
        urls = [first, f"{first}/0", f"unix://{path}", f"unix://{path}?db=3", f"{first}/3"]
        assert [uvloop.run(main(url)) for url in urls] == [[], [1], [1, 2], [], [1]]


def test_over_tls(tmp_path: Path) -> None:
    authority = issue(tmp_path, "authority")
    files = issue(tmp_path, "server", authority)
    port = free_port()
    options = ["--tls-port", str(port), "--tls-auth-clients", "no", "--tls-ca-cert-file", str(authority.certificate)]
    options += ["--tls-cert-file", str(files.certificate), "--tls-key-file", str(files.key)]

    async def main(url: str) -> None:
        async with opened(StoreSettings(url=url)) as store:
            await store.write(adding(a_job(number, payload=bytes(5000)) for number in range(1, 1000)))

    with databases.Redis(options=options):
        uvloop.run(main(f"rediss://localhost:{port}/0?ssl_ca_certs={authority.certificate}"))
        uvloop.run(main(f"valkeys://{HOST}:{port}/0?ssl_cert_reqs=none&ssl_check_hostname=false"))
        with pytest.raises(StoreError, match="certificate verify failed"):
            uvloop.run(main(f"rediss://localhost:{port}/0"))
        with pytest.raises(StoreError, match=r"[Nn]o such file"):
            uvloop.run(main(f"rediss://localhost:{port}/0?ssl_ca_certs=/nowhere"))
        with pytest.raises(StoreError, match=f"redis://{HOST}:{port}/0: "):
            uvloop.run(main(f"redis://{HOST}:{port}/0"))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (refused.BusyLoadingError("Redis is loading the dataset"), "it is still loading its data: wait"),
        (refused.MovedError("3999 10.0.0.7:6381"), "name the node that has these keys"),
        (refused.MasterDownError("Link with MASTER is down"), "it has lost its primary"),
        (refused.NoPermissionError("this user has no permissions"), "its user needs the commands of hashes"),
        (refused.ResponseError("MISCONF Redis is\nconfigured to"), "MISCONF Redis is configured to (it cannot save"),
        (refused.ResponseError("ERR something else"), "ERR something else"),
        (TimeoutError(), "no answer in time (it, or the network"),
    ],
)
def test_what_redis_refuses_comes_with_advice(error: Exception, line: str) -> None:
    assert line in reason_of(error)


# --- what is said at the start ---


@pytest.mark.parametrize(
    ("durability", "appendonly", "appendfsync", "waits", "level", "words"),
    [
        ("full", "yes", "always", False, "NOTICE", "are in its append-only file"),
        ("full", "yes", "always", True, "NOTICE", "are in its append-only file"),
        ("full", "yes", "everysec", False, "WARNING", "set appendfsync always, or say --durability=normal"),
        ("full", "yes", "everysec", True, "WARNING", "waits up to a second for the disk"),
        ("full", "yes", "no", False, "WARNING", "set appendfsync always, or say --durability=normal"),
        ("full", "yes", "", False, "WARNING", "appendfsync is not known"),
        ("full", "no", "always", False, "WARNING", "set appendonly yes"),
        ("full", "", "", False, "WARNING", "is not known"),
        ("normal", "yes", "everysec", True, "NOTICE", "are in its append-only file"),
        ("normal", "no", "everysec", False, "WARNING", "set appendonly yes"),
        ("off", "no", "no", False, "NOTICE", "--durability=off"),
    ],
)
def test_what_is_promised(
    durability: str, appendonly: str, appendfsync: str, waits: bool, level: str, words: str
) -> None:
    said, line = promise(durability, appendonly, appendfsync, waits)
    assert (logging.getLevelName(said), words in line) == (level, True), line


def test_the_settings_of_this_redis_are_read(own: databases.Redis, caplog: pytest.LogCaptureFixture) -> None:
    def said(wanted: StoreSettings) -> list[tuple[str, str]]:
        caplog.clear()
        uvloop.run(largest(wanted))
        return [(record.levelname, record.message) for record in caplog.records]

    place = f"redis://{HOST}:{own.port}/0"
    always = f"{place}: acknowledged jobs are in its append-only file (appendfsync is always)"
    assert said(settings(own)) == [("NOTICE", always)]
    ask(own, "CONFIG", "SET", "appendfsync", "everysec")
    [(level, line)] = said(settings(own))
    assert (level, "appendfsync is everysec" in line) == ("WARNING", True)
    ask(own, "CONFIG", "SET", "appendonly", "no")
    [(level, line)] = said(settings(own))
    assert (level, "set appendonly yes" in line) == ("WARNING", True)
    ask(own, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    [_, (level, line)] = said(settings(own, durability="off"))
    assert (level, "set maxmemory-policy noeviction" in line) == ("WARNING", True)
    ask(own, "CONFIG", "SET", "proto-max-bulk-len", 4 << 20)

    assert uvloop.run(largest(settings(own))) == 3 << 20


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://host:port/0", "port"),
        ("redis://host/jobs", "the database is a number, and not 'jobs'"),
        ("redis://host/0?timeout=3", "'timeout' is not an option"),
        ("redis://host?ssl_nonsense=1", "ssl_nonsense"),
        ("redis://[::1", "IPv6"),
        ("http://host", "'http' is not a scheme of Redis"),
        ("redis", "there is no address"),
        ("redis:host", "there is no address in it"),
        ("unix://", "there is no address"),
    ],
)
def test_a_url_that_cannot_be_used(url: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Redis(StoreSettings(url=url))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("prefix", ["*", "a?", "[a]", "a\\", "g", "gearfast", "gearfast:", "gearfast:{_gear_}"])
def test_a_prefix_that_gearmand_would_find_our_keys_with(prefix: str) -> None:
    with pytest.raises(ConfigError, match="choose"):
        Redis(StoreSettings(url="redis://host", table=prefix))


def test_the_password_is_not_in_what_is_said() -> None:
    async def main() -> None:
        await Redis(StoreSettings(url="redis://me:s3cret@127.0.0.1:1/0")).open()

    with pytest.raises(StoreError) as refused:
        uvloop.run(main())
    assert "s3cret" not in str(refused.value)
    assert "redis://127.0.0.1:1/0" in str(refused.value)
