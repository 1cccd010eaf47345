"""The log: stock's line format, levels, destinations, reopening, and that nothing a peer says forges a line."""

import logging
import re
import sys
import syslog
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gearfast import logs
from gearfast.cli.log import logbook

log = logging.getLogger("gearfast")
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \[  main \]"


@pytest.fixture(autouse=True)
def logger_as_it_was() -> Iterator[None]:
    """Give the logger back as it was: other tests of this process may listen to it."""
    level, propagate = log.level, log.propagate
    yield
    logbook.close_log()
    log.propagate = propagate
    log.setLevel(level)


def lines(path: Path) -> list[str]:
    """Return a file's lines, once all that was said is written."""
    logbook.flush_log()
    return path.read_text().splitlines()


@pytest.mark.parametrize("word", logs.LEVELS)
def test_line_has_stocks_form(word: str, tmp_path: Path) -> None:
    logbook.open_log(str(tmp_path / "log"), "DEBUG")
    log.log(logs.LEVELS[word], "accepted,%s,,0", "sendmail")
    (line,) = lines(tmp_path / "log")
    assert re.fullmatch(rf"{word:>7} {STAMP} accepted,sendmail,,0", line)


@pytest.mark.parametrize("word", logs.LEVELS)
def test_level_is_a_threshold_and_has_a_name(word: str, tmp_path: Path) -> None:
    logbook.open_log(str(tmp_path / "log"), word)
    for level in logs.LEVELS.values():
        log.log(level, "x")
    words = list(logs.LEVELS)
    assert [line.split()[0] for line in lines(tmp_path / "log")] == words[: words.index(word) + 1]
    assert logs.level_name() == word


def test_levels_between_the_words_have_the_lower_word() -> None:
    assert [logs.word_of(level) for level in (1, 10, 24, 45, 59, 99)] == [
        "DEBUG",
        "DEBUG",
        "INFO",
        "ERROR",
        "CRITICAL",
        "FATAL",
    ]


def test_every_line_of_a_traceback_is_one_of_the_log(tmp_path: Path) -> None:
    logbook.open_log(str(tmp_path / "log"), "ERROR")
    try:
        raise ValueError("no\n  FATAL 2026-01-01 00:00:00.000000 [  main ] forged")
    except ValueError:
        log.exception("broken")
    first, second, *middle, last = lines(tmp_path / "log")
    assert re.fullmatch(rf"  ERROR {STAMP} broken", first)
    assert re.fullmatch(rf"  ERROR {STAMP} \| Traceback \(most recent call last\):", second)
    assert re.fullmatch(rf"  ERROR {STAMP} \|   FATAL 2026-01-01 00:00:00.000000 \[  main \] forged", last)
    assert all(re.match(rf"  ERROR {STAMP} \| ", line) for line in middle)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("a\nb\r\n", r"a\nb\r\n"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x00\x7f\x85\x9b\t", r"\x00\x7f\x85\x9b\t"),
        ("\u2028\u2029\u202eabc\ufeff", r"\u2028\u2029\u202eabc\ufeff"),
        (b"\xff\xc3".decode("utf-8", "surrogateescape"), r"\udcff\udcc3"),
        ("Größe, 大きさ, размер, 🙂, a\u00a0b", "Größe, 大きさ, размер, 🙂, a\u00a0b"),
        (r"App\Jobs\Mail", r"App\Jobs\Mail"),
    ],
)
def test_what_may_not_stand_in_a_line_is_escaped(said: str, written: str, tmp_path: Path) -> None:
    logbook.open_log(str(tmp_path / "log"), "NOTICE")
    log.log(logs.NOTICE, "accepted,%s,,0", said)
    (line,) = lines(tmp_path / "log")
    assert line.endswith(f"] accepted,{written},,0")


def test_a_call_of_the_logger_that_is_wrong_loses_no_words(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    logbook.open_log(str(tmp_path / "log"), "ERROR")
    log.error("%d jobs", "no")
    (line,) = lines(tmp_path / "log")
    assert line.endswith("] '%d jobs' could not be filled in: TypeError")
    assert capfd.readouterr().err == ""


def test_libraries_share_the_log_and_say_who_they_are(tmp_path: Path) -> None:
    logbook.open_log(str(tmp_path / "log"), "DEBUG")
    logging.getLogger("asyncio").warning("returning true from eof_received() has no effect")
    logging.getLogger("asyncio").info("Using selector")
    (line,) = lines(tmp_path / "log")
    assert re.fullmatch(rf"WARNING {STAMP} asyncio: returning true from eof_received\(\) has no effect", line)


@pytest.mark.parametrize("level", ["WARNING", "ERROR", "FATAL"])
def test_a_line_that_comes_again_and_again_is_counted(tmp_path: Path, level: str) -> None:
    logbook.open_log(str(tmp_path / "log"), "DEBUG")
    for _ in range(10_000):
        log.log(logs.LEVELS[level], "no %s", "memory")
    log.log(logs.LEVELS[level], "another")
    logbook.close_log()
    words = [line.partition("] ")[2] for line in lines(tmp_path / "log")]
    assert words[:2] == ["no memory", "another"]
    assert re.fullmatch(r"the same line 9999 times more within \d+ s: no memory", words[2])
    assert len(words) == 3


def test_a_fault_in_a_loop_leaves_one_traceback(tmp_path: Path) -> None:
    """Its objects lie elsewhere each time, which makes it no other fault."""
    logbook.open_log(str(tmp_path / "log"), "ERROR")
    for number in range(1000):
        try:
            raise MemoryError(f"<object at {0x7F0000000000 + number:#x}>")
        except MemoryError as error:
            log.critical("Exception in callback %s", f"<bound method at {number:#x}>", exc_info=error)
    logbook.close_log()
    said = lines(tmp_path / "log")
    assert sum("Traceback" in line for line in said) == 1
    assert "999 times more" in said[-1]
    assert len(said) < 10


def test_what_is_no_warning_is_never_merged(tmp_path: Path) -> None:
    logbook.open_log(str(tmp_path / "log"), "DEBUG")
    for level in (logs.NOTICE, logs.INFO, logs.DEBUG):
        for _ in range(100):
            log.log(level, "accepted,%s,%s,0", "f", "")
    assert len(lines(tmp_path / "log")) == 300


def test_a_closed_log_gives_the_loggers_back(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers), list(log.handlers), sys.unraisablehook, threading.excepthook
    logbook.open_log(str(tmp_path / "log"), "DEBUG")
    assert (sys.unraisablehook, threading.excepthook) != before[3:]
    logbook.close_log()
    assert (root.level, root.handlers, log.handlers, sys.unraisablehook, threading.excepthook) == before


def test_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    logbook.open_log("stderr", "INFO")
    log.info("here")
    logbook.flush_log()
    assert re.fullmatch(rf"   INFO {STAMP} here\n", capfd.readouterr().err)


def test_none_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    logbook.open_log("none", "DEBUG")
    log.critical("nowhere")
    assert capfd.readouterr() == ("", "")


def test_lines_are_appended(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("old\n")
    logbook.open_log(str(tmp_path / "log"), "ERROR")
    log.error("new")
    assert [line.split()[-1] for line in lines(tmp_path / "log")] == ["old", "new"]


def test_a_file_that_cannot_be_opened_changes_nothing(tmp_path: Path) -> None:
    logbook.open_log(str(tmp_path / "log"), "INFO")
    with pytest.raises(OSError, match="No such file"):
        logbook.open_log(str(tmp_path / "none" / "log"), "DEBUG")
    log.info("still here")
    assert len(lines(tmp_path / "log")) == 1
    assert logs.level_name() == "INFO"


def test_reopen_follows_a_rotation(tmp_path: Path) -> None:
    logbook.open_log(str(tmp_path / "log"), "NOTICE")
    log.error("before")
    (tmp_path / "log").rename(tmp_path / "log.1")
    logbook.reopen()
    log.error("after")
    logbook.flush_log()
    before, notice = lines(tmp_path / "log.1")
    assert before.endswith("before")
    assert re.fullmatch(rf" NOTICE {STAMP} SIGHUP, reopening log file", notice)
    assert [line.split()[-1] for line in lines(tmp_path / "log")] == ["after"]


@pytest.mark.parametrize("place", ["stderr", "none"])
def test_reopen_creates_no_file_without_a_log_file(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    logbook.open_log(place, "NOTICE")
    logbook.reopen()
    logbook.flush_log()
    assert ("SIGHUP" in capfd.readouterr().err) == (place == "stderr")
    assert list(tmp_path.iterdir()) == []


def test_reopen_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    logbook.open_log(str(folder / "log"), "ERROR")
    folder.rename(tmp_path / "moved")
    logbook.reopen()
    logbook.flush_log()  # the complaint is made while the log is written
    log.error("after")
    assert [line.split()[0] for line in lines(tmp_path / "moved" / "log")] == ["ERROR", "ERROR"]


def test_syslog_gets_stocks_name_and_facility(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[object, ...]] = []
    monkeypatch.setattr("syslog.openlog", lambda *words: said.append(words))
    monkeypatch.setattr("syslog.syslog", lambda *words: said.append(words))
    logbook.open_log("none", "NOTICE", to_syslog=True)
    log.log(logs.NOTICE, "hello")
    log.log(logs.FATAL, "b\ny\x00e")
    logbook.flush_log()
    assert said == [
        ("gearmand", syslog.LOG_PID, syslog.LOG_USER),
        (syslog.LOG_NOTICE, "NOTICE hello"),
        (syslog.LOG_EMERG, r"FATAL b\ny\x00e"),
    ]
