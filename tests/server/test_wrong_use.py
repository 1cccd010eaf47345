"""Wrong use of what is public from Python: an exception each time, and never a crash.

Wrong types, too few and too many arguments, twice, after the end, from a second thread; and calls at a moment when the
broker is at work. Under AddressSanitizer too.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import threading
from collections.abc import Callable

import pytest

from gearfast import Broker, InProcessPeer, Server
from gearfast.broker.broker import Dropped
from gearfast.broker.peer import Report
from gearfast.server.session import Session
from tests.support import wire
from tests.support.inside import LOCAL, Talk, play
from tests.support.misuse import CLASSES, misused


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_no_wrong_use_of_a_class_ends_the_interpreter(kind: type) -> None:
    """An exception at the most, whatever is done with it, when, and where."""
    assert misused(kind) == 0


def test_a_peer_goes_on_after_it_has_left_twice() -> None:
    broker = Broker(b"H:test")
    peer = InProcessPeer(broker)
    peer.can_do(b"f")
    peer.disconnect()
    peer.disconnect()
    handle = peer.submit(b"f")
    assert handle is not None
    peer.can_do(b"f")
    assert peer.grab() is not None
    assert peer.tell(handle, Report.COMPLETE, b"x") == 0
    assert peer.heard == [(Report.COMPLETE, handle, b"x")]


def in_another_thread(call: Callable[[], object]) -> BaseException | None:
    raised: list[BaseException | None] = [None]

    def run() -> None:
        try:
            call()
        except BaseException as error:
            raised[0] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised[0]


@pytest.mark.parametrize(
    "call",
    [
        lambda broker, peer: peer.submit(b"f"),
        lambda broker, peer: peer.can_do(b"f"),
        lambda broker, peer: peer.cant_do(b"f"),
        lambda broker, peer: peer.reset_abilities(),
        lambda broker, peer: peer.grab(),
        lambda broker, peer: peer.sleep(),
        lambda broker, peer: peer.tell(b"H:test:1", Report.COMPLETE),
        lambda broker, peer: peer.progress(b"H:test:1", 1, 2),
        lambda broker, peer: peer.disconnect(),
        lambda broker, peer: broker.tick(0.0, 0.0),
        lambda broker, peer: broker.cancel_job(b"H:test:1"),
        lambda broker, peer: broker.create_function(b"f"),
        lambda broker, peer: broker.drop_function(b"f"),
        lambda broker, peer: broker.limit_function(b"f", (1, 1, 1)),
    ],
)
def test_a_broker_belongs_to_one_thread(call: Callable[[Broker, InProcessPeer], object]) -> None:
    broker = Broker(b"H:test")
    peer = InProcessPeer(broker)
    peer.can_do(b"g")
    assert isinstance(in_another_thread(lambda: call(broker, peer)), RuntimeError)
    call(broker, peer)  # and is none the worse for it


def test_a_broker_may_be_made_in_one_thread_and_used_in_another() -> None:
    broker = Broker(b"H:test")
    assert in_another_thread(lambda: broker.create_function(b"f")) is None
    with pytest.raises(RuntimeError, match="belongs to the thread"):
        broker.create_function(b"g")
    assert [row[0] for row in broker.scan_functions(0, 10)[1]] == [b"f"]


def test_a_peer_that_is_forgotten_in_another_thread_leaves_all_the_same() -> None:
    broker = Broker(b"H:test")
    peers = [InProcessPeer(broker)]
    peers[0].submit(b"f")
    assert broker.job_count == 1
    in_another_thread(peers.clear)
    assert broker.job_count == 0
    assert broker.drop_function(b"f") is Dropped.DROPPED


@pytest.mark.parametrize("due", [float("nan"), float("inf")])
def test_a_job_is_due_at_some_moment(due: float) -> None:
    with pytest.raises(ValueError, match="the due time of a job cannot be"):
        InProcessPeer(Broker()).submit(b"f", background=True, due=due)


@pytest.mark.parametrize("name", ["start", "stop", "drain", "reload", "close", "abort", "over", "answer_fenced"])
def test_a_server_belongs_to_the_thread_of_its_loop(name: str) -> None:
    """The error says how it is done; nothing has happened, and nobody has been cut off."""

    async def scene() -> None:
        server = Server(LOCAL)
        await server.start()
        async with Talk(server) as peer:
            handle = (await peer.call(wire.SUBMIT_JOB, "f", "", payload="x")).body
            [session] = server.sessions.values()
            error = in_another_thread(lambda: call_of(server, session, name))
            assert isinstance(error, RuntimeError), error
            assert "thread" in str(error)
            peer.say(wire.CAN_DO, "f")
            assert (await peer.call(wire.GRAB_JOB)).args()[0] == handle
            assert list(server.sessions.values()) == [session]
            with pytest.raises(RuntimeError, match="the server runs already"):
                await server.start()
            assert (await peer.call(wire.ECHO_REQ, payload="x")).body == b"x"
        server.stop()
        await server.wait_closed()

    play(scene())


def call_of(server: Server, session: Session, name: str) -> None:
    """Call what has this name. A coroutine is run as far as it goes by itself."""
    method = getattr(session if name == "abort" else server if hasattr(server, name) else server.turn, name)
    task = method()
    if inspect.iscoroutine(task):
        with contextlib.closing(task):
            task.send(None)


def test_a_server_says_how_another_thread_stops_it() -> None:
    async def scene() -> None:
        server = Server(LOCAL)
        await server.start()
        error = in_another_thread(server.stop)
        assert str(error) == "a server belongs to the thread of its loop: use loop.call_soon_threadsafe(server.stop)"
        in_another_thread(lambda: server.loop.call_soon_threadsafe(server.stop) and None)
        await server.wait_closed()

    play(scene())


def test_a_server_does_not_start_on_a_broker_of_another_thread() -> None:
    async def scene() -> None:
        server = Server(LOCAL)
        in_another_thread(lambda: server.broker.create_function(b"f"))
        with pytest.raises(RuntimeError, match="a broker belongs to the thread that used it first"):
            await server.start()

    play(scene())


def test_what_a_worker_can_do_ends_with_its_worker_or_broker() -> None:
    """However far it has been looked through."""
    for looked in range(4):
        broker = Broker()
        worker = InProcessPeer(broker)
        for name in (b"f", b"g", b"h"):
            worker.can_do(name)
        left, forgotten = worker.each_ability(), worker.each_ability()
        for abilities in (left, forgotten):
            assert [next(abilities) for _ in range(looked)] == [b"h", b"g", b"f"][:looked]
        worker.disconnect()
        assert list(left) == []
        worker.can_do(b"f")
        del broker, worker
        gc.collect()
        assert list(forgotten) == []
