"""The limit, a server for the benchmarks only: it moves all bytes that a job server must, or it measures nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import wire
from tests.support.peers import HOST, PROJECT, end, free_port
from tests.support.wire import Connection, Packet, connect

SOURCE = PROJECT / "benchmarks" / "subjects" / "limit.c"
LARGE = bytes(range(256)) * 4096


def handle(number: int) -> bytes:
    return b"H:limit:%d" % number


def answer(kind: int, body: bytes = b"") -> Packet:
    return Packet(wire.RES, kind, body)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("limit") / "limit"
    compiler = shutil.which("cc")
    assert compiler is not None, "no C compiler: apt install gcc"
    command = [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(made), str(SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return made


@pytest.fixture
def port(program: Path) -> Iterator[int]:
    taken = free_port()
    process = subprocess.Popen([program, str(taken)])
    try:
        connect(HOST, taken).close()
        yield taken
        assert process.poll() is None
    finally:
        end(process)


def submit(client: Connection, number: int, payload: bytes = b"payload", foreground: bool = False) -> None:
    kind = wire.SUBMIT_JOB if foreground else wire.SUBMIT_JOB_BG
    assert client.call(kind, "work", "", payload=payload) == answer(wire.JOB_CREATED, handle(number))


def test_jobs_leave_in_the_order_they_came(port: int) -> None:
    with Connection(HOST, port) as client, Connection(HOST, port) as worker:
        for number in range(3000):  # more than its table has at first
            submit(client, number, b"payload %d" % number)
        worker.request(wire.CAN_DO, "work")
        for number in range(3000):
            assigned = worker.call(wire.GRAB_JOB)
            assert assigned == answer(wire.JOB_ASSIGN, b"%s\0work\0payload %d" % (handle(number), number))
            worker.request(wire.WORK_COMPLETE, handle(number), payload="done")
        assert worker.call(wire.GRAB_JOB) == answer(wire.NO_JOB)
        assert client.sync() == b""


def test_jobs_may_be_completed_in_any_order(port: int) -> None:
    with Connection(HOST, port) as client, Connection(HOST, port) as worker:
        for round_ in range(3):
            first = round_ * 2000
            for number in range(first, first + 2000):
                submit(client, number, foreground=True)
            for number in range(first, first + 2000):
                assert worker.call(wire.GRAB_JOB).args(1)[0] == handle(number)
            for number in reversed(range(first, first + 2000)):
                worker.request(wire.WORK_COMPLETE, handle(number), payload=b"%d" % number)
                assert client.recv_packet() == answer(wire.WORK_COMPLETE, b"%s\0%d" % (handle(number), number))


def test_a_job_wakes_one_sleeper(port: int) -> None:
    with Connection(HOST, port) as client, Connection(HOST, port) as first, Connection(HOST, port) as second:
        for worker in (first, second):
            worker.request(wire.CAN_DO, "work")
            assert worker.call(wire.GRAB_JOB) == answer(wire.NO_JOB)
            worker.request(wire.PRE_SLEEP)
            worker.sync()
        submit(client, 0, foreground=True)
        assert (first.sync(), second.sync()) == (wire.raw(wire.RES, wire.NOOP, b""), b"")
        assert first.call(wire.GRAB_JOB).type == wire.JOB_ASSIGN
        first.request(wire.WORK_COMPLETE, handle(0), payload="result")
        assert client.recv_packet() == answer(wire.WORK_COMPLETE, handle(0) + b"\0result")
        submit(client, 1)
        assert second.recv_packet() == answer(wire.NOOP)
        assert first.call(wire.PRE_SLEEP) == answer(wire.NOOP)


def test_a_packet_in_pieces(port: int) -> None:
    with Connection(HOST, port) as client, Connection(HOST, port) as worker:
        stream = wire.request(wire.SUBMIT_JOB_BG, "work", "", payload="in pieces")
        for at in range(len(stream)):
            client.send(stream[at : at + 1])
        assert client.recv_packet() == answer(wire.JOB_CREATED, handle(0))
        client.send(stream * 2 + stream[:20])
        assert [client.recv_packet().body for _ in range(2)] == [handle(1), handle(2)]
        client.send(stream[20:] + stream)
        assert [client.recv_packet().body for _ in range(2)] == [handle(3), handle(4)]
        for number in range(5):
            assert worker.call(wire.GRAB_JOB) == answer(wire.JOB_ASSIGN, handle(number) + b"\0work\0in pieces")


def test_a_large_payload_both_ways(port: int) -> None:
    with Connection(HOST, port) as client, Connection(HOST, port) as worker:
        for number in range(3):
            submit(client, number, LARGE, foreground=True)
        worker.send(wire.request(wire.GRAB_JOB) * 3)  # more than the socket takes at once
        for number in range(3):
            assert worker.recv_packet() == answer(wire.JOB_ASSIGN, handle(number) + b"\0work\0" + LARGE)
            worker.request(wire.WORK_COMPLETE, handle(number), payload=LARGE)
        for number in range(3):
            assert client.recv_packet() == answer(wire.WORK_COMPLETE, handle(number) + b"\0" + LARGE)


def test_who_is_gone_is_not_told(port: int) -> None:
    with Connection(HOST, port) as other, Connection(HOST, port) as worker:
        client = Connection(HOST, port)
        submit(client, 0, foreground=True)
        sleeper = Connection(HOST, port)
        assert sleeper.call(wire.PRE_SLEEP) == answer(wire.NOOP)
        assert worker.call(wire.GRAB_JOB).type == wire.JOB_ASSIGN
        worker.request(wire.PRE_SLEEP)
        sleeper.request(wire.PRE_SLEEP)
        sleeper.sync()
        sleeper.close()
        client.reset()
        with Connection(HOST, port) as follower:  # has the descriptor of one of them
            follower.sync()
            worker.request(wire.WORK_COMPLETE, handle(0), payload="nobody waits")
            assert worker.sync() == b""
            assert follower.sync() == b""
            submit(other, 1)
            assert worker.recv_packet() == answer(wire.NOOP)


def test_six_hundred_peers(port: int) -> None:
    peers = [Connection(HOST, port) for _ in range(600)]
    try:
        for number, peer in enumerate(peers):
            submit(peer, number)
    finally:
        for peer in peers:
            peer.close()
