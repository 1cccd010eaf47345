"""The server as a process: what its exit code, pid file, log and signals tell, in front and in the background."""

import contextlib
import os
import pwd
import re
import secrets
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gearfast
from tests.support import wire
from tests.support.peers import free_port
from tests.support.wire import Packet

HOST = "127.0.0.1"
PATIENCE = 30
"""Seconds after which a process that says nothing counts as stuck."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch users")
not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")


def command(*words: str) -> list[str]:
    """Return a command line that leaves the machine's own config, log and pid file alone."""
    return [sys.executable, "-m", "gearfast", "--config-file=/dev/null", f"--listen={HOST}", *words]


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which nothing of this machine steers the server; it runs the package under test."""
    unwanted = {"GEARMAND_PORT", "NOTIFY_SOCKET"}
    ours = {key: value for key, value in os.environ.items() if key not in unwanted}
    return ours | {"PYTHONPATH": str(Path(gearfast.__file__).parent.parent)} | more


class Process:
    """A server in front."""

    def __init__(self, words: tuple[str, ...], folder: Path, env: dict[str, str]) -> None:
        self.popen = subprocess.Popen(command(*words), cwd=folder, env=env, stderr=subprocess.PIPE, text=True)
        self.greeting = ""
        self.port = 0

    def greet(self) -> None:
        """Wait until it says where it listens; all it says until then is its greeting."""
        assert self.popen.stderr is not None
        while " is listening on " not in self.greeting:
            line = self.popen.stderr.readline()
            assert line, self.greeting
            self.greeting += line
        match = re.search(rf"{re.escape(HOST)}:(\d+)", self.greeting)
        assert match is not None
        self.port = int(match[1])

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; return the exit code."""
        self.popen.send_signal(number)
        return self.popen.wait(PATIENCE)


Launch = Callable[..., Process]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Return what starts a server in front, on a free port, with its files in the test's folder."""
    running: list[Process] = []

    def start(*words: str, **more: str) -> Process:
        defaults = [] if any(word.startswith("--port") for word in words) else ["--port=0"]
        defaults += [] if any(word.startswith("--log-file") for word in words) else ["--log-file=none"]
        defaults += [] if any(word.startswith("--pid-file") for word in words) else ["--pid-file=pid"]
        running.append(Process((*defaults, *words), tmp_path, environment(**more)))
        running[-1].greet()
        return running[-1]

    yield start
    for process in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.end()
        process.popen.kill()
        process.popen.communicate()


def ask(port: int) -> bytes:
    """Ask the server on a port for its version."""
    with socket.create_connection((HOST, port), PATIENCE) as peer:
        peer.sendall(b"version\n")
        return peer.recv(100)


def run(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command line that ends by itself."""
    return subprocess.run(
        command(*words),
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def end_by_pid(pid: int, number: int = signal.SIGTERM) -> None:
    """End a process that is nobody's child any more, and wait until it has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        os.kill(pid, number)
        assert select.select([descriptor], [], [], PATIENCE)[0], f"process {pid} does not end"
    finally:
        os.close(descriptor)


@pytest.fixture
def busy_port() -> Iterator[int]:
    """Return a port that somebody else listens on."""
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]


# --- in front ----------------------------------------------------------------------------


def test_it_says_where_it_listens_and_what_to_try_next(launch: Launch) -> None:
    server = launch()
    assert ask(server.port).startswith(b"OK ")
    assert server.greeting.startswith("gearfast ")
    assert f"gearadmin --port={server.port} --status" in server.greeting


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_that_end_it_leave_exit_code_0_and_no_pid_file(launch: Launch, tmp_path: Path, number: int) -> None:
    server = launch()
    assert (tmp_path / "pid").exists()
    assert server.end(number) == 0
    assert not (tmp_path / "pid").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_signals_that_come_while_it_ends_do_not_make_a_bad_end_of_it(launch: Launch, number: int) -> None:
    server = launch()
    server.popen.send_signal(signal.SIGTERM)
    while server.popen.poll() is None:
        server.popen.send_signal(number)
    assert server.popen.returncode == 0


def test_pid_file_has_stocks_content_and_is_no_program(launch: Launch, tmp_path: Path) -> None:
    server = launch()
    assert (tmp_path / "pid").read_text() == f"{server.popen.pid}\n"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "pid").stat().st_mode) == 0o644 & ~mask


def test_pid_file_replaces_what_is_there_without_following_it(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "pid").symlink_to(tmp_path / "precious")
    launch()
    assert (tmp_path / "precious").read_text() == "kept"
    assert not (tmp_path / "pid").is_symlink()


def test_pid_file_of_somebody_else_stays(launch: Launch, tmp_path: Path) -> None:
    server = launch()
    (tmp_path / "pid").write_text("1\n")
    assert server.end() == 0
    assert (tmp_path / "pid").read_text() == "1\n"


def test_pid_file_in_a_directory_has_stocks_name(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    server = launch("--pid-file=run/")
    assert (tmp_path / "run" / "gearmand.pid").read_text() == f"{server.popen.pid}\n"


def test_pid_file_that_cannot_be_written_is_fatal(tmp_path: Path) -> None:
    done = run(tmp_path, "--port=0", "--log-file=none", "--pid-file=none/pid")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "gearfast: Could not open pid file for writing: none/pid (No such file or directory)"
    )


def test_it_listens_on_several_addresses_and_takes_its_socket_file_along(launch: Launch, tmp_path: Path) -> None:
    server = launch("--listen=unix:socket")
    assert ", unix:socket." in server.greeting
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "socket"))
        peer.sendall(b"version\n")
        assert peer.recv(100) == ask(server.port)
    assert server.end() == 0
    assert not (tmp_path / "socket").exists()


def test_a_start_that_fails_late_leaves_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "--port=0", "--listen=unix:socket", "--log-file=none", "--pid-file=none/pid")
    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_busy_port_is_one_line_and_exit_code_1(tmp_path: Path, busy_port: int) -> None:
    done = run(tmp_path, f"--port={busy_port}", "--log-file=none", "--pid-file=pid")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("gearfast: ")
    assert str(busy_port) in line


def test_log_file_that_cannot_be_opened_is_fatal(tmp_path: Path) -> None:
    done = run(tmp_path, "--port=0", "--log-file=none/log", "--pid-file=pid")
    assert (done.returncode, done.stderr) == (
        1,
        'gearfast: Could not open log file "none/log" (No such file or directory)\n',
    )


@not_as_root
def test_default_log_file_that_cannot_be_opened_is_not(launch: Launch) -> None:
    server = launch("--log-file=/var/log/gearmand.log")
    assert "switching to stderr" in server.greeting


def test_sighup_reopens_the_log(launch: Launch, tmp_path: Path) -> None:
    server = launch("--log-file=log", "--verbose=INFO")
    (tmp_path / "log").rename(tmp_path / "log.1")
    server.popen.send_signal(signal.SIGHUP)
    # Both may be pending at once; the kernel delivers the lower number first.
    assert server.end() == 0
    assert "NOTICE" in (tmp_path / "log.1").read_text()
    assert "Shutdown complete" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("place", ["stderr", "none"])
def test_sighup_without_a_log_file_creates_none(launch: Launch, tmp_path: Path, place: str) -> None:
    server = launch(f"--log-file={place}")
    server.popen.send_signal(signal.SIGHUP)
    assert server.end() == 0
    assert list(tmp_path.iterdir()) == []


def test_sigpipe_is_ignored(launch: Launch) -> None:
    server = launch()
    server.popen.send_signal(signal.SIGPIPE)
    assert ask(server.port).startswith(b"OK ")


def test_kubernetes_gearmand_port_does_not_break_the_start(launch: Launch) -> None:
    # On a busy 4730 the start would fail for another reason; a port of its own shows as much.
    done = subprocess.run(
        command("--check-args"), env=environment(GEARMAND_PORT="tcp://10.0.0.1:4730"), timeout=PATIENCE, check=False
    )
    assert done.returncode == 0
    port = free_port()
    assert launch("--port=4730", GEARMAND_PORT=str(port)).port == port


def test_file_descriptors_sets_the_soft_limit(launch: Launch) -> None:
    server = launch("--file-descriptors=123")
    limits = Path(f"/proc/{server.popen.pid}/limits").read_text()
    match = re.search(r"Max open files +(\d+)", limits)
    assert match is not None
    assert match[1] == "123"


@pytest.mark.parametrize("words", [["--file-descriptors=18446744073709551614"], ["-f", "-4"]])
def test_file_descriptors_beyond_the_systems_are_refused(tmp_path: Path, words: list[str]) -> None:
    done = run(tmp_path, "--port=0", "--log-file=none", "--pid-file=pid", *words)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "gearfast: Failed to set limit for the number of file descriptors.  Try running as root"
    )


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(launch: Launch, tmp_path: Path, abstract: bool) -> None:
    """Through a file, or through a name of Linux's that is no file: systemd writes its zero byte as @."""
    address = "@gearfast-notify-" + secrets.token_hex(8) if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bus:
        bus.settimeout(PATIENCE)
        bus.bind(address.replace("@", "\0") if abstract else address)
        server = launch(NOTIFY_SOCKET=address)
        assert bus.recv(100) == b"READY=1"
        assert server.end() == 0
        assert bus.recv(100) == b"STOPPING=1"


# --- users -------------------------------------------------------------------------------


def identity(pid: int, what: str) -> list[int]:
    """Return the numbers of a line of /proc/<pid>/status: Uid, Gid or Groups."""
    match = re.search(rf"^{what}:(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert match is not None
    return [int(word) for word in match[1].split()]


@as_root
def test_user_is_switched_to_before_any_file_is_written(launch: Launch) -> None:
    nobody = pwd.getpwnam("nobody")
    # Not in tmp_path: only its owner may enter the folders above that.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        server = launch("--user=nobody", f"--log-file={folder}/log", f"--pid-file={folder}/pid")
        assert identity(server.popen.pid, "Uid") == [nobody.pw_uid] * 4
        assert identity(server.popen.pid, "Gid") == [nobody.pw_gid] * 4
        assert identity(server.popen.pid, "Groups") == []
        assert {(Path(folder) / name).stat().st_uid for name in ("log", "pid")} == {nobody.pw_uid}
        assert server.end() == 0


@as_root
def test_unknown_user(tmp_path: Path) -> None:
    done = run(tmp_path, "--port=0", "--user=no-such-user", "--pid-file=pid")
    assert (done.returncode, done.stderr) == (1, "gearfast: Could not find user : no-such-user\n")


@not_as_root
def test_only_root_switches_users(tmp_path: Path) -> None:
    done = run(tmp_path, "--port=0", "--user=nobody", "--pid-file=pid")
    assert (done.returncode, done.stderr) == (1, "gearfast: Must be root to switch users.\n")


# --- in the background -------------------------------------------------------------------


def test_daemon_serves_when_the_command_returns(tmp_path: Path) -> None:
    port = free_port()
    done = run(tmp_path, "--daemon", f"--port={port}", "--log-file=log", "--pid-file=pid", "--verbose=INFO")
    pid = int((tmp_path / "pid").read_text())
    try:
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert ask(port).startswith(b"OK ")
        assert os.getsid(pid) == pid
        assert Path(f"/proc/{pid}/cwd").resolve() == tmp_path.resolve()
        assert {os.readlink(f"/proc/{pid}/fd/{descriptor}") for descriptor in (0, 1, 2)} == {"/dev/null"}
    finally:
        end_by_pid(pid)
    assert not (tmp_path / "pid").exists()
    assert "Shutdown complete" in (tmp_path / "log").read_text()


def test_daemon_has_the_threads_that_it_was_asked_for_and_they_serve(tmp_path: Path) -> None:
    """None of them would have come along if they had been started before it went into the background."""
    tasks = {}
    for threads in (1, 4):
        port = free_port()
        done = run(
            tmp_path, "--daemon", f"--io-threads={threads}", f"--port={port}", "--log-file=log", "--pid-file=pid"
        )
        pid = int((tmp_path / "pid").read_text())
        try:
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            with contextlib.ExitStack() as stack:
                peers = [stack.enter_context(wire.connect(HOST, port)) for _ in range(2 * threads)]
                for number in range(50):  # enough of them to be given to other threads
                    for peer in peers:
                        payload = b"%d" % number
                        assert peer.call(wire.ECHO_REQ, payload=payload) == Packet(wire.RES, wire.ECHO_RES, payload)
                tasks[threads] = len(os.listdir(f"/proc/{pid}/task"))
        finally:
            end_by_pid(pid)
    assert tasks[4] == tasks[1] + 3


@pytest.mark.parametrize("closed", ["0", "1", "2", "01", "02", "12", "012"])
def test_daemon_starts_with_standard_descriptors_closed(tmp_path: Path, closed: str) -> None:
    """As from a supervisor that closes them: no socket of the server's may get their numbers."""
    port = free_port()
    script = "exec " + " ".join(f"{number}>&-" for number in closed) + '; exec "$@"'
    words = command("--daemon", f"--port={port}", "--log-file=log", "--pid-file=pid")
    done = subprocess.run(
        ["sh", "-c", script, "sh", *words], cwd=tmp_path, env=environment(), timeout=PATIENCE, check=False
    )
    pid = int((tmp_path / "pid").read_text())
    try:
        assert done.returncode == 0
        assert ask(port).startswith(b"OK ")
    finally:
        end_by_pid(pid)


WITHOUT_NULL = "import os, sys; os.devnull = '/dev/none'; from gearfast.cli import program; sys.exit(program.main())"
"""The program where there is no /dev/null, as in a chroot."""


def without_null(folder: Path, closed: str, *words: str, stdout: int = subprocess.PIPE) -> tuple[int, str]:
    """Run the program there, without one of its standard descriptors; return its exit code, and what it says."""
    script = f'{closed and f"exec {closed}>&-"}\nexec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-c", WITHOUT_NULL, *words],
        cwd=folder,
        env=environment(),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(("closed", "words"), [("0", []), ("1", []), ("", ["--daemon"])])
def test_a_missing_dev_null_that_is_needed_is_one_line(tmp_path: Path, closed: str, words: list[str]) -> None:
    words = command("--port=0", "--log-file=log", "--pid-file=pid", *words)[3:]
    assert without_null(tmp_path, closed, *words) == (
        1,
        "gearfast: /dev/none is needed and cannot be opened (No such file or directory): "
        "mknod -m 666 /dev/none c 1 3\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_missing_dev_null_that_is_not_needed_is_no_trouble(tmp_path: Path) -> None:
    assert without_null(tmp_path, "", *command("--port=0", "--log-file=none", "--pid-file=none/pid")[3:]) == (
        1,
        "gearfast: Could not open pid file for writing: none/pid (No such file or directory)\n",
    )


def test_help_into_a_pipe_that_nobody_reads_without_dev_null(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code, said = without_null(tmp_path, "", "--help", stdout=writing)
    os.close(writing)
    assert code == 1
    assert said.startswith("gearfast: /dev/none is needed and cannot be opened")


def test_help_into_a_pipe_that_nobody_reads_says_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command("--help"), cwd=tmp_path, env=environment(), stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_daemon_tells_of_a_busy_port_and_leaves_the_other_pid_file_alone(tmp_path: Path, busy_port: int) -> None:
    (tmp_path / "pid").write_text("1\n")
    done = run(tmp_path, "--daemon", f"--port={busy_port}", "--log-file=log", "--pid-file=pid")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("gearfast: ")
    assert str(busy_port) in line
    assert (tmp_path / "pid").read_text() == "1\n"
    assert str(busy_port) in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--log-file=none/log", "--pid-file=pid"], 'Could not open log file "none/log" (No such file or directory)'),
        (
            ["--log-file=log", "--pid-file=none/pid"],
            "Could not open pid file for writing: none/pid (No such file or directory)",
        ),
        (["--threads=abc"], "the argument ('abc') for option '--threads' is invalid"),
    ],
)
def test_daemon_tells_why_it_does_not_start(tmp_path: Path, words: list[str], message: str) -> None:
    done = run(tmp_path, "--daemon", "--port=0", *words)
    assert (done.returncode, done.stderr) == (1, f"gearfast: {message}\n")


def test_debians_service_line(tmp_path: Path) -> None:
    port = free_port()
    words = [sys.executable, "-m", "gearfast", f"--pid-file={tmp_path}/gearmand.pid", "--listen=localhost", "--daemon"]
    words += [f"--log-file={tmp_path}/gearmand.log", f"--port={port}", "--config-file=/dev/null"]
    assert subprocess.run(words, env=environment(), timeout=PATIENCE, check=False).returncode == 0
    pid = int((tmp_path / "gearmand.pid").read_text())
    try:
        assert ask(port).startswith(b"OK ")
    finally:
        end_by_pid(pid)
