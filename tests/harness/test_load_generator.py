"""The load generator against servers that are right: in any rhythm, real ones, and what it counts and measures."""

from __future__ import annotations

import ctypes
import threading
import time
from collections import Counter

import pytest

from benchmarks import latency
from benchmarks.errors import Stalled, WrongAnswer
from tests.support import wire
from tests.support.fake_server import FakeServer, Line
from tests.support.loading import LONG, load
from tests.support.wire import raw

pytestmark = pytest.mark.timeout(300)


def res(kind: int, body: bytes = b"") -> bytes:
    """An answer."""
    return raw(wire.RES, kind, body)


# --- right servers, in any rhythm ---------------------------------------------------------------------------


class ByteByByte(FakeServer):
    """Every byte is a segment of its own."""

    def send(self, line: Line, data: bytes) -> None:
        for at in range(len(data)):
            line.sock.sendall(data[at : at + 1])


class ManyInOne(FakeServer):
    """Answers to ten submits in one segment, cut in the middle of the last."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[Line, bytes] = {}

    def say(self, line: Line, kind: int, body: bytes) -> bytes:
        answer = super().say(line, kind, body)
        if kind != wire.JOB_CREATED:
            return answer
        before = self.held.pop(line, b"") + answer
        if self.made % 10:
            self.held[line] = before
            return b""
        line.sock.sendall(before[:-5])
        return before[-5:]


class Late(FakeServer):
    """From the fifth submit on, a connection hears nothing until a timer says so."""

    def __init__(self) -> None:
        super().__init__()
        self.late: Line | None = None
        self.held = b""

    def send(self, line: Line, data: bytes) -> None:
        if self.made == 5 and self.late is None:
            self.late = line
            threading.Timer(0.3, self.go_on).start()
        if line is self.late:
            self.held += data
        else:
            super().send(line, data)

    def go_on(self) -> None:
        with self.lock:
            assert self.late is not None
            line, self.late = self.late, Line(self.late.sock)
            super().send(line, self.held)


class Noisy(FakeServer):
    """NOOPs before and after whatever a worker is told, needed or not."""

    def say(self, line: Line, kind: int, body: bytes) -> bytes:
        answer = super().say(line, kind, body)
        noop = res(wire.NOOP)
        return noop + answer + noop * 3 if kind in (wire.NO_JOB, wire.JOB_ASSIGN, wire.NOOP) else answer


@pytest.mark.parametrize("spin", [False, True])
@pytest.mark.parametrize("kind", [FakeServer, ByteByByte, Late, Noisy])
def test_a_right_server_in_any_rhythm(kind: type[FakeServer], spin: bool) -> None:
    server = kind()
    with server.running_server() as port:
        many = load(port, spin=spin)
        many.clients(2, in_flight=3)
        assert many.run(20).jobs == 20
        many.hang_up(["clients"])
        many.workers(3)
        assert many.run(15).jobs == 15
        assert len(server.queue) == 5
        many.clients(2, in_flight=2, foreground=True)
        done = many.run(10)
        assert (done.jobs, len(server.queue), len(server.running)) == (10, 0, 0)
        assert sum(count for _, count in done.latencies) == 10
        many.hang_up()


def test_many_answers_in_one_segment() -> None:
    server = ManyInOne()
    with server.running_server() as port:
        many = load(port)
        many.clients(1, in_flight=10)
        assert many.run(200).jobs == 200
        assert server.made == 200


def test_results_may_come_in_any_order() -> None:
    class Backwards(FakeServer):
        held: bytes = b""

        def say(self, line: Line, kind: int, body: bytes) -> bytes:
            answer = super().say(line, kind, body)
            if kind != wire.WORK_COMPLETE:
                return answer
            self.held = answer + self.held
            if self.held.count(b"\0RES") < 5:
                return b""
            answer, self.held = self.held, b""
            return answer

    with Backwards().running_server() as port:
        many = load(port)
        many.clients(1, in_flight=5, foreground=True)
        many.workers(1)
        assert many.run(100).jobs == 100


@pytest.mark.parametrize("payload", [0, 1, 7, 8, 9, 64, 300_000])
def test_payloads_of_every_size_are_carried_there_and_back(payload: int) -> None:
    with FakeServer().running_server() as port:
        many = load(port)
        many.clients(2, in_flight=2, foreground=True, payload=payload)
        many.workers(2)
        assert many.run(12).jobs == 12


def test_an_answer_that_trickles_in_is_no_standstill() -> None:
    class Trickles(FakeServer):
        def say(self, line: Line, kind: int, body: bytes) -> bytes:
            answer = super().say(line, kind, body)
            if kind != wire.JOB_ASSIGN:
                return answer
            for at in range(8):
                line.sock.sendall(answer[at * 1000 : (at + 1) * 1000])
                time.sleep(0.5)
            return answer[8000:]

    with Trickles().running_server() as port:
        many = load(port, patience=3.0)
        many.clients(1, payload=10_000)
        many.run(1)
        many.workers(1)
        many.hang_up(["clients"])
        assert many.run(1).jobs == 1


# --- what is counted and measured ---------------------------------------------------------------------------


def over(counted: list[tuple[int, int]], seconds: float) -> int:
    """How many latencies are longer."""
    return sum(count for bucket, count in counted if latency.value_of(bucket) > seconds * 1e9)


class Stalls(FakeServer):
    """Says nothing at all for half a second, when the 101st job comes."""

    def submit(self, line: Line, kind: int, body: bytes) -> None:
        if self.made == 100:
            self.stall()
        super().submit(line, kind, body)

    def stall(self) -> None:
        time.sleep(0.5)


class StallsBoth(Stalls):
    """The load generator is held up too (it looks for signals ten times a second), and sends late what is due."""

    def stall(self) -> None:
        # Called with the interpreter's lock, which a PyDLL does not let go.
        ctypes.PyDLL(None).usleep(500_000)


@pytest.mark.parametrize("kind", [Stalls, StallsBoth])
def test_an_open_loop_blames_a_stall_on_all_requests_that_were_due(kind: type[Stalls]) -> None:
    with kind().running_server() as port:
        many = load(port)
        many.clients(1)
        outcome = many.run_at(1000, 600)
    assert (outcome.jobs, sum(count for _, count in outcome.latencies)) == (600, 600)
    # The stall cannot begin before request 100 was due, at 0.1 s. All that were due 0.2 s before its end waited longer
    # than that: those of its first 0.3 s, a thousand a second.
    assert over(outcome.latencies, 0.2) >= 290
    assert outcome.seconds >= 0.599


def test_a_closed_loop_cannot_see_that() -> None:
    with Stalls().running_server() as port:
        many = load(port)
        many.clients(1)
        outcome = many.run(600)
    assert sum(count for _, count in outcome.latencies) == 600
    assert over(outcome.latencies, 0.499) >= 1


def test_an_open_loop_sends_what_is_due_whatever_is_unanswered() -> None:
    class AnswersTheLast(FakeServer):
        held = b""

        def send(self, line: Line, data: bytes) -> None:
            self.held += data
            if self.made in (0, 300):
                super().send(line, self.held)
                self.held = b""

    with AnswersTheLast().running_server() as port:
        many = load(port)
        many.clients(1, foreground=False, in_flight=1)
        assert many.run_at(3000, 300).jobs == 300


def test_an_open_loop_with_nothing_due_for_a_while_is_no_standstill() -> None:
    with FakeServer().running_server() as port:
        many = load(port, patience=1.0)
        many.clients(1)
        assert many.run_at(0.7, 3).jobs == 3


def test_an_open_loop_goes_round_all_who_submit() -> None:
    class Counts(FakeServer):
        def __init__(self) -> None:
            super().__init__()
            self.by: Counter[int] = Counter()

        def submit(self, line: Line, kind: int, body: bytes) -> None:
            self.by[self.lines.index(line)] += 1
            super().submit(line, kind, body)

    server = Counts()
    with server.running_server() as port:
        many = load(port)
        many.clients(3)
        many.callers(1)
        assert many.run_at(1000, 80).jobs == 80
    assert [server.by[at] for at in range(3)] == [20, 20, 20]
    assert len(server.by) == 3 + 20


def test_a_run_ends_after_its_seconds_and_finishes_what_it_began() -> None:
    server = FakeServer()
    with server.running_server() as port:
        many = load(port)
        many.clients(2, in_flight=2)
        begun = many.run(1_000_000_000, seconds=0.2).jobs
        assert begun == server.made > 0
        many.workers(2)
        both = many.run(1_000_000_000, seconds=0.2).jobs
        assert server.made == begun + both
        queued = len(server.queue)
        assert queued <= begun
        many.hang_up(["clients"])
        left = many.run(1_000_000_000, seconds=LONG).jobs
        assert (left, len(server.queue), len(server.running)) == (queued, 0, 0)


def test_workers_take_no_more_than_they_are_to() -> None:
    server = FakeServer()
    with server.running_server() as port:
        many = load(port)
        many.clients(1, in_flight=10)
        many.run(50)
        many.hang_up(["clients"])
        many.workers(7)
        for left in (49, 39, 38, 0):
            jobs = len(server.queue) - left
            assert many.run(jobs).jobs == jobs
            assert (len(server.queue), len(server.running)) == (left, 0)
        with pytest.raises(ValueError, match="1 jobs were to be worked, but only 0"):
            many.run(1)


def test_who_sleeps_is_left_asleep() -> None:
    class WakesOne(FakeServer):
        grabs = 0
        woken = -1

        def wake(self, line: Line) -> None:
            if self.woken != self.made:
                self.woken = self.made
                super().wake(line)

        def grab(self, line: Line) -> None:
            self.grabs += 1
            super().grab(line)

    server = WakesOne()
    with server.running_server() as port:
        many = load(port)
        many.workers(30)
        many.clients(1, foreground=True)
        many.run(1)
        assert server.grabs >= 30
        server.grabs = 0
        many.run(5)
        # For each job the one that was woken asks, and asks once more when it has done it.
        assert server.grabs <= 10


def test_every_job_has_a_unique_id_of_its_own() -> None:
    class Notes(FakeServer):
        def __init__(self) -> None:
            super().__init__()
            self.uniques: list[bytes] = []

        def submit(self, line: Line, kind: int, body: bytes) -> None:
            self.uniques.append(body.split(b"\0", 2)[1])
            super().submit(line, kind, body)

    for size in (6, 11, 12, 36, 64):
        server = Notes()
        with server.running_server() as port:
            many = load(port)
            many.clients(3, in_flight=5, unique=size)
            many.run(500)
        assert {len(unique) for unique in server.uniques} == {size}
        assert len({unique.lower() for unique in server.uniques}) == 500, "some stores compare without case"


def test_a_delayed_job_says_when_it_is_due() -> None:
    class Notes(FakeServer):
        def submit(self, line: Line, kind: int, body: bytes) -> None:
            function, unique, when, payload = body.split(b"\0", 3)
            assert (kind, function, unique, len(payload)) == (wire.SUBMIT_JOB_EPOCH, b"work0", b"", 64)
            self.due = int(when)
            super().submit(line, kind, body)

    server = Notes()
    before = int(time.time())
    with server.running_server() as port:
        many = load(port)
        many.clients(1, delay=1000)
        assert many.run(3).jobs == 3
    assert before + 1000 <= server.due <= int(time.time()) + 1000


def test_jobs_go_to_the_functions_in_turn() -> None:
    server = FakeServer()
    with server.running_server() as port:
        many = load(port)
        many.clients(1, functions=12)
        many.run(48)
        assert Counter(job.function for job in server.queue) == {b"work%d" % at: 4 for at in range(12)}


# --- pollers, and peers that do nothing ---------------------------------------------------------------------


def test_a_poller_asks_during_runs_only_and_one_at_a_time() -> None:
    class Polled(FakeServer):
        asked = 0

        def text(self, command: str) -> bytes:
            self.asked += 1
            return super().text(command)

    server = Polled()
    with server.running_server() as port:
        many = load(port)
        many.poll("status", hertz=1000)
        many.poll("version", hertz=10)
        many.clients(1)
        assert server.asked == 0
        outcome = many.run_at(100, 30)
        assert sum(count for _, count in outcome.polls) == server.asked
        assert 2 <= server.asked <= 1000 * outcome.seconds + 10 * outcome.seconds + 4


ANSWERS = {
    "lines of another shape": (
        b"work0\t1\t0\n.\n",
        WrongAnswer,
        r"poller 0: b'work0\\t1\\t0' came as a line .*'status'",
    ),
    "an error": (b"ERR unknown_command Unknown+server+command\r\n", WrongAnswer, "poller 0: b'ERR unknown_command"),
    "one too many": (b".\n.\n", WrongAnswer, r"poller 0: b'\.' came, and nothing was asked"),
    "cut": (b"work0\t1\t0\t1\n", Stalled, r"1 of 1 pollers for 1 answers \(poller 0 the first\)"),
    "cut in a line": (b"work0\t1\t0\t1\n.", Stalled, r"1 of 1 pollers for 1 answers \(poller 0 the first\)"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_wrong_admin_answer_is_seen(name: str) -> None:
    answer, error, message = ANSWERS[name]

    class Wrong(FakeServer):
        def text(self, command: str) -> bytes:
            return answer

    with Wrong().running_server() as port:
        many = load(port, 1.0)
        many.poll("status", hertz=100)
        many.clients(1)
        with pytest.raises(error, match=message):
            many.run_at(1000, 300)


def test_deaf_peers_never_hold_up_a_run() -> None:
    class KeepsEchoesBack(FakeServer):
        def say(self, line: Line, kind: int, body: bytes) -> bytes:
            # This server has one lock: a send that blocks would hold up everyone.
            return b"" if len(body) == 5000 else super().say(line, kind, body)

    with KeepsEchoesBack().running_server() as port:
        many = load(port)
        many.deaf(2, payload=5000, most=4 << 20)
        many.clients(1)
        assert many.run(50).jobs == 50
        assert many.run(50).jobs == 50
        with pytest.raises(ValueError, match="there are deaf peers already"):
            many.deaf(1)
