"""MySQL's option files, read as MariaDB's own client reads them, and used to reach a real one."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from gearfast.cli import mysql_files, program, queues
from gearfast.cli.arguments import Arguments
from gearfast.cli.mysql_files import OptionFiles
from gearfast.errors import ConfigError
from gearfast.plugins.mysql.url import address_of
from tests.support.databases import DATABASE, PASSWORD, USER, MariaDb
from tests.support.databases import run_mariadb as run_mariadb
from tests.support.peers import HOST, peer, start_gearfast, start_gearmand
from tests.support.processes import greeting_of
from tests.support.wire import JOB_CREATED, SUBMIT_JOB_BG
from tests.whole.test_tls import issue


@pytest.fixture(name="home", autouse=True)
def make_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, and a system without option files."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(mysql_files, "SYSTEM", (str(tmp_path / "etc.cnf"), str(tmp_path / "etc-mysql.cnf")))
    monkeypatch.setenv("HOME", str(home))
    return home


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write a file that is its owner's."""
    path.write_text(text)
    path.chmod(mode)
    return path


def read(path: Path) -> OptionFiles:
    """Read one file."""
    files = OptionFiles()
    files.read(str(path))
    return files


def url(line: str = "", **environment: str) -> str:
    """Return the URL that a command line with ``-q MySQL`` and the option files make."""
    given, _ = Arguments.read(f"-q MySQL {line}".split())
    settings, _ = queues.store_settings(given, {"HOME": os.environ["HOME"], **environment})
    assert settings is not None
    return settings.url


# --- how they are read -------------------------------------------------------------------

LINES = r"""
# a comment
; another one
[client]
user = bob # at the end
host=  h.example
  init-command = 2
plugin_dir = "a # b\t\\ \x\" '" # c
default-auth = 'x"y'
ssl-ca = a\sb\nc\#d
ssl-key='abc
ssl-cert="abc"def
ssl-cipher=
[mysqld]
user=no
[client ]
ssl-capath=spaced
[ client ]
ssl-capath=no
"""


def test_lines_mean_what_they_mean_to_mariadb(tmp_path: Path) -> None:
    path = write(tmp_path / "my.cnf", LINES)
    words = [str(peer("mariadb")), f"--defaults-file={path}", "--print-defaults"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    theirs = done.stdout.partition("following arguments:\n")[2].rstrip("\n")
    ours = read(path).said
    assert len(ours) == 9 + 1
    assert " ".join(f"--{name}={said.text}" for name, said in ours.items()) == theirs.replace("_", "-").strip()


def test_later_lines_groups_and_files_win(tmp_path: Path, home: Path) -> None:
    etc, etc_mysql = (Path(path) for path in mysql_files.SYSTEM)
    write(etc, "[gearmand]\nport=1\nuser=etc\nhost=etc\ndatabase=etc\nsocket=etc\n")
    write(etc_mysql, "[client]\nport=2\nuser=mysql\nhost=mysql\ndatabase=mysql\n[gearmand]\nuser=a\n[client]\nuser=b\n")
    write(tmp_path / "my.cnf", "[client-mariadb]\nport=3\nhost=folder\ndatabase=folder\n")
    write(home / ".my.cnf", "[client-server]\nport=4\nhost=home\n[mysql]\nport=5\n")
    found = mysql_files.option_files({"HOME": str(home), "MYSQL_HOME": str(tmp_path)}, "").said
    assert {name: said.text for name, said in found.items()} == {
        "port": "4",
        "user": "b",
        "host": "home",
        "database": "folder",
        "socket": "etc",
    }
    assert found["port"].place == f"{home}/.my.cnf, line 2"


def test_files_are_included(tmp_path: Path) -> None:
    folder = tmp_path / "conf.d"
    folder.mkdir()
    write(folder / "b.cnf", "[client]\nport=2\n")
    write(folder / "a.cnf", "[client]\nport=1\nhost=a\n")
    write(folder / "c.txt", "[client]\nport=3\n")
    other = write(tmp_path / "other.cnf", f"[client]\nuser=included\nhost=included\n!include {tmp_path}/my.cnf\n")
    path = write(tmp_path / "my.cnf", f"!include {other}\n!includedir {folder}\n!include /nonexistent\n[client]\nssl\n")
    found = {name: said.text for name, said in read(path).said.items()}
    assert found == {"user": "included", "host": "a", "port": "2", "ssl": ""}


def test_the_user_that_the_server_runs_as_has_files_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's own file has the password of the database's root, which is not for the server."""
    write(home / ".my.cnf", "[client]\nuser=root\n")
    assert mysql_files.option_files({"HOME": str(home)}, "").text("user") == "root"
    assert mysql_files.option_files({"HOME": str(home)}, "nosuchuser").text("user") == ""
    entry = pwd.struct_passwd(("gearman", "x", 1, 1, "", str(home), ""))
    monkeypatch.setattr(pwd, "getpwnam", {"gearman": entry}.__getitem__)
    assert mysql_files.option_files({"HOME": "/nonexistent"}, "gearman").text("user") == "root"


def test_a_file_that_anybody_may_write_is_ignored_with_a_warning(home: Path) -> None:
    path = write(home / ".my.cnf", "[client]\nhost=elsewhere\n", 0o646)
    found = mysql_files.option_files({"HOME": str(home)}, "")
    assert (found.said, found.warnings) == ({}, [f"{path} is ignored: everybody can write to it: chmod o-w {path}"])


def test_a_password_that_others_may_read_is_warned_of(home: Path) -> None:
    path = write(home / ".my.cnf", "[client]\npassword=secret\n", 0o644)
    warning = f"{path} contains a password, and others can read it: chmod go= {path}"
    assert mysql_files.option_files({"HOME": str(home)}, "").warnings == [warning]
    write(path, "[client]\nuser=x\n[mysqld]\npassword=secret\n", 0o644)
    assert mysql_files.option_files({"HOME": str(home)}, "").warnings == []


def test_what_cannot_be_read_is_passed_over_with_a_warning(home: Path) -> None:
    (home / ".my.cnf").mkdir()
    found = mysql_files.option_files({"HOME": str(home)}, "")
    assert found.warnings == [f"{home}/.my.cnf is ignored: it cannot be read (Is a directory)"]


# --- what they are used for --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "wanted"),
    [
        ("", "--mysql-db=d", "mysql://localhost:3306/d"),
        ("database=f", "", "mysql://localhost:3306/f"),
        ("host=h\nport=33\nuser=u\npassword=p@:/\ndatabase=f", "", "mysql://u:p%40%3A%2F@h:33/f"),
        ("host=h\nport=33\nuser=u\npassword=p\ndatabase=f",
         "--mysql-host=H --mysql-port=44 --mysql-user=U --mysql-password=P --mysql-db=D", "mysql://U:P@H:44/D"),
        ("host=h\nport=33", "--mysql-host=localhost --mysql-port=3306 --mysql-db=d", "mysql://localhost:3306/d"),
        ("port=0\nhost=", "--mysql-db=d", "mysql://localhost:3306/d"),
        ("socket=/s", "--mysql-db=d", "mysql://localhost:3306/d?unix_socket=%2Fs"),
        ("socket=/s\nprotocol=tcp", "--mysql-db=d", "mysql://localhost:3306/d?unix_socket="),
        ("socket=/s", "--mysql-db=d --mysql-host=127.0.0.1", "mysql://127.0.0.1:3306/d"),
        ("socket=/s", "--mysql-db=d --mysql-port=3307", "mysql://localhost:3307/d"),
        ("socket=/s\nport=3307", "--mysql-db=d", "mysql://localhost:3307/d?unix_socket=%2Fs"),
        ("ssl", "--mysql-db=d", "mysql://localhost:3306/d?ssl=1"),
        ("loose-ssl=1\nskip-ssl", "--mysql-db=d", "mysql://localhost:3306/d"),
        ("ssl-mode=REQUIRED", "--mysql-db=d", "mysql://localhost:3306/d?ssl=1"),
        ("ssl-ca=/ca\nssl-mode=DISABLED", "--mysql-db=d", "mysql://localhost:3306/d"),
        ("ssl_ca=/c a", "--mysql-db=d", "mysql://localhost:3306/d?ssl_ca=%2Fc+a&ssl_check_hostname=0&ssl=1"),
        ("tls-ca=/ca\ntls-verify-peer", "--mysql-db=d",
         "mysql://localhost:3306/d?ssl_ca=%2Fca&ssl_check_hostname=1&ssl=1"),
        ("ssl-ca=/ca\nssl-mode=verify_identity", "--mysql-db=d",
         "mysql://localhost:3306/d?ssl_ca=%2Fca&ssl_check_hostname=1&ssl=1"),
        ("ssl-cert=/c\nssl-key=/k\nssl-cipher=X", "--mysql-db=d",
         "mysql://localhost:3306/d?ssl_cert=%2Fc&ssl_key=%2Fk&ssl_cipher=X&ssl=1"),
        ("tls-version=TLSv1.2,TLSv1.3\ncompress\ndefault-character-set=utf8", "--mysql-db=d", "mysql://localhost:3306/d"),
    ],
)  # fmt: skip
def test_a_file_says_what_the_command_line_does_not(home: Path, text: str, line: str, wanted: str) -> None:
    write(home / ".my.cnf", f"[client]\n{text}\n")
    assert url(line) == wanted


@pytest.mark.parametrize("environment", [{}, {"GEARFAST_STORE_PASSWORD": "ours"}])
def test_a_password_of_ours_goes_before_that_of_a_file(home: Path, environment: dict[str, str]) -> None:
    write(home / ".my.cnf", "[client]\nuser=u\npassword=theirs\n")
    place = "mysql://u@localhost:3306/d" if environment else "mysql://u:theirs@localhost:3306/d"
    assert url("--mysql-db=d", **environment) == place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port=abc", "line 2: 'abc' is not a port: use a number from 0 to 65535"),
        ("port=65536", "line 2: '65536' is not a port: use a number from 0 to 65535"),
        *((f"{name}=x", f"line 2: the driver of MySQL does not support {name.replace('tls-f', 'ssl-f')}: remove it")
          for name in ("ssl-crl", "ssl-crlpath", "ssl-fp", "tls-fp", "ssl-fplist", "ssl-passphrase", "tls-version")),
        *((text, "line 2: the certificate of the server cannot be checked: write ssl-ca=FILE beside it")
          for text in ("ssl-verify-server-cert", "ssl-mode=VERIFY_CA", "ssl-mode=verify_identity")),
    ],
)  # fmt: skip
def test_what_the_driver_cannot_do_is_refused_with_its_place(
    home: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(home / ".my.cnf", f"[client]\n{text}\n")
    with pytest.raises(ConfigError) as refused:
        url("--mysql-db=d")
    assert str(refused.value) == f"{path}, {said}"
    assert program.main(["--check-args", "--config-file=/dev/null", "-q", "MySQL", "--mysql-db=d"]) == 1
    assert capsys.readouterr().err.endswith(f": {path}, {said}\n")


def test_no_database_at_all_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"\(missing required --mysql-db=<database> argument, and no option file"):
        url()


def test_files_are_for_stocks_options_only(home: Path) -> None:
    write(home / ".my.cnf", "[client]\nuser=u\npassword=p\n")
    assert address_of("mysql://localhost:3307/d").user == ""


def test_a_server_finds_its_database_by_them(mariadb: MariaDb, home: Path) -> None:
    """Through host and port, and through the socket; and so the way back to gearmand's own table."""
    login = f"user={USER}\npassword='{PASSWORD}'\n"
    places = (
        f"[gearmand]\n{login}database={DATABASE}\nhost={HOST}\nport={mariadb.port}\n",
        f"[client]\n{login}[client-server]\nsocket={mariadb.folder / 'socket'}\n[gearmand]\ndatabase={DATABASE}\n",
    )
    for count, text in enumerate(places, 1):
        write(home / ".my.cnf", text)
        with start_gearfast("-q", "MySQL", "--mysql-table=by_files") as server, server.connect() as client:
            assert client.call(SUBMIT_JOB_BG, "f", f"u{count}", payload=b"x").type == JOB_CREATED
        assert mariadb.run("SELECT COUNT(*) FROM gearfast_by_files") == [[str(count)]]


def test_a_server_over_tls_is_checked_as_a_file_says(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its authority, and with its name when that is asked for: the certificate is localhost's."""
    authority = issue(tmp_path, "authority")
    server, stranger = issue(tmp_path, "server", authority), issue(tmp_path, "stranger")
    login = f"[client]\nuser={USER}\npassword={PASSWORD}\ndatabase={DATABASE}\nprotocol=tcp\n"
    files = [f"--ssl-cert={server.certificate}", f"--ssl-key={server.key}", f"--ssl-ca={authority.certificate}"]
    words = ["store", "count", "-q", "MySQL", "--config-file=/dev/null"]
    with MariaDb(options=[*files, "--require-secure-transport=ON"]) as database:
        for text, code in (
            (f"host={HOST}\nssl-ca={authority.certificate}", 0),
            (f"host={HOST}\nssl-ca={authority.certificate}\nssl-verify-server-cert", 1),
            (f"host=localhost\nssl-ca={authority.certificate}\nssl-verify-server-cert", 0),
            (f"host=localhost\nssl-ca={stranger.certificate}", 1),
            ("host=localhost\nssl", 0),
            ("host=localhost\nskip-ssl", 1),
        ):
            write(home / ".my.cnf", f"{login}port={database.port}\n{text}\n")
            assert (program.main(words), text) == (code, text)
            assert capsys.readouterr().err.count("\n") == code  # why it failed, in one line


def test_gearmand_finds_it_by_the_same_file(mariadb: MariaDb, home: Path) -> None:
    """By what stock itself takes from one: its defaults hide host, port and password."""
    text = f"[client]\nsocket={mariadb.folder / 'socket'}\ndatabase={DATABASE}\n[gearmand]\nuser={USER}\n"
    write(home / ".my.cnf", text)
    words = ["-q", "MySQL", f"--mysql-password={PASSWORD}", "--mysql-table=of_stock"]
    with start_gearmand(*words) as server, server.connect() as client:
        assert client.call(SUBMIT_JOB_BG, "f", "u", payload=b"x").type == JOB_CREATED
    with start_gearfast(*words) as server:
        assert ", with 1 job from mysql://" in greeting_of(server)
