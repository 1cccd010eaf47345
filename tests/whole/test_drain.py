"""SIGUSR1: nobody is let in any more, who is there is served, and the process ends with the last job."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.support import wire
from tests.support.actors import PATIENT, grab, res, submit, worker_of
from tests.support.peers import Server, start_gearfast, until


@pytest.fixture
def alone() -> Iterator[Server]:
    """A server for tests that look at whole tables."""
    with start_gearfast(PATIENT) as started:
        yield started


def drain(server: Server) -> None:
    """Send SIGUSR1 and wait until nobody is let in any more."""
    server.process.send_signal(signal.SIGUSR1)

    def refused() -> bool:
        try:
            server.connect().close()
        except (ConnectionRefusedError, ConnectionResetError):  # reset: the listener was closed while we waited for it
            return True
        return False

    until(refused, "new connections are refused")
    assert server.alive()


def test_drain_of_an_idle_server_ends_it(alone: Server) -> None:
    with alone.connect() as idle:
        idle.sync()
        alone.process.send_signal(signal.SIGUSR1)
        assert alone.process.wait(20) == 0
        assert idle.read_to_end() == b""


def test_drain_ends_when_the_last_background_job_completes(alone: Server) -> None:
    """Nothing is sent for that, and nothing more comes in: it has to be noticed all the same (protocol section 10)."""
    with alone.connect() as client, worker_of(alone, "f") as worker:
        handle = submit(client, "f")
        grab(worker)
        drain(alone)
        late = submit(client, "f")
        worker.request(wire.WORK_COMPLETE, handle, payload="")
        assert grab(worker)[0] == late
        worker.request(wire.WORK_COMPLETE, late, payload="")
        assert alone.process.wait(20) == 0


def test_drain_delivers_the_last_result(alone: Server) -> None:
    with alone.connect() as client, worker_of(alone, "f") as worker:
        handle = submit(client, "f", background=False)
        grab(worker)
        drain(alone)
        worker.request(wire.WORK_COMPLETE, handle, payload="result")
        assert client.read_to_end() == res(wire.WORK_COMPLETE, handle, b"result")
        assert alone.process.wait(20) == 0


def test_drain_ends_when_the_last_client_leaves(alone: Server) -> None:
    with alone.connect() as client:
        submit(client, "f", background=False)
        drain(alone)
        client.close()
        assert alone.process.wait(20) == 0


def test_drain_ends_when_the_last_job_is_cancelled(alone: Server) -> None:
    with alone.connect() as client:
        handle = submit(client, "f")
        drain(alone)
        client.send(b"cancel job " + handle + b"\n")
        assert client.read_to_end() == b"OK\r\n"
        assert alone.process.wait(20) == 0


def test_drain_ends_when_the_last_job_runs_out_of_attempts() -> None:
    with start_gearfast("--job-retries=1") as server, server.connect() as client:
        with worker_of(server, "f") as worker:
            submit(client, "f")
            grab(worker)
            drain(server)
        assert server.process.wait(20) == 0
