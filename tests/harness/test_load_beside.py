"""Clients beside the load: their jobs come in at a rate of their own, are checked, and are no jobs of the run."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.errors import Stalled, WrongAnswer
from benchmarks.results import Latency, Round
from benchmarks.scenarios import durable
from benchmarks.trial import Budget, TooSlowError, Trial
from tests.support import wire
from tests.support.fake_server import FakeServer, Line
from tests.support.loading import load
from tests.support.wire import raw

pytestmark = pytest.mark.timeout(300)


class Notes(FakeServer):
    """Keeps what was submitted beside; optionally bends the answers to it."""

    def __init__(self, bent: bytes | None = None, after: int = 3) -> None:
        super().__init__()
        self.beside: list[bytes] = []
        self.kinds: Counter[tuple[int, bytes]] = Counter()
        self.bent, self.after = bent, after
        self.flowing = False

    def submit(self, line: Line, kind: int, body: bytes) -> None:
        function, unique, _ = body.split(b"\0", 2)
        self.kinds[kind, function] += 1
        self.flowing = function == b"beside"
        if not self.flowing:
            super().submit(line, kind, body)
            return
        self.beside.append(unique)
        self.made += 1
        self.answer(line, wire.JOB_CREATED, b"H:fake:%d" % self.made)  # nobody works it, so it need not be queued

    def say(self, line: Line, kind: int, body: bytes) -> bytes:
        if self.flowing and kind == wire.JOB_CREATED and self.bent is not None and len(self.beside) > self.after:
            return self.bent
        return super().say(line, kind, body)


def test_jobs_beside_are_background_jobs_of_a_function_of_their_own() -> None:
    server = Notes()
    with server.running_server() as port:
        many = load(port)
        many.workers(2)
        many.clients(2, foreground=True)
        many.beside(3, rate=2000, unique=36)
        first = many.run_at(200, 40)
        between = len(server.beside)
        second = many.run_at(200, 40)
        alone = many.run(10)  # a closed loop has them too
        many.hang_up(["beside"])
        after = len(server.beside)
        without = many.run(10)
    assert set(server.kinds) == {(wire.SUBMIT_JOB, b"work0"), (wire.SUBMIT_JOB_BG, b"beside")}
    assert server.kinds[wire.SUBMIT_JOB, b"work0"] == first.jobs + second.jobs + alone.jobs + without.jobs == 100
    assert 0 < between < after == len(server.beside)
    assert len(set(server.beside)) == after, "each is a job, also those of a later run"
    assert {len(unique) for unique in server.beside} == {36}
    for outcome, sent in ((first, between), (second, after - between)):
        assert 0 < sum(count for _, count in outcome.beside) <= sent, "what is answered later flows no more"
        assert sum(count for _, count in outcome.latencies) == 40
    assert without.beside == []


def test_as_many_are_due_as_the_rate_says() -> None:
    server = Notes()
    with server.running_server() as port:
        many = load(port)
        many.clients(1)
        many.beside(2, rate=500)
        outcome = many.run_at(100, 51)
    # half a second of jobs on time, and however long it took until the run was over
    assert len(server.beside) >= 245
    assert sum(count for _, count in outcome.beside) <= outcome.seconds * 500 + 1
    assert server.beside[0] == b""


WRONG = {
    "a handle that is not above the last": (raw(wire.RES, wire.JOB_CREATED, b"H:fake:0"), "handle numbers .* ascend"),
    "a job": (raw(wire.RES, wire.JOB_ASSIGN, b"H:fake:9\0beside\0x"), "a job .*nothing was asked"),
    "an error": (raw(wire.RES, wire.ERROR, b"QUEUE_ERROR\0no room"), "QUEUE_ERROR: no room"),
    "more than were asked": (
        b"".join(raw(wire.RES, wire.JOB_CREATED, b"H:fake:%d" % number) for number in range(1_000, 3_000)),
        "nothing was asked",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_told(name: str) -> None:
    bent, said = WRONG[name]
    with Notes(bent).running_server() as port:
        many = load(port)
        many.clients(1)
        many.beside(1, rate=200)
        with pytest.raises(WrongAnswer, match=f"side client 0: .*{said}"):
            many.run_at(50, 100)


def test_who_waits_for_them_is_told() -> None:
    with Notes(b"", after=0).running_server() as port:
        many = load(port, patience=0.5)
        many.clients(1)
        many.beside(2, rate=200)
        with pytest.raises(Stalled, match=r"2 of 2 side clients for \d+ answers \(side client 0 the first\)"):
            many.run_at(100, 20)


def test_a_server_that_cannot_keep_up_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The latency beside fewer jobs than the name says would be that of another scenario."""
    stored = 0

    class Outcome:
        latencies = ((100, 1),)
        seconds = 2.0

        @property
        def beside(self) -> list[tuple[int, int]]:
            return [(100, stored // 2), (200, stored - stored // 2)]

    class Peers:
        def __getattr__(self, name: str) -> object:
            return lambda *_, **__: None

    monkeypatch.setattr(Trial, "paced", lambda _: (Round(1, 2.0, rate=2000.0), Outcome()))
    trial = Trial(1, Peers(), None, Budget(1, 1.0))  # type: ignore[arg-type]
    stored = 88_000
    with pytest.raises(TooSlowError, match=r"stored only 44,000 of 50,000 jobs per second"):
        durable.foreground(50_000.0)(trial)
    stored = 98_000
    done = durable.foreground(50_000.0)(trial)
    assert (done.beside, type(done.latency)) == (49_000, Latency)
