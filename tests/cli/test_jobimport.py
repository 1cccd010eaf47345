"""``gearfast store import``: which jobs come into a store, and under which numbers."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from pathlib import Path

import pytest

from gearfast.cli import jobimport, store_command
from gearfast.cli.jobfile import first_line, line_of
from gearfast.config import HANDLE_PREFIX_SIZE
from gearfast.errors import ConfigError, StoreError
from gearfast.store.contract import Batch
from tests.support.memory_store import AWKWARD, Memory, do, file_of, job


def test_jobs_without_handles_get_new_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file_of(
        tmp_path / "jobs",
        '{"function": "f", "payload": "one"}',
        "",
        '{"function": "f", "payload": "two", "handle": "H:a:50"}',
        '{"function": "f", "payload": "three"}',
    )
    store = Memory([job(5)], ceiling="20", prefix="H:b")
    assert do(f"import {path}", store) == 0
    assert {number: one.payload for number, one in store.jobs.items()} == {
        5: b"payload 5", 50: b"two", 51: b"one", 52: b"three",
    }  # fmt: skip
    assert store.metadata == {"ceiling": "52", "prefix": "H:b"}
    assert capsys.readouterr().out == "3 jobs imported\n"


def test_a_number_is_kept_when_it_is_free(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line_of(job(number, payload=b"new"), b"H:a") for number in (3, 4, 30)]
    lines.append(line_of(job(5), b"H:a"))
    path = file_of(tmp_path / "jobs", first_line("H:a"), *lines)
    store = Memory([job(3), job(5)], ceiling="20", prefix="H:a")
    assert do(f"import {path}", store) == 0
    assert {number: one.payload for number, one in store.jobs.items()} == {
        3: b"payload 3", 4: b"new", 5: b"payload 5", 30: b"new", 31: b"new",
    }  # fmt: skip
    assert capsys.readouterr().out == ("3 jobs imported, 1 of them renumbered, 1 already there\n")


def test_a_number_of_another_server_may_have_been_used_here(tmp_path: Path) -> None:
    """Who asks by a handle from before must not be told about somebody else's job."""
    path = file_of(tmp_path / "jobs", first_line("H:a"), line_of(job(7), b"H:a"), line_of(job(21), b"H:a"))
    store = Memory(ceiling="20", prefix="H:b")
    assert do(f"import {path}", store) == 0
    assert sorted(store.jobs) == [21, 22]
    assert store.metadata == {"ceiling": "22", "prefix": "H:b"}


def test_an_import_can_be_repeated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "jobs"
    do(f"export --output={path}", Memory(AWKWARD, prefix="H:a"))
    store = Memory()
    do(f"import {path}", store)
    before = dict(store.jobs)
    capsys.readouterr()
    assert do(f"import {path}", store) == 0
    assert store.jobs == before
    assert capsys.readouterr().out == f"0 jobs imported, {len(AWKWARD)} already there\n"


def test_the_same_line_twice_is_one_job(tmp_path: Path) -> None:
    path = file_of(tmp_path / "jobs", *[line_of(job(1), b"H:a")] * 2)
    store = Memory()
    do(f"import {path}", store)
    assert store.jobs == {1: job(1)}


def test_a_bad_line_is_found_before_anything_is_written(tmp_path: Path) -> None:
    good = [line_of(job(number), b"H:a") for number in range(1, 6)]
    path = file_of(tmp_path / "jobs", first_line("H:a"), *good, good[0][:30])
    store = Memory()
    with pytest.raises(ConfigError) as refusal:
        do(f"import {path}", store)
    assert str(refusal.value) == (
        f"{path}, line 7: the line is not a whole JSON object. Nothing was imported; --skip-bad leaves such lines out"
    )
    assert store.batches == []


def test_bad_lines_are_left_out_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file_of(tmp_path / "jobs", "x", line_of(job(1), b"H:a"), *["{}"] * 30, line_of(job(2), b"H:a"))
    store = Memory()
    assert do(f"import --skip-bad {path}", store) == 0
    out, err = capsys.readouterr()
    assert out == "2 jobs imported, 31 bad lines left out\n"
    assert sorted(store.jobs) == [1, 2]
    lines = err.splitlines()
    assert lines[0] == f"gearfast: {path}, line 1: the line is not a whole JSON object"
    assert lines[1] == f"gearfast: {path}, line 3: the function is missing"
    assert len(lines) == jobimport.NAMED + 1
    assert lines[-1] == f"gearfast: {path}: 11 more bad lines"


def test_a_job_too_large_for_the_store_is_a_bad_line(tmp_path: Path) -> None:
    path = file_of(tmp_path / "jobs", line_of(job(1, payload=b"x" * 1000), b"H:a"))
    store = Memory()
    store.largest = 1000
    with pytest.raises(ConfigError, match=r"line 1: the job has 1,001 bytes, and this store takes 1,000 at most"):
        do(f"import {path}", store)


def test_a_prefix_too_long_for_a_handle_is_a_bad_line(tmp_path: Path) -> None:
    path = file_of(tmp_path / "jobs", first_line("x" * (HANDLE_PREFIX_SIZE + 1)))
    with pytest.raises(ConfigError, match=f"line 1: the prefix has more than {HANDLE_PREFIX_SIZE} bytes"):
        do(f"import {path}", Memory())


def test_import_is_written_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "jobs"
    do(f"export --output={path}", Memory(map(job, range(1, 23)), prefix="H:a"))
    store = Memory()
    monkeypatch.setattr(jobimport, "BATCH_JOBS", 10)
    do(f"import {path}", store)
    assert [[one.number for one in batch.adds] for batch in store.batches] == [
        [*range(1, 11)], [*range(11, 21)], [21, 22],
    ]  # fmt: skip
    assert {batch.metadata["ceiling"] for batch in store.batches} == {"22"}
    store = Memory()
    monkeypatch.setattr(jobimport, "BATCH_BYTES", 20)
    do(f"import {path}", store)
    assert {len(batch.adds) for batch in store.batches[:-1]} <= {2, 3}


class Watched(io.BytesIO):
    """A file of which lines are counted as they are read, and of which no more than a line can be read."""

    lines = 0

    def __next__(self) -> bytes:
        self.lines += 1
        return super().__next__()

    def read(self, size: int | None = -1) -> bytes:
        raise AssertionError("not line by line")

    readlines = readall = getvalue = getbuffer = read  # type: ignore[assignment]


def test_a_file_is_never_in_memory_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a batch is written, no line is read that belongs to a later one."""
    count = 100
    file = Watched(b"".join(line_of(job(number), b"H:a") for number in range(1, count + 1)))
    seen = []

    class Noting(Memory):
        async def write(self, batch: Batch) -> None:
            seen.append(file.lines)
            await super().write(batch)

    async def main() -> None:
        store = Noting()
        taking = jobimport.Import(store, {}, "H:a")
        source = jobimport.Input(file, "file")
        await taking.survey(source, None)
        file.lines = 0
        await taking.write(source, store_command.jobs_of(store))
        assert len(store.jobs) == count

    monkeypatch.setattr(jobimport, "BATCH_JOBS", 10)
    asyncio.run(main())
    assert seen == [*range(10, count, 10), count]


def test_an_import_that_breaks_off_says_how_far_it_came(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs"
    do(f"export --output={path}", Memory(map(job, range(1, 23)), prefix="H:a"))
    monkeypatch.setattr(jobimport, "BATCH_JOBS", 10)
    store = Memory()
    store.fail_write_after = 2
    with pytest.raises(StoreError, match="the disk is full"):
        do(f"import {path}", store)
    assert capsys.readouterr().out == "20 jobs imported\n"
    store.fail_write_after = 100
    do(f"import {path}", store)
    assert sorted(store.jobs) == [*range(1, 23)]
    assert capsys.readouterr().out == "2 jobs imported, 20 already there\n"


def test_import_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file_of(tmp_path / "jobs")
    path.write_bytes(b"")
    assert do(f"import {path}", Memory()) == 0
    assert capsys.readouterr().out == "0 jobs imported\n"
    with pytest.raises(ConfigError, match=r"/nonexistent/f cannot be read \(No such file or directory\)"):
        do("import /nonexistent/f", Memory())


def test_import_from_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It cannot be read twice, and is copied."""
    reading, writing = os.pipe()
    with open(writing, "wb") as end:
        end.write(line_of(job(1), b"H:a") + b"{")
    with open(reading) as standard_input:
        monkeypatch.setattr(sys, "stdin", standard_input)
        with pytest.raises(ConfigError, match=r"^standard input, line 2: the line is not a whole JSON object"):
            do("import", Memory())


def test_a_file_without_end_of_line_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "jobs"
    path.write_bytes(line_of(job(1), b"H:a").rstrip(b"\n"))
    store = Memory()
    do(f"import {path}", store)
    assert store.jobs == {1: job(1)}
