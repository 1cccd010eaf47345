"""A job that is given up leaves one line at NOTICE: its handle, its function, its unique id and why; no payload."""

from __future__ import annotations

import pytest

from tests.support import wire
from tests.support.actors import grab
from tests.support.loglines import said
from tests.support.peers import Server, start_gearfast, until
from tests.support.wire import Connection

SECRET = "the payload is nobody's business"


def queued(client: Connection, function: str = "f", *, background: bool = True) -> bytes:
    """The handle of a new job with a unique id."""
    kind = wire.SUBMIT_JOB_BG if background else wire.SUBMIT_JOB
    return client.call(kind, function, "its-id", payload=SECRET).body


def lose_twice(server: Server, client: Connection, witness: Connection, background: bool) -> bytes:
    """Two workers have it, and leave."""
    handle = queued(client, background=background)
    for _ in range(2):
        with server.connect() as worker:
            worker.request(wire.CAN_DO, "f")
            assert grab(worker)[0] == handle
        until(lambda: witness.table("status") in (["f\t1\t0\t0"], ["f\t0\t0\t0"]), "it is lost")
    return handle


def fail(server: Server, client: Connection, witness: Connection, background: bool) -> bytes:
    """Its worker says that it failed."""
    handle = queued(client, background=background)
    with server.connect() as worker:
        worker.request(wire.CAN_DO, "f")
        assert grab(worker)[0] == handle
        worker.request(wire.WORK_FAIL, handle)
        assert worker.sync() == b""
    return handle


def raise_it(server: Server, client: Connection, witness: Connection, background: bool) -> bytes:
    """Its worker says that it raised an exception, and then, as the Perl worker does, that it failed."""
    handle = queued(client, background=background)
    with server.connect() as worker:
        worker.request(wire.CAN_DO, "f")
        assert grab(worker)[0] == handle
        worker.request(wire.WORK_EXCEPTION, handle, payload=SECRET)
        worker.request(wire.WORK_FAIL, handle)
        assert worker.sync() == b""
    return handle


def run_out(server: Server, client: Connection, witness: Connection, background: bool) -> bytes:
    """It takes longer than its worker said; the result comes all the same."""
    handle = queued(client, background=background)
    with server.connect() as worker:
        worker.request(wire.CAN_DO_TIMEOUT, "f", "1")  # a second: less is not possible
        assert grab(worker)[0] == handle
        until(lambda: witness.table("show jobs")[0].split("\t")[1] == "1", "it is taken from its worker")
        worker.request(wire.WORK_COMPLETE, handle, payload="")
        assert worker.sync() == b""
    return handle


def cancel(server: Server, client: Connection, witness: Connection, background: bool) -> bytes:
    """An administrator does not want it."""
    handle = queued(client, background=background)
    assert witness.admin(f"cancel job {handle.decode()}") == b"OK\r\n"
    assert witness.admin(f"cancel job {handle.decode()}") == b"ERR UNKNOWN_JOB\r\n"
    return handle


WAYS = {
    "lost": (lose_twice, "was given up: 2 workers were lost with it"),
    "failed": (fail, "was given up: its worker says that it failed (lost 0 times before)"),
    "raised": (raise_it, "was given up: its worker says that it raised an exception (lost 0 times before)"),
    "timed out": (run_out, "was taken from its worker, which ran it longer than its time-out (lost 0 times before)"),
    "cancelled": (cancel, "was cancelled by an administrator (lost 0 times before)"),
}


@pytest.mark.parametrize("background", [True, False], ids=["background", "foreground"])
@pytest.mark.parametrize("way", WAYS)
def test_a_job_that_is_given_up_is_one_line(way: str, background: bool) -> None:
    """Of a foreground job that its worker fails there is none: its client is told."""
    end, reason = WAYS[way]
    with start_gearfast("--verbose=NOTICE", "--job-retries=2") as server:
        with server.connect() as client, server.connect() as witness:
            handle = end(server, client, witness, background)
            assert witness.table("show jobs") == []
        assert server.stop() == 0
        lines = [line for line in said(server) if line.startswith("job ")]
        told = background or way not in ("failed", "raised")
        assert lines == ([f"job {handle.decode()} of f (unique id its-id) {reason}"] if told else [])
        assert SECRET not in "".join(said(server))


def test_a_job_that_ends_well_is_no_line_and_neither_is_a_dropped_function() -> None:
    with start_gearfast("--verbose=NOTICE") as server:
        with server.connect() as client, server.connect() as worker:
            handle = queued(client)
            assert client.admin("drop function f") == b"ERR there are still connected workers or executing clients\r\n"
            worker.request(wire.CAN_DO, "f")
            assert grab(worker)[0] == handle
            worker.request(wire.WORK_COMPLETE, handle, payload="")
            worker.request(wire.RESET_ABILITIES)
            assert worker.sync() == b""
            assert client.admin("drop function f") == b"OK\r\n"
        assert server.stop() == 0
        assert [line for line in said(server) if line.startswith("job ")] == []


def test_a_thousand_are_a_thousand_lines_and_nothing_below_notice() -> None:
    for level, lines in (("NOTICE", 1000), ("WARNING", 0)):
        with start_gearfast(f"--verbose={level}") as server:
            with server.connect() as client:
                client.send(wire.request(wire.SUBMIT_JOB_BG, "f", "", payload="x") * 1000)
                client.sync()
                for line in client.table("show jobs"):
                    client.send(b"cancel job " + line.split("\t")[0].encode() + b"\n")
                assert client.sync() == b"OK\r\n" * 1000
            assert server.stop() == 0
            assert len([line for line in said(server) if "cancelled" in line]) == lines


LONG = "n" * 8000


def test_a_name_of_any_kind_is_a_part_of_the_line() -> None:
    with start_gearfast("--verbose=NOTICE") as server:
        with server.connect() as client:
            for name in ("evil\n NOTICE all is well", "\x1b[2J", "100%s", LONG):
                handle = client.call(wire.SUBMIT_JOB_BG, name, "u\n%d", payload="x").body
                client.admin(f"cancel job {handle.decode()}")
        assert server.stop() == 0
        names = [
            line.split(" (unique id ")[0].split(" of ", 1)[1] for line in said(server) if " was cancelled " in line
        ]
        assert names == [r"evil\n NOTICE all is well", r"\x1b[2J", "100%s", LONG[:255]]
