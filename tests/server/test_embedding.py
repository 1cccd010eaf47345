"""A server inside somebody else's program: several in one process, plugins' lives, and nothing left behind."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
from typing import Any

import pytest

from gearfast import Config, Server
from gearfast.errors import ListenError
from gearfast.plugins.admin import Admin
from gearfast.server.server import FunctionFigures
from tests.support import wire
from tests.support.durable import Obedient
from tests.support.inside import LOCAL, Talk, play, port_of
from tests.support.peers import HOST


class Plugin:
    """Says when it starts and stops."""

    def __init__(self, name: str, told: list[str], fail: bool = False) -> None:
        self.name, self.told, self.fail = name, told, fail

    async def start(self, server: Server) -> None:
        """Start, or fail to."""
        if self.fail:
            raise ListenError(self.name)
        self.told.append(f"start {self.name}")

    async def stop(self) -> None:
        """Stop."""
        self.told.append(f"stop {self.name}")


async def one_life() -> None:
    """Start a server, talk to it, end it."""
    server = Server(LOCAL)
    await server.start()
    async with Talk(server) as peer:
        await peer.call(wire.ECHO_REQ, payload=b"")
    await peer.writer.wait_closed()
    server.stop()
    await server.wait_closed()


def test_several_servers_in_one_process_have_nothing_in_common() -> None:
    async def scene() -> None:
        one, two = Server(LOCAL, [Admin()]), Server(LOCAL, [Admin()])
        await one.start()
        await two.start()
        async with Talk(one) as first, Talk(two) as second:
            handles = [await peer.call(wire.SUBMIT_JOB_BG, "f", "u", payload=b"") for peer in (first, second)]
            assert handles[0].body == handles[1].body  # both count from 1
            assert (len(one.sessions), len(two.sessions)) == (1, 1)
            one.stop()
            await one.wait_closed()
            assert await first.reader.read() == b""
            assert (await second.call(wire.ECHO_REQ, payload=b"still here")).body == b"still here"
        two.stop()
        await two.wait_closed()

    play(scene())


def test_the_short_forms() -> None:
    """`async with`, a port, functions with their figures, one await for the end, and one for all of its life."""

    async def scene() -> None:
        async with Server(LOCAL) as server:
            assert server.port == port_of(server)
            assert server.functions() == []
            async with Talk(server) as peer:
                peer.say(wire.CAN_DO, "f")
                for kind in (wire.SUBMIT_JOB_BG, wire.SUBMIT_JOB_LOW_BG, wire.SUBMIT_JOB_HIGH_BG):
                    await peer.call(kind, "f", "", payload=b"")
                await peer.call(wire.GRAB_JOB)
                assert server.functions() == [FunctionFigures(b"f", 3, 1, 1, 0, 1, 1)]
                assert server.functions()[0].jobs == 3
        assert server.port == 0
        other = Server(LOCAL)
        life = asyncio.create_task(other.serve_forever())
        while other.port == 0:
            await asyncio.sleep(0)
        async with Talk(other) as peer:
            assert (await peer.call(wire.ECHO_REQ, payload=b"x")).body == b"x"
            await other.shutdown()
        await life
        started = Server(LOCAL)
        await started.start()
        life = asyncio.create_task(started.serve_forever())
        await asyncio.sleep(0)
        started.stop()
        await life

    play(scene())


def test_many_functions_are_all_told() -> None:
    async def scene() -> None:
        async with Server(LOCAL) as server:
            for number in range(2500):
                server.broker.create_function(b"f%d" % number)
            assert len({figures.name for figures in server.functions()}) == len(server.functions()) == 2500

    play(scene())


def test_closed_server_leaves_nothing_behind() -> None:
    """No descriptor stays open: not of a listener, nor of a peer, idle, in the middle of a packet, or just refused."""

    async def scene() -> None:
        await one_life()  # the loop opens some of its own at the first use
        before = len(os.listdir("/proc/self/fd"))
        server = Server(LOCAL)
        await server.start()
        async with Talk(server) as idle, Talk(server) as busy, Talk(server) as refused:
            await busy.call(wire.ECHO_REQ, payload=b"")
            busy.writer.write(wire.raw(wire.REQ, wire.SUBMIT_JOB_BG, b"f\0u\0part", 1000))
            refused.writer.write(wire.raw(wire.REQ, 43, b""))
            assert await refused.reader.read() == b""  # it is read from a while longer, so that it sees why
            await idle.call(wire.ECHO_REQ, payload=b"")
            server.stop()
            await server.wait_closed()
            assert await idle.reader.read() == b""
            assert await busy.reader.read() == b""
            assert server.sessions == {}
            assert len(os.listdir("/proc/self/fd")) == before + 3  # our own sides
        for peer in (idle, busy, refused):
            await peer.writer.wait_closed()
        assert len(os.listdir("/proc/self/fd")) == before

    play(scene())


def test_plugins_stop_in_reverse_order() -> None:
    async def scene() -> None:
        told: list[str] = []
        server = Server(LOCAL, [Plugin("a", told), Plugin("b", told)])
        await server.start()
        server.stop()
        await server.wait_closed()
        assert told == ["start a", "start b", "stop b", "stop a"]

    play(scene())


@pytest.mark.parametrize("cause", ["plugin", "address", "tls"])
def test_start_that_fails_leaves_nothing_running(cause: str) -> None:
    """One clear exception; plugins that had started are stopped, addresses bound before are free again."""

    async def scene() -> None:
        told: list[str] = []
        other = Server(LOCAL)
        await other.start()
        taken = Config(listen=("127.0.0.2", HOST), port=port_of(other))
        config = {"plugin": LOCAL, "address": taken, "tls": Config(listen=(HOST,), port=0, ssl=True)}[cause]
        server = Server(config, [Plugin("a", told), Plugin("b", told, fail=cause == "plugin")])
        with pytest.raises(ListenError):
            await server.start()
        assert told == {
            "plugin": ["start a", "stop a"],
            "address": ["start a", "start b", "stop b", "stop a"],
            "tls": [],
        }.get(cause)
        again = Server(Config(listen=("127.0.0.2",), port=port_of(other)))
        await again.start()
        for running in (again, other):
            running.stop()
            await running.wait_closed()

    play(scene())


def test_lines_close_the_connection_without_the_admin_plugin() -> None:
    async def scene() -> None:
        server = Server(LOCAL)
        await server.start()
        async with Talk(server) as peer:
            assert (await peer.call(wire.ECHO_REQ, payload=b"x")).body == b"x"
            peer.writer.write(b"version\n")
            assert await peer.reader.read() == b""
        server.stop()
        await server.wait_closed()

    play(scene())


def test_functions_are_forgotten_when_the_config_says() -> None:
    async def scene() -> None:
        server = Server(dataclasses.replace(LOCAL, function_rest=0.05))
        await server.start()
        async with Talk(server) as worker:
            worker.writer.write(wire.request(wire.CAN_DO, "f"))
            await worker.call(wire.ECHO_REQ, payload=b"")
            assert server.broker.scan_functions(0, 100)[1]
        while server.broker.scan_functions(0, 100)[1]:
            await asyncio.sleep(0.01)
        server.stop()
        await server.wait_closed()

    play(scene())


@pytest.mark.parametrize("threads", [1, 3])
def test_drain_waits_without_doing_anything(threads: int) -> None:
    """It is called when something ends; until then no turn of the loop is taken for it."""
    turns = 0

    async def scene() -> None:
        nonlocal turns
        server = Server(dataclasses.replace(LOCAL, io_threads=threads, io_shuffle=0.0))
        await server.start()
        async with Talk(server) as client:
            await client.call(wire.SUBMIT_JOB_BG, "f", "", payload=b"x")
            for _ in range(20):  # so that another thread, if there is one, reads from it
                await client.call(wire.ECHO_REQ, payload=b"")
            server.drain()
            await client.call(wire.ECHO_REQ, payload=b"")
            before = turns
            await asyncio.sleep(0.1)
            assert turns - before < 20
            server.stop()
        await server.wait_closed()

    class Counting(asyncio.SelectorEventLoop):
        def call_soon(self, *args: Any, **more: Any) -> asyncio.Handle:  # type: ignore[override]
            nonlocal turns
            turns += 1
            return super().call_soon(*args, **more)

    with asyncio.Runner(loop_factory=Counting) as runner:
        runner.run(scene())


def test_who_has_left_is_not_read_from_again_while_others_leave() -> None:
    """However many leave at once, and however few of them a turn has time for."""
    peers = 200
    events = 0

    async def scene() -> None:
        nonlocal events
        server = Server(dataclasses.replace(LOCAL, io_threads=1, backlog=peers, turn_time=1e-6))
        await server.start()
        sockets = [socket.create_connection((HOST, port_of(server))) for _ in range(peers)]
        while len(server.sessions) < peers:
            await asyncio.sleep(0)
        before = events
        for sock in sockets:
            sock.close()
        while server.sessions:
            await asyncio.sleep(0)
        assert peers <= events - before < 2 * peers
        server.stop()
        await server.wait_closed()

    class Counting(asyncio.SelectorEventLoop):
        def _process_events(self, ready: list[Any]) -> None:
            nonlocal events
            events += len(ready)
            super()._process_events(ready)  # type: ignore[misc]

    play(scene(), Counting)


def test_drain_of_an_embedded_server() -> None:
    async def scene() -> None:
        server = Server(LOCAL)
        await server.start()
        async with Talk(server) as client, Talk(server) as worker:
            handle = (await client.call(wire.SUBMIT_JOB_BG, "f", "", payload=b"x")).body
            server.drain()
            worker.writer.write(wire.request(wire.CAN_DO, "f"))
            assert (await worker.call(wire.GRAB_JOB)).args()[0] == handle
            worker.writer.write(wire.request(wire.WORK_COMPLETE, handle, payload=b""))
            await server.wait_closed()

    play(scene())


def test_a_task_that_is_cancelled_ends_its_server_in_order() -> None:
    """As Ctrl-C does in a program that handles no signals: what is to be stored at the end is stored."""

    async def scene() -> None:
        store = Obedient()
        server = Server(dataclasses.replace(LOCAL, store_on_shutdown=True), store=store)
        await server.start()
        task = asyncio.ensure_future(server.wait_closed())
        async with Talk(server) as client:
            await client.call(wire.SUBMIT_JOB_BG, "f", "", payload=b"x")
            assert store.numbers() == []
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.reader.read() == b""
        assert store.numbers() == [1]
        assert not store.is_open

    play(scene())


def test_sockets_that_are_handed_to_a_server_are_its_to_close() -> None:
    """Also when it does not start; the addresses of its config are not bound."""

    async def scene(fails: bool) -> None:
        listener = socket.create_server((HOST, 0))
        server = Server(Config(listen=("192.0.2.1",)), [Plugin("a", [], fails)], listeners=[listener])
        if fails:
            with pytest.raises(ListenError):
                await server.start()
        else:
            await server.start()
            assert port_of(server) == listener.getsockname()[1]
            async with Talk(server) as peer:
                await peer.call(wire.ECHO_REQ, payload=b"")
            server.stop()
            await server.wait_closed()
        assert listener.fileno() == -1

    for fails in (False, True):
        play(scene(fails))
