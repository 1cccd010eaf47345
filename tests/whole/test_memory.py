"""A limit of the server's memory, and a machine that has no more of it: who gives way, and that all else goes on."""

from __future__ import annotations

import asyncio
import dataclasses
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gearfast import Broker, Config, InProcessPeer, Server
from gearfast.cli import command, machine
from gearfast.errors import ConfigError
from tests.support.inside import LOCAL, play
from tests.support.peers import Server as Running
from tests.support.peers import start_gearfast, until
from tests.support.processes import MIB, SANITIZED, log_of, resident, wait_for_line
from tests.support.wire import (
    CAN_DO,
    ERROR,
    GRAB_JOB,
    JOB_ASSIGN,
    JOB_CREATED,
    REQ,
    SUBMIT_JOB,
    SUBMIT_JOB_BG,
    WORK_COMPLETE,
    WORK_DATA,
    ClosedError,
    Connection,
    raw,
    request,
)

LIMIT = 256 * MIB
BLOB = b"x" * MIB
SHORT_OF_MEMORY = b"QUEUE_ERROR\0The server is short of memory and takes no jobs now"
IN_THE_WAY = "memory is short, and the unread answers or the unfinished packet of this peer take the most of it"

pytestmark = pytest.mark.skipif(SANITIZED, reason="AddressSanitizer takes memory of its own")


@pytest.fixture
def server() -> Iterator[Running]:
    with start_gearfast(f"--max-memory={LIMIT}", "--verbose=WARNING") as server:
        yield server


def figures(server: Running) -> dict[str, int]:
    """What `show memory` tells."""
    with server.connect() as admin:
        return {name: int(number) for name, number in (line.split("\t") for line in admin.table("show memory"))}


def begin_packet(server: Running, size: int) -> Connection:
    """A peer that has sent this much of a packet."""
    peer = server.connect()
    peer.send(raw(REQ, 16, b"", 200 * MIB))
    for _ in range(size // MIB):
        peer.send(BLOB)
    return peer


def closed(peer: Connection) -> bool:
    """Whether the server has ended the connection; nothing is waited for."""
    peer.sock.setblocking(False)
    try:
        return peer.sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    finally:
        peer.sock.settimeout(10.0)


def test_show_memory(server: Running) -> None:
    with server.connect() as client:
        client.call(SUBMIT_JOB_BG, "f", "", payload=BLOB)
        told = figures(server)
        assert list(told) == ["limit", "resident", "used", "jobs", "unfinished packets", "unread answers"]
        assert told["limit"] == LIMIT
        assert MIB < told["jobs"] < MIB + 1000
        assert told["jobs"] < told["used"] <= told["resident"] < LIMIT // 2


def test_above_80_percent_submits_are_refused_and_all_else_goes_on(server: Running) -> None:
    with server.connect() as client, server.connect() as worker:
        accepted = 0
        while (answer := client.call(SUBMIT_JOB_BG, "f", "", payload=BLOB)).type == JOB_CREATED:
            accepted += 1
        assert answer.type == ERROR
        assert answer.body == SHORT_OF_MEMORY
        assert LIMIT * 0.75 < figures(server)["used"] < LIMIT * 0.9
        assert client.call(SUBMIT_JOB, "g", "", payload=b"").body == SHORT_OF_MEMORY
        worker.request(CAN_DO, "f")
        for _ in range(accepted):
            assignment = worker.call(GRAB_JOB)
            assert assignment.type == JOB_ASSIGN
            assert assignment.body.endswith(BLOB)
            worker.request(WORK_COMPLETE, assignment.args(1)[0], payload=b"")
        worker.sync()
        until(lambda: client.call(SUBMIT_JOB_BG, "f", "", payload=b"").type == JOB_CREATED, "submits are taken again")
    text = "Memory is short: more than 80 % of --max-memory are in use, and submits are refused"
    wait_for_line(server, text)


def test_many_small_jobs_count_too_and_what_they_leave_free_does_not() -> None:
    """Of many small jobs a few are left in each block: their memory is free for the next ones."""
    with start_gearfast("--max-memory=72M") as server, server.connect() as client, server.connect() as worker:
        packet = request(SUBMIT_JOB_BG, "f", "", payload=b"x" * 300)
        accepted = 0
        while b"QUEUE_ERROR" not in (answers := burst(client, packet)):
            accepted += answers.count(b"\0RES")
        kept = figures(server)["jobs"]
        worker.request(CAN_DO, "f")
        handles = []
        while (assignment := worker.call(GRAB_JOB)).type == JOB_ASSIGN:
            handles.append(assignment.args(1)[0])
            if len(handles) % 20:
                worker.request(WORK_COMPLETE, handles[-1], payload=b"")
        worker.sync()
        assert len(handles) >= accepted
        told = figures(server)
        assert told["jobs"] < kept // 10
        until(lambda: client.call(SUBMIT_JOB_BG, "f", "", payload=b"").type == JOB_CREATED, "submits are taken again")


def burst(client: Connection, packet: bytes) -> bytes:
    """Many of a packet at once, and their answers."""
    client.send(packet * 1000)
    return client.sync()


def test_above_90_percent_the_largest_unfinished_packets_are_cut_first(server: Running) -> None:
    small, large = begin_packet(server, 20 * MIB), begin_packet(server, 100 * MIB)
    until(lambda: figures(server)["unfinished packets"] >= 120 * MIB, "that has come")
    more = begin_packet(server, 90 * MIB)
    try:
        until(lambda: closed(large), "the largest is cut off")
        assert not closed(small)
        assert not closed(more)
        until(lambda: figures(server)["used"] < LIMIT * 0.9, "its memory is free")
        wait_for_line(server, IN_THE_WAY)
    finally:
        for peer in (small, large, more):
            peer.close()
    until(lambda: figures(server)["unfinished packets"] == 0, "nothing is left of them")


def test_unfinished_packets_never_take_more_than_the_limit(server: Running) -> None:
    peers = [server.connect() for _ in range(20)]
    most = 0
    for peer in peers:
        peer.send(raw(REQ, 16, b"", 200 * MIB))
    for _ in range(20):
        for peer in peers:
            peer.send(BLOB)
        most = max(most, resident(server))
    for peer in peers:
        peer.close()
    assert MIB < most <= LIMIT
    with server.connect() as client:
        assert client.call(SUBMIT_JOB_BG, "f", "", payload=b"").type in (JOB_CREATED, ERROR)


def test_unread_answers_are_cut_and_the_worker_goes_on(server: Running) -> None:
    with server.connect() as worker, server.connect() as reader:
        deaf = [server.connect() for _ in range(6)]
        worker.request(CAN_DO, "f")
        handles = []
        for client in (*deaf, reader):
            client.call(SUBMIT_JOB, "f", "", payload=b"")
            handles.append(worker.call(GRAB_JOB).args(1)[0])
        most = 0
        for _ in range(40):
            for handle in handles:
                worker.request(WORK_DATA, handle, payload=BLOB)
                most = max(most, resident(server))
            assert reader.recv_packet().type == WORK_DATA
        assert worker.call(GRAB_JOB).type != ERROR
        wait_for_line(server, IN_THE_WAY)
        assert most <= LIMIT
        worker.request(WORK_COMPLETE, handles[-1], payload=b"done")
        assert reader.recv_packet().type == WORK_COMPLETE
        for client in deaf:
            client.close()


def test_a_process_that_gets_no_more_memory_serves_who_can_be_served_and_ends_when_told_to() -> None:
    with start_gearfast() as server, server.connect() as client:
        client.call(SUBMIT_JOB_BG, "f", "", payload=b"kept")
        mapped = int(Path(f"/proc/{server.pid}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(server.pid, resource.RLIMIT_AS, (mapped + 8 * MIB,) * 2)
        greedy = [server.connect() for _ in range(10)]
        for peer in greedy:
            peer.send(raw(REQ, 16, b"", 200 * MIB))
            for _ in range(10):
                peer.send(BLOB)
        for number in range(2000):
            if client.call(SUBMIT_JOB_BG, f"f{number}", "", payload=b"y" * 10_000).type != JOB_CREATED:
                break
        else:
            pytest.fail("it had memory for all of that")
        until(lambda: answers(server), "it answers whoever wants little")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        log = log_of(server)
        assert "MemoryError" in log
        assert len(log) < 20_000
        for peer in greedy:
            peer.close()


def answers(server: Running) -> bool:
    try:
        with server.connect() as admin:
            return admin.admin("version").startswith(b"OK")
    except (OSError, ClosedError):
        return False


def test_an_embedded_broker_can_be_told_to_take_no_jobs() -> None:
    broker = Broker()
    peer = InProcessPeer(broker)
    first = peer.submit(b"f", unique=b"u")
    broker.crowded = True
    assert peer.submit(b"f") is None
    assert peer.submit(b"f", unique=b"u") == first  # it is there already
    broker.crowded = False
    assert peer.submit(b"f") is not None
    assert broker.held_bytes > 0


def test_what_is_kept_for_the_end_is_spent_without_refusing_submits() -> None:
    async def scene() -> None:
        server = Server(dataclasses.replace(LOCAL, max_memory=1 << 40))
        await server.start()
        server.turn.memory.spend_last_reserve()
        await asyncio.sleep(0.01)
        server.turn.over()
        assert not server.broker.crowded
        server.turn.spend_reserve()
        assert server.broker.crowded
        server.turn.tick()
        assert not server.broker.crowded
        server.stop()
        await server.wait_closed()

    play(scene())


# --- the option ---


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("64M", 64 * MIB), ("2G", 2048 * MIB), ("1T", 1 << 40), ("134217728", 128 * MIB)]
)
def test_sizes(text: str, size: int) -> None:
    assert command.read([f"--max-memory={text}", "--config-file=/dev/null"], {}).config.max_memory == size


@pytest.mark.parametrize("text", ["", "63M", "1", "-1", "80", "0%", "101%", "80 %", "%", "5X", "9" * 30])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ConfigError, match="max-memory"):
        command.read([f"--max-memory={text}", "--config-file=/dev/null"], {})


def test_a_percentage_is_of_the_least_limit_around_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = tmp_path / "groups" / "outer" / "inner"
    group.mkdir(parents=True)
    own = tmp_path / "own"
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "OWN_GROUPS", own)
    whole = machine.memory()
    assert whole > 64 * MIB
    own.write_text("0::/outer/inner\n")
    assert machine.memory() == whole
    (group / "memory.max").write_text("max\n")
    assert machine.memory() == whole
    (group.parent / "memory.max").write_text(f"{200 * MIB}\n")
    assert machine.memory() == 200 * MIB
    assert command.read(["--max-memory=50%", "--config-file=/dev/null"], {}).config.max_memory == 100 * MIB
    (group / "memory.max").write_text(f"{100 * MIB}\n")
    assert machine.memory() == 100 * MIB
    with pytest.raises(ConfigError, match="max-memory"):
        command.read(["--max-memory=50%", "--config-file=/dev/null"], {})


def test_a_percentage_in_a_container_with_groups_of_version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "memory"
    base.mkdir()
    (base / "memory.limit_in_bytes").write_text(f"{300 * MIB}\n")
    own = tmp_path / "own"
    own.write_text("7:cpu,cpuacct:/docker/abc\n5:memory:/docker/abc\n")
    monkeypatch.setattr(machine, "GROUPS", tmp_path)
    monkeypatch.setattr(machine, "OWN_GROUPS", own)
    assert machine.memory() == 300 * MIB


@pytest.mark.parametrize("size", [1, 64 * MIB - 1, -1])
def test_a_config_with_too_little(size: int) -> None:
    with pytest.raises(ConfigError, match=r"--max-memory \(Config.max_memory\) is .* 0 for no limit, or at least"):
        Config(max_memory=size)
