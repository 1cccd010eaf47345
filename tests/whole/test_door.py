"""How many connections there may be: in all, of one address, and who may still look when there are as many."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gearfast import Config, Server
from gearfast.config import LOG_DIFFERENT, LOG_REPEATS, VISIT, VISITORS
from gearfast.plugins.admin import Admin
from gearfast.server.door import Origin, first_kept_descriptor, origin_of
from gearfast.server.refusals import Refusals
from tests.support import wire
from tests.support.peers import HOST, PROJECT, finish, launch, peer, run, start_gearfast, until
from tests.support.peers import Server as Peer
from tests.support.processes import frozen, log_of, settled_log_of, wait_for_line
from tests.support.wire import ClosedError, Connection, Packet
from tests.whole.test_listening import _has_ipv6 as has_ipv6
from tests.whole.test_tls import Pki, await_listening, context, options, pki
from tests.whole.test_tls import connect as connect_tls

__all__ = ["pki"]  # a fixture
FULL = "one connection too many"
TOLD = ("ERROR", b"TOO_MANY_CONNECTIONS", b"This server has as many connections as it takes")
ECHO = wire.request(wire.ECHO_REQ, payload="x")


def of(server: Peer, source: str = HOST) -> Connection:
    """A connection that comes from another address of this machine."""
    made = server.connect()
    if source != HOST:
        made.close()
        made.sock = socket.create_connection((server.host, server.port), wire.TIMEOUT, (source, 0))
    return made


def local(path: Path) -> Connection:
    """A connection through a Unix socket."""
    made = Connection.__new__(Connection)
    made.sock, made.buffer = socket.socket(socket.AF_UNIX), b""
    made.sock.settimeout(wire.TIMEOUT)
    made.sock.connect(str(path))
    return made


def serves(connection: Connection) -> bool:
    """Whether packets are answered; if not, it may be told why, and has to be closed."""
    with contextlib.suppress(ClosedError):
        found = connection.call(wire.ECHO_REQ, payload="x")
        if found == Packet(wire.RES, wire.ECHO_RES, b"x"):
            return True
        assert (found.name, *found.args()) == TOLD
        assert connection.closed()
    return False


def first(server: Peer) -> Connection:
    """A connection that counts: the one by which it was seen that the server is there has left."""
    limit = time.monotonic() + wire.TIMEOUT
    while time.monotonic() < limit:
        made = server.connect()
        if serves(made):
            return made
        made.close()
    raise AssertionError("there is no room, though there should be")


# --- the limits --------------------------------------------------------------------------


def test_there_are_as_many_connections_as_allowed() -> None:
    """Who comes then is told why and closed, who is there goes on, and whose place is free again gets it."""
    with start_gearfast("--max-connections=3") as server, contextlib.ExitStack() as stack:
        peers = [stack.enter_context(first(server)) for _ in range(3)]
        for _ in range(20):
            with server.connect() as late:
                found = late.call(wire.SUBMIT_JOB_BG, "f", "", payload="x")
                assert (found.name, *found.args()) == TOLD
                assert late.closed()
        assert all(map(serves, peers))
        peers.pop().close()
        stack.enter_context(first(server))
        with server.connect() as late:
            assert not serves(late)
        lines = [line for line in settled_log_of(server).splitlines() if FULL in line]
        (line,) = lines
        assert line.endswith(f"{HOST}: {FULL}: 3 connections are open, as many as --max-connections allows")
        assert server.stop() == 0


def test_one_address_has_as_many_as_allowed() -> None:
    """Others have their own; who has left counts no more, however it left."""
    with start_gearfast("--max-connections-per-address=2") as server, contextlib.ExitStack() as stack:
        for end in ("close", "reset", "half_close"):
            pair = [stack.enter_context(of(server, "127.0.0.2")) for _ in range(2)]
            assert all(map(serves, pair))
            with of(server, "127.0.0.2") as third:
                assert not serves(third)
            assert serves(stack.enter_context(of(server, f"127.0.1.{len(end)}")))
            for connection in pair:
                getattr(connection, end)()
            with server.connect() as admin:
                until(lambda: "127.0.0.2" not in str(admin.table("workers")), "both have left")
        assert f"127.0.0.2: {FULL}: it has 2 connections, as many as --max-connections-per" in settled_log_of(server)


def test_when_one_of_two_has_left_there_is_one_place() -> None:
    with start_gearfast("--max-connections-per-address=2") as server, contextlib.ExitStack() as stack:
        for _ in range(2):
            leaving = stack.enter_context(first(server))
        leaving.close()
        stack.enter_context(first(server))
        with server.connect() as third:
            assert not serves(third)


def test_all_that_come_through_unix_sockets_have_one_address(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with (
        start_gearfast(f"--listen=unix:{path}", "--max-connections-per-address=1") as server,
        local(path) as one,
        local(path) as another,
        first(server) as other,
    ):
        assert serves(one)
        assert not serves(another)
        assert serves(other)
        wait_for_line(server, f"unix: {FULL}")


def test_an_ipv4_address_is_the_same_one_through_a_socket_of_ipv6() -> None:
    """As one that systemd hands over serves both. One that is handed over has the limits of all others."""
    if not has_ipv6():
        pytest.skip("no IPv6 on this machine's loopback")
    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    four = socket.create_server((HOST, 0))

    async def play() -> list[bool]:
        server = Server(Config(max_connections_per_address=1), [Admin()], None, [both, four])
        await server.start()
        ports = [listener.getsockname()[1] for listener in (both, four)]
        try:
            return await asyncio.to_thread(ask, *ports)
        finally:
            server.stop()
            await server.wait_closed()

    def ask(six: int, four: int) -> list[bool]:
        with Connection(HOST, six) as one, Connection(HOST, four) as two, Connection("::1", six) as three:
            return [serves(one), serves(two), serves(three)]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(asyncio.wait_for(play(), 30)) == [True, False, True]


def test_tls_peers_count_from_before_their_handshake(pki: Pki) -> None:
    words = [*options(pki), "--max-connections=1"]
    with start_gearfast(*words, ready=False) as server, await_listening(server).connect() as silent:
        until(lambda: serves_over_tls(server, pki) is False, "the silent one is counted")
        silent.close()
        until(lambda: serves_over_tls(server, pki), "its place is free")
        assert "Traceback" not in log_of(server)


def serves_over_tls(server: Peer, pki: Pki) -> bool:
    with connect_tls(server, context(pki)) as made:
        return serves(made)


def test_without_a_place_for_visitors_tls_peers_are_closed(pki: Pki) -> None:
    words = [*options(pki), "--max-connections=1"]
    with start_gearfast(*words, ready=False) as server, contextlib.ExitStack() as stack:
        await_listening(server)
        for _ in range(1 + VISITORS):
            stack.enter_context(server.connect())
        with server.connect() as late:
            assert late.read_to_end() == b""  # what is no TLS would only confuse it


def test_as_many_as_there_are_descriptors_for_when_asked_for_more() -> None:
    with start_gearfast("--max-connections=5000", "--file-descriptors=400") as server:
        wait_for_line(server, "--max-connections=5000 is more than the file descriptors allow")


# --- visitors ----------------------------------------------------------------------------


def test_a_visitor_may_look_and_cancel_and_do_nothing_else() -> None:
    with start_gearfast("--max-connections=1") as server, first(server) as worker, server.connect() as visitor:
        handle = worker.call(wire.SUBMIT_JOB_BG, "f", "", payload="x").body.decode()
        assert visitor.table("status") == ["f\t1\t0\t0"]
        assert len(visitor.table("workers")) == 2
        assert visitor.table("show jobs") == [f"{handle}\t0\t0\t1"]
        assert visitor.admin(f"cancel job {handle}") == b"OK\r\n"
        visitor.send(wire.request(wire.SUBMIT_JOB_BG, "f", "", payload="x") + b"status\n")
        assert visitor.recv_packet().args()[0] == b"TOO_MANY_CONNECTIONS"
        assert visitor.closed()
        assert worker.table("status") == ["f\t0\t0\t0"]


@pytest.mark.parametrize("type_", [*range(1, 43)])
def test_a_visitor_may_send_no_packet_of_any_type(full: Peer, type_: int) -> None:
    """Who has asked is told; who has not is just closed: a Perl worker dies of an ERROR, and else comes again.

    To libgearman the answer to an option is no reason to give the connection up: its end would meet another request.
    """
    asked = "SUBMIT" in wire.NAMES[type_] or wire.NAMES[type_] in {"ECHO_REQ", "GET_STATUS", "GET_STATUS_UNIQUE"}
    with full.connect() as visitor:
        visitor.send(wire.request(type_, *["1"] * 8))
        if asked:
            found = visitor.recv_packet()
            assert (found.name, *found.args()) == TOLD
        assert visitor.read_to_end() == b""


def test_without_a_place_for_visitors_who_has_asked_is_told_too() -> None:
    """If that has come with the connection; who has not asked is closed without a word."""
    with start_gearfast("--max-connections=1") as server, first(server), contextlib.ExitStack() as stack:
        for _ in range(VISITORS):
            visitor = stack.enter_context(server.connect())
            assert visitor.admin("version").startswith(b"OK ")
        with frozen(server):
            late = [stack.enter_context(server.connect()) for _ in range(3)]
            late[0].send(ECHO)
            late[1].request(wire.CAN_DO, "f")
        found = late[0].recv_packet()
        assert (found.name, *found.args()) == TOLD
        assert [peer.read_to_end() for peer in late] == [b"", b"", b""]


PHP = """
$client = new GearmanClient();
$client->setTimeout(30000);
try { $client->addServers($argv[1]); } catch (GearmanException $error) { echo get_class($error), "\\n"; }
for ($n = 0; $n < 3; $n++) { echo $client->doBackground('f', 'x') ? 'queued' : $client->error(), "\\n"; }
"""


def test_php_goes_on_with_the_next_server(full: Peer) -> None:
    """Having raised the exception that it raises for a server which is down."""
    with start_gearfast() as other, other.connect() as admin:
        done = run(peer("php"), "-r", PHP, f"{full.address},{other.address}")
        assert (done.out, done.err) == ("GearmanException\nqueued\nqueued\nqueued\n", "")
        assert admin.table("status") == ["f\t3\t0\t0"]


def test_a_perl_worker_comes_again_until_there_is_room() -> None:
    with start_gearfast("--max-connections=1") as server, first(server) as only:
        worker = launch(peer("perl"), PROJECT / "tests" / "clients" / "perl" / "worker.pl", server.address)
        try:
            wait_for_line(server, FULL)
            with server.connect() as visitor:
                assert visitor.admin("version").startswith(b"OK")
                only.close()  # the visitor stays one, and does not take its place
                until(lambda: "reverse" in str(visitor.table("workers")), "there is room for it")
            assert worker.poll() is None
        finally:
            finish(worker)


@pytest.fixture(scope="module")
def full() -> Iterator[Peer]:
    """A server that has all connections it takes."""
    with start_gearfast("--max-connections=1") as server, first(server) as only:
        yield server
        assert serves(only)


def test_gearadmin_looks_into_a_server_that_is_full(full: Peer) -> None:
    done = run(peer("gearadmin"), f"--host={full.host}", f"--port={full.port}", "--status")
    assert (done.code, done.out, done.err) == (0, ".\n", "")


def test_no_crowd_takes_the_visitors_places_of_others(tmp_path: Path) -> None:
    """Silent ones keep them for a while, then leave them to others; through a Unix socket there are more."""
    path = tmp_path / "socket"
    with (
        start_gearfast(f"--listen=unix:{path}", "--max-connections=1") as server,
        first(server) as only,
        contextlib.ExitStack() as stack,
    ):
        silent = [stack.enter_context(server.connect()) for _ in range(VISITORS)]
        began = time.monotonic()
        with server.connect() as late, local(path) as operator:
            assert not serves(late)
            assert operator.admin("version").startswith(b"OK ")
        until(lambda: is_answered(server), "somebody silent had to go")
        assert time.monotonic() - began > VISIT * 0.9
        assert silent[0].closed()
        assert silent[1].admin("version").startswith(b"OK ")
        assert len(only.table("workers")) <= 1 + VISITORS


def is_answered(server: Peer) -> bool:
    """Whether a newcomer that sends a line is answered."""
    with contextlib.suppress(ClosedError), server.connect() as late:
        return late.admin("version").startswith(b"OK ")
    return False


def test_who_was_refused_leaves_its_place_at_once() -> None:
    """Though it does not close, and is read from for a while yet."""
    with (
        start_gearfast("--max-connections=1") as server,
        first(server),
        contextlib.ExitStack() as stack,
    ):
        began = time.monotonic()
        for _ in range(3 * VISITORS):
            late = stack.enter_context(server.connect())
            late.send(ECHO)
            assert late.recv_packet().name == "ERROR"
        assert is_answered(server)
        assert time.monotonic() - began < VISIT, "this machine is too slow to tell"


class Met:
    """The server's end of a connection, as far as it is asked for addresses."""

    family = socket.AF_INET6

    def __init__(self, peer: str, own: str) -> None:
        self.peer, self.own = peer, own

    def getpeername(self) -> tuple[str, int]:
        """The peer's address."""
        return self.peer, 1

    def getsockname(self) -> tuple[str, int]:
        """Ours."""
        return self.own, 2


@pytest.mark.parametrize(
    ("peer", "own", "origin"),
    [
        ("127.0.0.1", "127.0.0.1", Origin.HERE),
        ("127.9.9.9", "127.0.0.1", Origin.HERE),
        ("::1", "::1", Origin.HERE),
        ("::ffff:127.0.0.2", "::ffff:127.0.0.1", Origin.HERE),
        ("192.0.2.7", "192.0.2.7", Origin.HERE),
        ("192.0.2.8", "192.0.2.7", Origin.ELSEWHERE),
        ("::ffff:192.0.2.8", "::ffff:192.0.2.7", Origin.ELSEWHERE),
        ("fe80::2%eth0", "fe80::1%eth0", Origin.ELSEWHERE),
    ],
)
def test_where_a_peer_comes_from(peer: str, own: str, origin: Origin) -> None:
    met: Any = Met(peer, own)
    assert origin_of(met) is origin


def test_a_peer_that_has_left_before_it_was_met_comes_from_anywhere() -> None:
    with socket.socket() as gone:
        assert origin_of(gone) is Origin.ELSEWHERE


def test_without_a_limit_of_descriptors_none_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    assert first_kept_descriptor() == sys.maxsize


CROWD = """
import socket, struct, sys
for number in range(3000):
    late = socket.socket()
    late.bind((sys.argv[1], 0))
    late.connect(("127.0.0.1", int(sys.argv[2])))
    if number % 3 == 0:
        late.send(b"\\0REQ\\0\\0\\0\\x10\\0\\0\\0\\0")
    if number % 2 == 0:
        late.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    late.close()
"""
"""A peer that comes and goes as fast as it can; it may say something, or leave with a reset."""


# --- crowds ------------------------------------------------------------------------------


def test_nobody_notices_a_peer_that_comes_and_goes_all_the_time() -> None:
    """Its own connections are counted to the end: when they have left, there are as many places as before."""
    with (
        start_gearfast("--max-connections-per-address=1", "--backlog=4096") as server,
        first(server) as witness,
        of(server, "127.0.0.2") as holder,
    ):
        assert serves(holder)
        start = time.monotonic()
        crowd = subprocess.Popen([sys.executable, "-c", CROWD, "127.0.0.2", str(server.port)])
        try:
            waits = []
            while crowd.poll() is None:
                began = time.monotonic()
                assert serves(witness)
                waits.append(time.monotonic() - began)
        finally:
            crowd.kill()
            assert crowd.wait() == 0
        assert sorted(waits)[len(waits) * 9 // 10] < 0.1
        assert max(waits) < 1
        assert serves(holder)
        holder.close()
        for source in ("127.0.0.2", "127.0.0.3"):
            until(lambda source=source: is_let_in(server, source), "its place is free")  # type: ignore[misc]
        until(lambda: len(witness.table("workers")) == 1, "all have left")
        said = [line for line in settled_log_of(server).splitlines() if FULL in line and "127.0.0.2" in line]
        assert 1 <= len(said) <= 1 + (time.monotonic() - start) // LOG_REPEATS
        assert server.stop() == 0


def is_let_in(server: Peer, source: str) -> bool:
    """Whether there is a place for one from there."""
    with of(server, source) as late:
        return serves(late)


def test_the_log_has_a_line_for_each_address_and_counts_the_others(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.new_event_loop()
    with contextlib.closing(loop), caplog.at_level(logging.WARNING, "gearfast"):
        refusals = Refusals(loop)
        for number in range(LOG_DIFFERENT + 10):
            for _ in range(3):
                refusals.note(b"10.0.0.%d" % number, "why")
        assert len(caplog.messages) == LOG_DIFFERENT
        assert caplog.messages[0] == f"10.0.0.0: {FULL}: why"
        refusals.tell()
        assert caplog.messages[-1] == f"{2 * LOG_DIFFERENT + 30} more connections too many within 10 s"
        refusals.note(b"10.0.0.1", "why")
        assert caplog.messages[-1] == f"10.0.0.1: {FULL}: why"
        refusals.tell()
        assert len(caplog.messages) == LOG_DIFFERENT + 2
