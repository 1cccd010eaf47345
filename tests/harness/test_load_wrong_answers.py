"""Every way in which a server can answer wrongly, and the words in which the load generator says so."""

from __future__ import annotations

import _thread
import signal
import socket
from collections.abc import Callable

import pytest

from benchmarks.errors import Stalled, WrongAnswer
from tests.support import wire
from tests.support.fake_server import FakeServer, Job, Line
from tests.support.loading import load
from tests.support.wire import raw

pytestmark = pytest.mark.timeout(300)

SOON = 1.0  # seconds that a load waits for a server which never answers


def res(kind: int, body: bytes = b"") -> bytes:
    """An answer."""
    return raw(wire.RES, kind, body)


# --- wrong answers: each has its message --------------------------------------------------------------------

Bend = Callable[[FakeServer, Line, int, bytes], bytes | None]


class Bent(FakeServer):
    """A right server, but for one thing it says; None from `bend`: nothing bent."""

    def __init__(self, bend: Bend) -> None:
        super().__init__()
        self.bend = bend
        self.first: dict[int, bytes] = {}

    def say(self, line: Line, kind: int, body: bytes) -> bytes:
        self.first.setdefault(kind, body)
        bent = self.bend(self, line, kind, body)
        return super().say(line, kind, body) if bent is None else bent


def on(kind: int, bent: Callable[[bytes], bytes]) -> Bend:
    """Bend every packet of one type."""
    return lambda server, line, spoken, body: bent(body) if spoken == kind else None


def hang_up(body: bytes) -> bytes:
    raise ConnectionAbortedError


def flipped(body: bytes) -> bytes:
    """The last byte changed."""
    return body[:-1] + bytes([body[-1] ^ 1])


def again(server: FakeServer, line: Line, kind: int, body: bytes) -> bytes | None:
    """The first job is assigned every time."""
    return res(kind, server.first[kind]) if kind == wire.JOB_ASSIGN and isinstance(server, Bent) else None


CLIENT_WRONGS: dict[str, tuple[Bend, str]] = {
    "no H": (
        on(wire.JOB_CREATED, lambda body: res(8, b"X:fake:1")),
        r"client \d: the handle b'X:fake:1' came, due",
    ),
    "no number": (on(wire.JOB_CREATED, lambda body: res(8, b"H:fake:x1")), r"client \d: the handle b'H:fake:x1' came"),
    "two parts": (on(wire.JOB_CREATED, lambda body: res(8, b"H:12")), r"client \d: the handle b'H:12' came"),
    "empty handle": (on(wire.JOB_CREATED, lambda body: res(8, b"")), r"client \d: the handle b'' came"),
    "the same": (on(wire.JOB_CREATED, lambda body: res(8, b"H:f:7")), r"client \d: the handle numbers.*7 came after 7"),
    "wrong type": (on(wire.JOB_CREATED, lambda body: res(20, body)), r"client \d: a packet of type 20 came"),
    "worker's answer": (on(wire.JOB_CREATED, lambda body: res(10)), r"client \d: a NO_JOB came, and nothing was asked"),
    "two for one": (
        on(wire.JOB_CREATED, lambda body: res(8, body) + res(8, body + b"0") + res(8, body + b"00")),
        r"client \d: the acknowledgement of a job .* came, and nothing was asked",
    ),
    "error": (
        on(wire.JOB_CREATED, lambda body: res(19, b"QUEUE_ERROR\0Job queue is full")),
        r"client \d: the server answered with an ERROR, QUEUE_ERROR: Job queue is full",
    ),
    "rubbish": (
        on(wire.JOB_CREATED, lambda body: b"OK thanks"),
        r"client \d: an answer must begin with .* b'OK thanks",
    ),
    "request magic": (
        on(wire.JOB_CREATED, lambda body: raw(wire.REQ, 8, body)),
        r"client \d: an answer must begin with",
    ),
    "four gigabytes": (
        on(wire.JOB_CREATED, lambda body: raw(wire.RES, 8, b"", 0xFFFFFFFF)),
        r"client \d: a packet of type 8 with 4294967295 bytes came",
    ),
    "echo changed": (on(wire.ECHO_RES, lambda body: res(17, flipped(body))), r"client \d: an ECHO_RES came with"),
}


@pytest.mark.parametrize("name", CLIENT_WRONGS)
def test_a_wrong_answer_to_a_client_is_seen(name: str) -> None:
    bend, message = CLIENT_WRONGS[name]
    with Bent(bend).running_server() as port:
        many = load(port)

        def play() -> None:
            many.clients(2, in_flight=2)
            many.run(20)

        with pytest.raises(WrongAnswer, match=message):
            play()
        with pytest.raises(RuntimeError, match="has failed"):
            many.run(1)


def moved(body: bytes) -> bytes:
    """A job under another function's name."""
    handle, _, payload = body.split(b"\0", 2)
    return res(11, b"\0".join((handle, b"work1", payload)))


def renumbered(body: bytes) -> bytes:
    """A job whose number nobody submitted."""
    handle, function, payload = body.split(b"\0", 2)
    return res(11, b"\0".join((handle, function, payload[:7] + b"\x7f" + payload[8:])))


WORKER_WRONGS: dict[str, tuple[Bend, str]] = {
    "payload": (
        on(wire.JOB_ASSIGN, lambda body: res(11, flipped(body))),
        r"worker \d: the payload of job \d+ of submitter \d differs from its byte 63 on",
    ),
    "payload cut": (
        on(wire.JOB_ASSIGN, lambda body: res(11, body[:-1])),
        r"worker \d: the payload .* has 63 bytes",
    ),
    "payload gone": (on(wire.JOB_ASSIGN, lambda body: res(11, body[:-60])), r"worker \d: a job .* payload of 4 bytes"),
    "number": (on(wire.JOB_ASSIGN, renumbered), r"worker \d: a job was assigned whose number \w+ nobody submitted"),
    "function": (on(wire.JOB_ASSIGN, moved), r"worker \d: job .* with function b'work1', it was submitted to b'work0'"),
    "twice": (again, r"worker \d: job \d+ of submitter \d was assigned a second time"),
    "two for one": (
        on(wire.JOB_ASSIGN, lambda body: res(11, body) + res(11, body)),
        r"worker \d: (job \d+ of submitter \d was assigned a second time|a job .* came, and nothing was asked)",
    ),
    "no NULs": (on(wire.JOB_ASSIGN, lambda body: res(11, b"H:fake:1")), r"worker \d: a packet of type 11 lacks an"),
    "handle": (
        on(wire.JOB_ASSIGN, lambda body: res(11, b"H:f:1\0" + body)),
        r"worker \d: the handle b'H:f:1' came",
    ),
    "NO_JOB with a body": (on(wire.NO_JOB, lambda body: res(10, b"x")), r"worker \d: a packet of type 10 has no body"),
    "error": (on(wire.NO_JOB, lambda body: res(19, b"SOMETHING\0else")), r"worker \d: the .* ERROR, SOMETHING: else"),
    "created": (on(wire.JOB_ASSIGN, lambda body: res(8, b"H:fake:1")), r"worker \d: the acknowledgement of a job"),
}


@pytest.mark.parametrize("name", WORKER_WRONGS)
def test_a_wrong_answer_to_a_worker_is_seen(name: str) -> None:
    bend, message = WORKER_WRONGS[name]
    with Bent(bend).running_server() as port:
        many = load(port)
        many.clients(2, in_flight=2)
        many.run(4)
        many.hang_up(["clients"])
        many.clients(2, in_flight=2, foreground=True)
        many.workers(2)
        with pytest.raises(WrongAnswer, match=message):
            many.run(20)


def test_a_job_without_a_number_is_known_by_its_handle() -> None:
    with Bent(again).running_server() as port:
        many = load(port)
        many.clients(1, in_flight=4, payload=3)
        many.run(4)
        many.workers(1)
        with pytest.raises(WrongAnswer, match=r"worker 0: the job with handle number 1 was assigned a second time"):
            many.run(4)


def test_a_queue_that_is_a_stack_is_seen() -> None:
    class Stack(FakeServer):
        def take(self) -> Job | None:
            return self.queue.pop() if self.queue else None

    with Stack().running_server() as port:
        many = load(port)
        many.clients(2, in_flight=5)
        many.run(20)
        many.hang_up(["clients"])
        many.workers(1)
        with pytest.raises(WrongAnswer, match=r"job \d+ of submitter \d was assigned after its job \d+, though"):
            many.run(20)


def test_order_holds_within_a_function_only() -> None:
    class LastFunctionFirst(FakeServer):
        def take(self) -> Job | None:
            if not self.queue:
                return None
            job = max(self.queue, key=lambda job: job.function)
            self.queue.remove(job)
            return job

    with LastFunctionFirst().running_server() as port:
        many = load(port)
        many.clients(2, in_flight=5, functions=4)
        many.run(40)
        many.hang_up(["clients"])
        many.workers(1, functions=4)
        assert many.run(40).jobs == 40


RESULT_WRONGS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "foreign handle": (
        lambda body: b"H:fake:9999" + body[body.index(b"\0") :],
        "handle b'H:fake:9999', which is no",
    ),
    "changed": (flipped, r"the result of job \d+ of submitter 0 differs from its byte 63 on"),
    "cut": (lambda body: body[:-1], r"the result of job \d+ of submitter 0 has 63 bytes, 64 were due"),
    "another job's": (
        lambda body: body[: body.index(b"\0") + 1] + b"\x63" + body[body.index(b"\0") + 2 :],
        r"the result of job \d+ of submitter 0 differs from its byte 0 on",
    ),
}


@pytest.mark.parametrize("name", RESULT_WRONGS)
def test_a_wrong_result_is_seen(name: str) -> None:
    bent, message = RESULT_WRONGS[name]
    with Bent(on(wire.WORK_COMPLETE, lambda body: res(13, bent(body)))).running_server() as port:
        many = load(port)
        many.clients(1, in_flight=2, foreground=True)
        many.workers(1)
        with pytest.raises(WrongAnswer, match="client 0: .*" + message):
            many.run(20)


def test_a_result_that_comes_twice_is_seen() -> None:
    with Bent(on(wire.WORK_COMPLETE, lambda body: res(13, body) * 2)).running_server() as port:
        many = load(port)
        many.clients(1, foreground=True)
        many.workers(1)
        with pytest.raises(WrongAnswer, match="client 0: a result came for handle b'H:fake:1', which is no job"):
            many.run(20)


def test_results_of_another_size_are_what_workers_were_told_to_give() -> None:
    with FakeServer().running_server() as port:
        many = load(port)
        many.clients(1, foreground=True, payload=20)
        many.workers(1, result=1000)
        assert many.run(10).jobs == 10
    with Bent(on(wire.WORK_COMPLETE, lambda body: res(13, flipped(body)))).running_server() as port:
        many = load(port)
        many.clients(1, foreground=True, payload=20)
        many.workers(1, result=1000)
        with pytest.raises(WrongAnswer, match=r"the result of job 0 of submitter 0 differs from its byte 999"):
            many.run(10)


# --- servers that close, or say nothing ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "who"),
    [(wire.JOB_CREATED, "client"), (wire.JOB_ASSIGN, "worker"), (wire.WORK_COMPLETE, "(client|worker)")],
)
def test_a_server_that_closes_in_the_middle(kind: int, who: str) -> None:
    with Bent(on(kind, hang_up)).running_server() as port:
        many = load(port)
        many.clients(2, foreground=True)
        many.workers(2)
        with pytest.raises(ConnectionError, match=rf"^{who} \d: the (server closed the connection|connection broke)"):
            many.run(20)


def test_an_idle_peer_that_is_cut_off_is_seen() -> None:
    class CutsIdle(FakeServer):
        def submit(self, line: Line, kind: int, body: bytes) -> None:
            super().submit(line, kind, body)
            self.lines[0].sock.shutdown(socket.SHUT_RDWR)

    with CutsIdle().running_server() as port:
        many = load(port)
        many.idle(1)
        many.clients(1)
        with pytest.raises(ConnectionError, match="idle peer 0"):
            many.run(1000)


def test_nobody_listens() -> None:
    server = FakeServer()
    server.listener.close()
    with pytest.raises(ConnectionError, match=r"client 0: .*refused"):
        load(server.port).clients(1)


SILENCES = [
    (wire.JOB_CREATED, r"nothing came for 1 s; waiting are 2 of 2 clients for 6 answers \(client 0 the first\)"),
    (wire.WORK_COMPLETE, r"2 of 2 clients for 6 answers"),
    (wire.JOB_ASSIGN, r"1 of 1 workers for 1 answers \(worker 0 the first\); 0 of 6 jobs came to a worker"),
    (wire.NO_JOB, r"1 of 1 workers for 1 answers"),
]


@pytest.mark.parametrize("spin", [False, True])
@pytest.mark.parametrize(("kind", "message"), SILENCES)
def test_a_server_that_never_answers(kind: int, message: str, spin: bool) -> None:
    with Bent(on(kind, lambda body: b"")).running_server() as port:
        many = load(port, SOON, spin=spin)
        many.clients(2, in_flight=3, foreground=kind != wire.JOB_CREATED)
        if kind != wire.JOB_CREATED:
            many.workers(1)
        with pytest.raises(Stalled, match=message):
            many.run(20)


def test_a_lost_job_is_missed() -> None:
    class Loses(FakeServer):
        def take(self) -> Job | None:
            if len(self.queue) == 1:
                self.queue.clear()
            return super().take()

    with Loses().running_server() as port:
        many = load(port, SOON)
        many.clients(1, in_flight=10)
        many.run(10)
        many.hang_up(["clients"])
        many.workers(2)
        with pytest.raises(Stalled, match="9 of 10 jobs came to a worker"):
            many.run(10)
        with pytest.raises(RuntimeError):
            many.workers(1)


def test_an_interrupt_ends_a_run() -> None:
    # A shell starts what is to run behind it with this signal ignored; then no interrupt would come at all.
    old = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupted(body: bytes) -> bytes:
        _thread.interrupt_main()
        return b""

    with Bent(on(wire.JOB_CREATED, interrupted)).running_server() as port:
        many = load(port)
        many.clients(1)
        try:
            with pytest.raises(KeyboardInterrupt):
                many.run(1)
        finally:
            signal.signal(signal.SIGINT, old)
