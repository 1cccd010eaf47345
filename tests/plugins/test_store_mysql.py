"""MySQL and MariaDB as a store, on a real MariaDB that is stopped, killed and frozen."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest
import uvloop

from gearfast.errors import ConfigError, StoreError
from gearfast.logs import NOTICE
from gearfast.plugins.mysql import MySql
from gearfast.plugins.mysql.url import SOCKETS, address_of
from gearfast.store.contract import Batch, StoreSettings
from gearfast.store.testing import StoreContract, a_job, adding, same
from tests.support.databases import DATABASE, PASSWORD, USER, MariaDb
from tests.support.databases import run_mariadb as run_mariadb
from tests.support.mysql_stores import kept, open_once, opened, refused, run, settings
from tests.support.peers import HOST


@pytest.fixture
def own() -> Iterator[MariaDb]:
    """A MariaDB to be stopped, killed and frozen."""
    with MariaDb() as database:
        yield database


class TestContract(StoreContract):
    make_store = MySql

    @pytest.fixture
    def store_settings(self, mariadb: MariaDb) -> StoreSettings:
        self.database = mariadb
        return settings(mariadb)

    def lose(self, settings: StoreSettings) -> bool:
        self.database.run(f"DROP TABLE gearfast_{settings.table}, gearfast_{settings.table}_metadata")
        return True


class TestContractOnUvloop(TestContract):
    def run(self, main):  # type: ignore[no-untyped-def]
        return uvloop.run(main)


@pytest.fixture(scope="module")
def odd() -> Iterator[MariaDb]:
    """Backslashes are no escapes, double quotes make names, texts are of two bytes, and packets are small."""
    modes = "--sql-mode=ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH"
    texts = ["--character-set-server=gbk", "--character-set-client-handshake=OFF"]
    with MariaDb([modes, *texts, "--max-allowed-packet=1280K", "--transaction-isolation=SERIALIZABLE"]) as database:
        yield database


class TestContractOnAnOddServer(StoreContract):
    make_store = MySql

    @pytest.fixture
    def store_settings(self, odd: MariaDb) -> StoreSettings:
        return settings(odd)


# --- the address ---

FOLDER = __file__.rpartition("/")[0]


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("mysql://u:p@h:1234/d", ("h", 1234, "", "u", b"p", "d", False)),
        ("mariadb://h/d", ("h", 3306, "", "", b"", "d", False)),
        ("mysql://u@h/d", ("h", 3306, "", "u", b"", "d", False)),
        ("mysql://u:@h/d", ("h", 3306, "", "u", b"", "d", False)),
        ("mysql://%40u%3A:%2F%40%3a%ff@h/d%20d", ("h", 3306, "", "@u:", b"/@:\xff", "d d", False)),
        ("mysql://u:p@[::1]:33/d", ("::1", 33, "", "u", b"p", "d", False)),
        ("mysql://u:p@/d?unix_socket=/x/y.sock", ("localhost", 3306, "/x/y.sock", "u", b"p", "d", False)),
        ("mysql://u:p@h/d?ssl=1", ("h", 3306, "", "u", b"p", "d", True)),
        ("mysql://u:p@h/d?ssl=0", ("h", 3306, "", "u", b"p", "d", False)),
        ("mysql://u:p@H/d?ssl=1", ("H", 3306, "", "u", b"p", "d", True)),
        (f"mysql://u:p@h/d?ssl_ca={__file__}", ("h", 3306, "", "u", b"p", "d", {"ca": __file__})),
        (
            f"mysql://u:p@h/d?ssl=1&ssl_capath={FOLDER}&ssl_check_hostname=0",
            ("h", 3306, "", "u", b"p", "d", {"capath": FOLDER, "check_hostname": False}),
        ),
        (
            f"mysql://u:p@h/d?ssl_cert={__file__}&ssl_key={__file__}&ssl_cipher=X",
            ("h", 3306, "", "u", b"p", "d", {"cert": __file__, "key": __file__, "cipher": "X"}),
        ),
        ("mysql://localhost/d?unix_socket=", ("localhost", 3306, "", "", b"", "d", False)),
        ("mysql://localhost:3307/d", ("localhost", 3307, "", "", b"", "d", False)),
    ],
)
def test_an_address_is_read(url: str, wanted: tuple[object, ...]) -> None:
    read = address_of(url)
    assert (read.host, read.port, read.socket, read.user, read.password, read.database, read.tls) == wanted


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u:secret@h", "does not name a database"),
        ("mysql://u:secret@h/", "does not name a database"),
        ("mysql://u:secret@h:port/d", "is not of the form mysql://"),
        ("mysql://u:secret@h:99999/d", "is not of the form mysql://"),
        ("mysql://u:secret@h/d/e", "is not of the form mysql://"),
        ("mysql:d", "is not of the form mysql://"),
        ("mysql://u:secret@h/d?sslmode=on", "'sslmode' is unknown"),
        ("mysql://u:secret@h/d?ssl", "is not of the form mysql://"),
        ("mysql://u:secret@h/d?ssl=maybe", "ssl=maybe is neither 1 nor 0"),
        ("mysql://u:secret@h/d?ssl_ca=/nonexistent/f", "ssl_ca=/nonexistent/f cannot be read"),
        (f"mysql://u:secret@h/d?ssl=0&ssl_ca={__file__}", "contradict each other"),
    ],
)
def test_a_bad_address_is_refused_in_one_line(url: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        MySql(StoreSettings(url=url))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value), "logs are read by others"


def test_localhost_is_the_socket_where_there_is_one(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"{tmp_path}/s"
    monkeypatch.setenv("MYSQL_UNIX_PORT", place)
    before = address_of("mysql://localhost/d").socket
    assert before in ("", *SOCKETS)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        assert address_of("mysql://localhost/d").socket == place
        assert address_of("mysql:///d").socket == place
        assert address_of("mysql://localhost:3306/d").socket == place
        assert address_of("mysql://127.0.0.1/d").socket == ""
        assert address_of("mysql://localhost:3307/d").socket == ""


def test_the_name_of_a_table_may_be_too_long() -> None:
    MySql(StoreSettings(url="mysql://h/d", table="t" * 46))
    with pytest.raises(ConfigError, match="too long"):
        MySql(StoreSettings(url="mysql://h/d", table="t" * 47))


def test_users_passwords_and_sockets(mariadb: MariaDb) -> None:
    mariadb.run(f"CREATE USER 'o@d:d/'@'%' IDENTIFIED BY 'p@s:/%\\'\u20ac'; GRANT ALL ON {DATABASE}.* TO 'o@d:d/'@'%'")
    mariadb.run(f"CREATE USER bare@'%'; GRANT ALL ON {DATABASE}.* TO bare@'%'")
    where = f"{HOST}:{mariadb.port}/{DATABASE}"
    path = f"{mariadb.folder}/socket"
    urls = [
        f"mysql://o%40d%3Ad%2F:p%40s%3A%2F%25%27%E2%82%AC@{where}",
        f"mysql://bare@{where}",
        f"mariadb://bare:@{where}",
        f"mysql://{USER}:{PASSWORD}@/{DATABASE}?unix_socket={path}",
    ]

    async def main() -> None:
        for url in urls:
            store = await opened(settings(mariadb, url=url))
            await store.write(adding([a_job(1)]))
            same(await kept(store), [a_job(1)])
            await store.close()

    run(main())


def test_tables_may_have_odd_names(mariadb: MariaDb) -> None:
    async def main() -> None:
        for name in ("with`tick", "\u00fcber queue", "select", "a;b'c\"d\\"):
            for found in ([], [a_job(1)]):
                store = await opened(settings(mariadb, table=name))
                same(await kept(store), found)
                await store.write(adding([a_job(1)]))
                await store.close()

    run(main())


# --- what is refused at start ---


def test_what_is_wrong_is_said_with_what_helps(mariadb: MariaDb) -> None:
    where = f"{HOST}:{mariadb.port}"
    mariadb.run("CREATE USER poor@'%'")
    assert "CREATE DATABASE" in refused(
        settings(mariadb, url=f"mysql://root@/none?unix_socket={mariadb.folder}/socket")
    )
    assert "check the user and the password" in refused(settings(mariadb, url=f"mysql://{USER}:x@{where}/{DATABASE}"))
    assert "GRANT ALL" in refused(settings(mariadb, url=f"mysql://poor@{where}/{DATABASE}"))


def test_a_database_that_is_away_is_said(own: MariaDb) -> None:
    own.stop()
    assert "Can't connect" in refused(settings(own))


def test_a_frozen_database_is_waited_for_no_longer_than_allowed(own: MariaDb) -> None:
    where = settings(own, timeout=0.2)
    with own.frozen():
        assert "did not answer within 0.2 s" in refused(where)
    open_once(where)


def test_a_table_without_transactions_is_refused(mariadb: MariaDb) -> None:
    where = settings(mariadb)
    open_once(where)
    mariadb.run(f"ALTER TABLE gearfast_{where.table} ENGINE=MyISAM")
    assert "ENGINE=InnoDB" in refused(where)


@pytest.mark.parametrize(
    ("variable", "weak", "advice"),
    [("innodb_flush_log_at_trx_commit", 2, "innodb_flush_log_at_trx_commit = 1 (it is 2)")],
)
def test_it_says_what_the_server_promises(
    mariadb: MariaDb, caplog: pytest.LogCaptureFixture, variable: str, weak: int, advice: str
) -> None:
    caplog.set_level(NOTICE, "gearfast")
    strong = mariadb.run(f"SELECT @@GLOBAL.{variable}")[0][0]

    def said(**others: object) -> tuple[int, str]:
        caplog.clear()
        open_once(settings(mariadb, **others))
        (record,) = caplog.records
        return record.levelno, record.getMessage()

    assert said() == (NOTICE, f"MySQL at {HOST}:{mariadb.port}/{DATABASE} writes every commit to its disk")
    mariadb.run(f"SET GLOBAL {variable} = {weak}")
    try:
        level, text = said()
        assert level == logging.WARNING
        assert advice in text
        assert said(durability="normal")[0] == NOTICE
    finally:
        mariadb.run(f"SET GLOBAL {variable} = {strong}")


def test_a_binary_log_must_be_synced_too(caplog: pytest.LogCaptureFixture) -> None:
    with MariaDb(["--log-bin=binary", "--sync-binlog=0"]) as database:
        open_once(settings(database))
    assert "set on that server: sync_binlog = 1 (it is 0)" in caplog.records[-1].getMessage()


# --- sizes ---


def test_packets_may_be_small() -> None:
    jobs = [a_job(number, payload=b"\\'" * (number % 700)) for number in range(1, 3000)]

    async def main(database: MariaDb) -> None:
        store = await opened(settings(database))
        assert store.largest == 16384 - 2048
        largest = [a_job(number, payload=b"\\" * (store.largest - 6)) for number in range(5000, 5005)]
        await store.write(adding([*jobs, *largest]))
        await store.write(Batch(list(range(10_000, 13_000)), [], {"ceiling": "1"}))
        same(await kept(store), [*jobs, *largest])
        await store.close()

    with MariaDb(["--max-allowed-packet=16K"]) as database:
        run(main(database))


def test_the_largest_job_is_kept_and_a_larger_one_refused(mariadb: MariaDb) -> None:
    async def main() -> None:
        store = await opened(settings(mariadb))
        assert store.largest == (16 << 20) - (64 << 10)
        largest = [a_job(number, payload=b"\\" * (store.largest - 6)) for number in (1, 2)]
        await store.write(adding([*largest, a_job(3)]))
        with pytest.raises(StoreError, match="max_allowed_packet"):
            await store.write(adding([a_job(4), a_job(5, payload=bytes(16 << 20)), a_job(6)]))
        await store.write(adding([a_job(7)]))
        same(await kept(store), [*largest, a_job(3), a_job(7)])
        await store.close()

    run(main())


def test_a_job_that_no_longer_fits_into_a_packet_stays(caplog: pytest.LogCaptureFixture) -> None:
    async def main(database: MariaDb) -> None:
        store = await opened(settings(database))
        large = a_job(2, payload=bytes(100_000))
        await store.write(adding([a_job(1), large, a_job(3)]))
        before = store.largest
        database.options[:] = ["--max-allowed-packet=64K"]
        database.restart()
        same(await kept(store), [a_job(1), a_job(3)])
        await store.write(adding([a_job(4)]))
        assert store.largest < before, "it follows the server"
        database.options.clear()
        database.restart()
        same(await kept(store), [a_job(1), large, a_job(3), a_job(4)])
        await store.close()

    with MariaDb() as database:
        run(main(database))
    assert [record.getMessage() for record in caplog.records if "number 2 stays" in record.getMessage()]


def test_large_jobs_are_not_all_in_memory_at_once(mariadb: MariaDb) -> None:
    jobs = [a_job(number, payload=bytes([number % 256]) * (600_000 if number % 3 else 20)) for number in range(1, 100)]

    async def main() -> None:
        store = await opened(settings(mariadb))
        for at in range(0, len(jobs), 10):
            await store.write(adding(jobs[at : at + 10]))
        slices = [some async for some in store.replay()]
        assert max(sum(len(job.payload) for job in some) for some in slices) < 9 << 20
        same([job for some in slices for job in some], jobs)
        await store.close()

    run(main())
