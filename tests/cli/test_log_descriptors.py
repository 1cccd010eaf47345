"""A log that goes to a descriptor: named by a path that cannot be opened, in the background, under another user."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gearfast.cli.log.descriptor import descriptor_of, writable
from tests.support.loglines import LINE, messages
from tests.support.peers import free_port, until
from tests.whole.test_daemon import PATIENCE, as_root, ask, command, end_by_pid, environment, run


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a socket: what systemd's journal and node give a program as its standard output."""
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    with ours, theirs:
        yield ours, theirs


def words(port: int, log: str, *more: str, pid: str = "pid") -> list[str]:
    """The command line of a server that logs there."""
    return command(f"--port={port}", f"--log-file={log}", "--verbose=INFO", f"--pid-file={pid}", *more)


def read_until(source: socket.socket, word: str) -> list[str]:
    """The messages that come, up to one that begins with this word."""
    said = b""
    while True:
        part = source.recv(4096)
        assert part, said
        said += part
        found = [line for line in said.decode().splitlines(keepends=True) if " is listening on " not in line]
        if any(line.partition("] ")[2].startswith(word) and line.endswith("\n") for line in found):
            return messages("".join(found))


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/stderr", "/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_a_socket_is_written_to_and_sighup_does_nothing(
    ends: tuple[socket.socket, socket.socket], path: str, tmp_path: Path
) -> None:
    ours, theirs = ends
    (tmp_path / "link").symlink_to("/dev/stdout")  # as in images for containers
    path = path.format(theirs.fileno())
    process = subprocess.Popen(
        words(free_port(), path),
        cwd=tmp_path,
        env=environment(),
        stdout=theirs.fileno(),
        stderr=theirs.fileno() if path == "/dev/stderr" else subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    try:
        read_until(ours, "Listening on ")
        process.send_signal(signal.SIGHUP)
        assert read_until(ours, "SIGHUP")[-1] == "SIGHUP, reopening log file"
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert read_until(ours, "Shutdown complete") == ["Shutdown complete"]
    finally:
        process.kill()
        process.wait(PATIENCE)
    assert {entry.name for entry in tmp_path.iterdir()} == {"link"}


def test_in_the_background_it_stays_what_it_was_at_the_start(
    ends: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    """The three standard descriptors lead nowhere then, but the log has its own copy."""
    ours, theirs = ends
    port = free_port()
    done = subprocess.run(
        words(port, "/dev/stdout", "--daemon"),
        cwd=tmp_path,
        env=environment(),
        stdout=theirs.fileno(),
        timeout=PATIENCE,
        check=False,
    )
    pid = int((tmp_path / "pid").read_text())
    try:
        assert done.returncode == 0
        read_until(ours, "Listening on ")
        os.kill(pid, signal.SIGHUP)
        read_until(ours, "SIGHUP")
    finally:
        end_by_pid(pid)
    read_until(ours, "Shutdown complete")


def test_stderr_in_the_background_is_warned_of_and_holds_no_terminal(tmp_path: Path) -> None:
    done = run(tmp_path, "--daemon", f"--port={free_port()}", "--log-file=stderr", "--verbose=INFO", "--pid-file=pid")
    pid = int((tmp_path / "pid").read_text())
    try:
        assert done.returncode == 0
        warning, *said = done.stderr.splitlines()
        assert warning.startswith("gearfast: --log-file=stderr shows nothing once --daemon has left the terminal")
        assert all(LINE.fullmatch(line) for line in said)
        assert "Starting up" in said[0]
        assert os.readlink(f"/proc/{pid}/fd/2") == "/dev/null"
    finally:
        end_by_pid(pid)


@as_root
def test_a_pipe_of_root_under_another_user(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    reading, writing = os.pipe()  # opening it by its path is only for root
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        process = subprocess.Popen(
            words(free_port(), "/dev/stdout", "--user=nobody", pid=f"{folder}/pid"),
            cwd=folder,
            env=environment(),
            stdout=writing,
            stderr=subprocess.PIPE,
        )
        os.close(writing)
        assert process.stderr is not None
        assert b" is listening on " in process.stderr.readline()
        process.send_signal(signal.SIGHUP)
        process.terminate()
        with open(reading, encoding="utf-8") as pipe:
            assert messages(pipe.read())[-1] == "Shutdown complete"
        assert process.wait(PATIENCE) == 0
        process.stderr.close()


@pytest.mark.parametrize("more", [[], ["--daemon"]])
def test_a_descriptor_that_is_not_open_refuses_the_start(tmp_path: Path, more: list[str]) -> None:
    for path in ("/dev/fd/3", "/dev/fd/4", "/proc/self/fd/77"):
        done = run(tmp_path, "--port=0", f"--log-file={path}", "--pid-file=pid", *more)
        assert done.stderr == f'gearfast: Could not open log file "{path}" (Bad file descriptor)\n'
        assert done.returncode == 1


@pytest.mark.parametrize("log", ["/dev/stdout", "/dev/stderr", "stderr"])
def test_standard_descriptors_that_are_closed(tmp_path: Path, log: str) -> None:
    """The log goes where they lead from then on, which is nowhere, and the server serves."""
    port = free_port()
    script = 'exec 0>&- 1>&- 2>&-; exec "$@"'
    process = subprocess.Popen(["sh", "-c", script, "sh", *words(port, log)], cwd=tmp_path, env=environment())
    try:
        until(lambda: (tmp_path / "pid").exists(), "it serves")
        assert ask(port).startswith(b"OK ")
        process.send_signal(signal.SIGHUP)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait(PATIENCE)


def test_a_descriptor_open_for_reading_only_is_opened_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (tmp_path / "file").open("rb") as readable:
        done = subprocess.run(
            words(0, "/dev/stdin", "--listen=unix:none/socket"),
            cwd=tmp_path,
            env=environment(),
            stdin=readable,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    assert done.returncode == 1
    assert "cannot listen on unix:none/socket" in messages((tmp_path / "file").read_text())[-1]


def test_paths_that_name_a_descriptor(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/stderr")
    (tmp_path / "link to link").symlink_to("link")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").symlink_to("/dev")
    assert [descriptor_of(str(path)) for path in ("/dev/stdin", "/dev/stdout", "/dev/fd/12")] == [0, 1, 12]
    assert descriptor_of(f"/proc/{os.getpid()}/fd/5") == 5
    assert descriptor_of("/proc/thread-self/fd/5") == 5
    assert descriptor_of("/dev//fd/../fd/5") == 5
    assert [descriptor_of(f"{tmp_path}/{name}") for name in ("link", "link to link", "folder/fd/3")] == [2, 2, 3]
    others = (
        f"/proc/{os.getppid()}/fd/1",
        "/dev/null",
        "/dev/fd/x",
        "stderr",
        f"{tmp_path}/loop",
        f"{tmp_path}/none",
        "",
    )
    assert [descriptor_of(path) for path in others] == [None] * 7


def test_a_working_directory_that_is_gone_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert [descriptor_of(path) for path in ("stderr", "none", "/dev/fd/1")] == [None, None, 1]


def test_which_descriptors_can_be_written_to() -> None:
    reading, writing = os.pipe()
    assert (writable(reading), writable(writing)) == (False, True)
    os.close(reading)
    os.close(writing)
    with pytest.raises(OSError, match="Bad file descriptor"):
        writable(writing)
