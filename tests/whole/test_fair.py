"""Nobody holds up another: what one peer asks for is done in slices, and the others come in between.

Nothing is timed here. Everything is sent while the server stands still, and what counts is who has been answered when
the one who wants little has: the order, and the share.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.support import wire
from tests.support.actors import fill, worker_of
from tests.support.embedded import start_embedded
from tests.support.peers import Server, start_gearfast, until
from tests.support.processes import MIB, frozen, log_of, resident, settled_log_of, wait_for_line
from tests.support.wire import Connection

LINE = b"OK 0.1.0\n"
QUESTION = wire.request(wire.ECHO_REQ, payload="hello") + b"made\n"


@pytest.fixture
def server() -> Iterator[Server]:
    with start_embedded() as started:
        yield started
        assert started.alive()
        assert "Traceback" not in log_of(started)
        assert started.stop() == 0


def made_before(victim: Connection) -> int:
    """Bytes of others' answers that were made before this one, who has asked for an echo and for that, was answered."""
    assert victim.recv_packet().body == b"hello"
    return int(victim.recv_until(b"\n"))


@pytest.mark.parametrize("peers", [1, 40])
def test_a_flood_of_lines_keeps_nobody_waiting(server: Server, peers: int) -> None:
    lines = 15_000
    with contextlib.ExitStack() as stack:
        flood = [stack.enter_context(server.connect()) for _ in range(peers)]
        victim = stack.enter_context(server.connect())
        assert victim.sync() == b""
        with frozen(server):
            for peer in flood:
                peer.send(b"version\n" * lines)
            victim.send(QUESTION)
        assert made_before(victim) < peers * lines * len(LINE) / 2
        for peer in flood:
            peer.half_close()
            assert peer.read_to_end() == LINE * lines


def test_long_answers_for_many_keep_nobody_waiting(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        admins = [stack.enter_context(server.connect()) for _ in range(30)]
        victim = stack.enter_context(server.connect())
        fill(victim, "f", 5_000)
        answer = sum(map(len, victim.table("show jobs"))) + 5_000
        with frozen(server):
            for admin in admins:
                admin.send(b"show jobs\n")
            victim.send(QUESTION)
        assert made_before(victim) < 30 * answer / 2
        for admin in admins:
            assert admin.recv_until(b"\n.\n").count(b"\n") == 5_001


def test_a_client_that_asked_a_hundred_thousand_times_is_told_as_often_or_cut_off(server: Server) -> None:
    """It waits once, with a count; what would be too much for it to be told is not written at all."""
    with server.connect() as client, server.connect() as worker, server.connect() as witness:
        asked = wire.request(wire.SUBMIT_JOB, "f", "u", payload="x")
        for _ in range(100):
            client.send(asked * 1000)
            client.sync()
        worker.request(wire.CAN_DO, "f")
        handle, _, _ = worker.call(wire.GRAB_JOB).args(2)
        assert witness.call(wire.GET_STATUS_UNIQUE, "u").args() == [b"u", b"1", b"1", b"0", b"0", b"100000"]
        worker.request(wire.WORK_STATUS, handle, "1", "2")
        for _ in range(100_000):
            assert client.recv_packet().args() == [handle, b"1", b"2"]
        before = resident(server)
        worker.request(wire.WORK_DATA, handle, payload="d" * 2000)  # 200 MB
        assert worker.sync() == b""
        until(lambda: len(witness.table("workers")) == 2, "the client is cut off")
        assert resident(server) - before < 32 * MIB
        assert witness.call(wire.GET_STATUS_UNIQUE, "u").args()[1] == b"0", "an orphan no longer has its unique id"
        worker.request(wire.WORK_COMPLETE, handle, payload="")
        assert worker.sync() == b""


def names_of(count: int, size: int) -> list[str]:
    return [f"{number:06}".ljust(size, "n") for number in range(count)]


def test_workers_is_answered_in_pieces_whatever_the_length_of_a_line(server: Server) -> None:
    """A worker with 24 MB of names, and eight who ask and do not read: none of them costs more than a reader may."""
    names = names_of(3_000, 8_000)
    with server.connect() as worker, server.connect() as admin, contextlib.ExitStack() as stack:
        for name in names:
            worker.request(wire.CAN_DO, name)
        worker.sync()
        before = resident(server)
        deaf = [stack.enter_context(server.connect()) for _ in range(8)]
        for peer in deaf:
            peer.send(b"workers\n")
        admin.send(b"workers\n")
        lines = admin.recv_until(b"\n.\n").decode().splitlines()
        assert resident(server) - before < 32 * MIB
        [line] = [line for line in lines if "nnn" in line]
        assert line.split(" : ")[1].split(" ") == names[::-1]


def test_what_a_worker_can_do_throughout_stands_in_workers_once(server: Server) -> None:
    """While it gives functions up, takes others on, grabs and is served, and its line is being written."""
    stays = names_of(1_000, 500)
    with server.connect() as worker, server.connect() as admin, server.connect() as client:
        for name in stays:
            worker.request(wire.CAN_DO, "g" + name)
            worker.request(wire.CAN_DO, "s" + name)
        worker.sync()
        admin.send(b"workers\n")
        for name in stays[::2]:
            worker.request(wire.CANT_DO, "g" + name)
            worker.request(wire.CAN_DO, "c" + name)
            client.call(wire.SUBMIT_JOB_BG, "s" + name, "", payload="")
            assert worker.call(wire.GRAB_JOB).name == "JOB_ASSIGN"
        [line] = [line for line in admin.recv_until(b"\n.\n").decode().splitlines() if "nnn" in line]
        shown = line.split(" : ")[1].split(" ")
        assert [name for name in shown if name[0] == "s"] == ["s" + name for name in stays[::-1]]
        assert len(shown) == len(set(shown))


def test_a_worker_that_leaves_with_fifty_thousand_jobs_keeps_nobody_waiting(server: Server) -> None:
    """They are taken from it in slices, and what was taken can be had."""
    with server.connect() as client, server.connect() as worker, worker_of(server, "f") as heir:
        fill(client, "f", 50_000)
        worker.request(wire.CAN_DO, "f")
        for _ in range(50):
            worker.send(wire.request(wire.GRAB_JOB) * 1000)
            assert worker.sync().count(b"\0RES\0\0\0\x0b") == 1000
        with frozen(server):
            worker.reset()
            client.request(wire.ECHO_REQ, payload="hello")
            client.send(b"status\n")
        assert client.recv_packet().body == b"hello"
        name, total, running, _ = client.recv_until(b".\n").split(b"\t")
        assert (name, total) == (b"f", b"50000")
        assert int(running) > 25_000, "most of them are still to be taken"
        until(lambda: client.table("status") == ["f\t50000\t0\t1"], "all of them are queued again")
        assert heir.call(wire.GRAB_JOB).name == "JOB_ASSIGN"


# --- who is waited for, and not for ever ---------------------------------------------------


def connections(witness: Connection) -> int:
    return len(witness.table("workers"))


@pytest.mark.parametrize("way", ["error", "half_close"])
def test_a_peer_whose_session_has_ended_and_that_does_not_read_is_let_go(way: str) -> None:
    generous = start_embedded(leaving_timeout=0.3, output_pause=64 * MIB, output_limit=128 * MIB)
    with generous as server, server.connect() as witness:
        with server.connect() as peer:
            peer.send(wire.request(wire.ECHO_REQ, payload="x" * MIB) * 16)
            if way == "error":
                peer.send(wire.raw(wire.REQ, 43, b""))
            else:
                peer.half_close()
            until(lambda: connections(witness) == 1, "its session has ended")
            wait_for_line(server, "closed: it does not read what was sent to it")
        assert server.stop() == 0


def test_a_peer_that_reads_slowly_after_the_end_gets_all_of_it() -> None:
    with start_embedded(leaving_timeout=1.0) as server, server.connect() as peer:
        peer.send(wire.request(wire.ECHO_REQ, payload="x" * (1 << 20)) * 8)
        peer.half_close()
        assert len(peer.read_to_end()) == 8 * (12 + (1 << 20))
        assert "closed" not in settled_log_of(server)


@pytest.mark.parametrize(
    "part",
    [b"\0", b"\0REQ\0\0\0\x10\0\0\0\x05", b"\0REQ\0\0\0\x10\0\0\0\x05hel", b"stat", b"\0REQ\0\0\0\x09\0\1\0\0body"],
    ids=["a byte", "a header", "a body", "a line", "a body that is skipped"],
)
def test_a_packet_that_does_not_grow_ends_its_connection(part: bytes) -> None:
    with start_embedded(idle_packet_timeout=0.3) as server, server.connect() as witness, server.connect() as peer:
        assert connections(witness) == 2
        peer.send(part)
        until(lambda: connections(witness) == 1, "it is closed")
        wait_for_line(server, "closed: the rest of a packet did not arrive")
        assert server.stop() == 0


def test_how_long_a_packet_is_waited_for_is_an_option() -> None:
    with start_gearfast("--idle-packet-timeout=0.3", "--verbose=WARNING") as server, server.connect() as peer:
        peer.send(wire.request(wire.ECHO_REQ, payload="hello")[:-1])
        assert peer.closed()
        wait_for_line(server, "closed: the rest of a packet did not arrive")


def test_a_packet_that_began_behind_a_long_answer_is_waited_for_as_long() -> None:
    with start_gearfast("--idle-packet-timeout=0.3", "--verbose=WARNING") as server, server.connect() as peer:
        peer.send(b"show jobs\n" + wire.request(wire.ECHO_REQ, payload="hello")[:-1])
        assert peer.recv_until(b".\n") == b".\n"
        assert peer.closed()
        wait_for_line(server, "closed: the rest of a packet did not arrive")


def test_a_packet_that_grows_is_waited_for() -> None:
    with start_embedded(idle_packet_timeout=1.0) as server, server.connect() as idle, server.connect() as peer:
        whole = wire.request(wire.ECHO_REQ, payload="hello")
        for at in range(len(whole)):
            peer.send(whole[at : at + 1])
            assert idle.sync() == b""
        assert peer.recv_packet().body == b"hello"
        assert "closed" not in settled_log_of(server)


def test_a_packet_is_not_waited_for_while_its_peer_does_not_read() -> None:
    """Its requests are not looked at then: that is not its packet's fault."""
    narrow = start_embedded(idle_packet_timeout=0.3, output_pause=65536)
    with narrow as server, server.connect() as witness, server.connect() as peer:
        peer.send(wire.request(wire.ECHO_REQ, payload="x" * 60_000) * 60)
        for _ in range(50):
            witness.sync()
        with server.connect() as later:
            later.send(b"stat")
            until(lambda: connections(witness) == 2, "who sent a part later has been waited for long enough")
        for _ in range(60):
            assert len(peer.recv_packet().body) == 60_000
        assert peer.sync() == b""
