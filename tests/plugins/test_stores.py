"""Which store a URL leads to; what each store does is tested beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gearfast.errors import ConfigError
from gearfast.plugins.stores import BUILT_IN, known, make_store
from gearfast.store.contract import StoreSettings

PLACES = {
    "sqlite": "jobs.db",
    "postgresql": "//user@localhost/jobs",
    "postgres": "//user@localhost/jobs",
    "mysql": "//user@localhost/jobs",
    "mariadb": "//user@localhost/jobs",
    "redis": "//localhost",
    "rediss": "//localhost",
    "valkey": "//localhost",
    "valkeys": "//localhost",
    "unix": "///run/redis.sock",
}
CLASSES = {"sqlite": "Sqlite", "postgres": "PostgreSql", "mysql": "MySql", "mariadb": "MySql", "unix": "Redis"}

Brought = Callable[..., None]

PAPER = """
class Paper:
    largest = 80

    def __init__(self, settings):
        self.settings = settings

    async def open(self): ...
    def replay(self): ...
    async def write(self, batch): ...
    async def close(self): ...
"""


def refusal(url: str) -> str:
    """What is said about a store that cannot be made: one line."""
    with pytest.raises(ConfigError) as refused:
        make_store(StoreSettings(url=url))
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Brought:
    """Gives a function that installs a distribution with one store and one module."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(scheme: str, target: str, source: str = "") -> None:
        module = target.partition(":")[0]
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[gearfast.stores]\n{scheme} = {target}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


@pytest.mark.parametrize("scheme", BUILT_IN)
def test_every_built_in_scheme_makes_its_store(scheme: str) -> None:
    store = make_store(StoreSettings(url=f"{scheme}:{PLACES[scheme]}"))
    assert type(store).__name__ == CLASSES.get(scheme, type(store).__name__)
    assert type(store).__module__.startswith("gearfast.plugins.")


def test_a_scheme_may_be_in_capitals(tmp_path: Path) -> None:
    assert type(make_store(StoreSettings(url=f"SQLite:{tmp_path}/jobs.db"))).__name__ == "Sqlite"
    assert type(make_store(StoreSettings(url="PostgreSQL://user@localhost/jobs"))).__name__ == "PostgreSql"


@pytest.mark.parametrize("url", ["", "jobs.db", "/var/lib/jobs.db"])
def test_what_is_no_url_is_refused_with_an_example(url: str) -> None:
    assert "write sqlite:FILE" in refusal(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("JOBS.DB", "'JOBS.DB' does not name a store"),
        ("MySQL://Me:secret@Host", "'MySQL://Me:***@Host' does not name a database"),
        ("MySQL:Me:secret@Host", "'MySQL:***@Host' is not of the form mysql://"),
        ("Redis://Host/Sheet", "not 'Sheet'"),
        ("Redis:Host", "the URL of the Redis cannot be used, there is no address in it"),
        ("Redis://Me:secret/0", "its port is not a number up to 65535"),
        ("PostgreSQL://Me:secret/d", "PostgreSQL's port"),
        ("MySQL://Me:secret/d", "'MySQL://Me:***/d' is not of the form mysql://"),
        ("SQLite:", "'SQLite:' does not name a file"),
        ("Me:secret@Host/d", "there is no store for 'Me:***@Host/d'"),
    ],
)
def test_what_was_typed_is_shown_as_it_was_typed(url: str, shown: str) -> None:
    said = refusal(url)
    assert shown in said
    assert "secret" not in said


@pytest.mark.parametrize("scheme", ["memcached", "libmemcached", "memcache"])
def test_memcached_is_refused_with_what_to_use(scheme: str) -> None:
    said = refusal(f"{scheme}://localhost")
    assert said.startswith("memcached keeps nothing when it restarts: use --store sqlite:FILE")


def test_an_unknown_scheme_is_refused_with_the_known_ones(brought: Brought) -> None:
    brought("paper", "a_store_on_paper:make")
    said = refusal("NoSuch://Me:secret@Host")
    assert said.startswith("there is no store for 'NoSuch://Me:***@Host': use one of those that are known: ")
    assert all(name in said for name in [*BUILT_IN, "paper"])
    assert "paper" in known()


def test_a_third_party_brings_a_store(brought: Brought) -> None:
    brought("paper", "a_store_of_paper:Paper", PAPER)
    settings = StoreSettings(url="Paper:Sheet", password="p", table="t", durability="off", timeout=1.5)
    made: Any = make_store(settings)
    assert made.settings == replace(settings, url="paper:Sheet")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ("None", "it made None"),
        ("['made']", "['made'] is not a store: it has no open, no replay, no write, no close (gearfast.Store)"),
        ("dict", "<class 'dict'> is not a store: it is a class: write dict() (gearfast.Store)"),
    ],
)
def test_what_a_third_party_makes_has_to_be_a_store(brought: Brought, made: str, reason: str) -> None:
    brought("half", "half_a_store:make", f"def make(settings):\n    return {made}\n")
    assert refusal("half:x") == f"the store half: (half_a_store:make) cannot be used: {reason}"


def test_a_third_party_does_not_replace_a_store_of_ours(brought: Brought, tmp_path: Path) -> None:
    brought("sqlite", "a_false_store:make", "def make(settings):\n    return None\n")
    assert type(make_store(StoreSettings(url=f"sqlite:{tmp_path}/jobs.db"))).__name__ == "Sqlite"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nosuchpackage\n", "No module named 'nosuchpackage'"),
        ("raise ValueError('two\\nlines')\n", "ValueError: two lines"),
        ("", "AttributeError"),
        ("def make():\n    pass\n", "TypeError"),
    ],
)
def test_a_third_partys_store_that_fails_is_one_line(brought: Brought, source: str, reason: str) -> None:
    brought("broken", "a_broken_store:make", source)
    said = refusal("broken:x")
    assert "a_broken_store:make" in said
    assert reason in said


def test_what_a_third_partys_store_refuses_is_passed_on(brought: Brought) -> None:
    source = "from gearfast.errors import ConfigError\n\ndef make(settings):\n    raise ConfigError('write picky:X')\n"
    brought("picky", "a_picky_store:make", source)
    assert refusal("picky:y") == "write picky:X"


@pytest.mark.parametrize(
    ("scheme", "package", "extra"),
    [("postgres", "asyncpg", "postgres"), ("mariadb", "asyncmy", "mysql"), ("valkey", "redis", "redis")],
)
def test_a_missing_package_is_one_line_with_the_command(
    scheme: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = ("gearfast.plugins.postgresql", "gearfast.plugins.mysql", "gearfast.plugins.redis")
    for name in list(sys.modules):
        if name.startswith(ours):
            monkeypatch.delitem(sys.modules, name)
        if name.partition(".")[0] == package:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    assert refusal(f"{scheme}://host/jobs") == (
        f"the store {scheme}: needs the package {package}: pip install 'gearfast[{extra}]'"
    )
