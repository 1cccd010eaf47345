"""How long everybody waits while somebody attacks: what is measured, and what becomes of who does not bear it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import msgspec
import pytest

from benchmarks import attacker, runner
from benchmarks.attacks import ATTACKS
from benchmarks.errors import WrongAnswer
from benchmarks.figures import OURS, STOCK
from benchmarks.processes import Cores, Tree
from benchmarks.results import Results, Round, read, schema
from benchmarks.runner import Failure, Runner
from benchmarks.scenarios import SCENARIOS, Profile, Scenario, victim
from benchmarks.scenarios.scenario import Play
from benchmarks.subjects import SUBJECTS
from benchmarks.trial import Budget, TooSlowError, Trial
from tests.support import wire
from tests.support.dying_server import LARGE, STATUS
from tests.support.fake_server import FakeServer, Line
from tests.support.loading import compiled
from tests.support.peers import PROJECT, peer
from tests.support.wire import raw

pytestmark = pytest.mark.timeout(300)

ATTACKED = [scenario for scenario in SCENARIOS if scenario.group == "standstill"]
ATTACK = "payload"  # one job of a megabyte: the server of these tests knows by it that it is attacked


class Victim(FakeServer):
    """Does as it is told when it is attacked."""

    def __init__(self, attacked: Callable[[Line], None]) -> None:
        super().__init__()
        self.attacked = attacked
        self.struck = False

    def submit(self, line: Line, kind: int, body: bytes) -> None:
        if len(body) < LARGE:
            super().submit(line, kind, body)
            return
        self.struck = True
        self.attacked(line)

    def accept_job(self, line: Line) -> None:
        """Answer as if it was queued."""
        self.made += 1
        self.answer(line, wire.JOB_CREATED, b"H:fake:%d" % self.made)


class Plays:
    """Trials against a server in this process; `killed` tells whether it would have been ended."""

    def __init__(self) -> None:
        self.killed = 0

    def kill(self) -> None:
        """Note it."""
        self.killed += 1

    def trial(self, port: int, patience: float) -> Trial:
        """Return one."""
        compiled()
        tree = Tree(os.getpid())
        return Trial(port, None, tree, Budget(1, patience), kill=self.kill)  # type: ignore[arg-type]


@pytest.fixture
def plays() -> Plays:
    return Plays()


def test_the_longest_wait_is_that_of_the_attack(plays: Plays) -> None:
    def stand_still(line: Line) -> None:
        time.sleep(1.0)
        server.accept_job(line)

    server = Victim(stand_still)
    with server.running_server() as port:
        done = victim.waits(ATTACK)(plays.trial(port, 30.0))
    assert server.struck
    assert done.calm is not None
    assert done.latency is not None
    assert done.wait is not None
    assert done.wait == done.latency.max
    assert 0.6e6 < done.wait < 30e6, "a second, less what went by until the victim asked again"
    assert done.calm.p50 < 0.5e6
    assert done.latency.p50 < 0.5e6, "it was no standstill all the time"
    assert done.jobs > 1
    assert done.grown is not None
    assert not done.endless
    assert not done.cut
    assert not plays.killed


def test_who_does_not_answer_any_more_is_given_up(plays: Plays) -> None:
    released = threading.Event()

    def hang(line: Line) -> None:
        released.wait(60)

    with Victim(hang).running_server() as port:
        began = time.monotonic()
        done = victim.waits(ATTACK)(plays.trial(port, 2.0))
        took = time.monotonic() - began
        released.set()
    assert (done.wait, done.endless) == (2.0e6, True)
    assert plays.killed == 1
    assert took < 30


def test_an_attack_that_does_not_end_is_left(plays: Plays) -> None:
    server = Victim(lambda line: None)
    with server.running_server() as port:
        done = victim.waits(ATTACK)(plays.trial(port, 2.0))
    assert server.struck
    assert not done.endless
    assert done.latency is not None
    assert done.wait == done.latency.max
    assert plays.killed == 1, "it has not got over it"


def test_an_attacker_that_is_cut_off_is_told(plays: Plays) -> None:
    def cut(line: Line) -> None:
        raise ConnectionResetError

    with Victim(cut).running_server() as port:
        done = victim.waits(ATTACK)(plays.trial(port, 30.0))
    assert done.cut.startswith("Connection")
    assert not done.endless
    assert not plays.killed


def test_wrong_answers_under_attack_are_told(plays: Plays) -> None:
    class Confused(Victim):
        def say(self, line: Line, kind: int, body: bytes) -> bytes:
            if self.struck and kind == wire.WORK_COMPLETE:
                body = b"H:fake:1\0" + body.partition(b"\0")[2]
            return raw(wire.RES, kind, body)

    server = Confused(lambda line: server.accept_job(line))
    with server.running_server() as port, pytest.raises(WrongAnswer, match="no job of this client in flight"):
        victim.waits(ATTACK)(plays.trial(port, 30.0))


def test_a_server_that_hangs_up_on_everybody_is_told(plays: Plays) -> None:
    def hang_up(line: Line) -> None:
        for other in server.lines:
            other.sock.shutdown(socket.SHUT_RDWR)

    server = Victim(hang_up)
    with server.running_server() as port, pytest.raises(ConnectionError):
        victim.waits(ATTACK)(plays.trial(port, 30.0))


# --- the attacker ---------------------------------------------------------------------------------------


def test_an_attack_that_cannot_be_prepared_says_why() -> None:
    class Closes(FakeServer):
        def hear(self, line: Line, request: bytes) -> None:
            raise ConnectionResetError

    with (
        Closes().running_server() as port,
        pytest.raises(TooSlowError, match="could not be prepared: Connection"),
        attacker.attacker("waits-and-leaves", port, 10, 30.0),
    ):
        pass


def test_preparing_has_its_time() -> None:
    class Silent(FakeServer):
        def hear(self, line: Line, request: bytes) -> None:
            """Say nothing."""

    with (
        Silent().running_server() as port,
        pytest.raises(TooSlowError, match=r"could not be prepared: in 0\.5 s"),
        attacker.attacker("waits-and-leaves", port, 10, 0.5),
    ):
        pass


def test_an_attack_tells_how_it_went_and_is_gone_afterwards() -> None:
    with FakeServer().running_server() as port:
        with attacker.attacker("empty-lines-and-cancel", port, 1, 30.0) as one:
            assert one.told(0.0) is None
            one.process.kill()
            with pytest.raises(ConnectionError, match="the process of the attack ended"):
                one.told(30.0)
        with attacker.attacker("waits-and-leaves", port, 10, 30.0) as one:
            one.strike()
            assert one.told(30.0) == attacker.Told(None, "")
            assert one.process.poll() is None, "its connections stay"
    assert one.process.poll() is not None


class Stubborn(FakeServer):
    """Says the process id of somebody else, and knows any function."""

    pid = 0

    def text(self, command: str) -> bytes:
        return b"OK %d\n" % self.pid if command == "getpid" else b"OK\r\n"


@pytest.fixture(params=[False, True], ids=["obedient", "stubborn"])
def child(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], bool]]:
    """A process to be ended with SIGTERM, which it may not care for."""
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if request.param else ""
    code = f"import signal, time\n{ignore}\nprint('ready', flush=True)\ntime.sleep(100)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process, request.param
        process.kill()


def test_a_stop_takes_until_the_process_has_ended(child: tuple[subprocess.Popen[str], bool], plays: Plays) -> None:
    process, stubborn = child
    server = Stubborn()
    server.pid = process.pid
    with server.running_server() as port:
        done = victim.takes("alike-and-stop")(plays.trial(port, 1.0 if stubborn else 30.0))
    assert (done.endless, plays.killed) == (stubborn, int(stubborn))
    assert done.wait is not None
    assert done.wait == 1.0e6 if stubborn else 0 < done.wait < 30e6
    assert (process.poll() is None) is stubborn


def test_an_attacker_that_is_cut_off_from_what_it_waits_for_is_a_failure(plays: Plays) -> None:
    class Closes(FakeServer):
        def text(self, command: str) -> bytes:
            if command.startswith("cancel"):
                raise ConnectionResetError
            return super().text(command)

    with Closes().running_server() as port, pytest.raises(ConnectionError):
        victim.takes("empty-lines-and-cancel")(plays.trial(port, 60.0))


# --- in a run -------------------------------------------------------------------------------------------


def test_every_scenario_plays_an_attack_that_there_is(monkeypatch: pytest.MonkeyPatch, plays: Plays) -> None:
    class Noted(Exception):  # noqa: N818
        pass

    def note(name: str, port: int, size: int, seconds: float) -> None:
        raise Noted(name, size)

    monkeypatch.setattr(victim, "attacker", note)
    played = set()
    for scenario in ATTACKED:
        with pytest.raises(Noted) as told:
            scenario.play(plays.trial(1, 1.0))
        played.add(told.value.args[0])
    assert played == set(ATTACKS)


def test_sizes_are_those_of_the_names_in_every_profile() -> None:
    for scenario in ATTACKED:
        for profile in Profile:
            assert scenario.budget(profile, 1.0).jobs == scenario.x
        assert scenario.budget(Profile.QUICK, 0.001).jobs == max(int((scenario.x or 0) / 1000), 1)
        assert scenario.budget(Profile.QUICK, 1.0).seconds < scenario.budget(Profile.FULL, 1.0).seconds


def bench(kept: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line, short."""
    how = ["--quick", "--rounds", "1", "--share", "0.002", "--json", kept, *words]
    command = [sys.executable, "-m", "benchmarks", *map(str, how)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=200, check=False)


def rounds(found: Results) -> dict[str, dict[str, Round]]:
    """The round of each subject that has one, by scenario."""
    return {row.name: {one.subject: one.rounds[0] for one in row.measured if one.rounds} for row in found.rows}


def test_scenarios_are_played_with_ours_and_stock(tmp_path: Path) -> None:
    peer("gearmand")
    kept = tmp_path / "kept.json"
    names = [
        "jobs held, abilities change 10 k",
        "functions alike but for case, stopped 10 k",
        "peers over TLS that ask for all jobs and leave 10",
    ]
    done = bench(kept, "--against", "gearmand", *(word for name in names for word in ("--only", name)))
    assert done.returncode == 0, done.stderr
    found = read(kept)
    jsonschema.validate(msgspec.json.decode(kept.read_bytes()), schema())
    held, stopped, secret = (rounds(found)[name] for name in names)
    assert set(held) == set(stopped) == {OURS, STOCK}
    assert all(one.wait and one.calm and one.latency and one.jobs > 0 for one in held.values())
    assert all(one.wait and one.calm is None for one in stopped.values())
    assert set(secret) == {OURS}
    assert found.rows[2].of(STOCK) is not None
    assert "Without gearmand (Debian's speaks no TLS)" in done.stdout
    assert "Standing still: the longest wait" in done.stdout


def test_that_another_server_dies_is_a_result(tmp_path: Path) -> None:
    program = tmp_path / "gearmand"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.support.dying_server "$@"\n')
    program.chmod(0o755)
    kept = tmp_path / "kept.json"
    name = "MB in one job 16"
    done = bench(kept, "--only", name, "--against", "gearmand", "--gearmand", program)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"did not come through: {name}: gearmand: ConnectionError" in done.stderr
    assert "FAILED" not in done.stderr
    (row,) = read(kept).rows
    stock = row.of(STOCK)
    assert stock is not None
    assert f"gearmand ended with status {STATUS}" in stock.missing
    assert set(rounds(read(kept))[name]) == {OURS}


@pytest.mark.parametrize(
    ("label", "wrong", "attacked", "surprises"),
    [
        (OURS, False, True, True),
        (OURS, False, False, True),
        (STOCK, False, True, False),
        (STOCK, True, True, True),
        (STOCK, False, False, True),
    ],
)
def test_others_may_go_under_but_not_lie(label: str, wrong: bool, attacked: bool, surprises: bool) -> None:
    assert Failure(label, "any", "it ended", wrong, attacked).surprises is surprises


class Silent:
    """Progress that nobody looks at."""

    def start(self, total: int) -> None:
        """Nothing to say."""

    def doing(self, text: str) -> None:
        """Nothing to say."""

    def step(self) -> None:
        """Nothing to say."""


def played(monkeypatch: pytest.MonkeyPatch, endless: str = "", no_tls: str = "") -> Runner:
    """Play the scenarios with made-up figures; one subject does not answer any more."""

    def measure(self: Runner, scenario: Scenario, play: Play, label: str, pace: float) -> Round:
        return Round(1, 0.0, wait=1.0, endless=label == endless)

    monkeypatch.setattr(Runner, "_measure", measure)
    subjects = {kind.label: kind() for kind in SUBJECTS}
    one = Runner(subjects, {}, ATTACKED, Profile.DEFAULT, 5, 1.0, Cores(pin=False), {}, no_tls)
    one.run(Silent())
    return one


@pytest.mark.parametrize("endless", ["", OURS])
def test_ours_has_three_rounds_unless_it_does_not_answer_any_more(
    monkeypatch: pytest.MonkeyPatch, endless: str
) -> None:
    for row in played(monkeypatch, endless).rows:
        stock, ours = row.of(STOCK), row.of(OURS)
        assert stock is not None
        assert ours is not None
        assert len(stock.rounds) == (0 if stock.missing else 1), "it is context"
        assert len(ours.rounds) == (1 if endless else 3)


def test_a_quick_run_has_one_round_of_each() -> None:
    for scenario in ATTACKED:
        assert [scenario.rounds(5, profile, OURS) for profile in Profile] == [1, 3, 3]
        assert scenario.rounds(2, Profile.DEFAULT, OURS) == 2
        assert {scenario.rounds(5, profile, STOCK) for profile in Profile} == {1}


def test_without_a_certificate_the_others_are_measured_and_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for scenario, row in zip(ATTACKED, played(monkeypatch, no_tls="no openssl").rows, strict=True):
        ours = row.of(OURS)
        assert ours is not None
        assert ours.missing == ("no openssl" if scenario.tls else "")
        absent = {one.subject: one.missing for one in row.measured if not one.rounds}
        assert absent["limit"] == runner.NO_PART["limit"]
