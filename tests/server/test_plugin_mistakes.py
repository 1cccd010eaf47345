"""A mistake of a plugin ends the answer in which it is made, is logged once with its name, and is nobody else's."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gearfast import Server
from gearfast.plugins.admin import Admin
from gearfast.server.session import Session
from tests.support import wire
from tests.support.inside import LOCAL, Talk, play

FAILED = b"ERR INTERNAL_ERROR The+command+failed:+the+server's+log+says+why\r\n"


class Stubborn:
    """An iterator that raises again and again, and would do so for ever."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        raise ValueError("not today")


class Shy:
    """An iterator that will not even say whether it is one."""

    def __getattr__(self, name: str) -> object:
        raise ZeroDivisionError(name)


def in_between(piece: Any) -> Iterator[Any]:
    """A good beginning, and a bad piece in the middle."""
    yield b"one\n"
    yield piece
    yield b"NEVER\n"


def breaking() -> Iterator[bytes]:
    """A good beginning, and no end."""
    yield b"one\n"
    raise KeyError("two")


ONE = b"one\n" + FAILED + b".\n"
MISTAKES: dict[str, tuple[Callable[[], Any], bytes, str]] = {
    "a str": (lambda: "text", FAILED, "the answer is a str, not bytes"),
    "a list": (lambda: [b"text"], FAILED, "the answer is a list, not bytes"),
    "a number": (lambda: 1, FAILED, "the answer is a int, not bytes"),
    "a bytearray": (lambda: bytearray(b"x"), FAILED, "the answer is a bytearray, not bytes"),
    "a coroutine's class": (lambda: asyncio.Event, FAILED, "the answer is a type, not bytes"),
    "it raises": (lambda: 1 // 0, FAILED, "ZeroDivisionError"),
    "what raises when it is looked at": (Shy, FAILED, "ZeroDivisionError"),
    "an iterator that raises": (Stubborn, FAILED + b".\n", "not today"),
    "a generator that breaks": (breaking, ONE, "KeyError('two')"),
    "a generator of str": (lambda: in_between("text"), ONE, "a part of the answer is a str, not bytes"),
    "a generator of lists": (lambda: in_between([b"x"]), ONE, "a part of the answer is a list, not bytes"),
    "an iterator over str": (lambda: iter("text"), FAILED + b".\n", "a part of the answer is a str"),
}


class Clumsy(Admin):
    """Makes a mistake when it is told `err`."""

    def __init__(self, mistake: Callable[[], Any]) -> None:
        self.mistake = mistake

    async def start(self, server: Server) -> None:
        """Add the command."""
        await super().start(server)
        server.commands.add("err", self.err)

    def err(self, words: list[bytes], session: Session) -> Any:
        """Err."""
        return self.mistake()


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_ends_its_answer_and_nothing_else(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """What stands behind it on the connection is answered in order, and it is logged once, however often it is made."""
    mistake, answer, reason = MISTAKES[name]

    async def scene() -> None:
        server = Server(LOCAL, [Clumsy(mistake)])
        await server.start()
        async with Talk(server) as peer, Talk(server) as other:
            echo = wire.request(wire.ECHO_REQ, payload="x")
            peer.writer.write((b"err\n" + echo) * 20 + b"version\n")
            told = wire.raw(wire.RES, wire.ECHO_RES, b"x")
            assert await peer.reader.readexactly(20 * len(answer + told)) == (answer + told) * 20
            assert (await peer.reader.readline()).startswith(b"OK ")
            assert (await other.call(wire.ECHO_REQ, payload="y")).body == b"y"
        server.stop()
        await server.wait_closed()

    with caplog.at_level(logging.WARNING, "gearfast"):
        play(scene())
    [line] = [record.getMessage() for record in caplog.records if record.name == "gearfast"]
    assert line.startswith("The plugin Clumsy has failed to answer an admin line: ")
    assert reason in line


def test_two_mistakes_are_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    kinds: list[Callable[[], Any]] = [lambda: 1 // 0, lambda: "text"]
    mistakes = itertools.cycle(kinds)

    async def scene() -> None:
        server = Server(LOCAL, [Clumsy(lambda: next(mistakes)())])
        await server.start()
        async with Talk(server) as peer:
            peer.writer.write(b"err\n" * 10)
            assert await peer.reader.readexactly(10 * len(FAILED)) == FAILED * 10
        server.stop()
        await server.wait_closed()

    with caplog.at_level(logging.WARNING, "gearfast"):
        play(scene())
    assert len([record for record in caplog.records if "The plugin Clumsy" in record.getMessage()]) == 2


def test_none_closes_the_connection_and_none_in_an_answer_ends_it() -> None:
    """That is no mistake."""

    async def scene() -> None:
        answers = iter([in_between(None), None])
        server = Server(LOCAL, [Clumsy(lambda: next(answers))])
        await server.start()
        async with Talk(server) as peer:
            peer.writer.write(b"err\n" + wire.request(wire.ECHO_REQ, payload="x") + b"err\nversion\n")
            assert await peer.reader.read() == b"one\n" + wire.raw(wire.RES, wire.ECHO_RES, b"x")
        server.stop()
        await server.wait_closed()

    play(scene())


def test_an_answer_without_end_keeps_nobody_waiting_and_ends_with_its_peer() -> None:
    async def scene() -> None:
        server = Server(LOCAL, [Clumsy(lambda: itertools.repeat(b"more\n"))])
        await server.start()
        async with Talk(server) as other:
            async with Talk(server) as peer:
                peer.writer.write(b"err\n")
                assert await peer.reader.readline() == b"more\n"
                for _ in range(50):
                    assert (await other.call(wire.ECHO_REQ, payload="x")).body == b"x"
                assert await peer.reader.readline() == b"more\n"
                peer.writer.transport.abort()
            while len(server.sessions) > 1:
                assert (await other.call(wire.ECHO_REQ, payload="x")).body == b"x"
        server.stop()
        await server.wait_closed()

    play(scene())


def test_a_plugin_that_hangs_up_who_asks_it_behind_a_long_answer() -> None:
    """What is sent then goes nowhere, though somebody else may have got the number of the descriptor meanwhile."""
    others: list[socket.socket] = []

    class Rude:
        async def start(self, server: Server) -> None:
            server.commands.add("long", self.long)
            server.commands.add("bye", self.bye)

        async def stop(self) -> None:
            """Nothing is held."""

        def long(self, words: list[bytes], session: Session) -> Iterator[bytes]:
            return iter([b"one\n", b"two\n"])

        def bye(self, words: list[bytes], session: Session) -> bytes:
            session.abort()
            others.extend(socket.socketpair())
            return b"for the peer\n"

    async def scene() -> None:
        server = Server(LOCAL, [Rude()])
        await server.start()
        async with Talk(server) as peer:
            peer.writer.write(b"long\nbye\n")
            assert await peer.reader.read() == b"one\ntwo\n"
        server.stop()
        await server.wait_closed()

    play(scene())
    assert len(others) == 2
    for other in others:
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.recv(1)
    for other in others:
        other.close()
