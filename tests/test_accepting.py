"""What is done to a connection before its first byte is read: the options of its socket."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvloop

from gearfast import Config, Server
from tests.peers import HOST

KEEPALIVE = {
    "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE": 77,
    "TCP_KEEPINTVL": 11,
    "TCP_KEEPCNT": 3,
}
"""Figures that no system has by itself."""


async def accepted(config: Config, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """The server's end of a new connection, as its session would be given it."""
    given: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def take(turn: object, loop: object, fd: int, address: bytes, linger: float) -> None:
        given.set_result(fd)

    monkeypatch.setattr("gearfast.server.SocketTransport", take)
    server = Server(config)
    await server.start()
    _, writer = await asyncio.open_connection(HOST, int(server.addresses[0].rpartition(":")[2]))
    try:
        return socket.socket(fileno=await given)
    finally:
        writer.close()
        server.stop()
        await server.closed()


def options(config: Config, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, bool, dict[str, int]]:
    """Whether small packets go out at once, whether probes are sent, and the figures of those."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        ours = runner.run(asyncio.wait_for(accepted(config, monkeypatch), 30))
    with ours:
        return (
            ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0,
            ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0,
            {name: ours.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in KEEPALIVE},
        )


def test_accepted_sockets_have_the_keepalive_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it a peer whose machine lost its power keeps its jobs for ever; without no-delay answers wait 40 ms."""
    config = Config(listen=(HOST,), port=0, keepalive_idle=77, keepalive_interval=11, keepalive_count=3)
    assert options(config, monkeypatch) == (True, True, KEEPALIVE)


def test_keepalive_is_on_with_the_systems_figures_when_none_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as plain:
        system = {name: plain.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in KEEPALIVE}
    assert options(Config(listen=(HOST,), port=0), monkeypatch) == (True, True, system)
