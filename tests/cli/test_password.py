"""A store's password from a file or the environment: it is used, and seen nowhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gearfast.cli import command, program
from gearfast.errors import ConfigError
from gearfast.plugins.stores import make_store
from gearfast.store import password
from gearfast.store.contract import StoreSettings
from tests.plugins.test_store_redis import ask
from tests.support.databases import DATABASE, USER, Database, MariaDb, PostgreSql, Redis
from tests.support.peers import HOST, start_gearfast
from tests.support.processes import greeting_of, settled_log_of
from tests.support.wire import JOB_CREATED, SUBMIT_JOB_BG

SECRET = "s3 cr:et/@'%+é"
"""With everything that means something somewhere."""


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's gives a password."""
    for name in ("GEARFAST_STORE_PASSWORD", "PGPASSWORD", "PGPASSFILE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


def secret_file(folder: Path, content: str | bytes = f"{SECRET}\n", mode: int = 0o600) -> Path:
    """Write a file with a password."""
    path = folder / "secret"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def asked(line: str, **environment: str) -> command.Command:
    """Read a command line."""
    return command.read([*line.split(), "--config-file=/dev/null"], environment)


# --- reading it --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("a", "a"),
        ("a\n", "a"),
        ("a\r\n", "a"),
        ("a\n\n", "a\n"),
        (" a b \n", " a b "),
        (b"\xff\n", "\udcff"),
        ("x" * 65536, "x" * 65536),
    ],
    ids=repr,
)
def test_only_the_last_line_end_is_none_of_it(tmp_path: Path, content: str | bytes, secret: str) -> None:
    path = secret_file(tmp_path, content)
    for line in (
        f"--store=redis://h --store-password-file={path}",
        f"-q MySQL --mysql-db=d --store-password-file={path}",
    ):
        settings = asked(line).store
        assert settings is not None
        assert settings.password == secret


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty: write the password into it"),
        ("\n", "is empty: write the password into it"),
        ("a\0b", "holds no password: it is too long, or has a NUL in it"),
        ("x" * 65537, "holds no password: it is too long, or has a NUL in it"),
        (None, "cannot be read (No such file or directory): name a file with the password"),
    ],
    ids=["empty", "a line end", "a NUL", "too long", "not there"],
)
def test_what_is_no_password_is_one_line(
    tmp_path: Path, content: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """For the check of the arguments too, and for a look into a store."""
    path = tmp_path / "secret" if content is None else secret_file(tmp_path, content)
    words = ["--config-file=/dev/null", "--store=redis://h", f"--store-password-file={path}"]
    for before in (["--check-args"], [], ["store", "count"]):
        assert program.main([*before, *words]) == 1
        assert capsys.readouterr().err.endswith(f": --store-password-file: {path} {said}\n")


@pytest.mark.parametrize(
    ("mode", "warned"), [(0o600, False), (0o400, False), (0o604, True), (0o644, True), (0o660, os.getuid() != 0)]
)
def test_a_file_that_others_may_read_is_warned_of(tmp_path: Path, mode: int, warned: bool) -> None:
    """A group may be meant to: that the server runs as, when the file is root's."""
    path = secret_file(tmp_path, mode=mode)
    warning = f"{path} contains a password, and others can read it: chmod go= {path}"
    assert asked(f"--store=redis://h --store-password-file={path}").warnings == ((warning,) if warned else ())


def test_a_pipe_is_no_file_that_others_read(tmp_path: Path) -> None:
    """What a shell makes of <(pass show jobs)."""
    reading, writing = os.pipe()
    os.write(writing, b"secret\n")
    os.close(writing)
    try:
        assert password.from_file(f"/dev/fd/{reading}", "--option") == ("secret", "")
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("line", "environment", "said"),
    [
        ("", {}, "--store-password-file needs --store: without it jobs are kept in memory, and survive nothing"),
        *((line, {}, "--store-password-file: a store in a file has no password: remove it")
          for line in ("--store=sqlite:f", "-q libsqlite3 --libsqlite3-db=f")),
        ("--store=redis://h", {"GEARFAST_STORE_PASSWORD": "x"},
         "--store-password-file and GEARFAST_STORE_PASSWORD both give a password: remove one of them"),
    ],
)  # fmt: skip
def test_a_password_where_there_can_be_none_is_refused(
    tmp_path: Path, line: str, environment: dict[str, str], said: str
) -> None:
    path = secret_file(tmp_path)
    with pytest.raises(ConfigError) as refused:
        asked(f"{line} --store-password-file={path}", **environment)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    "line",
    [
        "--store=mysql://u:here@h/d",
        "--store=redis://:here@h",
        "--store=postgresql://u:here@h/d",
        "--store=postgresql://h/d?password=here",
        "--store=postgresql:password=here",
        "-q MySQL --mysql-password=here --mysql-db=d",
        "-q redis --redis-password=here",
        "-q Postgres --libpq-conninfo=password=here",
    ],
)
def test_a_password_in_two_places_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = asked(line, GEARFAST_STORE_PASSWORD="there").store
    assert settings is not None
    with pytest.raises(ConfigError, match="the password stands in the store's address, and is given apart from it too"):
        make_store(settings)


def test_the_environment_may_have_one_for_nothing() -> None:
    """It is set for more programs than this one, perhaps: no start fails for it."""
    assert asked("", GEARFAST_STORE_PASSWORD="x").warnings == ()
    found = asked("--store=sqlite:f", GEARFAST_STORE_PASSWORD="x")
    assert found.warnings == ("GEARFAST_STORE_PASSWORD is ignored: a store in a file has no password",)
    assert found.store == StoreSettings(url="sqlite:f")
    assert asked("--store=redis://h", GEARFAST_STORE_PASSWORD="").store == StoreSettings(url="redis://h")


def test_a_store_in_a_file_refuses_one() -> None:
    with pytest.raises(ConfigError, match="a store in a file has no password"):
        make_store(StoreSettings(url="sqlite:f", password="x"))


# --- using it ----------------------------------------------------------------------------


@pytest.fixture(scope="module", name="redis")
def run_redis() -> Iterator[tuple[Database, list[str]]]:
    """A Redis that asks for the password, and both ways of naming it."""
    with Redis() as database:
        ask(database, "CONFIG", "SET", "requirepass", SECRET)
        yield (
            database,
            [
                f"--store=redis://{HOST}:{database.port}",
                f"-q redis --redis-server={HOST} --redis-port={database.port}",
            ],
        )


@pytest.fixture(scope="module", name="mysql")
def run_mysql() -> Iterator[tuple[Database, list[str]]]:
    """A MariaDB that does."""
    with MariaDb() as database:
        database.run(f"ALTER USER {USER}@'%' IDENTIFIED BY '{SECRET.replace(chr(39), chr(39) * 2)}'")
        yield (
            database,
            [
                f"--store=mysql://{USER}@{HOST}:{database.port}/{DATABASE}",
                f"-q MySQL --mysql-host={HOST} --mysql-port={database.port} --mysql-user={USER} --mysql-db={DATABASE}",
            ],
        )


@pytest.fixture(scope="module", name="postgresql")
def run_postgresql() -> Iterator[tuple[Database, list[str]]]:
    """A PostgreSQL that does."""
    with PostgreSql() as database:
        database.run(f"ALTER USER {USER} PASSWORD '{SECRET.replace(chr(39), chr(39) * 2)}'")
        (database.data / "pg_hba.conf").write_text(f"host all all {HOST}/32 scram-sha-256\n")
        database.restart()
        place = f"host={HOST},port={database.port},user={USER},dbname={DATABASE}"
        yield database, [f"--store={database.url}", f"-q Postgres --libpq-conninfo={place}"]


@pytest.mark.parametrize("kind", ["redis", "mysql", "postgresql"])
@pytest.mark.parametrize("way", [0, 1], ids=["ours", "stocks"])
@pytest.mark.parametrize("place", ["file", "environment"])
def test_it_opens_the_store_and_is_seen_nowhere(
    kind: str, way: int, place: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, lines = request.getfixturevalue(kind)
    words = [word.replace(",", " ") for word in lines[way].split()]
    environment = [] if place == "environment" else [f"--store-password-file={secret_file(tmp_path)}"]
    if place == "environment":
        monkeypatch.setenv("GEARFAST_STORE_PASSWORD", SECRET)
    with start_gearfast(*words, *environment, "--verbose=DEBUG") as server, server.connect() as client:
        assert client.call(SUBMIT_JOB_BG, "f", f"{way} {place}", payload=b"x").type == JOB_CREATED
        command_line = Path(f"/proc/{server.pid}/cmdline").read_bytes()
        greeting = greeting_of(server)
        log = settled_log_of(server)
    assert " jobs from " in greeting.replace("1 job from", "1 jobs from")
    for part in ("cr:et", "cr%3Aet"):
        assert part not in log
        assert part.encode() not in command_line


@pytest.mark.parametrize("kind", ["redis", "mysql", "postgresql"])
@pytest.mark.parametrize("way", [0, 1], ids=["ours", "stocks"])
def test_a_wrong_one_is_one_line_without_it(
    kind: str, way: int, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    _, lines = request.getfixturevalue(kind)
    words = [word.replace(",", " ") for word in lines[way].split()]
    path = secret_file(tmp_path, "wrong one\n")
    assert program.main(["store", "count", *words, f"--store-password-file={path}", "--config-file=/dev/null"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "wrong one" not in said
