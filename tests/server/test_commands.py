"""Admin commands by name, from any number of plugins; and the example of docs/plugins.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from gearfast import Server
from gearfast.errors import ConfigError
from gearfast.plugins.admin import Admin
from gearfast.server.commands import Commands
from tests.support import wire
from tests.support.inside import LOCAL, Talk, play
from tests.support.peers import PROJECT

EXAMPLE = re.search(r"```python\n(.*?)```", (PROJECT / "docs" / "plugins.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_example_of_the_docs_counts_and_tells() -> None:
    assert EXAMPLE is not None
    assert len(EXAMPLE[1].splitlines()) <= 32
    names: dict[str, Any] = {}
    exec(EXAMPLE[1], names)

    async def scene() -> None:
        server = Server(LOCAL, [Admin(), names["Done"]()])
        await server.start()
        async with Talk(server) as peer:
            peer.say(wire.CAN_DO, "f")
            peer.say(wire.CAN_DO, "g")
            for function, end in (("f", wire.WORK_COMPLETE), ("f", wire.WORK_FAIL), ("g", wire.WORK_COMPLETE)):
                handle = (await peer.call(wire.SUBMIT_JOB_BG, function, "", payload="")).body
                await peer.call(wire.GRAB_JOB)
                peer.say(end, handle, payload="" if end == wire.WORK_COMPLETE else None)
                await peer.call(wire.ECHO_REQ, payload="")  # a turn later it has heard of it
            peer.writer.write(b"done\n")
            assert await peer.reader.readuntil(b"\n.\n") == b"f\t1\t1\ng\t1\t0\n.\n"
            peer.writer.write(b"done g\n")
            assert await peer.reader.readuntil(b"\n.\n") == b"g\t1\t0\n.\n"
            peer.writer.write(b"help\n")
            listed = (await peer.reader.readuntil(b"\n.\n")).decode().splitlines()
            assert [line for line in listed if line.startswith("done [FUNCTION]  ")]
            listed = [line.split("  ")[0] for line in listed[:-1]]
            assert listed == sorted(listed)
            assert len(listed) > 12
        server.stop()
        await server.wait_closed()

    play(scene())


def answer(text: bytes) -> Callable[..., bytes]:
    """Of a command."""
    return lambda words, session: text + b" ".join(words)


def test_the_longer_name_has_the_line_whatever_its_case_and_its_spaces() -> None:
    commands = Commands()
    commands.add("show", answer(b"1 "), most=5)
    commands.add("show jobs", answer(b"2 "))
    session: Any = None
    assert commands.answer(session, b"show") == b"1 show"
    assert commands.answer(session, b"Show JOBS x") == b"2 Show JOBS x"
    assert commands.answer(session, b"show  jobs") == b"2 show jobs"
    assert commands.answer(session, b"show other") == b"1 show other"
    assert commands.answer(session, b"jobs") == b"ERR UNKNOWN_COMMAND Unknown+server+commandjobs\r\n"


def test_a_word_too_many_closes_the_connection_where_stock_does_so() -> None:
    """At the sixth one, for a command that says so and for one that nobody knows; a plugin's own says what is wrong."""
    commands = Commands()
    commands.add("show", answer(b"1 "), most=5)
    commands.add("show jobs", answer(b"2 "))
    session: Any = None
    assert commands.answer(session, b"show a b c d") == b"1 show a b c d"
    assert commands.answer(session, b"show a b c d e") is None
    assert commands.answer(session, b"show jobs b c d e f") == b"2 show jobs b c d e f"
    assert commands.answer(session, b"other b c d e") == b"ERR UNKNOWN_COMMAND Unknown+server+commandother\r\n"
    assert commands.answer(session, b"other b c d e f") is None


def test_without_any_command_a_line_closes_the_connection() -> None:
    session: Any = None
    assert Commands().answer(session, b"version") is None


@pytest.mark.parametrize("name", ["", " ", "Show", "a b c", "a  b", " a", "a\n", "ä"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be an admin command"):
        Commands().add(name, answer(b""))


def test_a_name_that_is_taken_refuses_the_start() -> None:
    class Second:
        async def start(self, server: Server) -> None:
            server.commands.add("status", answer(b""))

        async def stop(self) -> None:
            """Nothing is held."""

    async def scene() -> None:
        with pytest.raises(ConfigError, match="'status' is there already"):
            await Server(LOCAL, [Admin(), Second()]).start()

    play(scene())


def test_a_plugin_that_needs_more_than_there_is_is_refused() -> None:
    class Future(Admin):
        needs = 99

    with pytest.raises(ConfigError, match="needs version 99 of the plugins' contract"):
        Server(LOCAL, [Future()])
