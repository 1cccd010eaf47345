"""What is done to a connection before its first byte is read: the options of its socket."""

from __future__ import annotations

import asyncio
import socket
import types

import pytest
import uvloop

from gearfast import Config, Server
from gearfast.cli import command
from tests.support.peers import HOST

KEEPALIVE = {
    "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE": 77,
    "TCP_KEEPINTVL": 11,
    "TCP_KEEPCNT": 3,
}
"""Figures that no system has by itself."""


async def accepted(config: Config, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """The server's end of a new connection, as its session would be given it."""
    given: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def take(turn: object, loop: object, fd: int, address: bytes, linger: float) -> object:
        given.set_result(fd)
        return types.SimpleNamespace(session=types.SimpleNamespace(address=address))

    monkeypatch.setattr("gearfast.server.server.SocketTransport", take)
    server = Server(config)
    await server.start()
    _, writer = await asyncio.open_connection(HOST, int(server.addresses[0].rpartition(":")[2]))
    try:
        return socket.socket(fileno=await given)
    finally:
        writer.close()
        server.stop()
        await server.wait_closed()


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


def test_keepalive_finds_a_peer_that_vanished_in_two_minutes_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    figures = dict(zip(KEEPALIVE, (60, 15, 4), strict=True))
    assert options(Config(listen=(HOST,), port=0), monkeypatch) == (True, True, figures)


@pytest.mark.parametrize("option", ["idle", "interval", "count"])
def test_each_figure_may_be_the_systems(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    """``-1``, which is gearmand's default."""
    config = command.read([f"--keepalive-{option}=-1", f"--listen={HOST}", "--port=0", "--config-file=/dev/null"], {})
    figures = dict(zip(KEEPALIVE, (60, 15, 4), strict=True))
    place = ("idle", "interval", "count").index(option)
    name = list(KEEPALIVE)[place]
    with socket.socket() as plain:
        figures[name] = plain.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
    assert options(config.config, monkeypatch) == (True, True, figures)
