"""Peers that do not behave: each is limited or ended by itself, and the others never notice."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import wire
from tests.support.embedded import start_embedded
from tests.support.peers import Server, start_gearfast, until
from tests.support.processes import (
    MIB,
    SANITIZED,
    busy,
    frozen,
    log_of,
    most_mapped,
    resident,
    settled_log_of,
    wait_for_line,
)
from tests.support.wire import ClosedError, Connection, Packet

PAUSE = 64 << 10
LIMIT = 256 << 10
PIECE = b"p" * (16 << 10)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that puts up with little."""
    with start_embedded(output_pause=PAUSE, output_limit=LIMIT) as started:
        yield started
        assert started.alive()
        assert "Traceback" not in log_of(started)
        assert started.stop() == 0


@contextlib.contextmanager
def narrow(server: Server) -> Iterator[Connection]:
    """A connection whose own side takes very little, so that what is not read waits in the server."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(wire.TIMEOUT)
    sock.connect((server.host, server.port))
    with contextlib.closing(sock), server.connect() as connection:
        connection.sock.close()
        connection.sock = sock
        yield connection


def push(peer: Connection, request: bytes, witness: Connection, most: int) -> int:
    """Send a request again and again until the server takes no more; return how many were taken, at least in part.

    The server counts as taking no more when it answers the witness many times and still has made no room.
    """
    peer.sock.setblocking(False)
    taken = patience = at = 0
    while taken < most and patience < 50:
        try:
            at += peer.sock.send(request[at:])
            patience = 0
        except BlockingIOError:
            witness.sync()
            patience += 1
        if at == len(request):
            taken, at = taken + 1, 0
    peer.sock.settimeout(wire.TIMEOUT)
    if at:
        taken += 1
    return taken


def widen(peer: Connection) -> None:
    """Take more from now on."""
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)


def sessions(witness: Connection) -> int:
    """How many connections the server has."""
    return len(witness.table("workers"))


# --- who does not read -------------------------------------------------------------------


def test_echoes_that_nobody_reads_stop_being_asked_for(server: Server) -> None:
    """First its requests are no longer read. When it reads again, not one answer is missing."""
    with server.connect() as witness, narrow(server) as peer:
        before = resident(server)
        request = wire.request(wire.ECHO_REQ, payload=PIECE)
        taken = push(peer, request, witness, 10_000)
        assert 4 < taken < 5_000  # of 160 MB
        assert resident(server) - before < 8 * MIB
        assert sessions(witness) == 2
        widen(peer)
        peer.half_close()
        answers = peer.read_to_end()
        whole = wire.raw(wire.RES, wire.ECHO_RES, PIECE)
        assert answers.startswith(whole * (taken - 1))


def test_long_admin_answers_that_nobody_reads_stop_being_made(server: Server) -> None:
    with server.connect() as witness, narrow(server) as peer:
        witness.send(wire.request(wire.SUBMIT_JOB_BG, "f", "", payload="") * 2000)
        witness.sync()
        before = resident(server)
        with frozen(server):
            peer.send(b"show jobs\n" * 500)  # some 20 MB to come
        for _ in range(500 * 12):  # turns enough to make them all
            witness.sync()
        assert resident(server) - before < 8 * MIB
        widen(peer)
        for _ in range(500):
            assert peer.recv_until(b"\n.\n").count(b"\n") == 2001


def test_what_follows_a_long_answer_is_heard_though_something_else_has_yet_to_be_taken() -> None:
    """What was kept behind the answer alone may be more than waits before a peer's requests are put off."""
    with start_embedded(output_pause=1, answer_slice=1) as server, server.connect() as client, narrow(server) as peer:
        client.send(b"".join(wire.request(wire.SUBMIT_JOB_BG, f"{at:08000}", "", payload="") for at in range(1000)))
        for _ in range(1000):
            client.recv_packet()
        peer.send(wire.request(wire.CAN_DO, "f") + wire.request(wire.PRE_SLEEP))
        peer.send(b"status\n" + wire.request(wire.ECHO_REQ, payload="after"))  # 8 MB to come: most are yet to be made
        begun = peer.recv_until(b"\n")
        client.call(wire.SUBMIT_JOB_BG, "f", "", payload="")
        widen(peer)
        assert (begun + peer.recv_until(b"\n.\n")).count(b"\n") >= 1001
        assert peer.recv_packet().type == wire.NOOP
        assert peer.recv_packet() == Packet(wire.RES, wire.ECHO_RES, b"after")


def test_worker_that_grabs_without_reading_gets_no_more_than_its_share(server: Server) -> None:
    """Jobs are not drawn into a buffer that nobody reads; another worker can have them."""
    with server.connect() as client, narrow(server) as greedy:
        for _ in range(1000):
            client.call(wire.SUBMIT_JOB_BG, "f", "", payload=PIECE)
        greedy.send(wire.request(wire.CAN_DO, "f") + wire.request(wire.GRAB_JOB) * 1000)
        until(lambda: client.table("status") != ["f\t1000\t0\t0"], "its first requests are read")
        for _ in range(50):
            client.sync()
        _, total, running, workers = client.table("status")[0].split("\t")
        assert (total, workers) == ("1000", "1")
        assert 4 <= int(running) < 900
        with server.connect() as other:
            other.request(wire.CAN_DO, "f")
            assert other.call(wire.GRAB_JOB).name == "JOB_ASSIGN"
        greedy.close()
        until(lambda: client.table("status") == ["f\t1000\t0\t0"], "all jobs are queued again")


def flood(worker: Connection, witness: Connection, handle: bytes, count: int) -> int:
    """Send WORK_DATA until the server has one connection less than `count`; return how much."""
    sent = 0
    while sessions(witness) == count:
        worker.request(wire.WORK_DATA, handle, payload=PIECE)
        sent += 1
        assert sent < 10_000, "nobody was cut off"
    return sent


def test_client_that_does_not_read_its_results_is_cut_off(server: Server) -> None:
    """The worker that floods it, and a client that reads the same results, go on."""
    with server.connect() as witness, server.connect() as worker, server.connect() as reader:
        before = resident(server)
        with narrow(server) as deaf:
            handle = reader.call(wire.SUBMIT_JOB, "f", "same", payload="x").body
            assert deaf.call(wire.SUBMIT_JOB, "f", "same", payload="x").body == handle
            worker.request(wire.CAN_DO, "f")
            assert worker.call(wire.GRAB_JOB).name == "JOB_ASSIGN"
            reader.sock.setblocking(True)
            sent = 0
            while sessions(witness) == 4:
                worker.request(wire.WORK_DATA, handle, payload=PIECE)
                assert reader.recv_packet() == Packet(wire.RES, wire.WORK_DATA, handle + b"\0" + PIECE)
                sent += 1
                assert sent < 5_000, "nobody was cut off"
            assert sent > LIMIT // len(PIECE)
            assert resident(server) - before < 8 * MIB
            worker.request(wire.WORK_COMPLETE, handle, payload="end")
            assert reader.recv_packet() == Packet(wire.RES, wire.WORK_COMPLETE, handle + b"\0end")
            assert worker.sync() == b""
            with contextlib.suppress(ClosedError):
                while True:
                    assert deaf.recv_packet().name == "WORK_DATA"
    until(lambda: log_of(server).count("does not read its results") == 1, "it is said")


def test_job_of_a_client_cut_off_is_an_orphan(server: Server) -> None:
    with server.connect() as witness, server.connect() as worker, narrow(server) as deaf:
        handle = deaf.call(wire.SUBMIT_JOB, "f", "", payload="x").body
        worker.request(wire.CAN_DO, "f")
        worker.call(wire.GRAB_JOB)
        flood(worker, witness, handle, 3)
        assert witness.table("show jobs") == [f"{handle.decode()}\t0\t1\t0"]
        worker.request(wire.WORK_COMPLETE, handle, payload="end")
        assert worker.sync() == b""
        assert witness.table("show jobs") == []


def test_one_packet_may_exceed_the_limit(server: Server) -> None:
    """A large result arrives at a client that reads."""
    large = bytes(range(256)) * (8 * LIMIT // 256)
    with server.connect() as worker, server.connect() as client:
        handle = client.call(wire.SUBMIT_JOB, "f", "", payload="x").body
        worker.request(wire.CAN_DO, "f")
        worker.call(wire.GRAB_JOB)
        worker.request(wire.WORK_COMPLETE, handle, payload=large)
        assert client.recv_packet().body == handle + b"\0" + large


# --- who leaves at a bad moment ----------------------------------------------------------


@pytest.mark.parametrize("end", ["close", "reset", "half_close"])
def test_peer_gone_while_its_answers_are_being_sent(server: Server, end: str) -> None:
    with server.connect() as witness:
        for _ in range(5):
            with narrow(server) as peer:
                push(peer, wire.request(wire.ECHO_REQ, payload=PIECE), witness, 10_000)
                until(lambda: sessions(witness) == 2, "the one before is known to have gone")
                getattr(peer, end)()
        until(lambda: sessions(witness) == 1, "all are known to have gone")


def test_peer_that_says_goodbye_before_it_reads_gets_every_answer() -> None:
    """Most of its answers wait in the server, less than would stop it asking, when its FIN has been seen.

    The system itself keeps up to 4 MB of them, so there are twice as many, and the server may keep more than that.
    """
    with start_embedded(output_pause=32 * MIB) as server, server.connect() as witness, narrow(server) as peer:
        payloads = [b"%05d" % number + PIECE for number in range(512)]
        peer.sync()
        witness.sync()
        before = descriptors(server)
        peer.sock.sendall(b"".join(wire.request(wire.ECHO_REQ, payload=payload) for payload in payloads))
        peer.half_close()
        for _ in range(20):
            witness.sync()
        assert descriptors(server) == before  # it is not done with this one
        for payload in payloads:
            assert peer.recv_packet() == Packet(wire.RES, wire.ECHO_RES, payload)
            if payload == payloads[20]:
                widen(peer)
            witness.sync()  # one answer, one turn of the server
        assert peer.read_to_end() == b""
        until(lambda: descriptors(server) == before - 1, "the connection is closed")


@pytest.mark.parametrize("order", ["result first", "end first"])
@pytest.mark.parametrize("end", ["close", "reset"])
def test_peer_that_dies_between_being_marked_dirty_and_being_written(server: Server, end: str, order: str) -> None:
    """The result, the end of the client it is for, and a newcomer come in one turn.

    The newcomer may well be given the descriptor of the dead one; it must not be given its bytes.
    """
    with server.connect() as worker, server.connect() as witness:
        worker.request(wire.CAN_DO, "f")
        for _ in range(20):
            client = server.connect()
            handle = client.call(wire.SUBMIT_JOB, "f", "", payload="x").body
            assert worker.call(wire.GRAB_JOB).name == "JOB_ASSIGN"
            worker.sync()
            with frozen(server):
                if order == "end first":
                    getattr(client, end)()
                worker.request(wire.WORK_DATA, handle, payload="x")
                worker.request(wire.WORK_COMPLETE, handle, payload="x")
                if order == "result first":
                    getattr(client, end)()
                newcomer = server.connect()
            with newcomer:
                assert newcomer.sync() == b""
            assert worker.sync() == b""
            client.close()
        until(lambda: sessions(witness) == 2, "all others are known to have gone")
        assert witness.table("status") == ["f\t0\t0\t1"]


def test_many_marked_dirty_and_dead_in_one_turn(server: Server) -> None:
    """One result for thirty coalesced clients, half of which die in the same turn; the others have it, once."""
    with server.connect() as worker, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(30)]
        handles = {client.call(wire.SUBMIT_JOB, "f", "u", payload="x").body for client in clients}
        (handle,) = handles
        worker.request(wire.CAN_DO, "f")
        worker.call(wire.GRAB_JOB)
        worker.sync()
        with frozen(server):
            worker.request(wire.WORK_DATA, handle, payload="d")
            for client in clients[::2]:
                client.reset()
            worker.request(wire.WORK_COMPLETE, handle, payload="c")
        assert worker.sync() == b""
        expected = wire.raw(wire.RES, wire.WORK_DATA, handle + b"\0d")
        expected += wire.raw(wire.RES, wire.WORK_COMPLETE, handle + b"\0c")
        assert [client.sync() for client in clients[1::2]] == [expected] * 15


# --- sizes that lie ----------------------------------------------------------------------


def test_header_that_announces_4_gib_is_refused_before_anything_is_allocated(server: Server) -> None:
    with server.connect() as witness, server.connect() as peer:
        before = most_mapped(server)
        peer.send(wire.raw(wire.REQ, wire.SUBMIT_JOB_BG, b"f\0u\0", 0xFFFFFFFF))
        code, text = peer.recv_packet().args(1)
        assert (code, text[:30]) == (b"ARGUMENT_TOO_LARGE", b"A packet of 4294967295 bytes i")
        assert peer.read_to_end() == b""
        assert most_mapped(server) - before < 16 * MIB
        assert sessions(witness) == 1


def test_header_that_announces_what_is_allowed_allocates_nothing_up_front(server: Server) -> None:
    with server.connect() as witness, contextlib.ExitStack() as stack:
        before = most_mapped(server)
        for _ in range(20):
            peer = stack.enter_context(server.connect())
            peer.send(wire.raw(wire.REQ, wire.SUBMIT_JOB_BG, b"f\0u\0begun", 256 * MIB))
        witness.sync()
        assert most_mapped(server) - before < 16 * MIB
        assert sessions(witness) == 21


def test_memory_of_a_large_packet_is_back_when_its_peer_is_gone(server: Server) -> None:
    with server.connect() as witness:
        before = resident(server)
        for _ in range(3):
            with server.connect() as peer:
                peer.send(wire.raw(wire.REQ, wire.SUBMIT_JOB_BG, b"f\0u\0" + bytes(60 * MIB), 64 * MIB))
                assert sessions(witness) == 2
            until(lambda: sessions(witness) == 1, "the peer is known to have gone")
        assert resident(server) - before < 16 * MIB


def test_ignored_body_is_kept_nowhere(server: Server) -> None:
    """GRAB_JOB has no body; one that comes all the same is skipped as it comes."""
    with server.connect() as peer:
        before = most_mapped(server)
        peer.send(wire.raw(wire.REQ, wire.GRAB_JOB, bytes(64 * MIB)))
        assert peer.recv_packet().name == "NO_JOB"
        assert peer.sync() == b""
        assert most_mapped(server) - before < 16 * MIB


def test_max_packet_size() -> None:
    with start_gearfast("--max-packet-size=1K") as server, server.connect() as peer:
        assert peer.call(wire.ECHO_REQ, payload=bytes(1024)).body == bytes(1024)
        peer.request(wire.ECHO_REQ, payload=bytes(1025))
        answer = peer.recv_packet()
        assert answer.args() == [
            b"ARGUMENT_TOO_LARGE",
            b"A packet of 1025 bytes is larger than this server takes (1024)",
        ]
        assert peer.read_to_end() == b""


def test_error_reaches_a_peer_that_is_still_writing() -> None:
    """To close with bytes unread is to reset, which would take the ERROR from the peer; none of these may raise.

    The body is larger than what the system takes by itself, so that it has to be read while it is written.
    """
    with start_gearfast("--max-packet-size=4096") as server, server.connect() as peer:
        peer.sock.sendall(wire.raw(wire.REQ, wire.ECHO_REQ, bytes(16 * MIB), 4097))
        answer = b""
        while data := peer.sock.recv(1 << 16):
            answer += data
        text = b"A packet of 4097 bytes is larger than this server takes (4096)"
        assert answer == wire.raw(wire.RES, wire.ERROR, b"ARGUMENT_TOO_LARGE\0" + text)


@pytest.mark.parametrize("magic", [wire.REQ, wire.RES])
@pytest.mark.parametrize("type_", [0, 43, 1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_unknown_type_closes_the_connection(server: Server, magic: bytes, type_: int) -> None:
    with server.connect() as peer:
        peer.send(wire.request(wire.ECHO_REQ, payload="before") + wire.raw(magic, type_, b""))
        assert peer.recv_packet().body == b"before"
        assert peer.read_to_end() == b""


@pytest.mark.parametrize("magic", [b"\0REX", b"\0\0\0\0", b"\0req", b"\0\xff\xff\xff"])
def test_wrong_magic_closes_the_connection(server: Server, magic: bytes) -> None:
    with server.connect() as peer:
        peer.send(wire.request(wire.ECHO_REQ, payload="before") + wire.raw(magic, wire.ECHO_REQ, b""))
        assert peer.recv_packet().body == b"before"
        assert peer.read_to_end() == b""


def test_unused_type_and_answers_are_refused_and_the_stream_stays_in_step(server: Server) -> None:
    with server.connect() as peer:
        refused = (wire.UNUSED, wire.NOOP, wire.NO_JOB, wire.ALL_YOURS)
        peer.send(b"".join(wire.request(type_) for type_ in refused) + wire.raw(wire.RES, wire.ECHO_REQ, b"x"))
        codes = [packet.args()[0] for packet in peer.packets()]
        assert codes == [b"INVALID_COMMAND"] * len(refused) + [b"INVALID_MAGIC"]
    # one line per connection: nobody floods the log
    until(lambda: log_of(server).count("INVALID_COMMAND") == 1, "it is said")


@pytest.mark.parametrize("line", [b"x" * 8193, b"a b c d e f\n"], ids=["too long", "too many words"])
def test_bad_line_closes_the_connection(server: Server, line: bytes) -> None:
    with server.connect() as peer:
        peer.send(b"version\n" + line)
        assert peer.recv_line().startswith(b"OK ")
        assert peer.read_to_end() == b""


# --- too many ----------------------------------------------------------------------------


def descriptors(server: Server) -> int:
    """How many descriptors the process has open."""
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def test_descriptors_run_out() -> None:
    """Who is there is served, some are kept for who wants to look, and who comes then is told and closed.

    When one leaves there is room again, and when the limit is raised, too. The log says it once.
    """
    with (
        start_gearfast("--file-descriptors=40") as server,
        server.connect() as witness,
        contextlib.ExitStack() as stack,
    ):
        served = fill(server, stack)
        assert descriptors(server) <= 40
        with server.connect() as admin:
            assert len(admin.table("workers")) > len(served)
        for peer in served:
            assert peer.sync() == b""
        served.pop().close()
        until(lambda: is_let_in(server, stack), "there is room again")
        assert not is_let_in(server, stack)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (400, 400))
        for _ in range(20):
            assert is_let_in(server, stack)
        wait_for_line(server, "connection too many")
        (line,) = re.findall("^.*connection too many.*$", settled_log_of(server), re.MULTILINE)
        assert line.endswith("30 descriptors are in use. Raise --file-descriptors (or ulimit -n)")
        assert witness.sync() == b""


def is_let_in(server: Server, stack: contextlib.ExitStack) -> bool:
    """Whether one more connection is; it stays until the stack is left."""
    peer = stack.enter_context(server.connect())
    return peer.call(wire.ECHO_REQ, payload="x").name == "ECHO_RES"


def fill(server: Server, stack: contextlib.ExitStack) -> list[Connection]:
    """Have as many connections as the server takes."""
    served = list[Connection]()
    while True:
        peer = stack.enter_context(server.connect())
        if peer.call(wire.ECHO_REQ, payload="x").name == "ERROR":
            assert peer.closed()
            return served
        served.append(peer)
        assert len(served) < 60, "there is no end to the descriptors"


@contextlib.contextmanager
def without_descriptors(server: Server) -> Iterator[None]:
    """Take from the server all descriptors that it has not in use, also those that are kept."""
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)


def test_without_any_descriptor_newcomers_wait(server: Server) -> None:
    with server.connect() as witness, contextlib.ExitStack() as stack:
        assert witness.sync() == b""
        with without_descriptors(server):
            waiting = [stack.enter_context(server.connect()) for _ in range(10)]
            for peer in waiting:
                peer.send(b"version\n")
            wait_for_line(server, "new peers wait")
            assert sessions(witness) == 1
        for peer in waiting:
            assert peer.recv_line().startswith(b"OK ")
        (line,) = re.findall("^.*new peers wait.*$", settled_log_of(server), re.MULTILINE)
        assert "Too many open files" in line


@pytest.mark.skipif(SANITIZED, reason="figures of time say nothing under AddressSanitizer")
def test_no_spin_while_descriptors_have_run_out(server: Server) -> None:
    """Whoever waits in the backlog makes the listener readable all the time; that must not keep a processor busy."""
    with server.connect() as witness, contextlib.ExitStack() as stack:
        assert witness.sync() == b""
        stack.enter_context(without_descriptors(server))
        for _ in range(10):
            stack.enter_context(server.connect())
        wait_for_line(server, "new peers wait")
        before = busy(server)
        time.sleep(0.5)  # nothing is waited for: this is the time that is measured
        assert busy(server) - before < 0.2
        assert witness.sync() == b""
