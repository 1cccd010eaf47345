"""Peers that leave in a hurry: whatever their last bytes were, the server notices that they have gone."""

from __future__ import annotations

import pytest

from tests.support import wire
from tests.support.peers import start_gearfast, until

LAST_BYTES = {
    "nothing": b"",
    "half a line": b"stat",
    "half a header": b"\0REQ\0\0",
    "half a body": wire.raw(wire.REQ, wire.SUBMIT_JOB, b"f\0u\0pay", 100),
    "an ability": wire.request(wire.CAN_DO, "f"),
    "a foreground job": wire.request(wire.SUBMIT_JOB, "g", "", payload="x"),
    "a question": wire.request(wire.ECHO_REQ, payload="x" * 100_000),
}


@pytest.mark.parametrize("last", LAST_BYTES)
def test_reset_behind_data(last: str) -> None:
    """Data and a reset that arrive together: the data is read, and the reset must not be overlooked because of it."""
    with start_gearfast() as server, server.connect() as onlooker:
        for _ in range(100):
            peer = server.connect()
            peer.sync()
            peer.send(LAST_BYTES[last])
            peer.reset()
        until(lambda: len(onlooker.table("workers")) == 1, "all connections are known to have gone", 5)
        assert {tuple(line.split("\t")[1:]) for line in onlooker.table("status")} <= {("0", "0", "0")}


def test_worker_reset_with_job_in_hand() -> None:
    """The job of a worker which sends progress and is reset goes back into the queue, every time."""
    with start_gearfast() as server, server.connect() as client:
        client.call(wire.SUBMIT_JOB_BG, "f", "", payload="x")
        for attempt in range(1, 51):
            worker = server.connect()
            worker.request(wire.CAN_DO, "f")
            handle = worker.call(wire.GRAB_JOB).args()[0]
            worker.request(wire.WORK_STATUS, handle, "1", "2")
            worker.reset()
            gone = f"{handle.decode()}\t{attempt}\t0\t1"
            until(lambda gone=gone: client.table("show jobs") == [gone], f"attempt {attempt} is over", 5)  # type: ignore[misc]


def test_reset_with_many_jobs_in_hand() -> None:
    """More than are taken from a worker in one go, and nobody hears of those: the rest follow all the same."""
    with start_gearfast("--job-retries=1") as server, server.connect() as client:
        client.send(wire.request(wire.SUBMIT_JOB_BG, "b", "", payload="x") * 1500)
        client.request(wire.SUBMIT_JOB, "a", "", payload="x")
        handles = [client.recv_packet().body for _ in range(1501)]
        worker = server.connect()
        worker.send(
            wire.request(wire.CAN_DO, "a") + wire.request(wire.CAN_DO, "b") + wire.request(wire.GRAB_JOB) * 1501
        )
        assert {worker.recv_packet().type for _ in range(1501)} == {wire.JOB_ASSIGN}
        client.sync()
        worker.reset()
        assert client.recv_packet() == wire.Packet(wire.RES, wire.WORK_FAIL, handles[-1])
