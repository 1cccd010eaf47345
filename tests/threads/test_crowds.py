"""Crowds at a server with four threads, whose connections change their threads all the time."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import wire
from tests.support.crowd import Client, Crowd, Vandal, Worker
from tests.support.peers import Server, start_gearfast, until
from tests.support.processes import log_of
from tests.whole.test_tls import issue

TIMES = int(os.environ.get("GEARFAST_CROWDS", "1"))
"""As much as usual: a look for races by hand takes more."""
THREADS = ("--io-threads=4", "--io-shuffle=0.002")


def check_log(server: Server) -> None:
    """Nothing happened that should not."""
    log = log_of(server)
    assert "should not happen" not in log, log
    assert "Traceback" not in log, log


def play(fill: Callable[[Crowd], None], *options: str) -> None:
    """Have a crowd at a server, and see to it that the server is well afterwards."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    with start_gearfast(*THREADS, *options) as server:
        crowd = Crowd(server.host, server.port, seed, TIMES)
        fill(crowd)
        crowd.play()
        with server.connect() as connection:
            assert connection.sync() == b""
        assert server.alive()
        check_log(server)
        assert server.stop() == 0, log_of(server)


def test_clients_and_workers() -> None:
    def fill(crowd: Crowd) -> None:
        crowd.add(Worker, 6)
        crowd.add(Client, 12, 60)

    play(fill)


def test_large_payloads() -> None:
    def fill(crowd: Crowd) -> None:
        crowd.add(Worker, 4)
        crowd.add(Client, 8, 20, large=200_000)

    play(fill)


def test_what_wants_python() -> None:
    def fill(crowd: Crowd) -> None:
        crowd.add(Worker, 4)
        crowd.add(Client, 10, 50, texts=True, dates=True)

    play(fill)


@pytest.mark.parametrize("large", [0, 100_000])
def test_peers_that_leave(large: int) -> None:
    def fill(crowd: Crowd) -> None:
        crowd.add(Worker, 6, deaths=10)
        crowd.add(Vandal, 6, 40)
        crowd.add(Client, 8, 40, texts=True, half=True, large=large)

    play(fill)


def test_peers_that_stall() -> None:
    """They read nothing until the others have had many answers, and more waits for them than the system takes."""

    def fill(crowd: Crowd) -> None:
        crowd.add(Worker, 4)
        crowd.add(Client, 4, 60, large=200_000, stalls=True)
        crowd.add(Client, 6, 30)

    play(fill)


@pytest.mark.parametrize("dates", [False, True])
def test_with_a_store(tmp_path: Path, dates: bool) -> None:
    def fill(crowd: Crowd) -> None:
        crowd.add(Worker, 6, deaths=5)
        crowd.add(Client, 8, 40, dates=dates, large=3000)
        crowd.add(Vandal, 4, 20)

    play(fill, f"--store=sqlite:{tmp_path}/jobs")


def test_with_tls(tmp_path: Path) -> None:
    """Those on the port are encrypted, and served by the loop's thread only; those of the socket are not."""
    authority = issue(tmp_path, "authority")
    files = issue(tmp_path, "server", authority)
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.check_hostname = False

    def fill(crowd: Crowd) -> None:
        crowd.add(Worker, 3, tls=context)
        crowd.add(Client, 4, 30, tls=context, large=20_000)

    seed = random.randrange(1 << 32)
    print("seed", seed)
    where = ("--ssl", f"--ssl-certificate={files.certificate}", f"--ssl-key={files.key}", f"--listen=unix:{tmp_path}/s")
    with start_gearfast(*THREADS, *where, ready=False) as server:
        from tests.support.processes import greeting_of

        greeting_of(server)
        crowd = Crowd(server.host, server.port, seed, TIMES)
        fill(crowd)
        crowd.path = str(tmp_path / "s")
        crowd.add(Worker, 3)
        crowd.add(Client, 6, 40)
        crowd.play()
        check_log(server)
        assert server.stop() == 0


def test_little_memory() -> None:
    """Jobs are refused, and those who do not read are cut off: whom that meets, and when, is not said here."""

    def fill(crowd: Crowd) -> None:
        crowd.cuts = True
        crowd.add(Worker, 4)
        crowd.add(Client, 6, 40, large=200_000, stalls=True)
        crowd.add(Client, 6, 40)

    play(fill, "--max-memory=72M")


@pytest.mark.parametrize("way", ["stop", "drain"])
def test_the_end_in_the_midst_of_it(tmp_path: Path, way: str) -> None:
    """Nobody is told anything wrong until the server is gone, and it goes in order; a drain waits for what is begun."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    with start_gearfast(*THREADS, f"--store=sqlite:{tmp_path}/jobs", "--verbose=NOTICE") as server:
        crowd = Crowd(server.host, server.port, seed, TIMES)
        crowd.add(Worker, 4)
        crowd.add(Client, 8, 200, large=2000, dates=True, texts=True)
        crowd.add(Vandal, 3, 100)
        crowd.leave_when(100, lambda: os.kill(server.pid, signal.SIGTERM if way == "stop" else signal.SIGUSR1))
        crowd.play()
        assert server.process.wait(30) == 0, log_of(server)
        check_log(server)


def test_what_is_acknowledged_at_the_end_is_kept(tmp_path: Path) -> None:
    """Jobs come without end while the server stops: whatever was acknowledged by then the next one has."""
    store = f"--store=sqlite:{tmp_path}/jobs"
    acknowledged: set[bytes] = set()
    begun = threading.Barrier(7)

    def submit(server: Server, name: int) -> None:
        with server.connect() as client:
            uniques = [b"%d-%d" % (name, number) for number in range(20_000)]
            begun.wait(30)
            told = 0
            with contextlib.suppress(wire.ClosedError, OSError):
                for at in range(0, len(uniques), 100):
                    client.sock.sendall(
                        b"".join(
                            wire.request(wire.SUBMIT_JOB_BG, "f", one, payload="x") for one in uniques[at : at + 100]
                        )
                    )
                    for _ in range(100):
                        assert client.recv_packet().name == "JOB_CREATED"
                        told += 1
            acknowledged.update(uniques[:told])

    with start_gearfast(*THREADS, store) as server:
        clients = [threading.Thread(target=submit, args=(server, name)) for name in range(6)]
        for client in clients:
            client.start()
        begun.wait(30)
        with server.connect() as admin:
            until(lambda: any(line.startswith("f\t") for line in admin.table("status")), "there are jobs")
        assert server.stop() == 0, log_of(server)
        for client in clients:
            client.join()
    with start_gearfast(store) as server, server.connect() as admin:
        kept = {line.encode() for line in admin.table("show unique jobs")}
    assert not acknowledged - kept
