"""What a run found: its file, how figures are written, the tables in a terminal, and the bars it is held against."""

from __future__ import annotations

import io
import json
import math
import re
import statistics
from pathlib import Path

import jsonschema
import msgspec
import pytest
from rich.console import Console

from benchmarks import bars, figures, results, table
from benchmarks.bars import BARS, Against, Besides, GivesBack, Grows, Plain, Stands, Takes
from benchmarks.figures import COMMITS, CPU, LIMIT, OURS, RATE, STOCK
from benchmarks.progress import Progress
from benchmarks.results import BadResultsError, Measured, Results, Round, Row, Spread, Subject
from benchmarks.scenarios import SCENARIOS, Profile
from tests.support.results_made_up import made_up

MADE = made_up()


def row_of(found: Results, name: str) -> Row:
    (row,) = [row for row in found.rows if row.name == name]
    return row


# --- the file -------------------------------------------------------------------------------------------


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    results.save(MADE, tmp_path / "run.json")
    assert results.read(tmp_path / "run.json") == MADE


def test_a_file_is_as_its_schema_says(tmp_path: Path) -> None:
    results.save(MADE, tmp_path / "run.json")
    told = json.loads((tmp_path / "run.json").read_text())
    jsonschema.validate(told, results.schema())
    told["rows"][0]["measured"][0]["rounds"][0]["cpu"] = "much"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, results.schema())


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"made": "now", "rows": 1}'])
def test_any_other_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(BadResultsError, match=r"other\.json is no results file"):
        results.read(tmp_path / "other.json")


def test_another_format_is_refused_by_number(tmp_path: Path) -> None:
    results.save(msgspec.structs.replace(MADE, format=99), tmp_path / "run.json")
    with pytest.raises(BadResultsError, match="format 99"):
        results.read(tmp_path / "run.json")


# --- figures --------------------------------------------------------------------------------------------

WRITTEN = (
    (figures.microseconds, {0.0123: "0.012 us", 0.37: "0.37 us", 0.998: "1.0 us", 6.8: "6.8 us", 19.27: "19.3 us"}),
    (figures.microseconds, {99.94: "99.9 us", 99.96: "100 us", 126.2: "126 us", 6350: "6,350 us", 0: "0 us"}),
    (figures.duration, {85: "85.0 us", 999.4: "999 us", 999.6: "1.0 ms", 1400: "1.4 ms", 12.3e6: "12.3 s"}),
    (figures.rate, {0.8: "0.8/s", 62: "62/s", 999.4: "999/s", 999.6: "1 k/s", 8700: "8.7 k/s", 99_960: "100 k/s"}),
    (figures.rate, {167_400: "167 k/s", 999_700: "1 M/s", 1.75e6: "1.75 M/s", 19e6: "19 M/s"}),
    (figures.size, {0: "0 B", 154: "154 B", 1023: "1023 B", 1024: "1.0 KB", 11_162: "10.9 KB", 43.5e6: "41.5 MB"}),
    (figures.size, {9.4e9: "8.8 GB"}),
    (figures.ratio, {0.36: "1/2.8", 0.0089: "1/112", 0.1: "1/10", 0.0995: "1/10", 0.92: "0.92", 1.08: "1.08"}),
    (figures.ratio, {3.44: "3.4", 112.4: "112", 0: "0"}),
    (figures.bare, {"1.50": "1.5", "1/8.0": "1/8", "4.0 KB": "4 KB", "1.00": "1", "100": "100", "20.0 MB": "20 MB"}),
)


@pytest.mark.parametrize(("write", "said"), WRITTEN)
def test_figures_are_written_for_people(write: object, said: dict[float, str]) -> None:
    assert callable(write)
    assert {value: write(value) for value in said} == said


def test_a_ratio_is_that_of_the_medians_between_those_of_the_rounds() -> None:
    """It stands beside the medians: 0.88 beside 42.2 and 43.1 would be taken for a mistake."""
    ours = Measured(OURS, [Round(1, 1.0, cpu=cpu) for cpu in (1.0, 2.0, 9.0)])
    stock = Measured(STOCK, [Round(1, 1.0, cpu=cpu) for cpu in (4.0, 4.0, 36.0)])
    row = Row("any", "Any.", "plain", [stock, ours])
    assert CPU.ratio(row, OURS, STOCK) == Spread(0.5, 0.25, 0.5)
    assert CPU.ratio(row, OURS, LIMIT) is None


# --- tables ---------------------------------------------------------------------------------------------


def printed(found: Results, width: int) -> str:
    out = io.StringIO()
    table.show(found, Console(file=out, width=width, highlight=False))
    return out.getvalue()


@pytest.mark.parametrize("width", [50, 80, 160])
def test_tables_keep_to_the_terminal_and_tell_all(width: int) -> None:
    text = printed(MADE, width)
    assert "\x1b" not in text, "colours where there is no terminal"
    assert max(map(len, text.splitlines())) <= width
    for row in MADE.rows:
        assert row.name in text
    for row in MADE.rows:
        if row.group == "plain":
            spread = CPU.spread(row, OURS)
            assert spread is not None
            assert figures.microseconds(spread.median) in text.partition(f"\n{row.name}\n")[2].split("limit")[0]


def test_tables_have_their_figures_in_columns() -> None:
    (line,) = [
        line for line in printed(MADE, 100).partition("submit 1 x 1\n")[2].splitlines()[:4] if line.split()[0] == OURS
    ]
    row = row_of(MADE, "submit 1 x 1")
    cpu, stock, limit = CPU.spread(row, OURS), CPU.ratio(row, OURS, STOCK), CPU.ratio(row, OURS, LIMIT)
    assert cpu is not None
    assert stock is not None
    assert limit is not None
    expected = [figures.microseconds(cpu.median), figures.ratio(stock.median), figures.ratio(limit.median)]
    assert " ".join(line.split()).startswith(f"{OURS} {' '.join(expected)} {CPU.between(cpu)}")


def test_the_durable_tables_have_rates_disk_and_what_else_was_promised() -> None:
    text = printed(MADE, 100)
    row = row_of(MADE, "durable, SQLite, 8 x 50")
    rate, times, cpu = RATE.spread(row, OURS), RATE.ratio(row, OURS, STOCK), CPU.spread(row, OURS)
    disk = COMMITS.spread(row, OURS)
    assert rate is not None
    assert times is not None
    assert cpu is not None
    assert disk is not None
    (line,) = [line for line in text.partition(f"\n{row.name}\n")[2].splitlines()[:1] if OURS in line]
    said = [figures.rate(rate.median), figures.ratio(times.median), figures.microseconds(cpu.median)]
    assert " ".join(line.split()).startswith(f"{OURS} {' '.join(said)} ")
    assert line.endswith(f" {figures.rate(disk.median)}")
    late = text.partition("Durable: latency")[2]
    assert late.index("foreground alone") < late.index("foreground beside 50 k/s")
    started = text.partition("Durable: from the start")[2].partition("\n\n")[0]
    assert re.search(r"SQLite, 1 M jobs\n  gearfast +3\.\d s", started)


def test_the_longest_waits_have_a_table_of_their_own_behind_the_growth() -> None:
    text = printed(MADE, 100)
    assert text.index("\nGrowth: ") < text.index("\nStanding still: ") < text.index("\nLatency of jobs")
    found = text.partition("\nStanding still: ")[2]
    row = row_of(MADE, "jobs held, abilities change 10 k")
    figures_ = (figures.WAIT, figures.CALM, figures.CALM_WORST, figures.P99, figures.GROWN)
    wait, *more = (spread for figure in figures_ if (spread := figure.spread(row, OURS)))
    ratio = figures.WAIT.ratio(row, OURS, STOCK)
    assert ratio is not None
    expected = [figures.WAIT.write(wait.median), figures.ratio(ratio.median)]
    expected += [figure.write(spread.median) for figure, spread in zip(figures_[1:], more, strict=True)]
    line = found.partition(f"\n{row.name}\n")[2].splitlines()[0]
    assert " ".join(line.split()) == " ".join([OURS, *expected])
    assert f"\nAttackers were cut off by {STOCK}: connections full of bad packets 50; " in found
    assert f"cut off by {OURS}" not in found
    endless = found.partition("\none job awaited, its progress 10 k\n")[2].splitlines()[1]
    assert re.match(rf" +{STOCK} +over 10\.0 s ", endless)


def test_who_takes_no_part_at_all_is_said_without_a_list() -> None:
    rows = [row_of(MADE, name) for name in ("submit 1 x 1", "round trip 1 x 1, 1 worker")]
    found = msgspec.structs.replace(MADE, rows=rows[1:])
    assert "Without beanstalkd (has no words for it).\n" in printed(found, 100)
    found = msgspec.structs.replace(MADE, rows=rows)
    assert "Without beanstalkd (has no words for it): round trip 1 x 1, 1 worker.\n" in printed(found, 100)


def test_tables_say_who_was_not_measured_and_why() -> None:
    absent = [Subject("beanstalkd", missing="not installed: apt install beanstalkd"), *MADE.subjects[:2]]
    text = printed(msgspec.structs.replace(MADE, subjects=absent), 100)
    assert "beanstalkd was not measured: not installed: apt install beanstalkd" in text
    assert "Without beanstalkd" not in text
    assert "Without beanstalkd (has no words for it): round trip 1 x 1, 1 worker;" in printed(MADE, 100)
    for sentence in MADE.not_measured:
        assert f"Not measured: {sentence}" in text


# --- bars -----------------------------------------------------------------------------------------------


def verdict(found: Results, what: str) -> bars.Verdict:
    (one,) = [one for one in bars.verdicts(found) if one.what.startswith(what)]
    return one


def test_bars_look_where_something_is_measured() -> None:
    """A bar with a misspelt name would be "not measured" for ever."""
    names = {scenario.name for scenario in SCENARIOS}
    points = {(scenario.curve, scenario.x) for scenario in SCENARIOS}
    for bar in BARS:
        if isinstance(bar, Against | Takes | GivesBack):
            assert bar.scenario in names
        elif isinstance(bar, Grows):
            assert {(bar.curve, bar.start), (bar.curve, bar.end)} <= points
        elif isinstance(bar, Stands):
            assert bar.curve in {scenario.curve for scenario in SCENARIOS if scenario.group == "standstill"}
        elif isinstance(bar, Besides):
            assert {bar.scenario, bar.plain} <= names
        else:
            assert isinstance(bar, Plain)
    assert {row.name for row in MADE.rows if row.group == "plain"} == {
        scenario.name for scenario in SCENARIOS if scenario.group == "plain"
    }
    assert {row.name for row in MADE.rows if row.group == "durable"} == {
        scenario.name for scenario in SCENARIOS if scenario.group == "durable" and scenario.since < Profile.FULL
    }


def test_all_bars_are_met_by_a_run_that_meets_them() -> None:
    assert [one.what for one in bars.verdicts(MADE) if one.met is not True] == []
    assert len(BARS) == 60


@pytest.mark.parametrize(
    ("scenario", "what"),
    [
        ("submit 1 x 1", "submit 1 x 1: CPU to gearmand"),
        ("drain, 1 worker of 100 k", "plain scenarios, the worst: CPU to limit (drain, 1 worker of 100 k)"),
        ("queue depth 10,000,000", "queue depth, from 10 k to 10 M"),
        ("durable, SQLite, 8 x 50", "durable, SQLite, 8 x 50: time, on a disk with 5 k commits/s"),
        ("durable, Redis, 8 x 50", "durable, Redis, 8 x 50: time to gearmand"),
        ("sleeping workers 5,000", "sleeping workers, from 10 to 5 k"),
        ("connections that all go", "connections that all go: the longest wait"),
    ],
)
def test_a_bar_that_is_missed_is_said(scenario: str, what: str) -> None:
    assert verdict(MADE, what.partition(" (")[0]).met is True
    missed = verdict(made_up(slower={scenario: 4.0}), what)
    assert missed.met is False
    assert missed.word == "NOT met"


@pytest.mark.parametrize(("rounds", "met"), [((8.0, 11.0, 12.0), False), ((8.0, 9.9, 12.0), True), ((10.0,), True)])
def test_a_bar_is_judged_by_the_median(rounds: tuple[float, ...], met: bool) -> None:
    measured = [Measured(OURS, [Round(1, 1.0, memory=figure) for figure in rounds])]
    found = msgspec.structs.replace(MADE, rows=[Row("any", "Any.", "memory", measured)])
    assert bars.judge(Takes("any", 10.0), found).met is met


def test_the_mean_is_geometric_and_of_each_round_too() -> None:
    rows = [row for row in MADE.rows if row.group == "plain"]
    ratios = [ratio.median for row in rows if (ratio := CPU.ratio(row, OURS, LIMIT))]
    means = [math.prod(row.ratios(OURS, LIMIT, CPU.pick)[at] for row in rows) ** (1 / len(rows)) for at in range(5)]
    found = verdict(MADE, "plain scenarios, geometric mean")
    assert found.found == figures.factor(statistics.geometric_mean(ratios))
    assert found.between == f"{figures.factor(min(means))}..{figures.factor(max(means))}"


def stored(commits: float, rate: float) -> Results:
    """A run of one durable scenario, on such a disk."""
    measured = [Measured(OURS, [Round(1, 1.0, rate=rate, commits=commits)])]
    return msgspec.structs.replace(MADE, rows=[Row("any", "Any.", "durable", measured)])


@pytest.mark.parametrize(
    ("commits", "rate", "met"), [(5000, 100e3, True), (5000, 99e3, False), (4999, 150e3, None), (4999, 50e3, None)]
)
def test_a_bar_that_wants_a_quick_disk_is_judged_on_one_only(commits: float, rate: float, met: bool | None) -> None:
    assert bars.judge(Takes("any", 10.0, figures.TIME, commits=5000), stored(commits, rate)).met is met


def test_what_comes_besides_is_held_against_the_plain_scenario_round_by_round() -> None:
    plain = Measured(OURS, [Round(1, 1.0, memory=each) for each in (100.0, 200.0)])
    more = Measured(OURS, [Round(1, 1.0, memory=each) for each in (115.0, 217.0)])
    rows = [Row("plain", "Any.", "durable", [plain]), Row("more", "Any.", "durable", [more])]
    found = msgspec.structs.replace(MADE, rows=rows)
    less = bars.judge(Besides("more", "plain", 16.0, figures.MEMORY, less=True), found)
    assert (less.met, less.found, less.between) == (True, "16 B", "15..17 B")
    through = bars.judge(Besides("more", "plain", 1.1, figures.MEMORY), found)
    assert (through.met, through.between) == (False, "1.08..1.15")
    assert bars.judge(Besides("gone", "plain", 1.1, figures.MEMORY), found).met is None


def test_nobody_may_wait_long_at_any_size() -> None:
    def row(x: float, *waits: float) -> Row:
        rounds = [Round(1, 0.0, wait=wait) for wait in waits]
        return Row(f"any {x}", "Any.", "standstill", [Measured(OURS, rounds)], "any", x)

    bar = Stands("any", 25e3)
    for rows, met, said, what in (
        ([row(10, 9e3, 8e3, 90e3), row(1000, 24e3, 26e3, 25e3)], True, "25.0 ms", "at 1 k"),
        ([row(10, 26e3, 8e3, 90e3), row(1000, 24e3, 26e3, 25e3)], False, "26.0 ms", "at 10"),
        ([row(10, 1e3, 1e3, 1e3), row(1000, 10e6)], False, "10.0 s", "at 1 k"),
    ):
        found = bars.judge(bar, msgspec.structs.replace(MADE, rows=rows))
        assert (found.met, found.found, found.asked) == (met, said, "25 ms")
        assert found.what == f"any: the longest wait ({what})"
    assert bars.judge(bar, msgspec.structs.replace(MADE, rows=[row(10)])).met is None


def test_memory_has_to_be_given_back() -> None:
    bar = GivesBack("any", 1.5, 20.0 * bars.MB)
    for after, met in ((50.0, True), (50.1, False)):
        measured = [Measured(OURS, [Round(1, 1.0, fresh=20.0 * bars.MB, after=after * bars.MB)])]
        found = msgspec.structs.replace(MADE, rows=[Row("any", "Any.", "memory", measured)])
        assert bars.judge(bar, found).met is met


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    rows = [row for row in MADE.rows if row.name != "submit 1 x 1"]
    found = msgspec.structs.replace(MADE, rows=rows)
    assert verdict(found, "submit 1 x 1").word == "not measured"
    nothing = bars.verdicts(msgspec.structs.replace(MADE, rows=[]))
    assert {one.met for one in nothing} == {None}


def test_bars_are_printed_with_what_was_asked_and_found() -> None:
    out = io.StringIO()
    found = made_up(slower={"submit 1 x 1": 3.0})
    found = msgspec.structs.replace(found, rows=[row for row in found.rows if row.group != "latency"])
    bars.show(found, Console(file=out, width=200, highlight=False))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert any(line.startswith("NOT met 1/2.5 ") and "submit 1 x 1: CPU" in line for line in lines)
    assert any(line.startswith("met 1/8 1/8.") and "submit 8 x 100: CPU" in line for line in lines)
    assert "not measured 1/2 latency, submit, 8 clients: p99 to gearmand" in lines
    counted = [one.met for one in bars.verdicts(found)]
    assert lines[-1] == f"{counted.count(True)} met, {counted.count(False)} NOT met, {counted.count(None)} not measured"


# --- progress -------------------------------------------------------------------------------------------


def test_progress_is_said_in_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.start(3)
        for name in ("one", "two", "three"):
            progress.doing(f"scenario {name}: gearfast")
            progress.step()
    said = capsys.readouterr()
    assert said.out == "", "results go to stdout, how far they are does not"
    assert "\x1b" not in said.err
    first, *_, last = said.err.splitlines()
    assert first.startswith("0 of 3, ")
    assert first.endswith("scenario one: gearfast")
    assert last.startswith("3 of 3, ")


def test_progress_is_a_bar_in_a_terminal() -> None:
    out = io.StringIO()
    with Progress(Console(file=out, force_terminal=True, width=120)) as progress:
        progress.start(7)
        progress.doing("submit 8 x 100: gearmand")
        for _ in range(7):
            progress.step()
    assert "submit 8 x 100: gearmand" in out.getvalue()
    assert "7/7" in out.getvalue()
