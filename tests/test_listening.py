"""Where peers come from: several addresses, IPv6, Unix sockets and their files."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests import wire
from tests.actors import res
from tests.peers import start_gearfast
from tests.wire import Connection


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


def test_socket_file_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with start_gearfast(f"--listen=unix:{path}") as killed:
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait(20)
        assert path.is_socket()
    with start_gearfast(f"--listen=unix:{path}") as server:
        with socket.socket(socket.AF_UNIX) as local:
            local.settimeout(wire.TIMEOUT)
            local.connect(str(path))
            local.sendall(wire.request(wire.ECHO_REQ))
            assert local.recv(100) == res(wire.ECHO_RES)
        assert server.stop() == 0
    assert not path.exists()


def test_socket_file_of_a_live_server_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with start_gearfast(f"--listen=unix:{path}"), start_gearfast(f"--listen=unix:{path}", ready=False) as second:
        assert second.process.wait(30) == 1
        assert "another server is running there" in second.log.read_text()
        with socket.socket(socket.AF_UNIX) as local:
            local.connect(str(path))


def test_socket_without_a_path_is_refused() -> None:
    with start_gearfast("--listen=unix:", ready=False) as server:
        assert server.process.wait(30) == 1
        assert "a name, an address or unix:/path" in server.log.read_text()
