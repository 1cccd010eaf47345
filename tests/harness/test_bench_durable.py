"""The durable scenarios run beside gearmand with the same store, and leave nothing behind. No figure is judged."""

from __future__ import annotations

import importlib.util
import itertools
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import databases, runner, stores
from benchmarks.disk import commits
from benchmarks.processes import Cores
from benchmarks.results import Results, Round, Row, read
from benchmarks.runner import Failure, Runner
from benchmarks.scenarios import SCENARIOS, Profile
from benchmarks.stores import KEPT, STORES
from benchmarks.subjects import SUBJECTS, MissingError
from benchmarks.table import tables
from tests.support.peers import PROJECT, peer

DURABLE = [scenario for scenario in SCENARIOS if scenario.group == "durable"]


def played(kept: Path, *only: str) -> Results:
    """Run these scenarios from the command line, short, and read what was found."""
    peer("gearmand")
    words = [word for text in only for word in ("--only", text)]
    how = ["--rounds", "1", "--share", "0.002", "--against", "gearmand", "--json", str(kept)]
    command = [sys.executable, "-m", "benchmarks", *how, *words]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return read(kept)


def each(row: Row) -> dict[str, Round]:
    """The first round of each subject that has one."""
    return {one.subject: one.rounds[0] for one in row.measured if one.rounds}


def test_sqlite_beside_gearmand(tmp_path: Path) -> None:
    names = ["durable, SQLite, 8 x 50", "durable, SQLite, 4 x 100, 8 workers"]
    found = played(tmp_path / "kept.json", *names)
    assert [row.name for row in found.rows] == names
    for row in found.rows:
        rounds = each(row)
        assert set(rounds) == {"gearfast", "gearmand"}, row
        assert all(one.cpu and one.rate and one.commits for one in rounds.values())
    assert found.machine["store SQLite"] == f"SQLite {sqlite3.sqlite_version}"
    (table,) = tables(found)
    assert table.group == "durable"


def test_foreground_jobs_and_a_replay(tmp_path: Path) -> None:
    found = played(tmp_path / "kept.json", "foreground alone", "1 M jobs")
    alone, memory, kept = found.rows
    assert set(each(alone)) == {"gearfast", "gearmand"}
    assert all(one.latency and one.rate for one in each(alone).values())
    assert each(memory)["gearfast"].memory
    assert each(memory)["gearfast"].start is None
    assert each(kept)["gearfast"].memory
    assert each(kept)["gearfast"].start
    (absent,) = [one for one in kept.measured if one.subject == "gearmand"]
    assert absent.missing == "it stores far fewer jobs a second"


@pytest.mark.parametrize(
    ("name", "programs"),
    [
        ("PostgreSQL", ("postgres", "initdb")),
        ("MariaDB", ("mariadbd", "mariadb-install-db")),
        ("Redis", ("redis-server",)),
        ("Redis everysec", ("redis-server",)),
    ],
)
def test_a_database_for_each_subject(name: str, programs: tuple[str, ...], tmp_path: Path) -> None:
    for program in programs:
        peer(program)
    found = played(tmp_path / "kept.json", f"durable, {name}, 8 x 50")
    (row,) = found.rows
    assert set(each(row)) == {"gearfast", "gearmand"}, row
    assert all(one.cpu and one.rate for one in each(row).values())
    assert found.machine[f"store {name}"]


def test_stores_are_gone_afterwards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stores, "KEPT", tmp_path)
    for store in STORES.values():
        if not store.missing():
            with store.running() as words:
                assert set(words) == {"gearfast", "gearmand"}
            assert list(tmp_path.iterdir()) == [], store.name


def test_the_disk_is_tried_where_the_stores_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found: list[Path] = []

    def note(folder: Path) -> float:
        found.append(folder.parent)
        return 7.0

    monkeypatch.setattr(stores, "KEPT", tmp_path)
    monkeypatch.setattr(runner, "commits", note)
    assert runner._disk() == 7.0
    with STORES["SQLite"].running() as words:
        (database,) = [word.partition("sqlite:")[2] for word in words["gearfast"]]
        assert found == [Path(database).parent.parent] == [tmp_path]


def test_the_disk_is_left_as_it_was(tmp_path: Path) -> None:
    assert commits(tmp_path, 0.01) > 0
    assert list(tmp_path.iterdir()) == []


def test_both_servers_have_the_same_file() -> None:
    with STORES["SQLite"].running() as words:
        ours, theirs = words["gearfast"][-1].rpartition(":")[2], words["gearmand"][-1].rpartition("=")[2]
    assert ours == theirs
    assert Path(ours).parent.parent == KEPT


def test_a_database_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho no room for it\nexit 1\n")
    broken.chmod(0o755)
    kept = tmp_path / "kept"
    monkeypatch.setattr(stores, "KEPT", kept)
    monkeypatch.setattr(databases.Redis, "find", staticmethod(lambda _: broken))
    one = Runner({kind.label: kind() for kind in SUBJECTS[:1]}, {}, DURABLE, Profile.QUICK, 1, 1.0, Cores(pin=False))
    (scenario,) = [scenario for scenario in DURABLE if scenario.name == "durable, Redis, 8 x 50"]
    failure = one._measure(scenario, scenario.play, "gearfast", 0.0)
    assert isinstance(failure, Failure)
    assert failure.message.startswith("Redis: redis-server did not start")
    assert "no room for it" in failure.message
    assert list(kept.iterdir()) == []


def test_a_store_that_cannot_be_had_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> Path:
        raise MissingError(f"{name} is not installed: fetch it")

    monkeypatch.setattr(databases.PostgreSql, "find", staticmethod(find))
    assert STORES["PostgreSQL"].missing() == "postgres is not installed: fetch it"
    monkeypatch.setattr(databases.MariaDb, "find", staticmethod(lambda _: Path("/bin/true")))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert STORES["MariaDB"].missing() == "no driver: pip install 'gearfast[mysql]'"


class Silent:
    """A progress bar that shows nothing."""

    def start(self, total: int) -> None:
        """Nothing to say."""

    def doing(self, text: str) -> None:
        """Nothing to say."""

    def step(self) -> None:
        """Nothing to say."""


def test_scenarios_of_a_missing_store_are_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runner, "_measure", lambda *_: Round(10, 1.0, cpu=1.0))
    subjects = {kind.label: kind() for kind in SUBJECTS}
    away = {"MariaDB": "not installed"}
    one = Runner(subjects, {}, DURABLE, Profile.DEFAULT, 5, 1.0, Cores(pin=False), away)
    one.run(Silent())
    for scenario, row in zip(DURABLE, one.rows, strict=True):
        rounds = {measured.subject: len(measured.rounds) for measured in row.measured}
        assert rounds["gearfast"] == (
            0 if scenario.store == "MariaDB" else scenario.rounds(5, Profile.DEFAULT, "gearfast")
        )
        reasons = {measured.subject: measured.missing for measured in row.measured}
        assert reasons["limit"] == runner.NO_STORE["limit"]
        if scenario.store == "MariaDB":
            assert reasons["gearfast"] == reasons["gearmand"] == "MariaDB: not installed"
    assert not one.failures


def test_few_rounds_are_enough_where_a_million_jobs_take_their_time() -> None:
    others = [scenario for scenario in SCENARIOS if scenario.group not in ("durable", "standstill")]
    for profile, label in itertools.product(Profile, ("gearfast", "gearmand")):
        assert {scenario.rounds(5, profile, label) for scenario in DURABLE} == {3, 5}
        assert {scenario.rounds(1, profile, label) for scenario in DURABLE} == {1}
        assert {scenario.rounds(5, profile, label) for scenario in others} == {5}


def test_every_store_is_of_the_harness() -> None:
    assert {scenario.store for scenario in DURABLE} - {""} == set(STORES)
