r"""Names come from peers: whatever stands in one, an answer to an administrator has a line for each thing it tells.

What would end a line or a table, part figures, or move a terminal's cursor is shown as ``\x0a``; letters of UTF-8 are
what they are. Packets carry names as they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gearfast import InProcessPeer
from gearfast import Server as Gearfast
from gearfast.plugins.admin import Admin
from tests.support import wire
from tests.support.actors import PATIENT
from tests.support.inside import LOCAL, Talk, play
from tests.support.peers import Server, start_gearfast

NAMES = {
    b"evil\t0\t0\t0\n.\nrest": rb"evil\x090\x090\x090\x0a.\x0arest",
    b"\r\nOK": rb"\x0d\x0aOK",
    b"\x1b]0;title\x07\x1b[2J": rb"\x1b]0;title\x07\x1b[2J",
    b"\x7f\x01": rb"\x7f\x01",
    b"100%s%n": b"100%s%n",
    b".": b".",
    b"\xff\xfe\xa0": b"\xff\xfe\xa0",
    b"\x9b2J\x80\x9f\xa0": rb"\x9b2J\x80\x9f" + b"\xa0",
    "\x9b2J\x80\x9f\xa0".encode(): rb"\xc2\x9b2J\xc2\x80\xc2\x9f" + "\xa0".encode(),
    "ÀßěÛ€🛀".encode() + b"\xe2\x82": "ÀßěÛ€🛀".encode() + rb"\x82".replace(b"\\", b"\xe2\\"),
    b"\xed\xa0\x9b2J": b"\xed\xa0" + rb"\x9b2J",
    "größe/大きさ".encode(): "größe/大きさ".encode(),
    rb"App\Jobs\Mail": rb"App\Jobs\Mail",
    b"n" * 8000: b"n" * 8000,
}
"""As they are, and as they stand in a line."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with start_gearfast(PATIENT) as started:
        yield started
        assert started.stop() == 0


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:20])
def test_a_name_stands_in_one_line_wherever_it_is_shown(server: Server, name: bytes) -> None:
    shown, unique = NAMES[name], name[:64]
    with server.connect() as worker, server.connect() as admin:
        worker.request(wire.SET_CLIENT_ID, name)
        worker.request(wire.CAN_DO, name)
        handle = worker.call(wire.SUBMIT_JOB_BG, name, unique, payload="x").body
        admin.send(b"status\n")
        assert [row for row in admin.recv_table().split(b"\n") if row.startswith(shown + b"\t")] == [
            shown + b"\t1\t0\t1"
        ]
        admin.send(b"prioritystatus\n")
        assert shown + b"\t0\t1\t0\t1" in admin.recv_table().split(b"\n")
        admin.send(b"workers\n")
        [line] = [line for line in admin.recv_table().split(b"\n") if line.endswith(b" : " + shown)]
        number, address, client_id = line.removesuffix(b" : " + shown).split(b" ", 2)
        assert (address, number.isdigit()) == (b"127.0.0.1", True)
        assert shown.startswith(client_id)
        admin.send(b"show unique jobs\n")
        assert admin.recv_table() == (rb"\x2e" if unique == b"." else NAMES.get(unique, unique)) + b"\n.\n"
        assert admin.table("show jobs") == [f"{handle.decode()}\t0\t0\t1"]
        assert worker.call(wire.GRAB_JOB_UNIQ).args(3) == [handle, name, unique, b"x"]
        worker.request(wire.WORK_COMPLETE, handle, payload="")
        assert worker.sync() == b""


def test_words_of_a_line_cannot_forge_an_answer(server: Server) -> None:
    """An unknown word comes back in the answer; it cannot hold what ends it."""
    with server.connect() as admin:
        for word in (b"\x1b[2J", b"a\rb", b"\xff%s"):
            admin.send(word + b"\n")
            assert admin.recv_line() == b"ERR UNKNOWN_COMMAND Unknown+server+command" + word + b"\r\n"


def test_a_delayed_job_stands_in_its_priority() -> None:
    """Those of the wire are normal; a peer inside the process, or a store, may have one of any priority."""

    async def scene() -> None:
        server = Gearfast(LOCAL, [Admin()])
        await server.start()
        client = InProcessPeer(server.broker)
        for priority, count in ((0, 3), (1, 1), (2, 2)):
            for _ in range(count):
                client.submit(b"f", priority=priority, background=True, due=1e10)
        async with Talk(server) as admin:
            admin.writer.write(b"prioritystatus\nstatus\n")
            assert await admin.reader.readuntil(b".\n") == b"f\t3\t1\t2\t0\n.\n"
            assert await admin.reader.readuntil(b".\n") == b"f\t6\t0\t0\n.\n"
        server.stop()
        await server.wait_closed()

    play(scene())
