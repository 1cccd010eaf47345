"""The benchmarks run, are complete, notice wrong answers and say what is wrong. No figure is judged here."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import msgspec
import pytest

from benchmarks import runner
from benchmarks.processes import Cores
from benchmarks.results import Results, Round, read, schema
from benchmarks.runner import Failure, Runner, in_turn
from benchmarks.scenarios import SCENARIOS, Profile, Scenario
from benchmarks.subjects import SUBJECTS, MissingError
from benchmarks.subjects import gearmand as gearmand_file
from benchmarks.subjects.gearmand import Gearmand
from tests.support.peers import PROJECT, peer

FEW = ("--quick", "--rounds", "1", "--share", "0.02")
ALL = {"gearfast", "gearmand", "limit", "beanstalkd"}


def bench(*words: str | Path, seconds: float = 100) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    command = [sys.executable, "-m", "benchmarks", *map(str, words)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=seconds, check=False)


def test_a_run_measures_every_subject_or_says_why_not(tmp_path: Path) -> None:
    for name in ("gearmand", "beanstalkd"):
        peer(name)
    kept = tmp_path / "kept.json"
    done = bench(*FEW, "--only", "submit 1 x 1", "--only", "round trip 8 x 16, 8", "--json", kept)
    assert done.returncode == 0, done.stderr
    assert f"Results: {kept}" in done.stdout
    results = read(kept)
    jsonschema.validate(msgspec.json.decode(kept.read_bytes()), schema())
    assert {subject.label for subject in results.subjects if subject.version and not subject.missing} == ALL
    assert [row.name for row in results.rows] == ["submit 1 x 1", "round trip 8 x 16, 8 workers"]
    for row in results.rows:
        assert {measured.subject for measured in row.measured} == ALL
        for measured in row.measured:
            assert len(measured.rounds) == 1 or measured.missing == runner.NO_PART["beanstalkd"]
            assert all(one.cpu and one.rate and one.jobs > 0 for one in measured.rounds)
    assert results.rows[0].of("beanstalkd") != results.rows[1].of("beanstalkd")
    assert any("share of 0.02" in sentence for sentence in results.not_measured)
    assert kept.with_suffix(".html").stat().st_size > 0


def each_played(results: Results) -> list[str]:
    """Return the names of the scenarios, each of which must have all figures of its kind."""
    for row in results.rows:
        [measured] = row.measured
        [found] = measured.rounds
        assert found.memory if row.group == "memory" else found.cpu and found.rate, row.name
        if row.group in ("latency", "trouble"):
            assert found.latency, row.name
    return [row.name for row in results.rows]


def test_every_scenario_of_a_quick_run_can_be_played(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    # how long everybody stands still is measured in a file of its own: it takes its time
    groups = ("plain", "durable", "latency", "growth", "memory", "trouble")
    only = [word for group in groups for word in ("--only", group)]
    done = bench("--quick", "--rounds", "1", "--share", "0.001", "--against", "none", "--json", kept, *only)
    assert done.returncode == 0, done.stderr
    results = read(kept)
    quick = [scenario for scenario in SCENARIOS if scenario.since is Profile.QUICK]
    assert each_played(results) == [scenario.name for scenario in quick if scenario.group in groups]
    assert {row.group for row in results.rows} == {scenario.group for scenario in quick} - {"standstill"}
    assert any(sentence.startswith("Latency at gearmand's rate") for sentence in results.not_measured)


def test_so_can_those_that_play_in_other_ways(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    texts = ("at 100 Hz", "payload bytes", "idle connections 100", "queue depth 1 M")
    only = [word for text in texts for word in ("--only", text)]
    done = bench("--rounds", "1", "--share", "0.001", "--against", "none", "--json", kept, *only)
    assert done.returncode == 0, done.stderr
    wanted = [scenario.name for scenario in SCENARIOS if any(map(scenario.has, texts))]
    assert each_played(read(kept)) == wanted


def test_a_wrong_answer_fails_the_run(tmp_path: Path) -> None:
    wrong = tmp_path / "gearmand"
    wrong.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.support.wrong_server "$@"\n')
    wrong.chmod(0o755)
    kept = tmp_path / "kept.json"
    words = ("--only", "submit 8 x 100", "--against", "gearmand", "--gearmand", wrong, "--json", kept)
    done = bench(*FEW, *words)
    assert done.returncode == 1, done.stdout
    assert re.search(
        r"^FAILED: submit 8 x 100: gearmand: WrongAnswer: client \d: .*1 came after 1", done.stderr, re.MULTILINE
    )
    [row] = read(kept).rows
    stock, ours = row.of("gearmand"), row.of("gearfast")
    assert stock is not None
    assert stock.missing.startswith("WrongAnswer")
    assert not stock.rounds
    assert ours is not None
    assert len(ours.rounds) == 1, "the others go on"


def test_a_scenario_that_is_not_there_is_answered_with_those_that_are() -> None:
    done = bench("--only", "no such thing")
    assert done.returncode == 2
    assert done.stderr.startswith("benchmarks: no scenario has 'no such thing'")
    assert "round trip 8 x 16, 8 workers" in done.stderr


def test_a_scenario_of_a_longer_run_says_so() -> None:
    done = bench("--quick", "--only", "queue depth 10 M")
    assert (done.returncode, done.stderr) == (2, "benchmarks: queue depth 10 M: measured only with --full\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gearmand", "/nowhere/gearmand"), "gearmand: there is no program /nowhere/gearmand"),
        (("--gearfast", "/nowhere/gearfast"), "gearfast: there is no program /nowhere/gearfast"),
        (("--against", "rabbit"), "there is no 'rabbit'; choose from gearmand, limit, beanstalkd, or none"),
        (("--rounds", "0"), "argument --rounds: at least 1"),
        (("report", "/nowhere/results.json"), "No such file"),
    ],
)
def test_what_cannot_be_done_is_said(words: tuple[str, ...], said: str) -> None:
    done = bench(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_gearmand_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gearmand_file, "PEERS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="not installed: apt install gearman-job-server"):
        Gearmand().find()


def test_names_are_unique_and_sentences_end() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names))
    assert all(scenario.sentence.endswith(".") and "{" not in scenario.sentence for scenario in SCENARIOS)
    labels = {subject.label for subject in SUBJECTS}
    assert labels == ALL
    assert all(set(scenario.subjects) <= labels for scenario in SCENARIOS)


def test_subjects_take_turns() -> None:
    assert list(in_turn(dict.fromkeys("abc", 4))) == [*"abc", *"bca", *"cab", *"abc"]
    assert list(in_turn({"a": 3, "b": 1, "c": 3})) == [*"abc", *"ca", *"ca"]
    assert list(in_turn({})) == []


class Interrupted:
    """A progress bar at which somebody loses patience."""

    def __init__(self, after: int) -> None:
        self.left = after

    def start(self, total: int) -> None:
        """Nothing to say."""

    def doing(self, text: str) -> None:
        """Nothing to say."""

    def step(self) -> None:
        """Count down."""
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def played(scenarios: Sequence[Scenario], profile: Profile, after: int = 0) -> Runner:
    """Play scenarios with made-up figures; the progress bar is interrupted after so many measurements."""
    one = Runner({kind.label: kind() for kind in SUBJECTS}, {}, scenarios, profile, 2, 1.0, Cores(pin=False))
    try:
        one.run(Interrupted(after))
    except KeyboardInterrupt:
        assert after
    return one


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runner, "_measure", lambda *_: Round(10, 1.0, cpu=1.0))


@pytest.mark.usefixtures("made_up")
def test_an_interrupted_run_keeps_what_it_has() -> None:
    found = played(SCENARIOS[:3], Profile.QUICK, after=8 + 3)
    assert [row.name for row in found.rows] == [scenario.name for scenario in SCENARIOS[:2]]
    whole, part = ([len(measured.rounds) for measured in row.measured] for row in found.rows)
    assert (whole, part) == ([2, 2, 2, 2], [1, 1, 1, 0])
    assert found.rows[1].measured[3].missing == "the run was interrupted"


def test_without_a_rate_to_go_by_nothing_is_measured_and_the_reason_said(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = Failure("gearmand", "latency", "it died", False)
    monkeypatch.setattr(Runner, "_measure", lambda *_: failure)
    found = played([scenario for scenario in SCENARIOS if scenario.closed][:1], Profile.QUICK)
    assert found.failures == [failure]
    reasons = {measured.missing for measured in found.rows[0].measured if measured.subject != "beanstalkd"}
    assert reasons == {"no rate to go by, gearmand: it died"}


@pytest.mark.usefixtures("made_up")
def test_what_is_too_much_for_a_subject_is_left_out_with_the_reason() -> None:
    points = [scenario for scenario in SCENARIOS if scenario.name in ("queue depth 1 M", "queue depth 10 M")]
    for profile, reasons in (
        (Profile.DEFAULT, [["only with --full: it takes"], ["it would need 9 GB", "only with --full: it takes"]]),
        (Profile.FULL, [[], ["it would need 9 GB"]]),
    ):
        for row, expected in zip(played(points, profile).rows, reasons, strict=True):
            missing = [measured.missing for measured in row.measured if measured.missing]
            assert [said.startswith(begin) for said, begin in zip(missing, expected, strict=True)] == [True] * len(
                missing
            )
            assert all(bool(measured.rounds) != bool(measured.missing) for measured in row.measured)


def test_a_share_and_a_profile_bound_what_is_played() -> None:
    one = next(scenario for scenario in SCENARIOS if scenario.name == "submit 8 x 100")
    quick, usual, full = (one.budget(profile, 1.0) for profile in Profile)
    assert quick.jobs < usual.jobs == one.jobs < full.jobs
    assert 0 < quick.seconds < usual.seconds < full.seconds
    assert one.budget(Profile.QUICK, 0.1).jobs == quick.jobs // 10
    whole = next(scenario for scenario in SCENARIOS if "300 k" in scenario.name)
    assert {whole.budget(profile, 1.0).jobs for profile in Profile} == {300_000}


def test_the_schema_is_of_what_is_saved() -> None:
    assert schema()["$defs"].keys() >= {"Results", "Row", "Measured", "Round"}
    assert runner.PACER in ALL
    assert Results.__struct_fields__
