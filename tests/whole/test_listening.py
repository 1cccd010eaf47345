"""Where peers come from: several addresses, IPv6, Unix sockets and their files."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest

from gearfast import Config
from gearfast.errors import ListenError
from gearfast.server.listener import close_listener, open_listeners, open_tcp
from tests.support import wire
from tests.support.actors import res
from tests.support.peers import HOST, start_gearfast
from tests.support.wire import Connection


def test_workers_prints_ipv6_whole_and_unix(tmp_path: Path) -> None:
    if not _has_ipv6():
        pytest.skip("no IPv6 on this machine's loopback")
    path = tmp_path / "socket"
    with (
        start_gearfast("--listen=::1", f"--listen=unix:{path}") as server,
        server.connect() as v4,
        Connection("::1", server.port) as v6,
        socket.socket(socket.AF_UNIX) as local,
    ):
        local.settimeout(wire.TIMEOUT)
        local.connect(str(path))
        v6.request(wire.SET_CLIENT_ID, "six")
        v6.sync()
        local.sendall(wire.request(wire.SET_CLIENT_ID, "local") + wire.request(wire.ECHO_REQ))
        assert local.recv(100) == res(wire.ECHO_RES)
        rows = {tuple(line.split(" ")[1:3]) for line in v4.table("workers")}
        assert rows == {("127.0.0.1", "-"), ("::1", "six"), ("unix", "local")}


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            return True
    except OSError:
        return False


def answers_at(path: Path) -> bool:
    """Whether a server answers there."""
    with socket.socket(socket.AF_UNIX) as local:
        local.settimeout(wire.TIMEOUT)
        local.connect(str(path))
        local.sendall(wire.request(wire.ECHO_REQ))
        return local.recv(100) == res(wire.ECHO_RES)


def test_socket_file_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with start_gearfast(f"--listen=unix:{path}") as killed:
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait(20)
        assert path.is_socket()
    with start_gearfast(f"--listen=unix:{path}") as server:
        assert answers_at(path)
        assert server.stop() == 0
    assert not path.exists()


def test_socket_file_of_a_live_server_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with start_gearfast(f"--listen=unix:{path}"), start_gearfast(f"--listen=unix:{path}", ready=False) as second:
        assert second.process.wait(30) == 1
        assert "another server is running there" in second.log.read_text()
        with socket.socket(socket.AF_UNIX) as local:
            local.connect(str(path))


@pytest.mark.parametrize("taken_over_by", ["another server", "a file", "a directory", "nothing"])
def test_what_another_has_put_in_the_place_of_the_socket_stays(tmp_path: Path, taken_over_by: str) -> None:
    """Only the file that a server has made is removed when it ends."""
    path = tmp_path / "socket"
    with start_gearfast(f"--listen=unix:{path}") as first:
        path.unlink()
        if taken_over_by == "a file":
            path.write_text("kept")
        elif taken_over_by == "a directory":
            path.mkdir()
        elif taken_over_by == "another server":
            with start_gearfast(f"--listen=unix:{path}") as second:
                assert first.stop() == 0
                assert answers_at(path)
                assert second.stop() == 0
        assert first.stop() == 0
        assert path.exists() == (taken_over_by in {"a file", "a directory"})


def test_a_stopped_socket_is_gone_before_nobody_listens(tmp_path: Path) -> None:
    """Else a server that starts in between finds it dead, replaces it, and loses its own to the one that stops."""
    path = str(tmp_path / "socket")
    (listener,) = open_listeners(Config(listen=(f"unix:{path}",)))
    unlinked = []

    def unlink(name: str) -> None:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(name)
        unlinked.append(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        close_listener(listener)
    assert unlinked == [path]


def test_two_servers_that_find_a_dead_socket_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one leaves alone what the first has made since it looked."""
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    made: list[socket.socket] = []
    real = socket.socket.connect

    def connect(probe: socket.socket, address: str) -> None:
        monkeypatch.undo()
        try:
            real(probe, address)
        finally:
            made.extend(open_listeners(Config(listen=(f"unix:{path}",))))  # the other one is quicker

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(ListenError, match=f"cannot listen on unix:{path}: Address already in use"):
        open_listeners(Config(listen=(f"unix:{path}",)))
    with socket.socket(socket.AF_UNIX) as local:
        local.connect(path)
    close_listener(made[0])
    assert not os.path.exists(path)


def test_a_server_that_hangs_with_a_full_backlog_is_one_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as hung, contextlib.ExitStack() as peers:
        hung.bind(str(path))
        hung.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                peer = peers.enter_context(socket.socket(socket.AF_UNIX))
                peer.setblocking(False)
                peer.connect(str(path))
        with pytest.raises(ListenError, match="another server is running there"):
            open_listeners(Config(listen=(f"unix:{path}",)))
    assert path.is_socket()


def test_socket_without_a_path_is_refused() -> None:
    with start_gearfast("--listen=unix:", ready=False) as server:
        assert server.process.wait(30) == 1
        assert "a name, an address or unix:/path" in server.log.read_text()


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_text("dear")
    with start_gearfast(f"--listen=unix:{path}", ready=False) as server:
        assert server.process.wait(30) == 1
        assert f"cannot listen on unix:{path}: the path exists and is not a socket" in server.log.read_text()
    assert path.read_text() == "dear"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("a..b", "--listen (Config.listen) is ('127.0.0.1', 'a..b'), and has to be"),
        ("fe80::1%nowhere", "cannot listen on 'fe80::1%nowhere': "),
        ("192.0.2.1", "cannot listen on 192.0.2.1:"),  # an address for documents, which no machine has
        ("unix:/no/such/folder/socket", "cannot listen on unix:/no/such/folder/socket: No such file or directory"),
    ],
)
def test_an_address_that_cannot_be_had_is_told_in_a_line(address: str, told: str) -> None:
    with start_gearfast(f"--listen={address}", ready=False) as server:
        assert server.process.wait(30) == 1
        said = server.log.read_text()
    assert told in said
    assert "Traceback" not in said


def test_a_port_that_the_system_chooses_is_the_same_on_all_addresses_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    if not _has_ipv6():
        pytest.skip("no IPv6 on this machine's loopback")
    both = [
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", (HOST, 0)),
        (socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::1", 0, 0, 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    listeners = list(open_tcp("both", 0, 1))
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    assert len(ports) == 2
    assert len(set(ports)) == 1
