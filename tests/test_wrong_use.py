"""Wrong use of what is public from Python: an exception each time, and never a crash.

Wrong types, too few and too many arguments, twice, after the end, from a second thread; and calls at a moment when the
broker is at work. Under AddressSanitizer too.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gearfast
from gearfast import Broker, Config, InProcessPeer, JobQueue, PacketReader
from gearfast.broker import Dropped
from gearfast.peer import Report

COMPILED = [path.stem for path in sorted(Path(gearfast.__file__).parent.glob("*.pyx"))]
CLASSES = sorted(
    {
        thing
        for module in COMPILED
        for thing in vars(importlib.import_module(f"gearfast.{module}")).values()
        if inspect.isclass(thing) and thing.__module__ == f"gearfast.{module}" and not issubclass(thing, int)
    },
    key=lambda thing: (thing.__module__, thing.__name__),
)
WRONG: tuple[Any, ...] = (None, 1, -1, 1 << 70, 1.5, "text", b"bytes", object(), [], (), {}, Config(), print)


def refused(call: Callable[..., object], *args: object, **named: object) -> None:
    """It may do as it is told, or raise; nothing else."""
    with contextlib.suppress(TypeError, ValueError, OverflowError, AttributeError, RuntimeError, NotImplementedError):
        call(*args, **named)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_class_is_made_of_the_right_things_or_not_at_all(kind: type) -> None:
    refused(kind)
    refused(kind.__new__, kind)
    for one in WRONG:
        refused(kind, one)
        refused(kind, *[one] * 9)
        refused(kind, nonsense=one)
        for other in WRONG:
            refused(kind, one, other)
            refused(kind, one, one, other, other, one)
    gc.collect()


def made() -> dict[str, Callable[[], object]]:
    """One of each that can be used from Python."""
    return {
        "Broker": Broker,
        "InProcessPeer": lambda: InProcessPeer(Broker()),
        "JobQueue": JobQueue,
        "PacketReader": PacketReader,
        "Handles": lambda: Broker().handles,
        "Endings": lambda: Broker().endings,
        "Journal": lambda: Broker().journal,
        "Abilities": lambda: InProcessPeer(Broker()).each_ability(),
    }


@pytest.mark.parametrize("name", made())
def test_a_method_takes_the_right_things_or_nothing(name: str) -> None:
    make = made()[name]
    for method in (name for name in dir(make()) if not name.startswith("_")):
        for one in WRONG:
            for count in range(4):
                refused(getattr(make(), method), *[one] * count)
            refused(setattr, make(), method, one)
        refused(getattr(make(), method), b"f", b"x", b"u")
    gc.collect()


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
    with pytest.raises(ValueError, match="at some moment"):
        InProcessPeer(Broker()).submit(b"f", background=True, due=due)
