"""The program `gearfast` as the system sees it: a process of its own, found by its file and by its name."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.peers import HOST, PEERS, PROJECT, Server, free_port, peer, start, until
from tests.support.wire import Connection

BIN = Path(sys.executable).parent
LIBRARY = Path(sysconfig.get_config_var("LIBDIR"), f"libpython{sysconfig.get_config_var('LDVERSION')}.so.1.0")
README = PROJECT / "README.md"
PATIENCE = 30

linux = pytest.mark.skipif(sys.platform != "linux", reason="the launcher is for Linux: gearfast is a script here")
found = pytest.mark.skipif(not LIBRARY.exists(), reason=f"this Python has no {LIBRARY.name}: gearfast is a script here")
pytestmark = linux


@pytest.fixture(name="program")
def make_program(tmp_path: Path) -> Path:
    """The installed program, as a file that no other process runs."""
    for name in ("gearfast", "gearfast-python"):
        shutil.copy(BIN / name, tmp_path)
    return tmp_path / "gearfast"


def words(port: int) -> list[str]:
    """A command line that leaves the machine's own config, log and pid file alone."""
    return ["--config-file=/dev/null", f"--listen={HOST}", f"--port={port}", "--log-file=none", "--pid-file=pid"]


def environment(**more: str) -> dict[str, str]:
    """An environment in which nothing of this machine steers the server; it runs the package under test."""
    ours = {key: value for key, value in os.environ.items() if key != "GEARMAND_PORT"}
    path = [str(PEERS / "bin"), os.environ["PATH"], "/usr/sbin", "/sbin"]
    return ours | {"PYTHONPATH": str(PROJECT), "PATH": os.pathsep.join(path)} | more


def run(*command: str | Path, cwd: Path = PROJECT, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(**more),
        timeout=PATIENCE,
        check=False,
    )


def exe(pid: int) -> Path:
    """The file that a process runs."""
    return Path(os.readlink(f"/proc/{pid}/exe"))


def comm(pid: int) -> str:
    """What the system calls a process."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def shown(pid: int) -> list[str]:
    """The command line, as `ps` shows it."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


def answers(port: int) -> bool:
    """Whether a server serves there."""
    with Connection(HOST, port) as connection:
        return connection.admin("version").startswith(b"OK")


def kill(pid: int) -> None:
    """End a process that is nobody's child, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def started(program: Path, command: Sequence[str | Path], called: str) -> None:
    """Start it so; it is found as what it is."""
    port = free_port()
    with start("launcher", [*command, *words(port)], port) as server:
        assert exe(server.pid) == program
        assert comm(server.pid) == "gearfast"
        assert shown(server.pid) == [called, *words(port)]
        assert server.stop() == 0


# --- by its file and its name ----------------------------------------------------------------------------------------


@found
def test_the_process_is_the_program(program: Path) -> None:
    started(program, [program], str(program))


@found
def test_through_a_link(program: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("sbin") / "gearfast"
    link.symlink_to(program)
    started(program, [link], str(link))


@found
def test_through_the_path(program: Path) -> None:
    started(program, ["sh", "-c", 'PATH=$0:$PATH; exec gearfast "$@"', program.parent], "gearfast")


@found
def test_from_its_own_folder(program: Path) -> None:
    started(program, ["sh", "-c", 'cd "$0" && exec ./gearfast "$@"', program.parent], "./gearfast")


@found
def test_pidof_finds_it(program: Path) -> None:
    pidof = peer("pidof")
    port = free_port()
    with start("launcher", [program, *words(port)], port) as server:
        assert str(server.pid) in run(pidof, "gearfast").stdout.split()
        assert run(pidof, program).stdout.split() == [str(server.pid)]


@found
def test_start_stop_daemon_knows_whether_it_runs(program: Path, tmp_path: Path) -> None:
    tool = peer("start-stop-daemon")
    port = free_port()
    command = [str(tool), "--start", f"--exec={program}", f"--chdir={tmp_path}", "--", "--daemon", *words(port)]
    assert run(tool, "--status", f"--exec={program}").returncode == 3
    assert run(*command).returncode == 0
    pid = int((tmp_path / "pid").read_text())
    try:
        assert answers(port)
        assert (exe(pid), comm(pid)) == (program, "gearfast")
        assert run(tool, "--status", f"--exec={program}").returncode == 0
        again = run(*command)
        assert (again.returncode, again.stdout) == (1, f"{program} already running.\n")
        stopped = run(tool, "--stop", "--retry=20", f"--exec={program}")
        assert stopped.returncode == 0, stopped
        assert run(tool, "--status", f"--exec={program}").returncode == 3
    finally:
        kill(pid)


# --- Debian's init script --------------------------------------------------------------------------------------------


class Service:
    """Debian's own script for gearmand, changed as README says; and it keeps to a folder of ours."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.port = free_port()
        self.pid_file = folder / "run" / "gearmand.pid"
        user = "nobody" if os.geteuid() == 0 else ""
        text = as_readme_says(debians_script(), program)
        for name, value in {"PIDDIR": folder / "run", "GEARMANUSER": user or os.geteuid()}.items():
            text, count = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
            assert count == 1, name
        if not user:  # only root switches users
            text = re.sub(r"^ *--user=.*\n", "", text, flags=re.MULTILINE)
        text = text.replace("/etc/default/gearman-job-server", str(folder / "default"))
        if not Path("/lib/lsb/init-functions").exists():
            text = text.replace("/lib/lsb/", f"{PEERS / 'root' / 'lib' / 'lsb'}/")
        options = f"--daemon --listen={HOST} --port={self.port} --log-file=none --config-file=/dev/null"
        (folder / "default").write_text(f'PARAMS="{options}"\n')
        self.script = folder / "gearman-job-server"
        self.script.write_text(text)

    def do(self, what: str) -> subprocess.CompletedProcess[str]:
        """What `service gearman-job-server` does."""
        return run("sh", self.script, what, cwd=Path("/"))

    def pid(self) -> int:
        """The process of the pid file."""
        return int(self.pid_file.read_text())


def debians_script() -> str:
    """The init script of the package gearman-job-server: from where it was unpacked, or of the machine."""
    peer("gearmand")
    places = [root / "etc" / "init.d" / "gearman-job-server" for root in (PEERS / "root", Path("/"))]
    (script, *_) = filter(Path.exists, places)
    return script.read_text()


def as_readme_says(text: str, program: Path) -> str:
    """The init script after README's `sed`, with the program in its place."""
    (line,) = re.findall(r"^    sed -i (.*) /etc/init.d/gearman-job-server$", README.read_text(), re.MULTILINE)
    expressions = shlex.split(line.replace("/usr/local/bin/gearfast", str(program)))
    return subprocess.run(["sed", *expressions], input=text, capture_output=True, text=True, check=True).stdout


@pytest.fixture(name="service")
def make_service(program: Path) -> Iterator[Service]:
    peer("start-stop-daemon")
    peer("pidof")  # whose package has the functions of init scripts
    # Not in tmp_path: only its owner may enter the folders above that.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        service = Service(program, Path(folder))
        yield service
        if service.pid_file.exists():
            kill(service.pid())


@found
def test_debians_init_script_tells_the_truth(program: Path, service: Service) -> None:
    assert service.do("status").returncode == 3
    done = service.do("start")
    assert done.returncode == 0, done
    first = service.pid()
    assert exe(first) == program
    assert answers(service.port)
    assert service.do("status").returncode == 0
    assert service.do("start").returncode == 1
    assert service.pid() == first

    done = service.do("restart")
    assert done.returncode == 0, done
    assert service.pid() != first
    assert answers(service.port)
    assert service.do("status").returncode == 0

    assert service.do("stop").returncode == 0
    assert run(peer("start-stop-daemon"), "--status", f"--exec={program}").returncode == 3
    assert service.do("status").returncode == 3
    assert service.do("stop").returncode == 0


# --- what runs inside ------------------------------------------------------------------------------------------------

PORTRAIT = """
import atexit, json, os, sys

def draw():
    names = "executable _base_executable prefix exec_prefix base_prefix base_exec_prefix path"
    seen = {name: getattr(sys, name) for name in [*names.split(), "version", "warnoptions", "_xoptions"]}
    flags = (name for name in dir(sys.flags) if name.islower() and name[0] != "_" and not name.startswith("n_"))
    seen["flags"] = {name: getattr(sys.flags, name) for name in flags if name not in ("count", "index")}
    seen["argv"] = sys.argv
    with open(os.environ["PORTRAIT"], "w") as file:
        json.dump(seen, file)

atexit.register(draw)
"""


def portrait(program: Path, folder: Path, **more: str) -> dict[str, object]:
    """What Python is like inside a program."""
    (folder / "sitecustomize.py").write_text(PORTRAIT)
    seen = folder / "seen"
    settings = {"PYTHONPATH": f"{folder}:{PROJECT}", "PORTRAIT": str(seen)} | more
    done = run(program, "--version", cwd=folder, **settings)
    assert (done.returncode, done.stderr) == (0, "")
    looked = json.loads(seen.read_text())
    assert isinstance(looked, dict)
    return looked


SETTINGS = [{}, {"PYTHONDEVMODE": "1"}, {"PYTHONOPTIMIZE": "2", "PYTHONHASHSEED": "7", "PYTHONNOUSERSITE": "1"}]


@found
@pytest.mark.parametrize(
    "settings", [*SETTINGS, {"PYTHONUTF8": "1", "PYTHONWARNINGS": "ignore", "PYTHONSAFEPATH": "1"}]
)
def test_python_is_as_it_would_be_in_a_script(program: Path, tmp_path: Path, settings: dict[str, str]) -> None:
    script, launched = (portrait(BIN / name, tmp_path, **settings) for name in ("gearfast-python", "gearfast"))
    assert launched["executable"] == sys.executable
    assert launched["argv"] == [str(BIN / "gearfast"), "--version"]
    for seen in (script, launched):
        path, flags = seen["path"], seen["flags"]
        assert isinstance(path, list)
        assert isinstance(flags, dict)
        flags.pop("safe_path")
        if str(BIN) in path:  # a script's folder, a place for modules
            assert seen is script
            path.remove(str(BIN))
    assert launched == script


def give_interpreter(program: Path, words: str | Path) -> None:
    """Write it into the first line of the script beside the program, as installers do."""
    script = program.with_name("gearfast-python")
    _, text = script.read_text().split("\n", 1)
    script.write_text(f"#!{words}\n{text}")


@found
@pytest.mark.parametrize(("folder", "options"), [("with blanks -and more", ""), ("with blanks", " -sP")])
def test_the_interpreter_is_the_one_of_the_first_line(program: Path, tmp_path: Path, folder: str, options: str) -> None:
    """Where the installer has written it, with the options that some give."""
    python = tmp_path / folder / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.symlink_to(Path(sys.executable).resolve())
    give_interpreter(program, f"{python}{options}")
    modules = [str(tmp_path), str(PROJECT), *(path for path in sys.path if path.endswith("site-packages"))]
    looked = portrait(program, tmp_path, PYTHONPATH=os.pathsep.join(modules))
    assert looked["executable"] == str(python)
    assert isinstance(looked["flags"], dict)
    assert looked["flags"]["no_user_site"] == (1 if options else 0)


@found
def test_nothing_is_imported_from_the_working_directory(program: Path, tmp_path: Path) -> None:
    for module in ("gearfast", "uvloop", "socket"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('a trap')\n")
    done = run(program, "--version", cwd=tmp_path, PYTHONPATH=str(PROJECT))
    assert (done.returncode, done.stderr) == (0, "")


@found
def test_messages_begin_with_what_it_is_called_by(program: Path, tmp_path: Path) -> None:
    link = tmp_path / "gearmand"
    link.symlink_to(program)
    assert run(link, "--bogus").stderr == "gearmand: unrecognised option '--bogus'\n"
    assert run(program, "-c").stderr.startswith("gearfast: ")  # no word is Python's


# --- where there is no launcher --------------------------------------------------------------------------------------


def without_library(folder: Path) -> Path:
    """The interpreter under a path where none of its library is."""
    python = folder / "else where" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return python


def serves_as_a_script(server: Server, port: int) -> None:
    """All works, and the process is called gearfast at least."""
    until(lambda: comm(server.pid) == "gearfast", "it has its name")
    assert exe(server.pid).name.startswith("python")
    assert answers(port)
    assert server.stop() == 0


def test_without_pythons_library_it_is_the_script(program: Path, tmp_path: Path) -> None:
    give_interpreter(program, without_library(tmp_path))
    assert run(program, "--bogus").stderr == "gearfast: unrecognised option '--bogus'\n"
    port = free_port()
    with start("launcher", [program, *words(port)], port) as server:
        serves_as_a_script(server, port)


def test_the_script_is_the_program_where_no_launcher_can_be_built(tmp_path: Path) -> None:
    (tmp_path / "gearfast").write_text("of an earlier build")
    (tmp_path / "gearfast-python").write_text("of an earlier build")
    build = [sys.executable, "setup.py", "-q", "build_scripts", f"--build-dir={tmp_path}"]
    done = run(*build, cwd=PROJECT, CC="false")
    assert done.returncode == 0, done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["gearfast"]
    program = tmp_path / "gearfast"
    assert program.read_text().startswith(f"#!{sys.executable}\n")
    assert run(program, "--bogus").stderr == "gearfast: unrecognised option '--bogus'\n"
    port = free_port()
    with start("script", [program, *words(port)], port) as server:
        serves_as_a_script(server, port)


def test_a_copy_without_its_script_says_what_to_do(program: Path) -> None:
    (program.parent / "gearfast-python").unlink()
    done = run(program)
    advice = "Link to the installed gearfast instead of copying it, or install it again"
    assert done.stderr == f"gearfast: cannot run {program}-python (No such file or directory). {advice}\n"
    assert done.returncode == 1
