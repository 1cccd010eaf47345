"""What is made of each class that Python sees, and all the wrong things that can be done with it.

Each class is used by a process of its own, so that one that crashes is known by its name.
"""

from __future__ import annotations

import contextlib
import copy
import faulthandler
import gc
import importlib
import inspect
import logging
import os
import pickle
import socket
import ssl
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gearfast
from gearfast import Broker, Config, InProcessPeer
from gearfast.broker.deadletters import DeadLetters
from gearfast.broker.rulings import Rulings
from gearfast.broker.timetable import Timetable
from gearfast.server.iothread import IoThread
from gearfast.server.outlet import Outlet
from gearfast.server.plain import SocketTransport, Watch
from gearfast.server.request import answer_requests
from gearfast.server.secure import TlsTransport
from gearfast.server.session import Service, Session
from gearfast.server.turn import Turn
from gearfast.store.backlog import Backlog
from gearfast.store.batches import Batches

Call = Callable[..., object]

HOUSE = Path(gearfast.__file__).parent
MODULES = [".".join(path.relative_to(HOUSE.parent).with_suffix("").parts) for path in HOUSE.rglob("*.pyx")]
CLASSES = sorted(
    {
        thing
        for module in MODULES
        for thing in vars(importlib.import_module(module)).values()
        if inspect.isclass(thing) and thing.__module__ == module and not issubclass(thing, int)
    }
    | {
        gearfast.Server,
        gearfast.Config,
        gearfast.StoreSettings,
        *(thing for thing in vars(gearfast).values() if inspect.isclass(thing) and issubclass(thing, Exception)),
    },
    key=lambda thing: (thing.__module__, thing.__name__),
)
"""All compiled ones, and public ones that stand in front of them; what only declares something is left out."""

WRONG: tuple[Any, ...] = (None, -1, 3, 1 << 70, 1.5, "text", b"bytes", object(), [], (None,), {}, Config(), print)
MAY_BE_RAISED = (
    TypeError,
    ValueError,
    OverflowError,
    AttributeError,
    RuntimeError,
    MemoryError,
    StopIteration,
    pickle.PicklingError,
    gearfast.GearfastError,
)


class Loop:
    """A loop that does nothing."""

    def call_soon(self, *_: object) -> None:
        """Never."""

    def call_later(self, *_: object) -> Any:
        """Never."""
        return self

    add_reader = remove_reader = add_writer = remove_writer = call_soon

    def cancel(self) -> None:
        """What has not been begun."""


def quiet_log() -> logging.Logger:
    """One that tells nobody."""
    log = logging.Logger("misuse")
    log.addHandler(logging.NullHandler())
    return log


def service() -> Service:
    """All that sessions share."""
    made = Service(Broker(b"H:x"), Config(), quiet_log())
    answer_requests(made)
    return made


def worker() -> InProcessPeer:
    """One with abilities, jobs in hand, and jobs that it waits for."""
    peer = InProcessPeer(Broker(b"H:x"))
    for name in (b"f", b"g"):
        peer.can_do(name)
        peer.submit(name, b"x", b"u")
    peer.grab()
    return peer


def batches() -> Batches:
    """One in the middle of a batch, with a job to keep and one to forget."""
    peer = worker()
    made = Batches(peer.broker)
    made.open(b"H:x", 10, False)
    for payload in (b"kept", b"forgotten"):
        peer.submit(b"h", payload, background=True)
    made.collect(0, 10, 1000, 10)
    made.written()
    for handle, *_ in peer.broker.scan_jobs(0, 10)[1][-1:]:
        peer.broker.cancel_job(handle)
    peer.submit(b"h", b"new", background=True)
    made.collect(0, 10, 1000, 10)
    return made


def rulings() -> Rulings:
    """With rules that a function follows."""
    made = Rulings(worker().broker)
    made.set([(b"f*", b"retries=3", "paused", b"why")])
    made.apply(0)
    return made


def timetable() -> Timetable:
    """With a schedule that has a date, and one that has none."""
    peer = worker()
    for unique, due in ((b"a", 1e9), (b"b", 0.0)):
        peer.submit(b"f", b"x", unique, background=True, due=due, parameters=b"cron=* * * * *")
    return Timetable(peer.broker)


def turn() -> Turn:
    """Ends of turns that nobody calls."""
    return Turn(service(), Loop(), Config())  # type: ignore[arg-type]


def io_thread() -> IoThread:
    """One that would end at once."""
    made = IoThread(turn(), Config())
    made.end()
    return made


def socket_of(left: list[socket.socket]) -> int:
    """A descriptor for whoever owns it from now on."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    left.append(ours)
    return theirs.detach()


PEERS: list[socket.socket] = []


def transport() -> SocketTransport:
    """A plain one."""
    return SocketTransport(turn(), Loop(), socket_of(PEERS), b"unix", 1.0)  # type: ignore[arg-type]


def tls_transport() -> TlsTransport:
    """One that waits for a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    return TlsTransport(turn(), Loop(), socket_of(PEERS), b"unix", 1.0, context, 1.0)  # type: ignore[arg-type]


def session() -> Session:
    """One with no way out."""
    return Session(service(), Outlet(), 3, b"unix")


MADE: dict[str, Callable[[], Any]] = {
    "Abilities": lambda: worker().each_ability(),
    "Events": lambda: Broker().events,
    "Handles": lambda: Broker().handles,
    "InProcessPeer": worker,
    "Outbox": lambda: Broker().outbox,
    "Backlog": lambda: Backlog(Broker()),
    "Batches": batches,
    "DeadLetters": lambda: DeadLetters(worker().broker),
    "Rulings": rulings,
    "Timetable": timetable,
    "ConfigError": lambda: gearfast.ConfigError("text"),
    "IoThread": io_thread,
    "Lookout": lambda: turn().lookout,
    "Memory": lambda: turn().memory,
    "Notes": lambda: service().notes,
    "ProtocolError": lambda: gearfast.ProtocolError("text"),
    "Server": gearfast.Server,
    "Service": service,
    "Session": session,
    "SocketTransport": transport,
    "StoreSettings": lambda: gearfast.StoreSettings(url="sqlite:f"),
    "TlsTransport": tls_transport,
    "Turn": turn,
    "Watch": lambda: Watch(transport()),
}
"""How one is made that can be used; the others need no arguments."""
GIVEN: dict[str, Callable[[], list[Any]]] = {
    "InProcessPeer": lambda: [Broker()],
    "Backlog": lambda: [Broker()],
    "Batches": lambda: [Broker()],
    "DeadLetters": lambda: [Broker()],
    "Rulings": lambda: [Broker()],
    "Timetable": lambda: [Broker()],
    "Notes": lambda: [quiet_log(), Broker()],
    "Service": lambda: [Broker(), Config(), quiet_log()],
    "Session": lambda: [service(), Outlet(), 3, b"unix"],
    "Lookout": lambda: [service()],
    "Memory": lambda: [service(), Config(max_memory=1 << 40)],
    "SocketTransport": lambda: [turn(), Loop(), socket_of(PEERS), b"unix", 1.0],
    "TlsTransport": lambda: [
        turn(),
        Loop(),
        socket_of(PEERS),
        b"unix",
        1.0,
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        1.0,
    ],
    "Turn": lambda: [service(), Loop(), Config()],
    "Watch": lambda: [transport()],
}
"""What the others are made of."""


def refused(call: Call, *args: object, **named: object) -> object:
    """It may do as it is told, or raise; nothing else."""
    with contextlib.suppress(*MAY_BE_RAISED):
        told = call(*args, **named)
        if inspect.iscoroutine(told):
            with contextlib.closing(told):
                told.send(None)
        return told
    return None


def make_wrongly(kind: type) -> None:
    """Of nothing, of too much, of the wrong things, of the right ones but for one."""
    refused(kind)
    refused(kind.__new__, kind)
    for one in WRONG:
        refused(kind, one)
        refused(kind, *[one] * 9)
        refused(kind, nonsense=one)
        refused(kind.__new__, kind, one)
        refused(kind.__new__, one)
        for other in WRONG:
            refused(kind, one, other)
            refused(kind, one, one, other, other, one)
    given = GIVEN.get(kind.__name__, list)
    for at in range(len(given())):
        for one in WRONG:
            if one != 3:  # somebody's descriptor
                refused(kind, *given()[:at], one, *given()[at + 1 :])
        refused(kind, *given()[:at])
    refused(kind, *given(), *given())


def members(thing: object) -> list[str]:
    """All that it has: what Python itself calls too, but for its end."""
    own = [name for name in dir(thing) if not name.startswith("_")]
    return own + [name for name in ("__call__", "__next__", "__iter__", "__len__", "__init__") if hasattr(thing, name)]


def use_wrongly(make: Callable[[], Any]) -> None:
    """Each method with what is wrong for it, on a new one and again on the same one, in every order of two."""
    used = make()
    for name in members(make()):
        for one in WRONG:
            for count in range(4):
                refused(getattr(make(), name), *[one] * count)
                refused(getattr(used, name), *[one] * count)
            refused(setattr, make(), name, one)
            refused(delattr, make(), name)
        refused(getattr(make(), name), b"f", b"x", b"u")
        for second in members(used):
            twice = make()
            for again in (name, second, name):
                refused(getattr(twice, again))


def use_afterwards(make: Callable[[], Any]) -> None:
    """After its end, and after that of all that it knows."""
    for end in ("close", "disconnect", "abort", "stop", "tick"):
        ended = make()
        if hasattr(ended, end):
            refused(getattr(ended, end))
            for name in members(ended):
                refused(getattr(ended, name))
    methods = [getattr(make(), name, None) for name in members(make())]
    gc.collect()
    for method in methods:
        refused(method)  # type: ignore[arg-type]


def use_elsewhere(make: Callable[[], Any]) -> None:
    """In another thread, and then here again."""
    thing = make()
    for name in members(thing):
        refused(getattr(thing, name))
    thread = threading.Thread(target=lambda: [refused(getattr(thing, name)) for name in members(thing)])
    thread.start()
    thread.join()
    for name in members(thing):
        refused(getattr(thing, name))


def derive(kind: type, make: Callable[[], Any]) -> None:
    """Subclasses that forget to make what they are, and one that comes back when it is forgotten; copies."""
    for space in ({}, {"__init__": lambda self, *_: None}, {"__new__": lambda cls, *_: object.__new__(cls)}):
        derived = refused(type, "Derived", (kind,), space)
        if derived is not None:
            make_wrongly(derived)  # type: ignore[arg-type]
    revived: list[Any] = []
    phoenix = refused(type, "Phoenix", (kind,), {"__del__": revived.append})
    if phoenix is not None:
        refused(phoenix, *GIVEN.get(kind.__name__, list)())  # type: ignore[arg-type]
        gc.collect()
        for thing in revived:
            for name in members(thing):
                refused(getattr(thing, name))
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        if kind is not gearfast.Server:  # which is plain Python, and whose log cannot be copied
            refused(copied, make())
    del revived[:]
    gc.collect()


def misuse(kind: type) -> None:
    """Everything."""
    make = MADE.get(kind.__name__, kind)
    before = os.fstat(0)
    make_wrongly(kind)
    gc.collect()
    use_wrongly(make)
    use_afterwards(make)
    use_elsewhere(make)
    derive(kind, make)
    gc.collect()
    assert os.path.samestat(os.fstat(0), before), "what was not made has closed somebody's descriptor"


def misused(kind: type) -> int:
    """The exit status of a process that does all this."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 3
        try:
            faulthandler.enable()
            sys.unraisablehook = lambda _: None
            misuse(kind)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
