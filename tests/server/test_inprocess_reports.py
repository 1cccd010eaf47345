"""A worker inside the process and clients on sockets, and the other way round: both hear what the wire has."""

from __future__ import annotations

from typing import Any

import pytest

from gearfast import InProcessPeer, Server
from gearfast.broker.broker import Reported
from gearfast.broker.peer import Report
from tests.support import wire
from tests.support.inside import LOCAL, Talk, play

KINDS = {
    Report.DATA: wire.WORK_DATA,
    Report.WARNING: wire.WORK_WARNING,
    Report.COMPLETE: wire.WORK_COMPLETE,
    Report.EXCEPTION: wire.WORK_EXCEPTION,
}
BODIES = [b"", b"x", b"\0", b"a\0b\0", b"x" * 16_383, b"y" * 16_384, b"z" * 1_000_000]


@pytest.mark.parametrize("body", BODIES, ids=len)
def test_reports_of_a_worker_inside_are_packets_outside(body: bytes) -> None:
    async def scene() -> None:
        server = Server(LOCAL)
        await server.start()
        worker = InProcessPeer(server.broker)
        worker.can_do(b"f")
        async with Talk(server) as client, Talk(server) as other:
            await client.call(wire.OPTION_REQ, "exceptions")
            for last in (Report.COMPLETE, Report.EXCEPTION):
                handle = (await client.call(wire.SUBMIT_JOB, "f", "u", payload="")).body
                assert (await other.call(wire.SUBMIT_JOB, "f", "u", payload="")).body == handle
                assert worker.grab() == (handle, b"f", b"u", b"")
                for kind in (Report.DATA, Report.WARNING, Report.DATA, last):
                    assert worker.tell(handle, kind, body) is Reported.TAKEN
                    assert await client.hear() == wire.Packet(wire.RES, KINDS[kind], handle + b"\0" + body)
                    unheard = kind is Report.EXCEPTION  # it has not asked for exceptions
                    packet = wire.WORK_FAIL, handle if unheard else handle + b"\0" + body
                    assert await other.hear() == wire.Packet(
                        wire.RES, *(packet if unheard else (KINDS[kind], packet[1]))
                    )
        server.stop()
        await server.wait_closed()

    play(scene())


def test_progress_and_failure_inside_are_packets_outside() -> None:
    async def scene() -> None:
        server = Server(LOCAL)
        await server.start()
        worker = InProcessPeer(server.broker)
        worker.can_do(b"f")
        async with Talk(server) as client:
            handle = (await client.call(wire.SUBMIT_JOB, "f", "", payload="")).body
            assert worker.grab() is not None
            worker.progress(handle, 0, (1 << 32) - 1)
            assert await client.hear() == wire.Packet(wire.RES, wire.WORK_STATUS, handle + b"\x000\x004294967295")
            status = await client.call(wire.GET_STATUS, handle)
            assert status.args() == [handle, b"1", b"1", b"0", b"4294967295"]
            assert worker.tell(handle, Report.FAIL) is Reported.TAKEN
            assert await client.hear() == wire.Packet(wire.RES, wire.WORK_FAIL, handle)
        server.stop()
        await server.wait_closed()

    play(scene())


def test_a_worker_outside_is_woken_by_a_client_inside_and_its_reports_are_heard_there() -> None:
    async def scene() -> None:
        server = Server(LOCAL)
        await server.start()
        client = InProcessPeer(server.broker)
        async with Talk(server) as worker:
            worker.say(wire.CAN_DO, "f")
            worker.say(wire.PRE_SLEEP)
            await worker.call(wire.ECHO_REQ, payload="")
            handle = client.submit(b"f", b"payload")
            assert handle is not None
            assert (await worker.hear()).type == wire.NOOP
            assert (await worker.call(wire.GRAB_JOB)).args(2) == [handle, b"f", b"payload"]
            expected: list[Any] = []
            for body in BODIES:
                worker.say(wire.WORK_DATA, handle, payload=body)
                worker.say(wire.WORK_WARNING, handle, payload=body)
                expected += [(Report.DATA, handle, body), (Report.WARNING, handle, body)]
            worker.say(wire.WORK_STATUS, handle, "3", "4")
            worker.say(wire.WORK_EXCEPTION, handle, payload="trouble")
            await worker.call(wire.ECHO_REQ, payload="")
            assert client.heard == [
                *expected,
                (Report.STATUS, handle, b"3\x004"),
                (Report.EXCEPTION, handle, b"trouble"),
            ]
        server.stop()
        await server.wait_closed()

    play(scene())
