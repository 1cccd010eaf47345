"""What tests share that run a server on a loop of their own, and talk to it from there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from gearfast import Admin, Config, Server
from tests.support import wire
from tests.support.peers import HOST

LOCAL = Config(listen=(HOST,), port=0)


def play(scene: Coroutine[Any, Any, None], loop: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
    """Run a scene on a loop of its own."""
    with asyncio.Runner(loop_factory=loop or uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(scene, 30))


Scene = Callable[[Server, "Talk"], Coroutine[Any, Any, None]]


def played(scene: Scene, config: Config = LOCAL) -> None:
    """Run a scene with a server that has an admin text, and a client of it."""

    async def on_stage() -> None:
        async with Server(config, [Admin()]) as server, Talk(server) as client:
            await scene(server, client)

    play(on_stage())


def port_of(server: Server) -> int:
    """Where it listens."""
    return int(server.addresses[0].rpartition(":")[2])


class Talk:
    """A peer on the server's own loop."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def __aenter__(self) -> Talk:
        self.reader, self.writer = await asyncio.open_connection(HOST, port_of(self.server))
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    def say(self, type_: int, *args: bytes | str, payload: bytes | str | None = None) -> None:
        """Send a request."""
        self.writer.write(wire.request(type_, *args, payload=payload))

    async def hear(self) -> wire.Packet:
        """Read a packet."""
        magic, kind, size = wire.HEADER.unpack(await self.reader.readexactly(wire.HEADER.size))
        return wire.Packet(magic, kind, await self.reader.readexactly(size))

    async def call(self, type_: int, *args: bytes | str, payload: bytes | str | None = None) -> wire.Packet:
        """Send a request, read a packet."""
        self.say(type_, *args, payload=payload)
        return await self.hear()
