"""What the number in CAN_DO_TIMEOUT counts: milliseconds, or seconds, as PHP's manual says."""

from __future__ import annotations

import time

import pytest

from tests.support import wire
from tests.support.peers import PROJECT, Server, finish, launch, peer, start_gearfast
from tests.support.processes import settled_log_of, wait_for_line
from tests.support.wire import Connection

TAKEN = "was taken from its worker"
MAX_NUMBER = (1 << 63) - 1


@pytest.mark.parametrize(("unit", "taken"), [("s", 0), ("ms", 1)])
def test_a_php_worker_that_says_five_means_seconds(unit: str, taken: int) -> None:
    """Its job takes two: in milliseconds it has the floor of one second, and is taken from it before it is done."""
    with start_gearfast(f"--timeout-unit={unit}", "--verbose=NOTICE") as server, server.connect() as client:
        handle = client.call(wire.SUBMIT_JOB, "slow", "", payload="x").body
        worker = launch(
            peer("php"),
            PROJECT / "tests" / "seeds" / "slow_worker.php",
            environment={"JOB_SERVERS": server.address, "SECONDS": "2", "TIMEOUT": "5"},
        )
        try:
            done = client.recv_packet()
            out, err = worker.communicate(timeout=60)
        finally:
            finish(worker)
        assert (done.name, done.body) == ("WORK_COMPLETE", handle + b"\0done")
        assert (out, err, worker.returncode) == ("begun\n", "", 0)
        assert client.table("show jobs") == []
        assert settled_log_of(server).count(TAKEN) == taken


def run_with(server: Server, worker: Connection, timeout: str) -> None:
    """Have a worker begin a job that it may have for so long."""
    worker.request(wire.CAN_DO_TIMEOUT, "f", timeout)
    worker.call(wire.SUBMIT_JOB_BG, "f", "", payload="x")
    assert worker.call(wire.GRAB_JOB).name == "JOB_ASSIGN"


@pytest.mark.parametrize(("words", "timeout"), [(["--timeout-unit=s"], "1"), ([], "1"), ([], "1000"), ([], "5")])
def test_a_second_is_a_second_and_the_least(words: list[str], timeout: str) -> None:
    with start_gearfast("--verbose=NOTICE", *words) as server, server.connect() as worker:
        began = time.monotonic()
        run_with(server, worker, timeout)
        wait_for_line(server, TAKEN)
        assert time.monotonic() - began > 0.95


@pytest.mark.parametrize("timeout", ["0", "-1", "", "x", "-9223372036854775808"])
def test_no_time_out_is_none_in_seconds_too(timeout: str) -> None:
    with start_gearfast("--timeout-unit=s", "--verbose=NOTICE") as server, server.connect() as worker:
        run_with(server, worker, timeout)
        with server.connect() as other:
            run_with(server, other, "1")
            wait_for_line(server, TAKEN)
        assert settled_log_of(server).count(TAKEN) == 1


@pytest.mark.parametrize(("unit", "most"), [("ms", MAX_NUMBER), ("s", MAX_NUMBER // 1000)])
def test_what_does_not_fit_64_bits_in_milliseconds_is_refused(unit: str, most: int) -> None:
    with start_gearfast(f"--timeout-unit={unit}") as server, server.connect() as worker:
        worker.request(wire.CAN_DO_TIMEOUT, "f", str(most))
        assert worker.sync() == b""
        refused = worker.call(wire.CAN_DO_TIMEOUT, "g", str(most + 1))
        assert refused.args() == [b"ARGUMENT_TOO_LARGE", b"The timeout of CAN_DO_TIMEOUT does not fit 64 bits"]
        assert worker.table("status") == ["f\t0\t0\t1"]
