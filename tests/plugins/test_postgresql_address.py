"""Addresses of PostgreSQL: URLs and connection parameters, read as libpq reads them, beside the real one."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gearfast.cli import program
from gearfast.errors import ConfigError, StoreError
from gearfast.plugins.postgresql import PostgreSql as Store
from gearfast.plugins.postgresql.parameters import PARAMETERS
from gearfast.plugins.postgresql.url import Address, address_of, read_conninfo
from gearfast.store.contract import StoreSettings
from tests.support.databases import PostgreSql
from tests.support.databases import run_postgresql as run_postgresql
from tests.support.peers import PEERS, peer
from tests.whole.test_tls import issue

tables = (f"address {number}" for number in itertools.count())


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's leads a connection elsewhere."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGSYSCONFDIR", str(tmp_path / "system"))


def arguments(url: str, **more: Any) -> dict[str, Any]:
    """Return what asyncpg is given for a URL."""
    return address_of(url, **more).arguments


def refusal(url: str) -> str:
    """Return the one line with which an address is refused; empty: it is taken."""
    try:
        Store(StoreSettings(url=url))
    except ConfigError as error:
        return str(error)
    return ""


async def opened(url: str, **more: Any) -> None:
    """Open and close a store there."""
    store = Store(StoreSettings(url=url, table=next(tables), timeout=20.0, **more))
    try:
        await store.open()
    finally:
        await store.close()


# --- reading -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("", {}),
        ("   ", {}),
        ("host=a port=1", {"host": "a", "port": "1"}),
        (" host = a  port\t=\n1 ", {"host": "a", "port": "1"}),
        (r"password='it\'s \\ \a' user=x", {"password": r"it's \ a", "user": "x"}),
        (r"password=it\'s\ a\\b user=x", {"password": r"it's a\b", "user": "x"}),
        ("password='' user=x", {"user": "x"}),
        ("password=a'b user=x", {"password": "a'b", "user": "x"}),
        ("host=name hostaddr=10.0.0.1", {"host": "name", "hostaddr": "10.0.0.1"}),
        ("password=x\\", {"password": "x"}),
        ("dbname=a dbname=b", {"dbname": "b"}),
    ],
)
def test_conninfo_is_read_as_libpq_reads_it(text: str, given: dict[str, str]) -> None:
    assert read_conninfo(text) == given


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("host", "no '=' after 'host'"),
        ("host a", "no '=' after 'host'"),
        ("password='it''secret'", "no '=' after ''"),  # libpq too takes 'secret' for a name here
        ("password='secret", "the quote after 'password' is not closed"),
        ("hots=a", "parameter 'hots' is not known"),
        ("//h/d?hots=a", "parameter 'hots' is not known"),
        ("//h/d?search_path=a", "options=-cNAME=VALUE"),
        ("//u:secret@h/d?hots", "the word 'hots' after the '?' of PostgreSQL's URL has to be name=value"),
        ("//u:secret@h/d?host=a=b", "the word 'host' after the '?'"),
        ("//u:secret@[::1/d", "a host in the URL of PostgreSQL cannot be read"),
        ("host=a,b port=1,2,3", "port names 3, its host 2"),
        ("host=a hostaddr=1.2.3.4,::1", "host names 1, its hostaddr 2"),
        ("host=a,", "one of PostgreSQL's hosts is empty"),
        ("port=65536", "port cannot be read: use a number from 1 to 65535"),
        ("port=0", "port cannot be read: use a number from 1 to 65535"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, said: str) -> None:
    refused = refusal(f"postgresql:{text}")
    assert said in refused
    assert "secret" not in refused


LIST = ["a", "b"]


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("postgresql://u:p@h:1/d", {"user": "u", "password": "p", "host": ["h"], "port": [1], "database": "d"}),
        ("postgres://h/d?sslmode=require&connect_timeout=3", {"host": ["h"], "database": "d", "ssl": "require"}),
        ("postgresql:host=/run/pg dbname='a b' connect_timeout=3",
         {"host": ["/run/pg"], "database": "a b", "ssl": "disable"}),
        ("postgresql:host=/run/pg sslmode=verify-full sslrootcert=/no sslcert=/no sslcrl=/no sslcrldir=/no",
         {"host": ["/run/pg"], "ssl": "disable"}),
        ("postgresql:host=h,/run/pg sslmode=require", {"host": ["h", "/run/pg"], "ssl": "require"}),
        ("postgresql://host=h port=1", {"host": ["h"], "port": [1]}),
        ("postgresql:", {}),
        ("postgresql://", {}),
        ("postgresql:///d", {"database": "d"}),
        ("postgresql:postgres://h/d", {"host": ["h"], "database": "d"}),
        ("PostgreSQL://H/d", {"host": ["H"], "database": "d"}),
        ("postgresql://u%40x:p%2F%25@h", {"user": "u@x", "password": "p/%", "host": ["h"]}),
        ("postgresql://h?user=a+b&password=c%2Bd", {"user": "a+b", "password": "c+d", "host": ["h"]}),
        ("postgresql://[::1]:2,h:3/d", {"host": ["::1", "h"], "port": [2, 3], "database": "d"}),
        ("postgresql://a,b:3", {"host": LIST, "port": [5432, 3]}),
        ("postgresql://a,b?port=3", {"host": LIST, "port": [3, 3]}),
        ("postgresql:port=3", {"port": 3}),
        ("postgresql://%2Frun%2Fpg/d", {"host": ["/run/pg"], "database": "d", "ssl": "disable"}),
        ("postgresql://a/d?host=b&dbname=e", {"host": ["b"], "database": "e"}),
        ("postgresql://h/d?hostaddr=10.0.0.1", {"host": ["10.0.0.1"], "database": "d"}),
        ("postgresql:host=h hostaddr=::1", {"host": ["::1"]}),
        ("postgresql:hostaddr=::1,10.0.0.2", {"host": ["::1", "10.0.0.2"]}),
        ("postgresql:host=a,b hostaddr=,10.0.0.2", {"host": ["a", "10.0.0.2"]}),
        ("postgresql://h?ssl=true", {"host": ["h"], "ssl": "require"}),
        ("postgresql:sslmode=require sslnegotiation=direct", {"ssl": "require", "direct_tls": True}),
        ("postgresql:sslnegotiation=postgres", {"direct_tls": False}),
        ("postgresql://h?options=-c%20a%3Db", {"host": ["h"], "server_settings": {"options": "-c a=b"}}),
        ("postgresql:target_session_attrs=primary krbsrvname=k gsslib=gssapi passfile=/f",
         {"target_session_attrs": "primary", "krbsrvname": "k", "gsslib": "gssapi", "passfile": "/f"}),
        ("postgresql:sslmode='' host=h", {"host": ["h"]}),
    ],
)  # fmt: skip
def test_both_forms_lead_to_what_the_driver_takes(url: str, given: dict[str, Any]) -> None:
    assert arguments(url) == {"dsn": "postgresql://?", **given}


def test_files_of_tls_are_passed_on_where_they_are(tmp_path: Path) -> None:
    """Where libpq does without one that is not there, so do we: it is needed only to verify."""
    path = tmp_path / "a+b"
    path.touch()
    quoted = str(path).replace("/", "%2F").replace("+", "%2B")
    url = f"postgresql://h?sslcert={path}&sslkey={path}&sslrootcert={path}&sslcrl={path}&sslpassword=x"
    names = ("sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl")
    words = [f"{name}={'x' if name == 'sslpassword' else quoted}" for name in names]
    assert arguments(url)["dsn"] == "postgresql://?" + "&".join(words)
    assert arguments("postgresql:sslcert=/no sslkey=/no sslrootcert=/no sslmode=require")["dsn"] == "postgresql://?"
    for words_ in ("sslrootcert=/no sslmode=verify-ca", "sslcrl=/no sslmode=require"):
        assert refusal(f"postgresql:{words_}").endswith("this file does not exist or cannot be read")


def test_no_password_in_the_name_of_the_place() -> None:
    assert address_of("postgresql://u:secret@h:1/d").place == "PostgreSQL at h:1/d"
    assert address_of("postgresql:host=h password=secret").place == "PostgreSQL at h"
    assert address_of("postgresql:hostaddr=::1").place == "PostgreSQL at ::1"
    assert address_of("postgresql:").place == "PostgreSQL"


def test_another_scheme() -> None:
    assert "not a scheme of PostgreSQL" in refusal("mysql://h/d")


# --- what a parameter asks for -----------------------------------------------------------

HARMLESS = (
    *("gssencmode=disable", "gssencmode=prefer", "channel_binding=disable", "channel_binding=prefer"),
    *("requirepeer=x host=h", "requirepeer=x hostaddr=::1", "sslcrldir=/x", "sslcrldir=/x sslmode=prefer"),
    *("require_auth=!oauth", "require_auth=none,password,md5,scram-sha-256,gss,sspi"),
    *("load_balance_hosts=disable", "load_balance_hosts=random", "sslcertmode=allow", "sslcertmode=disable"),
    *("gssdelegation=1", "sslkeylogfile=/x", "min_protocol_version=3.0", "max_protocol_version=latest"),
    *("application_name=x", "fallback_application_name=x", "client_encoding=auto", "connect_timeout=3", "sslsni=0"),
    *("keepalives=1", "keepalives_idle=3", "keepalives_interval=3", "keepalives_count=3", "tcp_user_timeout=3"),
    *("sslcompression=1", "replication=false", "replication=0"),
)
"""What asks for nothing that the driver would have to do."""

DEMANDING = {
    "gssencmode=require": "it does not encrypt with GSSAPI: use sslmode=verify-full",
    "channel_binding=require": "it does not support channel binding: use sslmode=verify-full, which",
    "requirepeer=x": "it does not check the owner of a Unix socket: let nobody else write to its folder",
    "requirepeer=x host=/run/x": "it does not check the owner of a Unix socket",
    "requirepeer=x host=a,/run/x": "it does not check the owner of a Unix socket",
    "sslcrldir=/x sslmode=require": "put the lists into one file, and write sslcrl=FILE",
    "require_auth=scram-sha-256": "it would also do gss, md5, none, password, sspi; have the database",
    "require_auth=!none": "it would also do none;",
    "require_auth=!password,!md5": "it would also do md5, password;",
    "require_auth=md5,!none": "write some of gss, md5, none, oauth, password, scram-sha-256, sspi, or each",
    "require_auth=bogus": "write some of gss",
    "sslcertmode=require": "it does not insist on being asked for its certificate",
    "sslrootcert=system": "it does not know where the authorities of the system are: name their file",
    "sslmode=verify-full host=h hostaddr=::1": "it would check the address instead of the name: remove hostaddr",
    "sslnegotiation=direct": "it needs sslmode=require, verify-ca or verify-full",
    "target_session_attrs=read-only": "a store has to write",
    "target_session_attrs=standby": "a store has to write",
    "replication=database": "a store does not use replication connections",
    "scram_client_key=secret": "it knows passwords only: use one",
    "oauth_client_secret=secret": "it knows passwords only: use one",
    "min_protocol_version=3.2": "it speaks version 3.0: remove it",
}
"""What asks for something the driver cannot do, and the end of the line that says so."""

WRONG = {
    **dict.fromkeys(
        ("sslmode", "channel_binding", "gssencmode", "target_session_attrs", "load_balance_hosts", "sslcertmode"),
        "bogus",
    ),
    **dict.fromkeys(("ssl_min_protocol_version", "ssl_max_protocol_version", "sslnegotiation", "gsslib"), "bogus"),
    **dict.fromkeys(("connect_timeout", "keepalives", "keepalives_idle", "tcp_user_timeout", "sslsni"), "abc"),
    "hostaddr": "localhost",
    "port": "abc",
}
"""Values that cannot be."""


def forms(words: str) -> Iterator[str]:
    """Yield both ways of saying the same."""
    yield f"postgresql:{words}"
    yield f"postgresql:///?{words.replace(' ', '&').replace('/', '%2F')}"


@pytest.mark.parametrize("words", HARMLESS)
def test_what_changes_nothing_is_left_out(words: str) -> None:
    where = {name: value for name, value in (word.split("=") for word in words.split()) if name in ("host", "sslmode")}
    for url in forms(words):
        left = arguments(url)
        assert left.pop("dsn") == "postgresql://?"
        assert set(left) <= {"host", "ssl"}
        assert ("host" in where) <= ("host" in left)


@pytest.mark.parametrize("words", DEMANDING)
def test_what_the_driver_cannot_do_is_refused(words: str) -> None:
    name, _, value = words.partition(" ")[0].partition("=")
    for url in forms(words):
        said = refusal(url)
        assert DEMANDING[words] in said
        assert "\n" not in said
        assert f"PostgreSQL's {name}" in said
        assert (f"{name}={value} asks for something the driver cannot do" in said) != (value == "secret")


@pytest.mark.parametrize("name", WRONG)
def test_a_value_that_cannot_be_is_refused(name: str) -> None:
    for url in forms(f"{name}={WRONG[name]}"):
        assert refusal(url).startswith(f"PostgreSQL's {name}")
        assert " is not valid: " in refusal(url)


def test_check_args_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (("bogus=1", "'bogus'"), ("sslmode=bogus", "write disable, allow"), *DEMANDING.items()):
        for option in ("--store=postgresql:", "-qPostgres --libpq-conninfo="):
            line = f"--check-args --config-file=/dev/null {option}".split()
            assert program.main([*line[:-1], line[-1] + words]) == 1
            assert said in capsys.readouterr().err
    assert (
        program.main(["--check-args", "--config-file=/dev/null", "--store=postgresql://gm@h/db?gssencmode=prefer"]) == 0
    )


# --- the services and the environment ----------------------------------------------------


def test_a_service_fills_in_what_is_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As asyncpg passes over a service that is not there, and over the safety that one asks for, it is read here."""
    own, system = tmp_path / ".pg_service.conf", tmp_path / "system" / "pg_service.conf"
    own.write_text("# mine\n[other]\nhost=no\n[jobs]\nhost=h\n port=1 \npassword=a=b \nhost=late\n\n[more]\nhost=no\n")
    found = {"dsn": "postgresql://?", "host": ["h"], "port": [1], "password": "a=b"}
    assert arguments("postgresql:service=jobs") == found
    assert arguments("postgresql:///?service=jobs&port=2") == {**found, "port": [2]}
    monkeypatch.setenv("PGSERVICE", "jobs")
    assert arguments("postgresql:") == found
    monkeypatch.setenv("PGHOST", "from the environment")
    assert arguments("postgresql:") == found
    monkeypatch.delenv("PGSERVICE")
    system.parent.mkdir()
    system.write_text("[jobs]\nhost=system\n[only]\nhost=only\n")
    assert arguments("postgresql:service=only")["host"] == ["only"]
    monkeypatch.setenv("PGSERVICEFILE", str(system))
    assert arguments("postgresql:service=jobs")["host"] == ["system"]
    assert arguments(f"postgresql:service=jobs servicefile={own}")["host"] == ["h"]
    assert refusal("postgresql:service=nix").startswith(f"the service 'nix' of PostgreSQL is not defined in {system}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("channel_binding=require", "PostgreSQL's channel_binding=require (the service 'jobs') asks for"),
        ("sslmode=bogus", "PostgreSQL's sslmode=bogus (the service 'jobs') is not valid"),
        ("bogus=1", "parameter 'bogus' (the service 'jobs') is not known"),
        ("host", "pg_service.conf, line 2: 'host' cannot be part of a service: write name=value"),
        ("service=other", "pg_service.conf, line 2: 'service' cannot be part of a service"),
    ],
)
def test_a_service_is_held_to_the_same_table(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / ".pg_service.conf").write_text(f"[jobs]\n{line}\n")
    assert said in refusal("postgresql:service=jobs")


def test_the_environment_is_held_to_the_same_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for words, said in DEMANDING.items():
        name, _, value = words.partition(" ")[0].partition("=")
        if PARAMETERS[name].variable and " " not in words:
            with monkeypatch.context() as one:
                one.setenv(PARAMETERS[name].variable, value)
                assert said in refusal("postgresql:")
                assert f"({PARAMETERS[name].variable})" in refusal("postgresql:")


# --- beside the real ones ----------------------------------------------------------------


class Option(ctypes.Structure):
    """libpq's PQconninfoOption."""

    _fields_ = (
        *((name, ctypes.c_char_p) for name in ("keyword", "envvar", "compiled", "val", "label", "dispchar")),
        ("dispsize", ctypes.c_int),
    )


def test_the_table_has_every_parameter_of_the_real_libpq() -> None:
    peer("psql")
    found = sorted((PEERS / "root").rglob("libpq.so.5")) or [Path("libpq.so.5")]
    library = ctypes.CDLL(str(found[0]))
    library.PQconndefaults.restype = ctypes.POINTER(Option)
    there = {}
    for option in library.PQconndefaults():
        if option.keyword is None:
            break
        there[option.keyword.decode()] = (option.envvar or b"").decode()
    assert len(there) > 30
    assert {name: PARAMETERS[name].variable for name in there} == there


def test_libpq_refuses_the_same(postgresql: PostgreSql) -> None:
    """Played against psql: what it does not take is refused, what it takes is taken, or refused for a reason."""
    program = peer("psql")
    place = f"host=127.0.0.1 port={postgresql.port} user=gearfast dbname=gearfast"
    newer = (
        *("require_auth", "load_balance_hosts", "sslcertmode", "gssdelegation", "sslkeylogfile", "sslnegotiation"),
        *("min_protocol", "max_protocol", "scram", "oauth"),
    )
    wrong = [f"{name}={value}" for name, value in WRONG.items() if name not in ("gsslib", "port", "sslsni")]
    words = [word for word in (*HARMLESS, *DEMANDING, *wrong) if not word.startswith(newer) and "host" not in word]

    def said(word: str) -> str:
        line = f"{place} {word}".replace("sslmode=require", "sslmode=prefer")  # it has no TLS
        done = subprocess.run(
            [program, line, "-c", "SELECT 1"], capture_output=True, text=True, timeout=60, check=False
        )
        return done.stderr

    with ThreadPoolExecutor(4) as threads:
        for word, complaint in zip(words, threads.map(said, words), strict=True):
            assert ("invalid" in complaint) == (" is not valid: " in refusal(f"postgresql:{place} {word}")), word


@pytest.mark.parametrize("before", ["postgresql:", "postgresql://"])
def test_connection_parameters_lead_to_the_database(postgresql: PostgreSql, before: str) -> None:
    asyncio.run(opened(before + postgresql.conninfo))


def test_the_environment_leads_to_the_database(postgresql: PostgreSql, monkeypatch: pytest.MonkeyPatch) -> None:
    given = read_conninfo(postgresql.conninfo)
    for name in ("host", "port", "user", "dbname"):
        monkeypatch.setenv(PARAMETERS[name].variable, given[name])
    asyncio.run(opened("postgresql:"))


def test_an_address_beside_the_name_leads_to_the_database(postgresql: PostgreSql) -> None:
    port = postgresql.port
    for url in (
        f"postgresql://gearfast@nosuch.invalid:{port}/gearfast?hostaddr=127.0.0.1&gssencmode=prefer&channel_binding=prefer",
        f"postgresql:host=nosuch.invalid hostaddr=127.0.0.1 port={port} user=gearfast dbname=gearfast requirepeer=x",
        f"postgresql://gearfast@127.0.0.1:1,127.0.0.1:{port}/gearfast?load_balance_hosts=random&sslcrldir=/x",
    ):
        asyncio.run(opened(url))


def test_tls_is_asked_for_and_checked(tmp_path: Path) -> None:
    """By a database that takes nothing else, with a certificate of localhost's and a list of none revoked."""
    authority = issue(tmp_path, "authority")
    server, stranger = issue(tmp_path, "server", authority), issue(tmp_path, "stranger")
    with PostgreSql() as database:
        for name, path in (("server.crt", server.certificate), ("server.key", server.key)):
            copy = database.data / name
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o600)
            os.chown(copy, *(getattr(database.data.stat(), field) for field in ("st_uid", "st_gid")))
        (database.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
        database.options += ["-c", "ssl=on"]
        database.restart()
        place = f"host=localhost port={database.port} user=gearfast dbname=gearfast"
        for words, taken in (
            ("", True),
            ("sslmode=disable", False),
            (f"sslmode=verify-full sslrootcert={authority.certificate}", True),
            (f"sslmode=verify-full sslrootcert={authority.certificate} host=127.0.0.1", False),
            (f"sslmode=verify-ca sslrootcert={authority.certificate} hostaddr=127.0.0.1", True),
            (f"sslmode=verify-ca sslrootcert={stranger.certificate}", False),
            ("sslmode=require ssl_min_protocol_version=TLSv1.3 sslcert=/none sslkey=/none", True),
        ):
            if taken:
                asyncio.run(opened(f"postgresql:{place} {words}"))
            else:
                with pytest.raises(StoreError, match=r"PostgreSQL at .* cannot be used: "):
                    asyncio.run(opened(f"postgresql:{place} {words}"))
        asyncio.run(opened(f"postgresql://gearfast@localhost:{database.port}/gearfast?ssl=true"))


def test_options_reach_the_session(postgresql: PostgreSql, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the environment too, which asyncpg does not look at."""

    async def main() -> object:
        store = Store(StoreSettings(url=postgresql.url, table=next(tables), timeout=20.0))
        await store.open()
        try:
            assert store._link.connection is not None
            return await store._link.connection.fetchval("SELECT current_setting('search_path')")
        finally:
            await store.close()

    monkeypatch.setenv("PGOPTIONS", "-c search_path=public,pg_temp")
    assert asyncio.run(main()) == "public,pg_temp"


def test_an_address_is_not_shown_with_its_password() -> None:
    assert "secret" not in repr(Address({"password": "secret"}, "PostgreSQL"))
