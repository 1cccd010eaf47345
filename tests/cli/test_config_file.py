"""The config file: its shortened names beside Debian's gearmand, and the words in it that do nothing."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gearfast.cli import command, program
from gearfast.cli.arguments import Arguments
from gearfast.cli.command import Command
from gearfast.cli.options import OPTIONS, SHORTENED
from gearfast.errors import ConfigError
from gearfast.store.contract import StoreSettings
from tests.support.peers import peer

TAKEN = [name for name in SHORTENED if name != "protocol"]
"""But for the one that is refused whatever it says."""
SAMPLES = {
    **{name: "3" for name in TAKEN if OPTIONS[name].value},
    "verbose": "INFO",
    "config-file": "/dev/null",
    "log-file": "none",
    "queue-type": "builtin",
}
"""A value that both take, by option."""

WORDS = (
    *("--keep", "--keepalive-i=3", "--keepalive-=3", "--keep=3", "--v", "--ver=1", "--s", "--s=3", "--l x", "--co"),
    *("--keepalive", "--keepalive=1", "--ssl", "--port 1 --po 2", "--thr=3 --thre=4", "--threads=3 --thr=3"),
    *("--thread=x", "--thr x", "--verb", "--da=3", "--da=", "--bogus=", "--b", "--ha=0", "--job-r=abc", "--wo x"),
    *(
        "--Verb=INFO",
        "--VERB=INFO",
        "--threads-=3",
        "---",
        "-verb=INFO",
        "-t 3",
        "-tx",
        "-Z",
        "--=x",
        "--",
        "-- --bogus",
    ),
    *("--check", "--check-args", "--cf", "--no-daemon", "--mysql-po=abc", "--thr --da", "--fi=-1", "x --thr=y z"),
    *("--store", "--store --daemon", "--store-q", "--stor", "--bogus --keep", "--keep --bogus", "--thr=x --keep"),
)
"""Config files, each of one line."""


def refusal(path: Path) -> str:
    """Return what is said when this config file is refused; empty when it is taken."""
    try:
        command.read(["--check-args", f"--config-file={path}"], {})
    except ConfigError as error:
        return str(error)
    return ""


def of_stock(path: Path) -> str:
    """Return what gearmand says of the file."""
    words = [str(peer("gearmand")), "--check-args", f"--config-file={path}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == bool(done.stderr), done
    return done.stderr.partition(": ")[2].rstrip("\n")


def files(tmp_path: Path, texts: list[str]) -> list[Path]:
    """Write each text into a file."""
    paths = [tmp_path / f"{number}.conf" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return paths


def same_as_stock(tmp_path: Path, texts: list[str]) -> list[str]:
    """Play the texts against both servers, which say the same; return what they say."""
    paths = files(tmp_path, texts)
    ours = [refusal(path) for path in paths]
    peer("gearmand")
    with ThreadPoolExecutor(4) as threads:  # it takes its time to start
        theirs = list(threads.map(of_stock, paths))
    assert dict(zip(texts, ours, strict=True)) == dict(zip(texts, theirs, strict=True))
    return ours


def beginning_with(text: str) -> list[str]:
    """Return gearmand's names that do."""
    return [name for name in SHORTENED if name.startswith(text)]


def test_names_that_may_be_shortened_are_all_that_gearmand_has() -> None:
    done = subprocess.run([peer("gearmand"), "--help"], capture_output=True, text=True, timeout=60, check=True)
    there = {word.removeprefix("--") for word in done.stdout.replace("[", " ").split() if word.startswith("--")}
    assert set(SHORTENED) == there


def test_words_mean_what_they_mean_to_stock(tmp_path: Path) -> None:
    said = same_as_stock(tmp_path, list(WORDS))
    assert said[0] == (
        "option '--keep' is ambiguous and matches '--keepalive', '--keepalive-count', '--keepalive-idle', and "
        "'--keepalive-interval'"
    )
    assert said[1] == "option '--keepalive-i=3' is ambiguous and matches '--keepalive-idle', and '--keepalive-interval'"


def test_every_short_form_that_may_mean_several_is_refused_as_in_stock(tmp_path: Path) -> None:
    beginnings = {name[:length] for name in SHORTENED for length in range(1, len(name))}
    unclear = {one for one in beginnings - set(SHORTENED) if len(beginning_with(one)) > 1}
    assert len(unclear) > 50
    assert all(
        " is ambiguous and matches " in said for said in same_as_stock(tmp_path, [f"--{one}" for one in unclear])
    )


def test_every_clear_short_form_is_taken_as_in_stock(tmp_path: Path) -> None:
    """One of each option in a file: first the shortest, then those with one more letter."""
    lines = []
    for more in range(max(map(len, TAKEN))):
        line = []
        for name in TAKEN:
            clear = next(n for n in range(1, 99) if n == len(name) or beginning_with(name[:n]) == [name])
            if clear + more <= len(name):
                line.append(f"--{name[: clear + more]}" + (f"={SAMPLES[name]}" if OPTIONS[name].value else ""))
        lines.append("\n".join(line if "--ssl" in line else [*line, "--ssl"]))
    assert set(same_as_stock(tmp_path, lines)) == {""}
    found, _ = Arguments.read(lines[0].split(), shortened=True)
    assert {name: found.text(name) for name in SAMPLES} == SAMPLES
    assert set(found.given) == set(TAKEN)


def asked(tmp_path: Path, text: str, *words: str) -> Command:
    """Read a command line beside a config file of that text."""
    path = tmp_path / "gearmand.conf"
    path.write_text(text)
    return command.read([*words, f"--config-file={path}"], {})


def test_names_of_ours_make_none_unclear(tmp_path: Path) -> None:
    assert "worker-wakeup-grace" in OPTIONS
    assert asked(tmp_path, "--work=3").config.worker_wakeup == 3


@pytest.mark.parametrize("word", ["--ssl-ve", "--max=1M", "--store-t=5", "--libd=x", "--libt=x", "--js"])
def test_names_of_ours_are_not_shortened(tmp_path: Path, word: str) -> None:
    """Nor those of gearmand's other builds: what a file says must not change with what we add."""
    with pytest.raises(ConfigError, match=f"^unrecognised option '{word}'$"):
        asked(tmp_path, word)


@pytest.mark.parametrize("text", ["--store sqlite:f", "--store=sqlite:f", "--daemon\n--store\nsqlite:f"])
def test_a_store_with_a_url_is_ours(tmp_path: Path, text: str) -> None:
    """By itself the word is short for gearmand's --store-queue-on-shutdown."""
    found = asked(tmp_path, text)
    assert (found.store, found.config.store_on_shutdown) == (StoreSettings(url="sqlite:f"), False)


@pytest.mark.parametrize("text", ["--store", "--store --daemon", "--daemon\n--store\n"])
def test_a_store_without_a_url_is_stocks_short_form(tmp_path: Path, text: str) -> None:
    found = asked(tmp_path, text)
    assert (found.store, found.config.store_on_shutdown) == (None, True)


def test_on_the_command_line_nothing_is_shortened() -> None:
    with pytest.raises(ConfigError, match=r"^unrecognised option '--verb=INFO'$"):
        command.read(["--verb=INFO", "--config-file=/dev/null"], {})


# --- words that are no options -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("--port=1\nport=4731\n", ["2: 'port=4731' is not an option and is ignored: write --port=4731"]),
        ("--daemon on\r\n--ssl\r\nx", ["1: 'on' is not an option and is ignored; options begin with two dashes",
                                        "3: 'x' is not an option and is ignored; options begin with two dashes"]),
        ("a b\rc", ["1: 'a' is not an option and is ignored; options begin with two dashes",
                    "2: 'c' is not an option and is ignored; options begin with two dashes"]),
        ("-", ["1: '-' is not an option and is ignored; options begin with two dashes"]),
        ("--=x", ["1: '--=x' is not an option and is ignored; options begin with two dashes"]),
        ("--daemon\n--\n--port=1", ["3: '--port=1' is ignored: it comes after '--', which ends the options"]),
        ("# a comment\n\n--daemon # in the background\n", []),
        ("# -d\n", ["1: '-d' is read as an option, because this file has no comments: remove it"]),
        ("# --port=1\n", ["1: '--port=1' is read as an option, because this file has no comments: remove it"]),
        ("mysql-password=secret", [
            "1: 'mysql-password=***' is not an option and is ignored: write --mysql-password=***"]),
        ("a://me:secret@h/d", ["1: 'a://me:***@h/d' is not an option and is ignored; options begin with two dashes"]),
        *((f"{option} secret", [f"1: what follows the value of {option.split('=')[0].split()[0]} is ignored: a value "
           "ends at a space, and quotes are part of it"])
          for option in ("--mysql-password=my", "--mysql-password my", "--libpq-conninfo='host=h", "--redis-pass=my")),
        ("\033[2Jx", ["1: '\\x1b[2Jx' is not an option and is ignored; options begin with two dashes"]),
        ("y" * 100, [f"1: '{'y' * 60}...' is not an option and is ignored; options begin with two dashes"]),
        ("\n".join("abcdefghijklm"), [*(f"{number}: '{letter}' is not an option and is ignored; options begin with two "
                                       "dashes" for number, letter in enumerate("abcdefghij", 1)), "and so on"]),
    ],
)  # fmt: skip
def test_words_that_do_nothing_are_warned_of_with_their_line(tmp_path: Path, text: str, lines: list[str]) -> None:
    path = tmp_path / "gearmand.conf"
    found = asked(tmp_path, text).warnings
    expected = [f"{path}, line {line}" if line[0].isdigit() else f"{path}: 3 more lines like these" for line in lines]
    assert list(found) == expected


def test_check_args_tells_of_them_and_says_that_a_start_would_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["gearfast"])
    path = tmp_path / "gearmand.conf"
    path.write_text("port=4731")
    assert program.main(["--check-args", f"--config-file={path}"]) == 0
    printed = capsys.readouterr()
    assert printed.err == f"gearfast: {path}, line 1: 'port=4731' is not an option and is ignored: write --port=4731\n"
    assert printed.out == ""


def test_gearfast_store_tells_of_them_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["gearfast"])
    path = tmp_path / "gearmand.conf"
    path.write_text(f"store=x --store=sqlite:{tmp_path}/none.db")
    assert program.main(["store", "count", f"--config-file={path}"]) == 1
    first, second, _ = capsys.readouterr().err.split("\n")
    assert first == f"gearfast: {path}, line 1: 'store=x' is not an option and is ignored: write --store=x"
    assert "this file does not exist" in second


def test_a_path_with_a_nul_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Could not open configuration file"):
        command.read(["--config-file=a\0b"], {})
