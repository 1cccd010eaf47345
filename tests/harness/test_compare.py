"""Two runs beside each other: what is a change, what is noise, and what was the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from benchmarks import compare, results
from benchmarks.change import Change, changes
from benchmarks.figures import OURS
from benchmarks.results import Latency, Results, Round
from tests.support.results_made_up import PLAIN, made_up


def told(before: Results, after: Results) -> dict[tuple[str, str], Change]:
    """What got faster or slower of ours, by scenario and figure."""
    return {
        (change.scenario, change.figure.name): change
        for change in changes(before, after)
        if change.subject == OURS and change.word in ("faster", "slower")
    }


def ours(before: Results, after: Results) -> int:
    """How many figures of ours both have."""
    return sum(change.subject == OURS for change in changes(before, after))


def altered(found: Results, group: str, subject: str, alter: Callable[[Round], Round]) -> Results:
    """The same run with all rounds of a subject altered in the scenarios of a group."""
    rows = []
    for row in found.rows:
        measured = [
            msgspec.structs.replace(one, rounds=[alter(round_) for round_ in one.rounds])
            if row.group == group and one.subject == subject
            else one
            for one in row.measured
        ]
        rows.append(msgspec.structs.replace(row, measured=measured))
    return msgspec.structs.replace(found, rows=rows)


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., list[str]]:
    """Runs as files, by name."""

    def save(*runs: Results) -> list[str]:
        paths = [tmp_path / f"{at}.json" for at in range(len(runs))]
        for run, path in zip(runs, paths, strict=True):
            results.save(run, path)
        return [str(path) for path in paths]

    return save


@pytest.mark.parametrize("seed", range(2, 12))
def test_noise_is_no_change(seed: int) -> None:
    before, after = made_up(1, noise=0.08), made_up(seed, noise=0.08)
    assert told(before, after) == {}
    # nor are twice the same figures, which have no noise at all
    assert told(before, before) == {}


@pytest.mark.parametrize("name", PLAIN)
def test_a_fifth_slower_is_found_and_nothing_else(name: str) -> None:
    found = told(made_up(1), made_up(2, slower={name: 1.2}))
    assert set(found) - {(name, "rate")} == {(name, "CPU")}
    assert found[name, "CPU"].word == "slower"
    assert 0.12 < found[name, "CPU"].part < 0.28


def test_a_fifth_faster_is_found_in_both_figures() -> None:
    found = told(made_up(1), made_up(2, slower={"drain, 16 workers of 900 k": 0.8}))
    assert {key: change.word for key, change in found.items()} == {
        ("drain, 16 workers of 900 k", "CPU"): "faster",
        ("drain, 16 workers of 900 k", "rate"): "faster",
    }


def test_too_small_a_change_is_none_however_quiet_the_machine() -> None:
    assert told(made_up(1, noise=0.001), made_up(2, noise=0.001, slower={"submit 1 x 1": 1.02})) == {}
    assert told(made_up(1, noise=0.001), made_up(2, noise=0.001, slower={"submit 1 x 1": 1.04})) != {}


def test_latency_and_memory_are_compared_too() -> None:
    def later(one: Round) -> Round:
        assert one.latency is not None
        late = one.latency
        return msgspec.structs.replace(one, latency=Latency(late.p50, late.p99 * 2, late.p999, late.max, late.curve))

    def fatter(one: Round) -> Round:
        assert one.memory is not None
        return msgspec.structs.replace(one, memory=one.memory * 1.3)

    before = made_up(1)
    after = altered(altered(before, "latency", OURS, later), "memory", OURS, fatter)
    groups = {row.name: row.group for row in before.rows}
    found = told(before, after)
    assert {(groups[name], figure, change.word) for (name, figure), change in found.items()} == {
        ("latency", "p99", "slower"),
        ("memory", "memory", "slower"),
    }


def test_of_those_who_are_attacked_the_longest_wait_is_compared() -> None:
    """Unless it is so short that the machine alone may have made it so; and nothing else of them."""

    def waits(times: float) -> Callable[[Round], Round]:
        def alter(one: Round) -> Round:
            assert one.wait is not None
            return msgspec.structs.replace(one, wait=one.wait * times, latency=None, jobs=1)

        return alter

    before = made_up(1)
    short = altered(before, "standstill", OURS, waits(0.5))
    assert {figure for _, figure in told(before, altered(before, "standstill", OURS, waits(2.0)))} == {"wait"}
    assert told(before, short) == told(short, before) == {}
    names = {row.name for row in before.rows if row.group == "standstill"}
    found = [change for change in changes(before, before) if change.scenario in names]
    assert {change.figure.name for change in found} == {"wait"}
    assert {change.scenario for change in found} == names


def test_the_pace_of_a_latency_scenario_is_no_figure() -> None:
    """Each run finds its own; that it went faster says nothing about us."""
    before = made_up(1)
    after = altered(before, "latency", OURS, lambda one: msgspec.structs.replace(one, rate=(one.rate or 0) * 2))
    assert told(before, after) == {}


def test_a_slower_machine_is_not_held_against_us(
    files: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = made_up(1), made_up(2, machine=1.4)
    plain = [change for change in changes(before, after) if change.scenario in PLAIN and change.subject == OURS]
    assert {change.word for change in plain if change.figure.name == "CPU"} == {"machine"}
    compare.main(files(before, after))
    said = capsys.readouterr().out
    assert "gearmand changed too: CPU in " in said
    assert "as much as the others: the machine changed" in said


def test_what_got_slower_on_a_slower_machine_besides_is_told() -> None:
    found = told(made_up(1), made_up(2, machine=1.4, slower={"submit 1 x 1": 1.3}))
    assert ("submit 1 x 1", "CPU") in found


def test_only_one_of_the_others_slower_is_not_the_machine() -> None:
    before = made_up(1)
    slower = made_up(1, slower=dict.fromkeys(PLAIN, 1.3))
    after = altered(slower, "plain", "gearmand", lambda one: msgspec.structs.replace(one, cpu=(one.cpu or 0) * 1.3))
    assert {name for name, figure in told(before, after) if figure == "CPU"} == set(PLAIN)


def test_the_largest_change_comes_first(files: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    grown = {"submit 1 x 1": 1.3, "submit 8 x 100": 3.0, "drain, 1 worker of 100 k": 0.5}
    before, after = made_up(1), made_up(2, slower=grown)
    compare.main(files(before, after))
    said = capsys.readouterr().out
    places = [said.index(name) for name in ("submit 8 x 100", "drain, 1 worker of 100 k", "submit 1 x 1")]
    assert places == sorted(places)
    assert said.splitlines()[-1] == f"2 faster, 4 slower, {ours(before, after) - 6} unchanged"


def test_status_1_only_when_asked_and_slower(files: Callable[..., list[str]]) -> None:
    pair = files(made_up(1), made_up(2, slower={"submit 1 x 1": 1.5}))
    assert compare.main(pair) == 0
    assert compare.main([*pair, "--fail"]) == 1
    assert compare.main([*reversed(pair), "--fail"]) == 0


def test_what_else_differs_is_said_first(files: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    before = made_up(1)
    after = made_up(2, commit="0ddba11", processor="Abacus 2", slower={"submit 1 x 1": 1.5})
    before = msgspec.structs.replace(before, rows=[row for row in before.rows if row.name != "submit 8 x 100"])
    after = msgspec.structs.replace(after, rows=[row for row in after.rows if row.name != "memory, idle workers"])
    compare.main(files(before, after))
    said = capsys.readouterr().out
    first = said.partition("\ngearfast: what changed")[0]
    assert "commit 3accf43" in first
    assert "commit 0ddba11" in first
    assert "another machine: processor: Imaginary 9000 -> Abacus 2" in first
    assert "only in the first: memory, idle workers\n" in first
    assert "only in the second: submit 8 x 100\n" in first


def test_few_rounds_are_told_apart_from_none(
    files: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = made_up(1), made_up(2, rounds=2, slower={"submit 1 x 1": 3.0})
    assert compare.main([*files(before, after), "--fail"]) == 0
    said = capsys.readouterr().out
    assert f"0 slower, 0 unchanged, {ours(before, after)} not told: fewer than 3 rounds" in said
    compare.main(files(made_up(1), made_up(2, rounds=3, slower={"submit 1 x 1": 3.0})))
    said = capsys.readouterr().out
    assert "some have only 3 rounds" in said
    assert "2 slower" in said


@pytest.mark.parametrize("text", [None, "", "no JSON", "{}", b"\xff\xfe\0"])
def test_a_bad_file_is_one_clear_line(
    tmp_path: Path, files: Callable[..., list[str]], capsys: pytest.CaptureFixture[str], text: str | bytes | None
) -> None:
    (good,) = files(made_up(1))
    bad = tmp_path / "bad.json"
    if text is not None:
        bad.write_bytes(text if isinstance(text, bytes) else text.encode())
    for pair in ([good, str(bad)], [str(bad), good]):
        assert compare.main(pair) == 2
        said = capsys.readouterr()
        assert said.out == ""
        (line,) = said.err.splitlines()
        assert str(bad) in line
    assert compare.main([str(tmp_path), good]) == 2
    assert str(tmp_path) in capsys.readouterr().err
