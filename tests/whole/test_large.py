"""Large bodies, which are sent from where they lie: whole, in order, and not at the cost of anybody else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from gearfast.config import LARGE_BODY
from tests.support import wire
from tests.support.peers import Server, start_gearfast
from tests.support.wire import Connection

MIB = 1024 * 1024
SIZES = [0, 1, LARGE_BODY - 1, LARGE_BODY, LARGE_BODY + 1, 65_536, 131_072, MIB - 1, 5 * MIB]


def body(size: int, mark: int) -> bytes:
    return (bytes([mark]) + b"%d" % size) * (size // 3 + 1)


def exactly(size: int, mark: int) -> bytes:
    return body(size, mark)[:size]


@pytest.fixture(scope="module", name="server")
def make_server() -> Iterator[Server]:
    with start_gearfast() as server:
        yield server


@pytest.mark.parametrize("large", SIZES[:-1])
def test_answers_keep_their_order_whatever_their_size(server: Server, large: int) -> None:
    sizes = [3, large, 5, LARGE_BODY, large, 70]
    with wire.connect(server.host, server.port) as peer:
        for mark, size in enumerate(sizes, 1):
            peer.request(wire.ECHO_REQ, payload=exactly(size, mark))
        for mark, size in enumerate(sizes, 1):
            packet = peer.recv_packet()
            assert packet.type == wire.ECHO_RES
            assert packet.body == exactly(size, mark)


@pytest.mark.parametrize("size", SIZES)
def test_a_payload_and_its_result_arrive_whole(server: Server, size: int) -> None:
    name = b"large%d" % size
    with wire.connect(server.host, server.port) as client, wire.connect(server.host, server.port) as worker:
        worker.request(wire.CAN_DO, name)
        for mark in (1, 2, 3):
            client.request(wire.SUBMIT_JOB, name, b"", payload=exactly(size, mark))
            assert client.recv_packet().type == wire.JOB_CREATED
        for mark in (1, 2, 3):
            assigned = worker.call(wire.GRAB_JOB)
            handle, function, payload = assigned.args(3)
            assert (function, payload) == (name, exactly(size, mark))
            worker.request(wire.WORK_DATA, handle, payload=payload)
            worker.request(wire.WORK_COMPLETE, handle, payload=payload[::-1])
        for mark in (1, 2, 3):
            assert client.recv_packet().args(2)[1] == exactly(size, mark)
            assert client.recv_packet().args(2)[1] == exactly(size, mark)[::-1]


def test_a_worker_that_reads_late_gets_all_and_delays_nobody(server: Server) -> None:
    """What the socket does not take is kept, and what comes after it stays behind it."""
    with wire.connect(server.host, server.port) as client, wire.connect(server.host, server.port) as worker:
        worker.request(wire.CAN_DO, b"late")
        for mark in range(1, 13):
            client.call(wire.SUBMIT_JOB_BG, b"late", b"", payload=exactly(MIB, mark))
        for _ in range(12):
            worker.request(wire.GRAB_JOB)
        worker.request(wire.ECHO_REQ, payload=b"end")
        assert client.call(wire.ECHO_REQ, payload=b"not delayed").body == b"not delayed"
        for mark in range(1, 13):
            handle, _, payload = worker.recv_packet().args(3)
            assert payload == exactly(MIB, mark)
            worker.request(wire.WORK_COMPLETE, handle)
        assert worker.recv_packet().body == b"end"


def test_many_clients_of_one_job_get_the_same_large_result(server: Server) -> None:
    clients: list[Connection] = [wire.connect(server.host, server.port) for _ in range(5)]
    with wire.connect(server.host, server.port) as worker:
        handles = [client.call(wire.SUBMIT_JOB, b"shared", b"one", payload=b"").body for client in clients]
        assert all(one == other for one, other in pairwise(handles))
        worker.request(wire.CAN_DO, b"shared")
        worker.call(wire.GRAB_JOB)
        worker.request(wire.WORK_COMPLETE, handles[0], payload=exactly(2 * MIB, 9))
        for client in clients:
            assert client.recv_packet().args(2)[1] == exactly(2 * MIB, 9)
            client.close()
