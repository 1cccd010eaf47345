"""``gearfast store``: what its commands print, write and refuse."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gearfast.cli import program, store_command
from gearfast.cli.jobfile import MAX_NUMBER, read_line
from gearfast.config import default_handle_prefix
from gearfast.errors import ConfigError, StoreError
from gearfast.store.contract import StoredJob
from tests.support.memory_store import AWKWARD, GivingBack, Memory, Plain, do, errand, file_of, job

# --- the words ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "store: which command? gearfast store list|count|export|import (see gearfast store --help)"),
        ("--json", "store: which command? gearfast store list|count|export|import (see gearfast store --help)"),
        ("look", "store look: no such command; there are list, count, export, import"),
        ("list x", "store list: 'x' is one argument too many"),
        ("import x y", "store import: 'y' is one argument too many"),
        ("count --json", "store count: --json is not its option (see gearfast store count --help)"),
        ("import --to=gearmand", "store import: --to is not its option (see gearfast store import --help)"),
        ("export --skip-bad", "store export: --skip-bad is not its option (see gearfast store export --help)"),
        ("list --output=f", "store list: --output is not its option (see gearfast store list --help)"),
        ("import --function=f", "store import: --function is not its option (see gearfast store import --help)"),
        ("export --to=beanstalkd", "the argument ('beanstalkd') for option '--to' is invalid"),
        ("export --to=gearmand --output=f", "store export: --to gearmand moves every job; leave --function, "
         "--output and --take-over out"),
        ("export --to=gearmand --function=f", "store export: --to gearmand moves every job; leave --function, "
         "--output and --take-over out"),
        ("list --bogus", "unrecognised option '--bogus'"),
        ("list --verbose=loud", "Invalid value for --verbose supplied"),
        ("list", "store list: name a store, such as --store=sqlite:/var/lib/gearfast/jobs.db"),
        ("list -q libsqlite3", "Error while initializing the queue : libsqlite3 "
         "(missing required --libsqlite3-db=<dbfile> argument)"),
        ("list --config-file=/nonexistent/f",
         "Could not open configuration file. (/nonexistent/f: No such file or directory)"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_in_one_line(line: str, message: str) -> None:
    words = line.split()
    if "--config-file" not in line:
        words.append("--config-file=/dev/null")
    with pytest.raises(ConfigError) as refusal:
        store_command.read(words)
    assert str(refusal.value) == message


def test_words_and_options_come_in_any_order() -> None:
    asked = errand("--json --function=f list --user=nobody --job-handle-prefix=H:x --verbose=ERROR")
    assert (asked.word, asked.as_json, asked.function, asked.user, asked.prefix, asked.log_level) == (
        "list", True, b"f", "nobody", "H:x", "ERROR",
    )  # fmt: skip
    asked = errand("import jobs.json --skip-bad")
    assert (asked.word, asked.file, asked.skip_bad) == ("import", "jobs.json", True)
    assert (errand("import").file, errand("import -").file) == ("-", "-")
    assert errand("export --output out").output == "out"
    assert errand("list").prefix == default_handle_prefix()


def test_store_of_the_servers_own_config_file(tmp_path: Path) -> None:
    path = file_of(tmp_path / "gearmand.conf", "--listen=localhost --daemon", "-q libsqlite3 --libsqlite3-db=/x/y.db")
    asked = store_command.read(["list", f"--config-file={path}"])
    assert (asked.settings.url, asked.settings.table) == ("sqlite:/x/y.db", "gearman_queue")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["store", "--help"], ["store", "-h"]):
        assert program.main(words) == 0
        printed = capsys.readouterr().out
        assert printed.startswith("Usage: gearfast store ")
        for word in (*store_command.COMMANDS, "--function", "--json", "--output", "--to", "--skip-bad", "--store"):
            assert word in printed.split(), word
        assert max(map(len, printed.splitlines())) <= 100


def test_options_of_the_words_are_none_of_the_servers(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--json", "--config-file=/dev/null"]) == 1
    assert "unrecognised option '--json' (it is an option of gearfast store)" in capsys.readouterr().err


def test_look_for_a_file_that_is_not_there_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    for word in ("list", "count", "export"):
        for url in (f"sqlite:{path}", f"sqlite://{path}"):
            store = Memory()
            store.path = str(path)
            with pytest.raises(StoreError, match="this file does not exist: name the file"):
                do(f"{word} --store={url}", store)
            assert store.opened == 0


def test_error_names_the_store_without_its_password() -> None:
    store = Memory()
    store.fail_open = StoreError("it answers nothing")
    with pytest.raises(StoreError) as refusal:
        do("list --store=mysql://me:secret@db/jobs", store)
    assert str(refusal.value) == "mysql://me:***@db/jobs: it answers nothing"
    store.fail_open = StoreError("MySQL at db/jobs: it answers nothing")
    with pytest.raises(StoreError, match=r"^MySQL at db/jobs: it answers nothing$"):
        do("list --store=mysql://me:secret@db/jobs", store)
    store.fail_open = ValueError("what is this")
    with pytest.raises(StoreError) as refusal:
        do("list --store=mysql://me:secret@db/jobs", store)
    assert str(refusal.value) == "mysql://me:***@db/jobs: cannot be opened (ValueError: what is this)"


def test_store_that_breaks_while_it_is_read_is_named_too(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    class Breaking(Memory):
        async def replay(self) -> AsyncIterator[list[StoredJob]]:
            yield [job(1)]
            raise ConnectionResetError("gone")

    with pytest.raises(StoreError, match=r"^memory:: cannot be read \(ConnectionResetError: gone\)$"):
        do("list", Breaking())


# --- list and count ----------------------------------------------------------------------

SOME = [
    job(1, b"resize", unique=b"photo-1", priority=0),
    job(2, b"resize", due=1e10, attempts=2),
    job(3, "größe".encode(), unique=b"\x1b[31m\xff", payload=b"x" * 1234),
    job(12, b"mail", priority=2),
]


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert do("list", Memory(SOME, prefix="H:a")) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    due = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1e10))
    assert head.split() == ["handle", "state", "priority", "due", "attempts", "bytes", "function", "unique"]
    assert [line.split() for line in lines] == [
        ["H:a:1", "job", "high", "-", "0", "9", "resize", "photo-1"],
        ["H:a:2", "job", "normal", *due.split(), "2", "9", "resize"],
        ["H:a:3", "job", "normal", "-", "0", "1234", "größe", r"\x1b[31m\xff"],
        ["H:a:12", "job", "low", "-", "0", "10", "mail"],
    ]
    assert {line.index(name) for line, name in zip(lines, ("resize", "resize", "größe", "mail"), strict=True)} == {
        head.index("function")
    }


def test_list_of_one_function(capsys: pytest.CaptureFixture[str]) -> None:
    assert do("list --function=größe --json", Memory(SOME, prefix="H:a")) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "handle": "H:a:3", "function": "größe", "unique": {"base64": "G1szMW3/"}, "priority": "normal", "due": 0.0,
        "attempts": 0, "size": 1234, "state": "job",
    }  # fmt: skip


def test_a_store_without_a_prefix_has_this_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert do("list --json", Memory(SOME[:1])) == 0
    assert json.loads(capsys.readouterr().out)["handle"] == f"{default_handle_prefix()}:1"
    assert do("list --json --job-handle-prefix=H:b", Memory(SOME[:1])) == 0
    assert json.loads(capsys.readouterr().out)["handle"] == "H:b:1"


def test_who_looks_opens_for_reading_only(capsys: pytest.CaptureFixture[str]) -> None:
    for line, looked in (("list", 1), ("count", 1), ("export", 1), ("count --take-over", 0), ("export --take-over", 0)):
        store = Memory(SOME)
        assert do(line, store) == 0
        assert (store.opened, store.looked) == (1, looked), line
    capsys.readouterr()


def test_a_store_that_can_only_be_opened_says_what_does_that(capsys: pytest.CaptureFixture[str]) -> None:
    store = Plain(SOME)
    with pytest.raises(StoreError, match="cannot be opened without changing it: --take-over"):
        do("count", store)
    assert store.opened == 0
    assert do("count --take-over", store) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[4:] == ["4", "0", "0", "0", "0", "(all)"]


def test_jobs_of_gearmands_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    store = Memory(SOME[:1], prefix="H:a")
    store.gearmands = [job(7, b"mail"), job(8, b"resize")]
    assert do("count", store) == 0
    counted = capsys.readouterr().out.splitlines()[1:]
    names = ["mail (gearmand's)", "resize", "resize (gearmand's)", "(all)"]
    assert [line.split("  ")[-1] for line in counted] == names
    assert do("list", store) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in listed] == ["handle", "H:a:1", "(gearmand's)", "(gearmand's)"]
    assert do("export", store) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [(line["handle"], line["function"]) for line in lines] == [("H:a:1", "resize"), ("", "mail"), ("", "resize")]


def test_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert do("count", Memory(SOME)) == 0
    assert capsys.readouterr().out == (
        "high  normal  low  due later  total  schedules  buried  ended  unreadable  function\n"
        "   0       1    0          0      1          0       0      0           0  größe\n"
        "   0       0    1          0      1          0       0      0           0  mail\n"
        "   1       1    0          1      2          0       0      0           0  resize\n"
        "   1       2    1          1      4          0       0      0           0  (all)\n"
    )


def test_count_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert do("count", Memory()) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [["0"] * 9 + ["(all)"]]


@pytest.mark.parametrize("due", [1e300, float("inf"), 4e15])
def test_a_time_that_no_calendar_has_is_shown(due: float, capsys: pytest.CaptureFixture[str]) -> None:
    assert do("list", Memory([job(1, due=due)], prefix="H:a")) == 0
    assert "H:a:1" in capsys.readouterr().out


# --- export ----------------------------------------------------------------------------


def test_what_was_exported_is_imported_byte_for_byte(tmp_path: Path) -> None:
    path, again = tmp_path / "jobs.json", tmp_path / "again.json"
    full, empty = Memory(AWKWARD, prefix="H:größe", ceiling=str(1 << 50)), Memory()
    assert do(f"export --output={path}", full) == 0
    assert do(f"import {path}", empty) == 0
    assert empty.jobs == full.jobs
    assert empty.metadata == {"prefix": "H:größe", "ceiling": str(MAX_NUMBER - 1)}
    assert do(f"export --output={again}", empty) == 0
    assert again.read_bytes() == path.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["again.json", "jobs.json"]


def test_export_to_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert do("export --function=f", Memory([*AWKWARD, job(9, b"g")], prefix="H:a")) == 0
    lines = capsysbinary.readouterr().out.splitlines(keepends=True)
    assert json.loads(lines[0]) == {"format": "gearfast-jobs", "version": 1, "prefix": "H:a"}
    expected = sorted(one for one in AWKWARD if one.function == b"f")
    assert [read_line(line).job for line in lines[1:]] == expected


def test_export_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    class Breaking(Memory):
        async def replay(self) -> AsyncIterator[list[StoredJob]]:
            yield [job(1)]
            raise StoreError("it went away")

    path = file_of(tmp_path / "jobs.json", "old")
    with pytest.raises(StoreError, match="it went away"):
        do(f"export --output={path}", Breaking())
    assert path.read_bytes() == b"old\n"
    assert os.listdir(tmp_path) == ["jobs.json"]


def test_export_goes_where_a_link_points_and_is_for_its_owner_only(tmp_path: Path) -> None:
    link, path = tmp_path / "link", tmp_path / "jobs.json"
    link.symlink_to(path)
    assert do(f"export --output={link}", Memory([job(1)])) == 0
    assert link.is_symlink()
    assert path.read_bytes().count(b"\n") == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_export_to_a_device_leaves_the_device() -> None:
    assert do("export --output=/dev/null", Memory([job(1)])) == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_export_to_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere/jobs cannot be written \(No such file or directory\)"):
        do(f"export --output={tmp_path}/nowhere/jobs", Memory())


def test_export_to_gearmand(capsys: pytest.CaptureFixture[str]) -> None:
    store = GivingBack([job(1), job(2), job(3)])
    assert do("export --to gearmand", store) == 0
    advice = "given back to gearmand: start gearmand now; gearfast would take them again\n"
    assert capsys.readouterr() == (f"3 jobs {advice}", "")
    store = GivingBack([job(1), job(2)])
    store.refused = ("H:a:2: its function has 300 bytes",)
    assert do("export --to gearmand", store) == 1
    assert capsys.readouterr() == (
        f"1 job {advice}",
        "gearfast: H:a:2: its function has 300 bytes\ngearfast: 1 jobs stayed, because gearmand cannot store them\n",
    )
    with pytest.raises(StoreError, match="gearmand has no store of this kind"):
        do("export --to gearmand", Memory())
