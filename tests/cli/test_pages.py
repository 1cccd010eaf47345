"""The manual page and completions, made from the table of options as they lie in packaging/; hints after a refusal."""

from __future__ import annotations

import subprocess

import pytest

from gearfast.cli import options, program
from gearfast.cli.options import shown
from gearfast.cli.pages import PAGES
from tests.support.peers import PROJECT


@pytest.mark.parametrize("name", PAGES)
def test_what_lies_in_packaging_is_what_is_made(name: str) -> None:
    """If not: python -m gearfast.cli.pages packaging."""
    made = PAGES[name]()
    assert (PROJECT / "packaging" / name).read_text(encoding="utf-8") == made
    plain = made.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "")
    assert len(shown()) > 40
    for option in shown():
        assert f"--{option.name}" in plain, option.name


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["--max-conn"], "--max-connections --max-connections-per-address"),
        (["--verbose", "=", "I"], "INFO"),
        (["--verbose", "W"], "WARNING"),
        (["s"], "store"),
        (["store", "c"], "count"),
        (["store", "export", "--o"], "--output"),
        (["--port", ""], ""),
    ],
)
def test_bash_completes(words: list[str], offered: str) -> None:
    script = '. "$0"; COMP_WORDS=(gearfast "$@"); COMP_CWORD=$#; _gearfast; echo "${COMPREPLY[@]}"'
    file = str(PROJECT / "packaging" / "bash" / "gearfast")
    done = subprocess.run(["bash", "-c", script, file, *words], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == (offered, "")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--thraeds=3"], "did you mean --threads?"),
        (["--Port=3"], "did you mean --port?"),
        (["--verb=INFO"], "did you mean --verbose?"),
        (["--verbose=LOUD"], "the levels are FATAL, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO, DEBUG"),
        (["--io-threads=0"], "--io-threads takes auto, or a number from 1 to 64"),
        (["--io-thread=3"], "did you mean --io-threads?"),
        (["--store=sqlite:f", "--durability=most"], "--durability takes one of full, normal, off"),
        (["store", "count", "--store=sqlite:f", "--verbose=LOUD"], "the levels are FATAL, "),
    ],
)
def test_the_second_line_of_a_refusal_says_what_would_be_right(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(words) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[1].partition(": ")[2].startswith(hint)


@pytest.mark.parametrize("word", ["--bogus", "-Z", "--=x", "-"])
def test_where_nothing_is_like_it_nothing_is_asked(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([word]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120, 300])
def test_help_fits_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for text in (options.help_text(), options.store_help_text(), options.store_help_text("export")):
        longest = max(map(len, text.splitlines()))
        assert longest <= min(max(columns, 60), 120)


def test_each_word_of_store_has_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["store", "import", "--help"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("Usage: gearfast store import [FILE|-] [options]")
    assert "--skip-bad" in page
    assert "--output" not in page
    assert program.main(["store", "count", "--help"]) == 0
    assert "--skip-bad" not in capsys.readouterr().out


def test_check_args_says_on_a_terminal_what_it_found_good(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--check-args", "--config-file=/dev/null", "--listen=127.0.0.1", "--port=4731", "--store=sqlite:jobs.db"]
    assert program.main(words) == 0
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert program.main(words) == 0
    assert "it would listen on 127.0.0.1, port 4731, and keep jobs in sqlite:jobs.db" in capsys.readouterr().out
