"""``gearfast store`` with what is no job that waits: dead letters, ended jobs that are remembered, schedules."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gearfast.cli.jobfile import first_line, line_of
from gearfast.store.contract import StoredJob
from gearfast.store.record import run_of, state_of, with_run
from tests.cli.test_store_program import run
from tests.support.memory_store import AWKWARD, Memory, do, file_of
from tests.support.states import FAR, STATES, one_of_each


def test_the_list_says_what_each_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert do("list", Memory(one_of_each(), prefix="H:a")) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["handle", "state"]
    assert [tuple(line.split()[:2]) for line in lines] == [(f"H:a:{at}", state) for at, state in STATES.items()]
    assert lines[0].endswith("  report  u")
    assert do("list --json --function=mail", Memory(one_of_each(), prefix="H:a")) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "buried"


def test_the_count_has_a_column_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    """A schedule that is due later is no job that is."""
    unreadable = StoredJob(9, b"mail", b"", 0, FAR, 0, b"", b"\xff")
    assert do("count", Memory([*one_of_each(), unreadable], prefix="H:a")) == 0
    assert capsys.readouterr().out == (
        "high  normal  low  due later  total  schedules  buried  ended  unreadable  function\n"
        "   0       0    0          0      0          0       1      0           1  mail\n"
        "   0       0    0          0      0          0       0      1           0  pay\n"
        "   0       1    0          0      1          0       0      0           0  plain\n"
        "   0       1    0          0      1          1       0      0           0  report\n"
        "   0       2    0          0      2          1       1      1           1  (all)\n"
    )


def test_what_cannot_be_read_is_listed_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert do("list --json", Memory(AWKWARD, prefix="H:a")) == 0
    found = [json.loads(line)["state"] for line in capsys.readouterr().out.splitlines()]
    assert found.count("unreadable") == sum(state_of(job.more) == "unreadable" for job in AWKWARD) > 0
    assert set(found) == {"job", "unreadable"}


def test_an_export_keeps_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "jobs"
    do(f"export --output={path}", Memory(one_of_each(), prefix="H:a"))
    store = Memory()
    assert do(f"import {path}", store) == 0
    assert sorted(store.jobs) == list(STATES)
    assert [state_of(job.more) for _, job in sorted(store.jobs.items())] == list(STATES.values())


def test_a_schedule_that_is_there_is_not_added_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever its handle is, and though it has another date by now; a server has one of each name."""
    schedule = one_of_each()[0]
    later = schedule._replace(due=schedule.due + 60)
    path = file_of(tmp_path / "jobs", first_line("H:b"), line_of(schedule, b"H:b"), line_of(schedule, b"H:c"))
    there = Memory([later], prefix="H:a", ceiling="10")
    assert do(f"import {path}", there) == 0
    assert there.jobs == {1: later}
    assert capsys.readouterr().out == "0 jobs imported, 2 already there\n"
    empty = Memory(prefix="H:a", ceiling="10")
    assert do(f"import {path}", empty) == 0
    assert list(empty.jobs) == [11]
    assert capsys.readouterr().out == "1 job imported, 1 of them renumbered, 1 already there\n"
    other = line_of(schedule._replace(unique=b"v"), b"H:b")
    assert do(f"import {file_of(tmp_path / 'other', other)}", there) == 0
    assert len(there.jobs) == 2


def imported(tmp_path: Path, store: Memory, *lines: bytes) -> tuple[StoredJob, ...]:
    """The schedule, and the others behind it, that the store has then of these lines."""
    assert do(f"import {file_of(tmp_path / 'jobs', first_line('H:a'), *lines)}", store) == 0
    return tuple(sorted(store.jobs.values(), key=lambda job: (state_of(job.more) != "schedule", job.number)))


@pytest.mark.parametrize("backwards", [False, True])
def test_a_schedule_is_told_the_new_number_of_its_last_run(tmp_path: Path, backwards: bool) -> None:
    """Else it would skip its times for a job that has nothing to do with it."""
    schedule, run = one_of_each()[0], one_of_each()[3]
    assert (run_of(schedule.more), run_of(run.more)) == (4, 0)
    lines = [line_of(schedule, b"H:a"), line_of(run, b"H:a")]
    lines = lines[::-1] if backwards else lines
    other = StoredJob(4, b"f", b"", 1, 0.0, 0, b"", b"")
    for store in (Memory([other], prefix="H:b", ceiling="20"), Memory([other], prefix="H:a", ceiling="20")):
        found = [job for job in imported(tmp_path, store, *lines) if job != other]
        assert [job.function for job in found] == [b"report"] * 2
        assert run_of(found[0].more) == found[1].number
        assert found[0].more == with_run(schedule.more, found[1].number)
        assert found[1]._replace(number=4) == run
    found = list(imported(tmp_path, Memory(), *lines))
    assert found == [schedule, run]


def test_a_last_run_that_is_not_there_is_none_unless_its_number_was_given_out_here(tmp_path: Path) -> None:
    schedule = one_of_each()[0]
    line = line_of(schedule, b"H:a")
    for prefix, ceiling, number in (("H:a", "20", 4), ("H:a", "4", 4), ("H:a", "3", 0), ("H:b", "20", 0), ("", "0", 0)):
        (found,) = imported(tmp_path, Memory(prefix=prefix, ceiling=ceiling), line)
        assert run_of(found.more) == number, (prefix, ceiling)
        assert found.more == with_run(schedule.more, number)


def test_only_the_number_is_changed_in_a_record() -> None:
    for job in one_of_each()[1:]:
        assert with_run(job.more, 7) == job.more
    more = one_of_each()[0].more
    assert run_of(with_run(more, (1 << 63) - 1)) == (1 << 63) - 1
    assert with_run(with_run(more, 7), 4) == more
    for bad in (b"", b"\1", b"\2", b"\2\t", b"\2\t\x08", b"\3\t\x08" + bytes(8), more[:-1], more[:-4]):
        assert run_of(bad) == 0
        assert len(with_run(bad, 7)) == len(bad)


def test_gearmand_is_given_none_of_them(tmp_path: Path) -> None:
    """Each stays, named with the reason; what is a plain job goes."""
    place = f"--store=sqlite:{tmp_path / 'jobs.db'}"
    path = file_of(tmp_path / "jobs", first_line("H:a"), *(line_of(job, b"H:a") for job in one_of_each()))
    assert run("import", str(path), place).returncode == 0
    done = run("export", "--to=gearmand", place)
    assert done.returncode == 1
    assert done.stdout.startswith(b"1 job given back to gearmand")
    assert [line.partition(": ")[2] for line in done.stderr.decode().splitlines()] == [
        "job 1 of b'report' stays: it is a schedule, and gearmand has none: have cron submit its job",
        "job 2 of b'mail' stays: it has used up its tries and is buried, and gearmand would run it again",
        "job 3 of b'pay' stays: it has ended and is kept for its unique id alone, and gearmand would run it again",
        "job 4 of b'report' stays: it has something that gearmand does not store, such as a reducer",
        "4 jobs stayed, because gearmand cannot store them (1 schedule, 1 buried, 1 ended)",
    ]
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as file:
        assert file.execute("SELECT function_name FROM gearman_queue").fetchall() == [("plain",)]
