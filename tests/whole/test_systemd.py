"""systemd, played by a parent that hands sockets over, and by a socket that reads what the server says of itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import uvloop

from gearfast import Config
from gearfast.cli import program, systemd
from gearfast.cli.command import Command, Wish
from gearfast.cli.systemd import Watchdog, handed_sockets, wanted_watchdog
from gearfast.config import NOTIFY_PATIENCE
from gearfast.errors import ConfigError
from tests.support.durable import Obedient
from tests.support.loglines import messages
from tests.support.peers import free_port, until
from tests.whole.test_daemon import HOST, PATIENCE, command, end_by_pid, environment
from tests.whole.test_listening import _has_ipv6 as has_ipv6

PARENT = """
import os, sys
count = int(sys.argv[1])
for at, descriptor in enumerate(sys.argv[2:2 + count]):
    os.dup2(int(descriptor), 100 + at)
for at in range(count):
    os.dup2(100 + at, 3 + at)
    os.close(100 + at)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.execv(sys.executable, [sys.executable, *sys.argv[2 + count:]])
"""
"""What systemd does between fork and exec: sockets from 3 on, and the variables that say so."""


def activate(
    folder: Path, sockets: Sequence[socket.socket], *words: str, **more: str
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    """Start a server with these sockets; it is ended with the block."""
    descriptors = [handed.fileno() for handed in sockets]
    options = command("--port=1", "--log-file=log", "--verbose=DEBUG", "--pid-file=pid", *words)[1:]
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(len(sockets)), *map(str, descriptors), *options],
        cwd=folder,
        env=environment(LISTEN_FDS=str(len(sockets)), **more),
        pass_fds=descriptors,
        stderr=subprocess.PIPE,
        text=True,
    )
    return ended(process)


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """End the process with the block."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def listening(family: socket.AddressFamily, address: tuple[str, int] | str) -> socket.socket:
    """A socket that listens, as a unit's ListenStream= makes it."""
    made = socket.socket(family, socket.SOCK_STREAM)
    made.bind(address)
    made.listen()
    return made


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    """A listening socket on a free port of its own."""
    with listening(socket.AF_INET, (HOST, 0)) as made:
        yield made


def version(listener: socket.socket) -> bytes:
    """What a server behind this socket says to `version`; it is waited for."""
    with socket.socket(listener.family, socket.SOCK_STREAM) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(listener.getsockname())
        peer.sendall(b"version\n")
        return peer.recv(100)


# --- sockets that are handed over --------------------------------------------------------


def test_handed_sockets_are_listened_on_instead_of_binding(tmp_path: Path, tcp: socket.socket) -> None:
    """TCP, IPv6 and Unix at once; --listen and --port (1, which only root may bind) count for nothing."""
    sockets = [tcp, listening(socket.AF_UNIX, str(tmp_path / "socket"))]
    sockets += [listening(socket.AF_INET6, ("::1", 0))] if has_ipv6() else []
    with activate(tmp_path, sockets, "--listen=unix:other", LISTEN_FDNAMES="a:b:c") as process:
        assert all(version(listener).startswith(b"OK ") for listener in sockets)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    found = messages((tmp_path / "log").read_text())
    assert "It was started with sockets that listen already: --listen and --port are not used" in found
    listening_on = [line.removeprefix("Listening on ") for line in found if line.startswith("Listening on ")]
    assert listening_on[:2] == [f"{HOST}:{tcp.getsockname()[1]}", f"unix:{tmp_path}/socket"]
    assert len(listening_on) == len(sockets)
    assert (tmp_path / "socket").is_socket(), "the file is systemd's"
    assert not (tmp_path / "other").exists()
    for made in sockets:
        made.close()


def test_who_connects_between_two_servers_waits_for_the_next(tmp_path: Path, tcp: socket.socket) -> None:
    """What it is good for: no connection is refused while the server is restarted."""
    with activate(tmp_path, [tcp]) as first:
        assert version(tcp).startswith(b"OK ")
        first.send_signal(signal.SIGUSR1)
        assert first.wait(PATIENCE) == 0
    with socket.create_connection(tcp.getsockname(), PATIENCE) as early:
        early.sendall(b"version\n")
        with activate(tmp_path, [tcp]):
            assert early.recv(100).startswith(b"OK ")


def test_handed_sockets_in_the_background(tmp_path: Path, tcp: socket.socket) -> None:
    with activate(tmp_path, [tcp], "--daemon") as front:
        assert front.wait(PATIENCE) == 0
        pid = int((tmp_path / "pid").read_text())
        try:
            assert version(tcp).startswith(b"OK ")
        finally:
            end_by_pid(pid)


def test_a_socket_for_both_families_shows_ipv4_as_such(tmp_path: Path) -> None:
    """What systemd makes of `ListenStream=4730`."""
    if not has_ipv6():
        pytest.skip("no IPv6 on this machine's loopback")
    with (
        socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as both,
        activate(tmp_path, [both]),
        socket.create_connection((HOST, both.getsockname()[1]), PATIENCE) as peer,
    ):
        peer.sendall(b"workers\n")
        assert peer.recv(100).split()[1] == HOST.encode()


def test_sockets_of_another_process_are_left_alone(tmp_path: Path, tcp: socket.socket) -> None:
    port = free_port()
    words = command(f"--port={port}", "--log-file=none", "--pid-file=pid")
    told = environment(LISTEN_FDS="1", LISTEN_PID="1")
    process = subprocess.Popen(words, cwd=tmp_path, env=told, stderr=subprocess.PIPE, text=True)
    with ended(process):
        assert process.stderr is not None
        assert f" is listening on {HOST}:{port}." in process.stderr.readline()


@pytest.mark.parametrize("kind", ["datagrams", "not listening", "a file", "nothing"])
def test_what_cannot_be_listened_on_refuses_the_start_in_one_line(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    with (tmp_path / "file").open() as file, socket.socket() as idle, socket.socket(type=socket.SOCK_DGRAM) as deaf:
        handed = {"datagrams": deaf.fileno(), "not listening": idle.fileno(), "a file": file.fileno(), "nothing": -1}
        descriptor = handed[kind]
        kept = [] if descriptor < 0 else [descriptor]
        script = [sys.executable, "-c", PARENT, str(len(kept)), *map(str, kept)]
        done = subprocess.run(
            [*script, *command("--port=0", "--log-file=none", "--pid-file=pid")[1:]],
            cwd=tmp_path,
            env=environment(LISTEN_FDS="1", LISTEN_FDNAMES="gearfast.socket"),
            pass_fds=kept,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    stream = "is not a listening stream socket: its unit needs ListenStream= and Accept=no"
    why = {
        "datagrams": stream,
        "not listening": stream,
        "a file": "is not a socket (Socket operation on non-socket), but LISTEN_FDS names it",
        "nothing": "is not a socket (Bad file descriptor), but LISTEN_FDS names it",
    }[kind]
    start = "gearfast: the socket handed over as descriptor 3 (gearfast.socket) "
    assert (done.returncode, done.stderr) == (1, f"{start}{why}\n")


def test_variables_are_taken_out_for_children() -> None:
    told = {"LISTEN_FDS": "2", "LISTEN_PID": "1", "LISTEN_FDNAMES": "a:b", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}
    assert handed_sockets(told) == []
    assert wanted_watchdog(told) is None
    assert told == {}


def test_a_number_of_sockets_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="LISTEN_FDS='many' in the environment is not a number of sockets"):
        handed_sockets({"LISTEN_FDS": "many", "LISTEN_PID": str(os.getpid())})


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="systemd's own tool is not installed")
def test_systemds_own_tool_starts_it_at_the_first_connection(tmp_path: Path) -> None:
    port = free_port()
    env = environment()
    tool = ["systemd-socket-activate", f"--listen={HOST}:{port}", f"--setenv=PYTHONPATH={env['PYTHONPATH']}"]
    words = command("--port=1", "--log-file=log", "--verbose=INFO", "--pid-file=pid")
    process = subprocess.Popen([*tool, *words], cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    with ended(process):
        assert process.stderr is not None
        assert "Listening on" in process.stderr.readline()
        with socket.create_connection((HOST, port), PATIENCE) as first:
            first.sendall(b"version\n")
            assert first.recv(100).startswith(b"OK ")
        process.terminate()
        assert process.wait(PATIENCE) == 0


# --- the watchdog ------------------------------------------------------------------------


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd reads; NOTIFY_SOCKET leads to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.settimeout(PATIENCE)
        made.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield made


def heard(bus: socket.socket) -> list[bytes]:
    """All that was said and not read yet."""
    bus.setblocking(False)
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(bus.recv(100))
    bus.settimeout(PATIENCE)
    return found


def test_watchdog_is_told_for_as_long_as_it_serves(tmp_path: Path, bus: socket.socket) -> None:
    words = command("--port=0", "--log-file=none", "--pid-file=pid")
    told = environment(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="40000")
    process = subprocess.Popen(words, cwd=tmp_path, env=told, stderr=subprocess.PIPE, text=True)
    with ended(process):
        while bus.recv(100) != b"READY=1":
            pass
        began = time.monotonic()
        assert [bus.recv(100) for _ in range(5)] == [b"WATCHDOG=1"] * 5
        assert time.monotonic() - began > 3 * 0.020, "half of what systemd allows, not more often"
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert heard(bus)[-1] == b"STOPPING=1"


def test_watchdog_of_another_process_is_not_told(tmp_path: Path, bus: socket.socket) -> None:
    words = command("--port=0", "--log-file=none", "--pid-file=pid")
    told = environment(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="1", WATCHDOG_PID="1")
    process = subprocess.Popen(words, cwd=tmp_path, env=told, stderr=subprocess.PIPE, text=True)
    with ended(process):
        assert bus.recv(100) == b"READY=1"
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert heard(bus) == [b"STOPPING=1"]


@pytest.mark.parametrize(
    ("time", "pid", "interval"),
    [
        ("30000000", "", 15.0),
        ("30000000", "ours", 15.0),
        ("30000000", "1", None),
        ("0", "", None),
        ("", "", None),
        ("-5", "", None),
        ("٣", "", None),
    ],
)
def test_which_watchdog_is_wanted(time: str, pid: str, interval: float | None) -> None:
    pid = str(os.getpid()) if pid == "ours" else pid
    found = wanted_watchdog({"WATCHDOG_USEC": time, "WATCHDOG_PID": pid})
    assert (None if found is None else found.interval) == interval


def test_watchdog_is_not_told_while_the_loop_hangs(bus: socket.socket) -> None:
    """The very thing it is there for; a thread would go on."""

    async def scene() -> None:
        Watchdog(0.01).start(asyncio.get_running_loop())
        said = list[bytes]()
        while len(said) < 3:
            await asyncio.sleep(0.01)
            said += heard(bus)
        time.sleep(0.2)
        assert heard(bus) == []
        while not heard(bus):
            await asyncio.sleep(0.01)

    uvloop.run(scene())


def test_watchdog_is_told_while_jobs_are_replayed(tmp_path: Path, bus: socket.socket) -> None:
    store = Obedient()
    store.gate.clear()  # the replay ends with a write
    asked = Command(wish=Wish.SERVE, config=Config(listen=(HOST,), port=0), pid_file=str(tmp_path / "pid"))

    async def scene() -> None:
        server = asyncio.create_task(program.serve(asked, store, program.Origin("gearfast", [], Watchdog(0.01))))
        said = list[bytes]()
        while len(said) < 5:
            await asyncio.sleep(0.01)
            said += heard(bus)
        assert set(said) == {b"WATCHDOG=1"}
        store.gate.set()
        while b"READY=1" not in said:
            await asyncio.sleep(0.01)
            said += heard(bus)
        os.kill(os.getpid(), signal.SIGTERM)
        await server

    uvloop.run(scene())


def test_a_systemd_that_takes_nothing_holds_up_nobody(bus: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        other.connect(bus.getsockname())
        while True:
            other.send(b"x")
    began = time.monotonic()
    for _ in range(100):
        systemd.notify("WATCHDOG=1", patience=0)
    assert time.monotonic() - began < NOTIFY_PATIENCE
    systemd.notify("STOPPING=1")
    until(lambda: b"x" in heard(bus), "it is full")
