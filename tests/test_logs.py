"""The log: stock's line format, levels, destinations, and reopening."""

import logging
import re
import syslog
from collections.abc import Iterator
from pathlib import Path

import pytest

from gearfast import logs

log = logging.getLogger("gearfast")
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \[  main \]"


@pytest.fixture(autouse=True)
def logger_as_it_was() -> Iterator[None]:
    """Give the logger back as it was: other tests of this process may listen to it."""
    level, propagate = log.level, log.propagate
    yield
    logs.close_log()
    log.propagate = propagate
    log.setLevel(level)


def lines(path: Path) -> list[str]:
    """Return a file's lines."""
    return path.read_text().splitlines()


@pytest.mark.parametrize("word", logs.LEVELS)
def test_line_has_stocks_form(word: str, tmp_path: Path) -> None:
    logs.open_log(str(tmp_path / "log"), "DEBUG")
    log.log(logs.LEVELS[word], "accepted,%s,,0", "sendmail")
    (line,) = lines(tmp_path / "log")
    assert re.fullmatch(rf"{word:>7} {STAMP} accepted,sendmail,,0", line)


@pytest.mark.parametrize("word", logs.LEVELS)
def test_level_is_a_threshold_and_has_a_name(word: str, tmp_path: Path) -> None:
    logs.open_log(str(tmp_path / "log"), word)
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


def test_a_traceback_follows_its_line(tmp_path: Path) -> None:
    logs.open_log(str(tmp_path / "log"), "ERROR")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("broken")
    first, second, *_, last = lines(tmp_path / "log")
    assert first.endswith("broken")
    assert (second, last) == ("Traceback (most recent call last):", "ValueError: no")


def test_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logs.open_log("stderr", "INFO")
    log.info("here")
    assert re.fullmatch(rf"   INFO {STAMP} here\n", capsys.readouterr().err)


def test_none_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    logs.open_log("none", "DEBUG")
    log.critical("nowhere")
    assert capsys.readouterr() == ("", "")


def test_lines_are_appended(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("old\n")
    logs.open_log(str(tmp_path / "log"), "ERROR")
    log.error("new")
    assert [line.split()[-1] for line in lines(tmp_path / "log")] == ["old", "new"]


def test_bytes_that_are_no_text_are_written_escaped(tmp_path: Path) -> None:
    logs.open_log(str(tmp_path / "log"), "ERROR")
    log.error("name %s", b"\xff".decode("utf-8", "surrogateescape"))
    assert lines(tmp_path / "log")[0].endswith("name \\udcff")


def test_a_file_that_cannot_be_opened_changes_nothing(tmp_path: Path) -> None:
    logs.open_log(str(tmp_path / "log"), "INFO")
    with pytest.raises(OSError, match="No such file"):
        logs.open_log(str(tmp_path / "none" / "log"), "DEBUG")
    log.info("still here")
    assert len(lines(tmp_path / "log")) == 1
    assert logs.level_name() == "INFO"


def test_reopen_follows_a_rotation(tmp_path: Path) -> None:
    logs.open_log(str(tmp_path / "log"), "NOTICE")
    log.error("before")
    (tmp_path / "log").rename(tmp_path / "log.1")
    logs.reopen()
    log.error("after")
    before, notice = lines(tmp_path / "log.1")
    assert before.endswith("before")
    assert re.fullmatch(rf" NOTICE {STAMP} SIGHUP, reopening log file", notice)
    assert [line.split()[-1] for line in lines(tmp_path / "log")] == ["after"]


@pytest.mark.parametrize("place", ["stderr", "none"])
def test_reopen_creates_no_file_without_a_log_file(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    logs.open_log(place, "NOTICE")
    logs.reopen()
    assert list(tmp_path.iterdir()) == []


def test_reopen_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    logs.open_log(str(folder / "log"), "ERROR")
    folder.rename(tmp_path / "moved")
    logs.reopen()
    log.error("after")
    assert [line.split()[0] for line in lines(tmp_path / "moved" / "log")] == ["ERROR", "ERROR"]


def test_syslog_gets_stocks_name_and_facility(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[object, ...]] = []
    monkeypatch.setattr("syslog.openlog", lambda *words: said.append(words))
    monkeypatch.setattr("syslog.syslog", lambda *words: said.append(words))
    logs.open_log("none", "NOTICE", to_syslog=True)
    log.log(logs.NOTICE, "hello")
    log.log(logs.FATAL, "bye")
    assert said == [
        ("gearmand", syslog.LOG_PID, syslog.LOG_USER),
        (syslog.LOG_NOTICE, "NOTICE hello"),
        (syslog.LOG_EMERG, "FATAL bye"),
    ]
