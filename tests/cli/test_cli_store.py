"""The options that say where jobs are kept: ours, and those of gearmand's queues."""

from __future__ import annotations

import io
import re
import sys
from types import SimpleNamespace

import pytest

from gearfast.cli import command, mysql_files, options, program, progress, store_command
from gearfast.store.contract import StoreSettings
from gearfast.store.password import without_password
from tests.cli.test_cli import config, read
from tests.support.peers import PROJECT


@pytest.fixture(autouse=True)
def no_option_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """MySQL's of this machine say nothing here."""
    monkeypatch.setattr(mysql_files, "SYSTEM", ())


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("--store=sqlite:jobs.db", StoreSettings(url="sqlite:jobs.db")),
        ("-q builtin --store=mine://x --durability=off", StoreSettings(url="mine://x", durability="off")),
        ("--store=SQLite:f --libsqlite3-table=t", StoreSettings(url="SQLite:f", table="t")),
        ("--store=mysql://h/d --mysql-table=t", StoreSettings(url="mysql://h/d", table="t")),
        ("--store=postgresql://h/d --libpq-table=t", StoreSettings(url="postgresql://h/d", table="t")),
        ("--store=redis://h --redis-prefix=p", StoreSettings(url="redis://h", table="p")),
        ("-q libsqlite3 --libsqlite3-db=/x/y.db", StoreSettings(url="sqlite:/x/y.db", table="gearman_queue")),
        ("-q LIBSQLITE3 --libsqlite3-db=y --libsqlite3-table=t --durability=normal",
         StoreSettings(url="sqlite:y", table="t", durability="normal")),
        ("-q MySQL --mysql-db=d", StoreSettings(url="mysql://localhost:3306/d", table="gearman_queue")),
        ("-q MySQL --mysql-host=::1 --mysql-port=33 --mysql-user=a@b --mysql-password=c:/%d --mysql-db=e/f "
         "--mysql-table=t", StoreSettings(url="mysql://a%40b:c%3A%2F%25d@[::1]:33/e%2Ff", table="t")),
        ("-q Postgres", StoreSettings(url="postgresql:", table="queue")),
        ("-q postgres --libpq-conninfo=host=/run", StoreSettings(url="postgresql:host=/run", table="queue")),
        ("-q Postgres --libpq-conninfo=postgres://h/d --libpq-table=t",
         StoreSettings(url="postgres://h/d", table="t")),
        ("-q redis", StoreSettings(url="redis://127.0.0.1:6379", table="_gear_")),
        ("-q redis --redis-server=r --redis-port=ssh --redis-password=p@w --redis-prefix=x",
         StoreSettings(url="redis://:p%40w@r:22", table="x")),
    ],
)  # fmt: skip
def test_store(line: str, settings: StoreSettings) -> None:
    assert read(line).store == settings


def test_without_a_store_jobs_are_kept_in_memory() -> None:
    assert read("").store is None
    assert read("--libsqlite3-db=f --mysql-db=d --libpq-table=t --redis-server=r").store is None


def test_conninfo_of_several_words_is_one_argument() -> None:
    asked = command.read(["-q", "Postgres", "--libpq-conninfo", "host=h dbname=d", "--config-file=/dev/null"], {})
    assert asked.store == StoreSettings(url="postgresql:host=h dbname=d", table="queue")


def test_how_the_server_uses_its_store() -> None:
    found = config("--store=sqlite:f --store-timeout=.25 --store-queue-on-shutdown")
    assert (found.store_timeout, found.store_on_shutdown) == (0.25, True)
    assert (config("--store=sqlite:f").store_timeout, config("").store_on_shutdown) == (5.0, False)
    assert config("-q redis --store-timeout=86400").store_timeout == 86400


def test_store_queue_on_shutdown_without_a_store_is_warned_of() -> None:
    """Stock takes it with any queue, and it does nothing."""
    asked = read("--store-queue-on-shutdown")
    assert asked.warnings == ("--store-queue-on-shutdown has no effect without --store: jobs are kept in memory only",)
    assert read("--store=sqlite:f --store-queue-on-shutdown").warnings == ()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:/var/lib/jobs.db", "sqlite:/var/lib/jobs.db"),
        ("mysql://me:secret@h:3306/d", "mysql://me:***@h:3306/d"),
        ("mysql://me:se/cr:e@t@h/d", "mysql://me:***@h/d"),
        ("redis://:secret@h", "redis://:***@h"),
        ("redis://h:6379", "redis://h:6379"),
        ("postgresql://h/d?user=me&password=secret&sslmode=require",
         "postgresql://h/d?user=me&password=***&sslmode=require"),
        ("postgresql:host=h password=secret dbname=d", "postgresql:host=h password=*** dbname=d"),
        ("postgresql:host=h password = 'se cr\\'et' dbname=d", "postgresql:host=h password = *** dbname=d"),
        ("postgresql:host=h sslpassword=secret PASSWORD='secret", "postgresql:host=h sslpassword=*** PASSWORD=***"),
        ("mine:x?passwd=secret&pwd=secret", "mine:x?passwd=***&pwd=***"),
        ("mysql:me:secret@h/d", "mysql:***@h/d"),
        ("me:se/cr:et@h/d", "me:***@h/d"),
        ("postgresql:me:secret@h/d", "postgresql:me:***@h/d"),
        ("postgresql:postgres://me:secret@h/d", "postgresql:postgres:***@h/d"),
        ("postgresql:host=h user=me@home dbname=d", "postgresql:host=h user=me@home dbname=d"),
        ("sqlite:/home/me@work/a:b@c.db", "sqlite:/home/me@work/a:b@c.db"),
        ("SQLite:a:b@c.db", "SQLite:a:b@c.db"),
        ("mysql://me:secret/d", "mysql://me:***/d"),
        ("mysql://me:secret", "mysql://me:***"),
        ("postgresql://a:1,b:2/d?x", "postgresql://a:1,b:2/d?x"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
    ],
)  # fmt: skip
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_first_line_of_a_server_says_how_many_jobs_it_has() -> None:
    server = SimpleNamespace(addresses=["127.0.0.1:4730"], replayed=1234)
    asked = read("--store=mysql://me:secret@h/d")
    look = "Look at it with: gearadmin --status. Ctrl-C stops it."
    assert program.greeting(asked, server) == (  # type: ignore[arg-type]
        f"is listening on 127.0.0.1:4730, with 1,234 jobs from mysql://me:***@h/d. {look}"
    )
    server.replayed = 1
    assert ", with 1 job from " in program.greeting(asked, server)  # type: ignore[arg-type]
    assert program.greeting(read(""), server) == f"is listening on 127.0.0.1:4730. {look}"  # type: ignore[arg-type]


# --- docs/durable.md ---------------------------------------------------------------------

DURABLE = (PROJECT / "docs" / "durable.md").read_text(encoding="utf-8")


def test_options_that_the_document_names_exist() -> None:
    named = set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]*)", DURABLE))
    assert {"store", "durability", "skip-bad"} <= named
    assert named - options.OPTIONS.keys() == set()


def test_command_lines_of_the_document_are_understood() -> None:
    lines = re.findall(r"gearfast ((?:store|-)[^|\n`]*)$", DURABLE.replace(" | ", "\n"), re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        words = line.split()
        if words[0] == "store":
            assert store_command.read([*words[1:], "--config-file=/dev/null"]).settings is not None, line
        else:
            assert read(line).store is not None, line


# --- progress ----------------------------------------------------------------------------


class Terminal(io.StringIO):
    """What a person watches."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("watched", [True, False])
def test_progress_is_shown_to_who_watches_and_taken_away(watched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0)
    terminal = Terminal() if watched else io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.Progress("jobs read") as counter:
        counter.add(1000)
        counter.add(234)
    assert terminal.getvalue() == ("\r1,000 jobs read\r1,234 jobs read\r\x1b[K" if watched else "")


def test_progress_of_short_work_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 3600)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.Progress("jobs read") as counter:
        counter.add(5)
    assert terminal.getvalue() == ""
