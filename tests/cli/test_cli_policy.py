"""``--policy``: where it may stand, what `--check-args` says of its file, and a file that changes meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gearfast.cli import program
from gearfast.config import Config
from gearfast.errors import ConfigError
from gearfast.server.server import Server as Gearfast
from tests.cli.test_cli import config, read
from tests.support.peers import HOST, PROJECT, Server, end, free_port, start_gearfast, until
from tests.support.processes import log_of
from tests.support.wire import Connection

GOOD = '[functions."mail.*"]\nretries = 5\n'
BAD = '[functions."mail.*"]\nttl = "1h"\nretries = -5\n'
SAID = (
    'policy.toml, line 3, [functions."mail.*"] retries: the submit parameter retries has to be a number from 0 to '
    "1000, and not '-5'"
)


def file_of(tmp_path: Path, text: str) -> Path:
    """A policy file."""
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def retries_of(admin: Connection, name: str) -> str:
    """What holds for a function: value and origin."""
    (row,) = (row for row in admin.table(f"policy {name}") if row.startswith("retries\t"))
    return row.partition("\t")[2]


# --- the option ---


def test_its_path_is_made_whole_where_it_was_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A server that has left for the background is in another folder."""
    monkeypatch.chdir(tmp_path)
    assert config("--policy=policy.toml").policy == str(tmp_path / "policy.toml")
    assert config("--policy=/etc/policy.toml").policy == "/etc/policy.toml"
    assert config("").policy == ""


def test_it_may_stand_in_the_config_file(tmp_path: Path) -> None:
    (tmp_path / "gearmand.conf").write_text("--policy=/etc/policy.toml\n")
    line = f"--config-file={tmp_path}/gearmand.conf"
    assert config(line).policy == "/etc/policy.toml"
    assert config(f"{line} --policy=/srv/policy.toml").policy == "/srv/policy.toml"


@pytest.mark.parametrize("place", ["the command line", "the config file"])
def test_check_args_names_line_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    path = file_of(tmp_path, BAD)
    (tmp_path / "gearmand.conf").write_text(f"--policy={path}\n" if place == "the config file" else "")
    words = ["--check-args", f"--config-file={tmp_path}/gearmand.conf"]
    words += [] if place == "the config file" else [f"--policy={path}"]
    assert program.main(words) == 1
    err = capsys.readouterr().err
    assert err.endswith(f": {tmp_path}/{SAID}\n")
    assert err.count("\n") == 1
    path.write_text(GOOD)
    assert program.main(words) == 0
    assert capsys.readouterr().err == ""


def test_check_args_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"--check-args --policy={tmp_path}/none")
    assert str(caught.value) == f"the policy file {tmp_path}/none cannot be read: No such file or directory"


def test_in_a_program_it_is_a_setting(tmp_path: Path) -> None:
    assert Gearfast(Config(policy=str(file_of(tmp_path, GOOD)))).policies.path == str(tmp_path / "policy.toml")


# --- a process ---


@pytest.mark.parametrize("daemon", [False, True])
def test_a_bad_file_ends_the_start_with_one_line(tmp_path: Path, daemon: bool) -> None:
    file_of(tmp_path, BAD)
    words = [f"--listen={HOST}", f"--port={free_port()}", "--policy=policy.toml", f"--pid-file={tmp_path}/pid"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gearfast",
            "--config-file=/dev/null",
            "--log-file=none",
            *words,
            *["--daemon"] * daemon,
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f": {tmp_path}/{SAID}")
    assert not (tmp_path / "pid").exists()


def test_in_the_background_a_relative_path_is_read_again(tmp_path: Path) -> None:
    file_of(tmp_path, GOOD)
    port = free_port()
    words = [f"--listen={HOST}", f"--port={port}", "--policy=policy.toml", f"--pid-file={tmp_path}/pid", "--daemon"]
    done = subprocess.run(
        [sys.executable, "-m", "gearfast", "--config-file=/dev/null", f"--log-file={tmp_path}/log", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    pid = int((tmp_path / "pid").read_text())
    try:
        with Connection(HOST, port) as admin:
            assert retries_of(admin, "mail.high") == "5\tfile mail.*"
            file_of(tmp_path, GOOD.replace("5", "6"))
            os.kill(pid, signal.SIGHUP)
            until(lambda: retries_of(admin, "mail.high") == "6\tfile mail.*", "the file is read again")
    finally:
        os.kill(pid, signal.SIGTERM)
        until(lambda: not (tmp_path / "pid").exists(), "the server has ended")


def hang_up(server: Server, said: str) -> None:
    """Have it read its files again, and wait until its log says so, once more than before."""
    before = log_of(server).count(said)
    os.kill(server.pid, signal.SIGHUP)
    until(lambda: log_of(server).count(said) > before, f"the log says {said}")


def test_sighup_reads_a_good_file_and_leaves_a_bad_one(tmp_path: Path) -> None:
    path = file_of(tmp_path, GOOD)
    with start_gearfast(f"--policy={path}", "--verbose=NOTICE") as server, server.connect() as admin:
        assert retries_of(admin, "mail.high") == "5\tfile mail.*"
        assert admin.admin("policy mail.high timeout=1m") == b"OK\r\n"
        assert admin.admin("pause video it rests") == b"OK\r\n"
        path.write_text(GOOD.replace("mail", "m"))
        hang_up(server, f"The policy file {path} was read again")
        assert retries_of(admin, "mail.high") == "no end\tdefault"
        assert retries_of(admin, "m.high") == "5\tfile m.*"
        path.write_text(BAD)
        hang_up(server, f"The policies stay as they are: {tmp_path}/{SAID}")
        assert retries_of(admin, "m.high") == "5\tfile m.*"
        path.unlink()
        hang_up(server, f"The policies stay as they are: the policy file {path} cannot be read: No such file")
        assert admin.table("policy") == [
            "m.*\tretries\t5\tfile",
            "mail.high\ttimeout\t1m\tadmin",
            "video\tpaused\tit rests\tadmin",
        ]
        assert end(server.process) == 0


def test_a_pause_survives_a_kill(tmp_path: Path) -> None:
    words = [f"--store=sqlite:{tmp_path}/jobs.db"]
    with start_gearfast(*words) as server, server.connect() as admin:
        assert admin.admin("pause mail.* it moves") == b"OK\r\n"
        until(lambda: b"mail.*" in (tmp_path / "jobs.db").read_bytes() + wal_of(tmp_path), "it is in the store")
        server.process.kill()
        server.process.wait()
    with start_gearfast(*words) as server, server.connect() as admin:
        assert admin.table("policy") == ["mail.*\tpaused\tit moves\tadmin"]


def wal_of(tmp_path: Path) -> bytes:
    """What SQLite has written and not moved into its file."""
    path = tmp_path / "jobs.db-wal"
    return path.read_bytes() if path.exists() else b""
