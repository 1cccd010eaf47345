"""The server over the wire, raw bytes in and out: the traps others fell into (house rules, section 5)."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.support import wire
from tests.support.actors import PATIENT, fill, grab, res, row, sleeping, submit, worker_of
from tests.support.peers import Server, peer, start_gearfast, until
from tests.support.processes import WATCHED, frozen
from tests.support.wire import Packet


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for all tests that keep to a function of their own; it ends well."""
    with start_gearfast(PATIENT) as started:
        yield started
        assert started.stop() == 0


@pytest.fixture
def alone() -> Iterator[Server]:
    """A server for tests that look at whole tables."""
    with start_gearfast(PATIENT) as started:
        yield started


@pytest.fixture
def function(request: pytest.FixtureRequest) -> str:
    """A function of the test's own."""
    return str(request.node.name)


# --- bytes in, bytes out -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "answer"),
    [
        (wire.GRAB_JOB, res(wire.NO_JOB)),
        (wire.GRAB_JOB_UNIQ, res(wire.NO_JOB)),
        (wire.GRAB_JOB_ALL, res(wire.NO_JOB)),
        (wire.PRE_SLEEP, b""),
        (wire.RESET_ABILITIES, b""),
        (wire.ECHO_REQ, res(wire.ECHO_RES)),
    ],
    ids=lambda value: wire.NAMES[value] if isinstance(value, int) else "",
)
def test_zero_length_body_byte_by_byte(server: Server, type_: int, answer: bytes) -> None:
    """A body of no bytes is complete with its header, however the header came."""
    with server.connect() as peer_, server.connect() as witness:
        for byte in wire.request(type_) * 2:
            peer_.send(bytes([byte]))
            witness.sync()  # one byte, one read
        assert peer_.sync() == answer * 2


def test_text_and_packets_in_one_segment_are_answered_in_order(alone: Server) -> None:
    with alone.connect() as peer_:
        version = peer_.admin("version")
        peer_.send(
            b"status\n"
            + wire.request(wire.SUBMIT_JOB_BG, "f", "", payload="x")
            + b"version\r\n"
            + wire.request(wire.ECHO_REQ, payload="e")
            + b"status\nnonsense\n"
        )
        assert peer_.recv_line() == b".\n"
        assert peer_.recv_packet().name == "JOB_CREATED"
        assert peer_.recv_line() == version
        assert peer_.recv_packet() == Packet(wire.RES, wire.ECHO_RES, b"e")
        assert peer_.recv_table() == b"f\t1\t0\t0\n.\n"
        assert peer_.recv_line() == b"ERR UNKNOWN_COMMAND Unknown+server+commandnonsense\r\n"
        assert peer_.sync() == b""


def test_packets_that_come_while_a_long_answer_goes_out_follow_it(alone: Server) -> None:
    """A job done during `show jobs` is not told in its middle."""
    with alone.connect() as client, worker_of(alone, "done") as worker:
        fill(client, "queued", 20_000)
        handle = submit(client, "done", background=False)
        grab(worker)
        client.sync()  # so that it is the first one looked at
        with frozen(alone):
            client.send(b"show jobs\n")
            worker.request(wire.WORK_COMPLETE, handle, payload="result")
        told = wire.raw(wire.RES, wire.WORK_COMPLETE, handle + b"\0result")
        lines = client.recv_until(b"\n.\n")
        assert lines.count(b"\n") >= 20_001
        if not lines.startswith(told):  # another thread may have been quicker with it
            assert told not in lines
            assert client.recv_packet() == Packet(wire.RES, wire.WORK_COMPLETE, handle + b"\0result")


def test_thousand_parts_then_the_end_in_order(server: Server, function: str) -> None:
    with server.connect() as client, worker_of(server, function) as worker:
        handle = submit(client, function, background=False)
        grab(worker)
        parts = [b"part %d" % number for number in range(1000)]
        worker.send(
            b"".join(wire.request(wire.WORK_DATA, handle, payload=part) for part in parts)
            + wire.request(wire.WORK_COMPLETE, handle, payload=b"end")
        )
        expected = [(wire.WORK_DATA, handle + b"\0" + part) for part in parts]
        expected.append((wire.WORK_COMPLETE, handle + b"\0end"))
        got = [client.recv_packet() for _ in expected]
        assert [(packet.type, packet.body) for packet in got] == expected
        assert worker.sync() == b""


@pytest.mark.parametrize("size", [(1 << 16) - 1, 1 << 16, (1 << 17) - 12, 1 << 17, (1 << 17) + 1, 3 << 20])
def test_payload_around_the_receive_buffers_size(server: Server, function: str, size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    payload = payload[:size]
    with server.connect() as client, worker_of(server, function) as worker:
        handle = client.call(wire.SUBMIT_JOB, function, "", payload=payload).body
        assert grab(worker) == (handle, payload)
        worker.request(wire.WORK_COMPLETE, handle, payload=payload)
        assert client.recv_packet() == Packet(wire.RES, wire.WORK_COMPLETE, handle + b"\0" + payload)


# --- who is woken ------------------------------------------------------------------------


def test_noop_comes_before_job_created_for_a_submitter_that_sleeps(server: Server, function: str) -> None:
    with worker_of(server, function, asleep=True) as both:
        both.request(wire.SUBMIT_JOB_BG, function, "", payload="x")
        assert [packet.name for packet in both.packets()] == ["NOOP", "JOB_CREATED"]
        assert grab(both)[1] == b"x"


def test_one_sleeper_is_woken_per_job(server: Server, function: str) -> None:
    with server.connect() as client, sleeping(server, function, 5) as sleepers:
        for _ in range(3):
            submit(client, function)
        woken = [[packet.name for packet in sleeper.packets()] for sleeper in sleepers]
        assert sorted(woken) == [[], [], ["NOOP"], ["NOOP"], ["NOOP"]]


def test_wakeup_of_all(function: str) -> None:
    with (
        start_gearfast(PATIENT, "--worker-wakeup=all") as server,
        server.connect() as client,
        sleeping(server, function, 5) as sleepers,
    ):
        submit(client, function)
        submit(client, function)
        assert [[packet.name for packet in sleeper.packets()] for sleeper in sleepers] == [["NOOP"]] * 5


def test_woken_worker_that_does_not_grab_is_passed_over(function: str) -> None:
    with (
        start_gearfast("--worker-wakeup-grace=1") as server,
        server.connect() as client,
        sleeping(server, function, 3) as sleepers,
    ):
        handle = submit(client, function)
        assert [sleeper.recv_packet().name for sleeper in sleepers] == ["NOOP"] * 3
        assert grab(sleepers[2])[0] == handle


def test_worker_that_answers_noop_with_pre_sleep_is_woken_again(server: Server, function: str) -> None:
    with server.connect() as client, worker_of(server, function, asleep=True) as sleeper:
        for _ in range(3):
            handle = submit(client, function)
            assert sleeper.recv_packet().name == "NOOP"
            with worker_of(server, function) as quicker:
                assert grab(quicker)[0] == handle
                quicker.request(wire.WORK_COMPLETE, handle, payload="")
                quicker.sync()
            sleeper.request(wire.PRE_SLEEP)
            assert sleeper.sync() == b""


def test_delayed_job_wakes_a_sleeper_when_it_is_due(server: Server, function: str) -> None:
    with server.connect() as client, worker_of(server, function, asleep=True) as sleeper:
        due = int(time.time()) + 2
        client.call(wire.SUBMIT_JOB_EPOCH, function, "", str(due), payload="later")
        assert sleeper.sync() == b""
        assert sleeper.recv_packet().name == "NOOP"
        assert time.time() >= due
        assert grab(sleeper)[1] == b"later"


def test_delayed_job_is_in_nobodys_way(server: Server, function: str) -> None:
    with server.connect() as client, worker_of(server, function) as worker:
        client.call(wire.SUBMIT_JOB_EPOCH, function, "", str(int(time.time()) + 3600), payload="later")
        submit(client, function, "now")
        assert grab(worker)[1] == b"now"
        assert worker.call(wire.GRAB_JOB).name == "NO_JOB"


# --- who leaves --------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["close", "reset", "half_close"])
def test_worker_killed_with_jobs_in_hand(server: Server, function: str, end: str) -> None:
    """All it had is queued again, and who sleeps is woken for it."""
    with server.connect() as client, worker_of(server, function) as victim:
        handles = {submit(client, function) for _ in range(3)}
        assert {grab(victim)[0] for _ in range(3)} == handles
        with worker_of(server, function, asleep=True) as heir:
            getattr(victim, end)()
            assert heir.recv_packet().name == "NOOP"
            assert {grab(heir)[0] for _ in range(3)} == handles
            assert row(client, function) == (3, 3, 1)
            attempts = {
                line.split("\t")[1] for line in client.table("show jobs") if line.split("\t")[0].encode() in handles
            }
            assert attempts == {"1"}


def test_client_gone_from_a_queued_foreground_job(server: Server, function: str) -> None:
    with server.connect() as client, server.connect() as admin:
        submit(client, function, background=False)
        assert row(admin, function) == (1, 0, 0)
        client.close()
        until(lambda: row(admin, function) == (0, 0, 0), "the job is gone")


def test_client_gone_from_a_running_foreground_job(server: Server, function: str) -> None:
    """Its worker is not told an error: an ERROR breaks libgearman's work()."""
    with server.connect() as client, server.connect() as admin, worker_of(server, function) as worker:
        handle = submit(client, function, background=False)
        grab(worker)
        client.close()
        until(lambda: f"{handle.decode()}\t0\t1\t0" in admin.table("show jobs"), "the job is an orphan")
        worker.request(wire.WORK_STATUS, handle, "1", "2")
        worker.request(wire.WORK_COMPLETE, handle, payload="x")
        assert worker.sync() == b""
        assert row(admin, function) == (0, 0, 1)


def test_worker_and_first_client_gone_while_a_coalesced_client_waits(server: Server, function: str) -> None:
    with server.connect() as first, server.connect() as second, worker_of(server, function) as worker:
        handle = first.call(wire.SUBMIT_JOB, function, "u", payload="x").body
        assert second.call(wire.SUBMIT_JOB, function, "u", payload="x").body == handle
        grab(worker)
        with frozen(server):
            worker.reset()
            first.reset()
        with worker_of(server, function) as heir:
            until(lambda: row(second, function) == (1, 0, 1), "the job is queued again")
            assert grab(heir)[0] == handle
            heir.request(wire.WORK_COMPLETE, handle, payload="done")
            assert second.recv_packet() == Packet(wire.RES, wire.WORK_COMPLETE, handle + b"\0done")


def test_requests_received_before_a_disconnect_are_executed(server: Server, function: str) -> None:
    for _ in range(50):
        with server.connect() as client:
            client.request(wire.SUBMIT_JOB_BG, function, "", payload="x")
    with server.connect() as admin:
        until(lambda: row(admin, function) == (50, 0, 0), "all 50 jobs are there")


def test_half_closed_peer_gets_the_whole_answer(alone: Server) -> None:
    with alone.connect() as client:
        fill(client, "f", 20_000)
        client.send(b"show jobs\n" + wire.request(wire.ECHO_REQ, payload="behind") + b"version\n")
        client.half_close()
        answer = client.read_to_end()
        lines, dot, rest = answer.partition(b"\n.\n")
        assert (lines.count(b"\n") + 1, dot) == (20_000, b"\n.\n")
        assert rest.startswith(res(wire.ECHO_RES, b"behind") + b"OK ")


@pytest.mark.skipif(WATCHED, reason="netcat itself does not bear ThreadSanitizer")
def test_netcat_gets_its_answer(server: Server) -> None:
    """What monitoring scripts do; stock answers it less than half of the time (protocol section 1.6)."""
    netcat = [str(peer("nc")), "-N", server.host, str(server.port)]
    for _ in range(20):
        done = subprocess.run(netcat, input=b"version\nshow unique\n", capture_output=True, timeout=30, check=False)
        first, second, rest = done.stdout.split(b"\n")
        assert first.startswith(b"OK ")
        assert (second, rest, done.returncode) == (b"ERR UNKNOWN_SHOW_ARGUMENTS\r", b"", 0)


# --- deadlines ---------------------------------------------------------------------------


@pytest.mark.parametrize("late_is_first", [True, False])
def test_job_that_passes_its_deadline_goes_to_another_worker(
    server: Server, function: str, late_is_first: bool
) -> None:
    """Neither worker nor client is told. The first result counts, whoever's it is, and the other is swallowed."""
    with server.connect() as client, server.connect() as slow, worker_of(server, function, asleep=True) as heir:
        slow.request(wire.CAN_DO_TIMEOUT, function, "1000")
        heir.sync()
        handle = submit(client, function, background=False)
        assert heir.recv_packet().name == "NOOP"
        assert grab(slow)[0] == handle
        heir.request(wire.PRE_SLEEP)
        assert heir.recv_packet().name == "NOOP"
        assert grab(heir)[0] == handle
        first, second = (slow, heir) if late_is_first else (heir, slow)
        first.request(wire.WORK_COMPLETE, handle, payload="first")
        assert first.sync() == b""
        second.request(wire.WORK_DATA, handle, payload="second")
        second.request(wire.WORK_COMPLETE, handle, payload="second")
        assert second.sync() == b""
        assert client.recv_packet() == Packet(wire.RES, wire.WORK_COMPLETE, handle + b"\0first")
        assert client.sync() == b""


# --- answers to administrators -----------------------------------------------------------


def test_show_jobs_of_100000_is_interleaved_with_others_requests() -> None:
    """Jobs cancelled by another peer, after the answer began, are missing from its rest: that peer did not wait."""
    with start_gearfast("--io-threads=1") as alone, alone.connect() as admin, alone.connect() as other:
        fill(other, "f", 100_000)
        prefix = submit(other, "f").rpartition(b":")[0]
        cancelled = {prefix + b":%d" % number for number in range(1000, 100_000, 50)}
        admin.sync()  # so that it is the first one looked at
        with frozen(alone):
            admin.send(b"show jobs\n")
            other.send(b"".join(b"cancel job %b\n" % handle for handle in cancelled))
        assert other.sync() == b"OK\r\n" * len(cancelled)
        shown = {line.split(b"\t")[0] for line in admin.recv_until(b"\n.\n").splitlines()[:-1]}
        assert shown & cancelled  # it had begun before
        assert cancelled - shown  # and went on afterwards
        assert len(shown | cancelled) == 100_001
