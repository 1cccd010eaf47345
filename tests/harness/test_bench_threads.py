"""Threads in the benchmarks: their clocks, servers by their threads, and what is told of them. No figure is judged."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import msgspec
import pytest

from benchmarks import clocks, options, readme, report, results, table, threads
from benchmarks.change import changes
from benchmarks.clocks import Clock, nanoseconds, spent
from benchmarks.figures import BUSIEST, CAPACITY, CPU, is_ours, subjects
from benchmarks.labels import program_of, threaded, threads_of
from benchmarks.paper import DARK
from benchmarks.pictures import pictures
from benchmarks.results import Measured, Round, Row, Spread
from tests.support.peers import PROJECT, run
from tests.support.results_made_up import PLAIN, made_up, with_threads

MADE = made_up()
BY_THREADS = with_threads(MADE)
PYTHON = Path(sys.executable)


# --- labels ---------------------------------------------------------------------------------------------


def test_a_label_says_program_and_threads() -> None:
    assert [threaded("gearfast", many) for many in (1, 2)] == ["gearfast 1 thread", "gearfast 2 threads"]
    for many in (1, 2, 16):
        assert threads_of(threaded("gearmand", many)) == many
        assert program_of(threaded("gearmand", many)) == "gearmand"
    assert (threads_of("limit"), program_of("limit")) == (0, "limit")
    assert is_ours("gearfast 4 threads")
    assert not is_ours("gearmand 4 threads")


def test_servers_stand_in_the_order_of_their_threads() -> None:
    labels = ("limit", "gearfast 10 threads", "beanstalkd", "gearmand", "gearfast 2 threads", "gearfast")
    row = Row("any", "Any.", "plain", [Measured(label, [Round(1, 1.0, cpu=1.0)]) for label in labels])
    wanted = ["gearfast", "gearfast 2 threads", "gearfast 10 threads", "gearmand", "beanstalkd", "limit"]
    assert subjects([row]) == wanted


# --- clocks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedstat", "ran"),
    [
        ("123456789 42 7\n", 123456789),
        ("0 0 0\n", 0),
        ("", None),
        ("1 2\n", None),
        ("one 2 3\n", None),
        ("-1 2 3", None),
    ],
)
def test_a_clock_is_the_first_of_three_numbers(schedstat: str, ran: int | None) -> None:
    assert nanoseconds(schedstat) == ran


def test_the_clocks_of_all_threads_are_read(tmp_path: Path) -> None:
    for pid, tid, text, name in ((7, 7, "10 0 1\n", "main"), (7, 12, "30 5 2\n", "io 1"), (8, 8, "no\n", "none")):
        task = tmp_path / str(pid) / "task" / str(tid)
        task.mkdir(parents=True)
        (task / "schedstat").write_text(text)
        (task / "comm").write_text(f"{name}\n")
    (tmp_path / "7" / "task" / "13").mkdir()  # one that ended just now
    assert clocks.read([7, 8, 9], tmp_path) == {(7, 7): Clock(10, "main"), (7, 12): Clock(30, "io 1")}


def test_threads_may_come_and_go() -> None:
    second = 1_000_000_000
    before = {(1, 1): Clock(5 * second, "main"), (1, 2): Clock(9 * second, "io"), (1, 3): Clock(7 * second, "gone")}
    after = {(1, 1): Clock(6 * second, "main"), (1, 4): Clock(2 * second, "io"), (1, 2): Clock(4 * second, "io")}
    # the number 2 was given again: a clock never goes back
    assert spent(before, after, 7.0) == {"main": 1.0, "io": 2.0, "io 2": 4.0}
    assert spent(before, after, 12.0) == {"main": 1.0, "io": 2.0, "io 2": 4.0, "ended": 5.0}
    assert "ended" not in spent(before, after, 7.01), "what is booked between two readings is no thread"


def test_without_clocks_nothing_is_told() -> None:
    assert spent({}, {}, 3.0) == {}
    assert spent({(1, 1): Clock(0, "main")}, {(1, 1): Clock(0, "main")}, 3.0) == {}
    assert spent({(1, 1): Clock(0, "main")}, {(1, 1): Clock(0, "main")}, 0.0) == {"main": 0.0}


# --- the file -------------------------------------------------------------------------------------------


def test_files_from_before_are_read() -> None:
    rounds = msgspec.json.decode(b'[{"jobs": 5, "seconds": 0.5, "cpu": 9.3, "rate": 10.0}]', type=list[Round])
    assert (rounds[0].busiest, rounds[0].threads, rounds[0].told) == (None, {}, [])
    assert msgspec.json.encode(rounds[0]) == b'{"jobs":5,"seconds":0.5,"cpu":9.3,"rate":10.0}'
    kept = results.read(PROJECT / readme.KEPT)
    assert kept.rows
    assert threads.tables(MADE) == []


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    results.save(BY_THREADS, tmp_path / "run.json")
    assert results.read(tmp_path / "run.json") == BY_THREADS


# --- a run ----------------------------------------------------------------------------------------------


def test_threads_are_asked_for_as_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    asked = options.parse(["--threads=4,2", "--against=gearmand"])
    assert asked.threads == (1, 2, 4), "one is what the others are held against"
    labels = [subject.label for subject in asked.subjects()]
    assert labels == ["gearfast", "gearfast 1 thread", "gearfast 2 threads", "gearfast 4 threads", "gearmand"]
    assert asked.told()["threads"] == "1,2,4"
    assert [subject.label for subject in options.parse(["--against=none"]).subjects()] == ["gearfast"]
    for word in ("0", "two", "2,", "1000"):
        with pytest.raises(SystemExit):
            options.parse([f"--threads={word}"])
        assert "argument --threads" in capsys.readouterr().err


def test_the_command_says_the_threads() -> None:
    for subject in options.parse(["--threads=2"]).subjects()[:3]:
        words = subject.command(sys.executable, 4730)
        assert [word for word in words if word.startswith("--io-threads")] == (
            [f"--io-threads={subject.threads}"] if subject.threads else []
        )


@pytest.fixture
def gearfast(tmp_path: Path) -> Path:
    """A gearfast that takes the option for threads, whether or not that of this tree does, up to 4."""
    program = tmp_path / "gearfast"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in *--io-threads=5*) echo "gearfast: --io-threads must be at most 4" >&2; exit 1;; esac\n'
        'for word; do shift; case "$word" in --io-threads=*) ;; *) set -- "$@" "$word";; esac; done\n'
        f'exec "{sys.executable}" -m gearfast "$@"\n'
    )
    program.chmod(0o755)
    return program


def test_each_number_of_threads_is_a_server_of_its_own(gearfast: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    few = ("--quick", "--rounds=2", "--share=0.02", "--against=none", "--only=submit 8 x 100", f"--json={kept}")
    done = run(PYTHON, "-m", "benchmarks", *few, "--threads=2", f"--gearfast={gearfast}")
    assert done.code == 0, done.err
    found = results.read(kept)
    [row] = found.rows
    assert [one.subject for one in row.measured] == ["gearfast", "gearfast 1 thread", "gearfast 2 threads"]
    for measured in row.measured:
        assert len(measured.rounds) == 2
        for one in measured.rounds:
            assert one.cpu
            assert one.busiest
            # the clock of a process and those of its threads are read one after the other
            assert 0 < one.busiest <= one.cpu * 1.05
    assert "--io-threads=2" in found.subjects[2].command
    assert "Threads: CPU per job of the busiest one" in done.out


def test_a_server_that_refuses_the_threads_is_told(gearfast: Path) -> None:
    done = run(PYTHON, "-m", "benchmarks", "--only=submit 8 x 100", "--threads=5", f"--gearfast={gearfast}")
    assert done.code == 2
    assert done.err == "benchmarks: gearfast 5 threads: --io-threads must be at most 4\n"


# --- what is told ---------------------------------------------------------------------------------------


def row_of(*cpus: tuple[str, tuple[float, ...], tuple[float, ...]]) -> Row:
    """A row of these subjects, each with its CPU and that of its busiest thread, round by round."""
    return Row(
        "any",
        "Any.",
        "plain",
        [
            Measured(label, [Round(1, 1.0, cpu=one, busiest=two) for one, two in zip(all_, busiest, strict=True)])
            for label, all_, busiest in cpus
        ],
    )


ROW = row_of(
    ("gearfast", (8.0, 8.0, 8.0), (8.0, 8.0, 8.0)),
    ("gearfast 1 thread", (10.0, 8.0, 12.0), (10.0, 8.0, 12.0)),
    ("gearfast 2 threads", (11.0, 10.0, 12.0), (5.5, 5.0, 6.0)),
    ("gearmand", (20.0, 20.0, 20.0), (12.5, 12.5, 12.5)),
    ("limit", (5.0, 4.0, 6.0), (5.0, 4.0, 6.0)),
)


def test_threads_are_held_against_one_and_the_limit() -> None:
    found = msgspec.structs.replace(MADE, rows=[ROW], machine={"cores": "2", "cores of the servers": "1"})
    busiest, all_ = threads.tables(found)
    cells = dict(busiest.blocks[0][1])
    assert list(cells) == ["1 thread", "2 threads", "gearmand", "limit"], "one without a number is not among them"
    assert cells["1 thread"] == ["10.0 us", "", "", "2.0", "2.0..2.0"]
    assert cells["2 threads"] == ["5.5 us", "0.55", "0.50..0.62", "1.10", "1.00..1.25"]
    assert cells["gearmand"] == ["12.5 us", "", "", "2.5", "2.1..3.1"]
    assert cells["limit"][0] == "5.0 us"
    cells = dict(all_.blocks[0][1])
    assert cells["1 thread"] == ["", "", "100 k/s", "83.3..125 k/s", "1.25"]
    assert cells["2 threads"] == ["1.10", "1.00..1.25", "182 k/s", "167..200 k/s", "2.3"]
    assert cells["gearmand"] == ["", "", "80 k/s", "80..80 k/s", ""]
    assert all_.note == threads.bounds(found)
    assert busiest.ours == {"1 thread", "2 threads"}


def test_capacity_is_a_second_through_the_busiest() -> None:
    assert CAPACITY.spread(ROW, "gearmand") == Spread(80_000, 80_000, 80_000)
    assert BUSIEST.spread(ROW, "gearfast 2 threads") == Spread(5.5, 5.0, 6.0)


def test_rows_of_one_number_have_nothing_to_tell() -> None:
    alone = ROW.only(lambda subject: subject != "gearfast 2 threads")
    assert threads.tables(msgspec.structs.replace(MADE, rows=[alone])) == []


@pytest.mark.parametrize(
    ("servers", "said", "unsaid"),
    [
        (
            "1",
            "On 1 of 2 cores threads take turns: what they lose to each other is not seen, nor are jobs per",
            "run at",
        ),
        ("2", "On 2 cores 2 threads run at a time: what more of them lose to each other is not seen", "take turns"),
        ("8", "what it could do with a core to itself.", "benchmarks.growth"),
        ("", "what it could do with a core to itself.", "benchmarks.growth"),
    ],
)
def test_it_is_said_what_the_cores_can_show(servers: str, said: str, unsaid: str) -> None:
    told = threads.bounds(with_threads(MADE, processors=servers))
    assert said in told
    assert unsaid not in told


def test_the_command_prints_the_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results.save(BY_THREADS, tmp_path / "run.json")
    assert threads.main([str(tmp_path / "run.json")]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert out.count("Threads: ") == 2
    for name in PLAIN:
        assert out.count(f"\n{name}\n") == 2
    results.save(MADE, tmp_path / "run.json")
    for name, reason in (("run.json", "measure with --threads"), ("gone.json", "No such file")):
        assert threads.main([str(tmp_path / name)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert reason in line


def test_other_tables_and_pictures_stay_as_they_were() -> None:
    titles = [one.title for one in table.tables(BY_THREADS) if one.group != "threads"]
    assert titles == [one.title for one in table.tables(MADE)]
    drawn = {picture.name: picture for picture in pictures(BY_THREADS, 2)}
    assert list(drawn)[:2] == ["bars2", "threads2"]
    for picture in pictures(MADE, 2):
        assert drawn[picture.name].svg(DARK) == picture.svg(DARK)


def test_the_picture_has_a_curve_for_each_scenario() -> None:
    [picture] = [one for one in pictures(BY_THREADS) if one.name == "threads1"]
    root = ElementTree.fromstring(picture.svg(DARK))
    said = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert set(PLAIN) <= set(said)
    assert said.count("gearfast × 4.7") == len(PLAIN), "eight threads, each job 1.7 times as dear"
    for number in ("1", "2", "4", "8"):
        assert said.count(number) == len(PLAIN)
    assert any(re.fullmatch(r"gearmand [\d.]+( k)?/s", word) for word in said)
    assert any("higher is better" in word for word in said)


def test_jobs_per_second_are_drawn_where_there_were_cores() -> None:
    real = msgspec.structs.replace(BY_THREADS, options={**BY_THREADS.options, "loads": "8"})
    assert [one.name for one in pictures(real, 2)][1:3] == ["rates2", "threads2"]
    title = next(one.title for one in table.tables(real) if one.group == "threads")
    assert title.startswith("Threads: jobs per second")


def test_the_report_has_a_chapter_of_threads() -> None:
    assert "<h2>Threads</h2>" not in report.html(MADE)
    page = report.html(BY_THREADS)
    assert "<h2>Threads</h2>" in page
    assert '<tr class="ours"><td>8 threads</td>' in page
    assert "--threads=1,2,4,8" in report.command(msgspec.structs.replace(BY_THREADS, options={"threads": "1,2,4,8"}))


def test_readme_tells_of_threads() -> None:
    text = readme.section(BY_THREADS)
    assert "| capacity, jobs per second | 1 thread | 2 threads | 4 threads | 8 threads | gearmand | limit |" in text
    [line] = [line for line in text.splitlines() if line.startswith("| submit 8 x 100 |") and line.endswith("| 1.70 |")]
    assert line.count("M/s") >= 4
    assert "threads take turns" in " ".join(text.split())
    assert "`make bench ARGS=--threads=1,2,4,8`" in " ".join(text.split())
    assert "threads-phone-dark.svg" in text
    files = readme.drawn(BY_THREADS)
    assert {f"threads{kind}.svg" for kind in ("", "-dark", "-phone", "-phone-dark")} <= set(files)
    assert "capacity" not in readme.section(MADE)
    assert not any(name.startswith("threads") for name in readme.drawn(MADE))


def test_more_threads_are_ours_when_runs_are_compared() -> None:
    slow = with_threads(made_up(slower=dict.fromkeys(PLAIN, 1.5)))
    found = [one for one in changes(BY_THREADS, slow) if threads_of(one.subject)]
    assert {one.word for one in found if one.figure in (CPU, BUSIEST)} == {"slower"}
    assert not any(one.figure is BUSIEST and not threads_of(one.subject) for one in changes(BY_THREADS, slow))
