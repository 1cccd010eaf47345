"""The attacks of the benchmarks do what their scenarios say: seen by what the server says before and after each."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from benchmarks import attacks, certificate
from benchmarks.attacks import ATTACKS, Attack, crowds, secret
from benchmarks.attacks.attack import READY
from benchmarks.attacks.door import Door
from tests.support import wire
from tests.support.fake_server import FakeServer, Line
from tests.support.peers import PROJECT, Server, start_gearfast, start_gearmand, until

pytestmark = pytest.mark.timeout(300)

Look = Callable[[Server], object]
FEW = 2000


@pytest.fixture(name="server")
def start_server() -> Iterator[Server]:
    """A server for one attack."""
    with start_gearfast() as started:
        yield started


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine has the time it needs, and there is little to do for it."""
    monkeypatch.setattr(attacks.jobs, "DUE_AFTER", 1.5)
    monkeypatch.setattr(crowds, "LASTS", 60.0)
    monkeypatch.setattr(crowds, "MAX_CALLS", 200)
    for room in (crowds, secret):
        monkeypatch.setattr(room, "JOBS", FEW)


def status(server: Server) -> dict[str, tuple[int, ...]]:
    """Jobs, running jobs and workers of each function."""
    with server.connect() as admin:
        rows = [line.split("\t") for line in admin.table("status")]
    return {name: tuple(map(int, figures)) for name, *figures in rows}


def jobs(server: Server) -> tuple[int, ...] | None:
    """Those of the function that is attacked."""
    return status(server).get("attacked")


def waiting(server: Server) -> tuple[bytes, bytes]:
    """Whether the one job runs, and how many wait for it."""
    with server.connect() as client:
        _, _, running, _, _, clients = client.call(wire.GET_STATUS_UNIQUE, "shared").args()
    return running, clients


def peers(server: Server) -> list[int]:
    """How many functions each connection can do, other than this one."""
    with server.connect() as admin:
        found = [len(line.partition(" :")[2].split()) for line in admin.table("workers")]
    found.remove(0)
    return sorted(found)


def alike(server: Server) -> tuple[int, int]:
    """How many functions there are, and how many if upper and lower case are the same."""
    names = list(status(server))
    return len(names), len({name.lower() for name in names})


def runnable(server: Server) -> str:
    """What somebody is answered who asks for one of the jobs."""
    with server.connect() as worker:
        worker.request(wire.CAN_DO, "attacked")
        return worker.call(wire.GRAB_JOB).name


def any_more(server: Server) -> int:
    """How many jobs there are."""
    with server.connect() as admin:
        return len(admin.table("show jobs"))


# name: size, what the server says when it is prepared, and what it says after the strike
SEEN: dict[str, tuple[int, Look, object, object]] = {
    "holds-and-can-do": (40, jobs, (40, 40, 1), (40, 40, 1)),
    "holds-and-leaves": (40, jobs, (40, 40, 1), (40, 0, 0)),
    "waits-and-leaves": (40, jobs, (40, 0, 0), (0, 0, 0)),
    "due-at-once": (40, runnable, "NO_JOB", "JOB_ASSIGN"),
    "attached": (40, waiting, (b"1", b"40"), (b"1", b"40")),
    "attached-each": (20, waiting, (b"1", b"20"), (b"1", b"20")),
    "attached-and-done": (40, waiting, (b"1", b"40"), (b"0", b"0")),
    "abilities-said": (1500, peers, [0], [1500]),
    "abilities-and-leaves": (1500, peers, [1500], []),
    "abilities-and-reset": (1500, peers, [1500], [0]),
    "abilities-and-grab": (1500, peers, [1500], [1500]),
    "alike-and-drop": (50, alike, (50, 1), (0, 0)),
    "workers": (1, peers, [0, 125], [0, 125]),
    "workers-by-ten": (1, peers, [0] * 10 + [125], [0] * 10 + [125]),
    "empty-lines": (3, peers, [0] * 3, [0] * 3),
    "empty-lines-and-cancel": (1, any_more, 1, 0),
    "packets": (3, peers, [0] * 3, [0] * 3),
    "bad-packets": (3, peers, [0] * 3, [0] * 3),
    "show-jobs": (2, any_more, FEW, FEW),
    "calls": (5, peers, [], []),
    "leave": (20, peers, [0] * 20, []),
    "payload": (1, jobs, None, (1, 0, 0)),
    "result": (1, waiting, (b"1", b"10"), (b"0", b"0")),
}


def struck(attack: Attack) -> list[float]:
    """Strike, and return what was waited for, if it is about that."""
    return list(attack)


@pytest.mark.parametrize("name", SEEN)
def test_an_attack_prepares_and_strikes(server: Server, name: str) -> None:
    size, look, before, after = SEEN[name]
    with Door(server.port) as door:
        attack = ATTACKS[name](door, size)
        assert next(attack) == READY
        assert look(server) == before
        took = struck(attack)
        assert (len(took) == 1 and took[0] > 0) if name == "empty-lines-and-cancel" else took == []
        until(lambda: look(server) == after, str(after))
    until(lambda: peers(server) == [], "all connections are closed")


def test_every_attack_is_tested() -> None:
    assert set(ATTACKS) == {*SEEN, "alike-and-stop", "tls-show-jobs", "tls-handshakes"}


def test_a_stop_is_waited_for(server: Server) -> None:
    with Door(server.port) as door:
        attack = ATTACKS["alike-and-stop"](door, 50)
        assert next(attack) == READY
        assert alike(server) == (50, 1)
        assert server.alive()
        (took,) = struck(attack)
    assert took > 0
    assert server.process.wait(1) == 0, "it had ended before that was said"


@pytest.mark.parametrize("name", ["tls-show-jobs", "tls-handshakes"])
def test_attacks_over_tls(name: str) -> None:
    with (
        certificate.secured() as (words, path),
        start_gearfast(*words, ready=False) as server,
        Door(server.port) as door,
    ):
        until(lambda: tls_peers(path) == 0, "it listens at the Unix socket")
        attack = ATTACKS[name](door, 3)
        assert next(attack) == READY
        until(lambda: tls_peers(path) == (4 if name == "tls-show-jobs" else 0), "handshakes are over, or not begun")
        assert struck(attack) == []
        if name == "tls-show-jobs":
            until(lambda: tls_peers(path) == 1, "all but the client have left")


def tls_peers(path: str) -> int | None:
    """How many peers over TLS the server knows, or None while it does not listen."""
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(10)
        try:
            admin.connect(path)
        except OSError:
            return None
        admin.sendall(b"workers\n")
        said = b""
        while not said.endswith(b".\n"):
            said += admin.recv(1 << 16)
    return said.count(b" 127.0.0.1 ")


@pytest.mark.parametrize("name", [name for name in SEEN if name not in ("payload", "result", "show-jobs")])
def test_gearmand_can_be_attacked_too(name: str) -> None:
    """Prepared as ours is; what becomes of it is for the benchmarks to see."""
    size, look, before, _ = SEEN[name]
    with start_gearmand() as server, Door(server.port) as door:
        attack = ATTACKS[name](door, size)
        assert next(attack) == READY
        if look is not peers:  # gearmand lists them in other ways
            assert look(server) == before


class Counts(FakeServer):
    """Counts the bytes of each connection, and cuts off the first that says much."""

    def __init__(self, cuts: bool) -> None:
        super().__init__()
        self.cuts = cuts
        self.bytes: dict[int, int] = {}
        self.most = 0

    def hear(self, line: Line, request: bytes) -> None:
        said = self.bytes[id(line)] = self.bytes.get(id(line), 0) + len(request)
        if self.cuts and said > 1000 and id(line) == min(self.bytes):
            raise ConnectionResetError
        super().hear(line, request)


@pytest.mark.parametrize("cuts", [False, True])
def test_a_crowd_goes_on_when_one_of_them_is_cut_off(cuts: bool) -> None:
    server = Counts(cuts)
    with server.running_server() as port, Door(port) as door:
        attack = ATTACKS["packets"](door, 3)
        assert next(attack) == READY
        with pytest.raises(ConnectionError, match="cut off 1 of 3") if cuts else contextlib.nullcontext():
            assert struck(attack) == []
        counted = sorted(server.bytes.values())
    assert len(counted) == 3
    assert all(128_000 < said < 132_000 for said in counted[1 if cuts else 0 :]), "as much as is read at once, each"
    assert not cuts or counted[0] < 2000


def test_a_server_that_takes_too_long_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(FakeServer):
        def text(self, command: str) -> bytes:
            return b""

        def say(self, line: Line, kind: int, body: bytes) -> bytes:
            return b"" if body == crowds.END else super().say(line, kind, body)

    monkeypatch.setattr(crowds, "LASTS", 0.2)
    with Silent().running_server() as port, Door(port) as door:
        attack = ATTACKS["empty-lines"](door, 2)
        assert next(attack) == READY
        assert struck(attack) == []


def test_an_attack_can_be_played_by_hand(server: Server) -> None:
    """Line by line, as the docstring of the program says."""
    words = [sys.executable, "-m", "benchmarks.attacks", "holds-and-leaves", str(server.port), "7"]
    with subprocess.Popen(words, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert jobs(server) == (7, 7, 1)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == '{"took": null, "cut": ""}\n'
        process.stdin.close()
        assert process.wait(20) == 0


@pytest.mark.parametrize("words", [[], ["holds"], ["no-such", "1", "1"], ["attached", "port", "1"]])
def test_words_that_name_no_attack_are_answered_with_those_there_are(words: list[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.attacks", *words]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m benchmarks.attacks NAME PORT SIZE, of holds-and-can-do, ")
