"""What a server says of its peers in the log, and what they call themselves: bytes of any kind, kept without Python."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gearfast import Server
from gearfast.broker.rulings import Rulings
from gearfast.config import CLIENT_ID_SIZE
from gearfast.logs import NOTICE
from tests.support import wire
from tests.support.inside import Talk, played
from tests.support.peers import HOST
from tests.support.short_memory import without_memory

BROKEN = b"\0BAD\0\0\0\1\0\0\0\0"
TAKEN_NO_MORE = "Nothing more is taken for this function: "


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(NOTICE, "gearfast")
    return caplog


def said(heard: pytest.LogCaptureFixture, *levels: int) -> list[str]:
    """What peers had said of them."""
    return [record.getMessage() for record in heard.records if record.levelno in levels]


@pytest.mark.parametrize(
    ("reason", "told", "written"),
    [
        (b"", b"it is drained", "it is drained"),
        (b"\xff moves, caf\xc3\xa9 %s%n", b"\xff moves, caf\xc3\xa9 %s%n", r"\xff moves, café %s%n"),
        (b"cut\xe2\x82", b"cut\xe2\x82", r"cut\xe2\x82"),
        (b"up to\0here", b"up to", "up to"),
        (b"\0", b"", ""),
        (b"r" * 100_000, b"r" * 100_000, "r" * 100_000),
    ],
    ids=["none", "no UTF-8", "cut", "NUL", "nothing but NUL", "long"],
)
def test_a_refusal_gives_the_reason_as_it_is_and_the_log_escapes_it(
    reason: bytes, told: bytes, written: str, heard: pytest.LogCaptureFixture
) -> None:
    async def scene(server: Server, client: Talk) -> None:
        Rulings(server.broker).set([(b"f", b"", "drained", reason)])
        answer = await client.call(wire.SUBMIT_JOB_BG, "f", "", payload="x")
        assert answer.body == b"QUEUE_ERROR\0" + TAKEN_NO_MORE.encode() + told

    played(scene)
    assert said(heard, logging.WARNING) == [f"{HOST}: QUEUE_ERROR: {TAKEN_NO_MORE}{written}"]


def test_an_accepted_job_is_a_line_whatever_its_names_are(heard: pytest.LogCaptureFixture) -> None:
    names = [(b"f", b""), (b"\xff\xc3\xa9%s", b"\xe2\x82"), (b"n" * 8000, b"u" * 64)]
    due = 10_000_000_000

    async def scene(server: Server, client: Talk) -> None:
        for name, unique in names:
            assert (await client.call(wire.SUBMIT_JOB, name, unique, payload="x")).name == "JOB_CREATED"
        assert (await client.call(wire.SUBMIT_JOB_EPOCH, "f", "e", str(due), payload="x")).name == "JOB_CREATED"

    played(scene)
    assert [line for line in said(heard, NOTICE) if line.startswith("accepted")] == [
        "accepted,f,,0",
        r"accepted,\xffé%s,\xe2\x82,0",
        f"accepted,{'n' * 8000},{'u' * 64},0",
        f"accepted,f,e,{due}",
    ]


def test_lines_stand_in_the_order_in_which_they_were_said(heard: pytest.LogCaptureFixture) -> None:
    """Some are written without Python, and some with it."""

    async def scene(server: Server, client: Talk) -> None:
        async with Talk(server) as other:
            for talk in (client, other):
                talk.writer.write(
                    wire.request(wire.SUBMIT_JOB, "f", "", payload="x")
                    + wire.request(wire.OPTION_REQ, "nonsense")
                    + wire.request(wire.SUBMIT_JOB, "g", "", payload="x")
                    + BROKEN
                )
                await talk.reader.read()

    played(scene)
    assert [line.replace(HOST, "peer") for line in said(heard, NOTICE, logging.WARNING)] == [
        "accepted,f,,0",
        "peer: UNKNOWN_OPTION: Server does not recognize given option",
        "accepted,g,,0",
        "peer: closed: the bytes are no Gearman packet (wrong magic)",
    ] * 2


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b"", b""),
        (b"\xff\xfe", b"\xff\xfe"),
        (b"cut\0here", b"cut"),
        (b"\0", b""),
        (b"i" * CLIENT_ID_SIZE, b"i" * CLIENT_ID_SIZE),
        (b"j" * 5000, b"j" * CLIENT_ID_SIZE),
    ],
    ids=["empty", "no UTF-8", "NUL", "nothing but NUL", "longest", "too long"],
)
def test_a_peer_is_called_as_it_said_last(given: bytes, kept: bytes) -> None:
    async def scene(server: Server, client: Talk) -> None:
        [session] = server.sessions.values()
        assert session.client_id == b"-"
        for name, shown in ((b"first", b"first"), (given, kept), (given, kept), (b"last", b"last"), (given, kept)):
            client.say(wire.SET_CLIENT_ID, name)
            await client.call(wire.ECHO_REQ, payload="")
            assert session.client_id == shown
        async with Talk(server) as other:
            await other.call(wire.ECHO_REQ, payload="")
            assert [each.client_id for each in server.sessions.values()] == [kept, b"-"]

    played(scene)


def test_without_memory_a_line_is_missing_and_nothing_else(tmp_path: Path) -> None:
    """Whichever request for memory is refused: see tests/support/talking_without_memory.py."""
    done = without_memory(tmp_path, "tests.support.talking_without_memory")
    assert (done.returncode, done.stderr) == (0, "")
