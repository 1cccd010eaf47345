"""What a server calls of other people's Python, it calls while nothing is at work: whatever that does is safe.

Handlers of the log, plugins and loops do here what they like: they call the broker, close sessions, end turns. The
broker refuses every call while it works, so one that is not refused shows that it does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import logging
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from gearfast import InProcessPeer, Server
from gearfast.logs import NOTICE
from gearfast.plugins.admin import Admin
from gearfast.protocol import cron
from gearfast.server.session import Session
from gearfast.store.contract import Batch
from tests.support import wire
from tests.support.durable import Obedient
from tests.support.inside import LOCAL, Talk, play

SMALL = dataclasses.replace(LOCAL, output_limit=65536, output_pause=16384, job_retries=1)
log = logging.getLogger("gearfast")


class Meddler(logging.Handler):
    """Does all that it can to a server, whenever it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.server: Server | None = None
        self.calls = 0
        self.refused: list[BaseException] = []
        self.inside = False

    def __call__(self, *_: object) -> None:
        if self.server is None or self.inside:
            return
        self.calls += 1
        self.inside = True
        try:
            self.meddle(self.server)
        except Exception as error:
            self.refused.append(error)
        finally:
            self.inside = False

    def emit(self, record: logging.LogRecord) -> None:
        """A line of the log."""
        self()

    def meddle(self, server: Server) -> None:
        """End every job and every connection."""
        broker = server.broker
        peer = InProcessPeer(broker)
        peer.can_do(b"f")
        peer.submit(b"f", b"x", b"u")
        peer.grab()
        peer.sleep()
        broker.create_function(b"made")
        broker.limit_function(b"made", (1, 1, 1))
        broker.drop_function(b"made")
        for handle, *_ in broker.scan_jobs(0, 1000)[1]:
            broker.cancel_job(handle)
        peer.disconnect()
        broker.tick(0.0, 0.0)
        for session in list(server.sessions.values()):
            list(session.each_ability())
            session.abort()


class Looker(Meddler):
    """Only looks whether the broker works."""

    def meddle(self, server: Server) -> None:
        """What changes nothing."""
        server.broker.limit_function(b"no such function", (0, 0, 0))


@pytest.fixture
def meddler() -> Iterator[Meddler]:
    handler = Meddler()
    log.addHandler(handler)
    before = log.level
    log.setLevel(NOTICE)
    yield handler
    log.removeHandler(handler)
    log.setLevel(before)


async def nothing_is_left(server: Server) -> None:
    """The server is sound, and serves."""
    assert server.broker.job_count == server.broker.running == server.broker.unkept == 0
    async with Talk(server) as peer:
        assert (await peer.call(wire.ECHO_REQ, payload="hello")).body == b"hello"
        handle = (await peer.call(wire.SUBMIT_JOB, "g", "", payload="x")).body
        peer.say(wire.CAN_DO, "g")
        assert (await peer.call(wire.GRAB_JOB)).args()[0] == handle
        assert (await peer.call(wire.WORK_COMPLETE, handle, payload="y")).args() == [handle, b"y"]
    assert server.broker.job_count == 0


Scene = Callable[[Server, Talk, Talk], Coroutine[Any, Any, None]]


async def refusal(server: Server, client: Talk, worker: Talk) -> None:
    """A report on a job that is not there."""
    worker.say(wire.WORK_COMPLETE, "H:x:1", payload="")


async def accepted(server: Server, client: Talk, worker: Talk) -> None:
    """Each job is a line."""
    for _ in range(300):
        client.say(wire.SUBMIT_JOB, "f", "u", payload="x")


async def broken(server: Server, client: Talk, worker: Talk) -> None:
    """A packet that ends its connection, in the middle of others."""
    client.writer.write(wire.request(wire.SUBMIT_JOB, "f", "", payload="x") * 3 + b"\0BAD\0\0\0\1\0\0\0\0")


async def deaf(server: Server, client: Talk, worker: Talk) -> None:
    """Clients that do not take their results are cut off while they are told."""
    for _ in range(400):
        client.say(wire.SUBMIT_JOB, "f", "u", payload="x")
    await client.hear()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    handle = (await worker.call(wire.GRAB_JOB)).args()[0]
    worker.say(wire.WORK_DATA, handle, payload=b"d" * 2000)


async def failed(server: Server, client: Talk, worker: Talk) -> None:
    """Background jobs that fail, in one turn with others' submits."""
    for _ in range(3):
        client.say(wire.SUBMIT_JOB_BG, "f", "", payload="x")
    handles = [(await client.hear()).body for _ in range(3)]
    for handle in handles:
        assert (await worker.call(wire.GRAB_JOB)).args()[0] == handle
    for handle in handles:
        worker.say(wire.WORK_FAIL, handle)


async def lost(server: Server, client: Talk, worker: Talk) -> None:
    """The last worker that may lose a job is gone."""
    await client.call(wire.SUBMIT_JOB, "f", "", payload="x")
    await worker.call(wire.GRAB_JOB)
    worker.writer.close()


async def cancelled(server: Server, client: Talk, worker: Talk) -> None:
    """By an administrator, on the connection that waits for it."""
    handle = (await client.call(wire.SUBMIT_JOB, "f", "", payload="x")).body
    client.writer.write(b"cancel job " + handle + b"\n" + wire.request(wire.ECHO_REQ, payload="x"))


SCENES = [refusal, accepted, broken, deaf, failed, lost, cancelled]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_log_handler_may_do_as_it_likes(meddler: Meddler, scene: Scene) -> None:
    async def play_it() -> None:
        server = Server(SMALL, [Admin()])
        await server.start()
        async with Talk(server) as client, Talk(server) as worker:
            worker.say(wire.CAN_DO, "f")
            await worker.call(wire.ECHO_REQ, payload="")
            await scene(server, client, worker)
            meddler.server = server  # what the scene did last has not reached the server yet
            while not meddler.calls:
                await asyncio.sleep(0)
            while server.sessions:
                await asyncio.sleep(0)
        meddler.server = None
        assert meddler.refused == []
        await nothing_is_left(server)
        server.stop()
        await server.wait_closed()

    play(play_it())


class Meddling(Admin):
    """A plugin that does more than to answer."""

    def __init__(self, meddler: Meddler) -> None:
        self.meddler = meddler

    async def start(self, server: Server) -> None:
        """`now`: meddles and answers; `later`: answers piece by piece, and meddles in between."""
        await super().start(server)
        server.commands.add("now", self.now)
        server.commands.add("later", lambda words, session: self.pieces())

    def now(self, words: list[bytes], session: Session) -> bytes:
        """Meddle, and answer."""
        self.meddler()
        return b"OK\n"

    def pieces(self) -> Iterator[bytes]:
        """An answer."""
        yield b"one\n"
        self.meddler()
        yield b"two\n"


@pytest.mark.parametrize("line", [b"now\n", b"later\n"])
@pytest.mark.parametrize("busy", [False, True])
def test_a_plugin_may_do_as_it_likes(line: bytes, busy: bool) -> None:
    """In the middle of what the peer has sent, and of what others wait for."""

    async def scene() -> None:
        meddler = Meddler()
        server = Server(SMALL, [Meddling(meddler)])
        await server.start()
        async with Talk(server) as peer, Talk(server) as other:
            meddler.server = server
            other.say(wire.CAN_DO, "f")
            other.say(wire.PRE_SLEEP)
            jobs = wire.request(wire.SUBMIT_JOB, "f", "u", payload="x") * (50 if busy else 1)
            peer.writer.write(jobs + line + jobs + line + jobs)
            assert b"NOT HEARD" not in await peer.reader.read()
            assert await other.reader.read() in (wire.raw(wire.RES, wire.NOOP, b""), b"")
        assert meddler.calls >= 1
        assert meddler.refused == []
        meddler.server = None
        await nothing_is_left(server)
        server.stop()
        await server.wait_closed()

    play(scene())


def test_a_plugin_cannot_end_the_turn_it_is_called_in() -> None:
    async def scene() -> None:
        told: list[str] = []

        class Hasty(Admin):
            async def start(self, server: Server) -> None:
                server.commands.add("x", self.answer)

            def answer(self, words: list[bytes], session: Session) -> Iterator[bytes]:
                self.try_it()
                return self.pieces()

            def pieces(self) -> Iterator[bytes]:
                self.try_it()
                yield b"answer\n"

            def try_it(self) -> None:
                for call in (server.turn.over, server.turn.answer_fenced):
                    try:
                        call()
                    except RuntimeError as error:
                        told.append(str(error))
                server.turn.tick()

        server = Server(LOCAL, [Hasty()])
        await server.start()
        async with Talk(server) as peer:
            peer.writer.write(b"x\n" + wire.request(wire.ECHO_REQ, payload="hello"))
            assert await peer.reader.readline() == b"answer\n"
            assert (await peer.hear()).body == b"hello"
        assert len(told) == 4
        assert all("a peer is being served: call it when that is done" in text for text in told)
        server.turn.over()
        server.stop()
        await server.wait_closed()

    play(scene())


@pytest.mark.parametrize("end", ["stop", "drain", "close the turn"])
def test_a_plugin_may_end_the_server(end: str) -> None:
    async def scene() -> None:
        class Ending(Admin):
            async def start(self, server: Server) -> None:
                server.commands.add("end", self.answer)

            def answer(self, words: list[bytes], session: Session) -> Iterator[bytes]:
                {"stop": server.stop, "drain": server.drain, "close the turn": server.turn.close}[end]()
                return iter([b"bye\n"])

        server = Server(LOCAL, [Ending()])
        await server.start()
        async with Talk(server) as peer:
            peer.writer.write(wire.request(wire.SUBMIT_JOB, "f", "", payload="x") + b"end\n" * 3)
            if end == "close the turn":  # then nothing is sent any more
                while server.broker.job_count == 0:
                    await asyncio.sleep(0)
                server.stop()
            elif end == "drain":
                await peer.hear()
                assert await peer.reader.readline() == b"bye\n"
                peer.writer.close()
            await server.wait_closed()
            assert server.sessions == {}
            assert server.broker.job_count == 0

    play(scene())


# --- loops and stores ------------------------------------------------------------------------


class Loop(asyncio.SelectorEventLoop):
    """One that is written in Python, and looks at each call."""

    looker: Looker


def looked_at(name: str) -> Callable[..., Any]:
    """A method of the loop that looks first."""

    def method(self: Loop, *arguments: Any, **named: Any) -> Any:
        if hasattr(self, "looker"):
            self.looker()
        return getattr(asyncio.SelectorEventLoop, name)(self, *arguments, **named)

    return method


for name in ("call_soon", "call_later", "call_at", "add_reader", "remove_reader", "add_writer", "remove_writer"):
    setattr(Loop, name, looked_at(name))


class Looking(Obedient):
    """A store that looks at each of its calls."""

    looker: Looker

    async def write(self, batch: Batch) -> None:
        """Write."""
        self.looker()
        await super().write(batch)
        self.looker()


def test_the_loop_and_the_store_are_called_while_nothing_works() -> None:
    """Wakes, hang-ups, deaf peers, time-outs, slices, answers that wait: with everything that peers can cause."""
    looker = Looker()

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        store = Looking()
        store.looker = loop.looker = looker
        server = Server(SMALL, [Admin()], store)
        await server.start()
        looker.server = server
        for scene in SCENES:
            async with Talk(server) as client, Talk(server) as worker, Talk(server) as sleeper:
                worker.say(wire.CAN_DO_TIMEOUT, "f", "1")
                await worker.call(wire.ECHO_REQ, payload="")
                sleeper.say(wire.CAN_DO, "f")
                sleeper.say(wire.PRE_SLEEP)
                await scene(server, client, worker)
                client.say(wire.SUBMIT_JOB_EPOCH, "later", "", "1", payload="x")
                client.writer.write(b"show jobs\n")
                async with Talk(server) as admin:
                    admin.writer.write(b"workers\nshow jobs\n")
                    for _ in range(2):
                        await admin.reader.readuntil(b".\n")
        server.stop()
        await server.wait_closed()

    play(scene(), Loop)
    assert looker.calls > 100
    assert looker.refused == []


# --- finalisers ------------------------------------------------------------------------------


class Loose:
    """A circle; when the collector finds it, its finaliser does what it likes, in the middle of whatever there is."""

    def __init__(self, meddler: Meddler, refused: list[str]) -> None:
        self.itself = self
        self.meddler = meddler
        self.refused = refused

    def __del__(self) -> None:
        self.meddler()
        self.refused += [str(error) for error in self.meddler.refused]
        self.meddler.refused.clear()


def test_a_finaliser_is_refused_while_the_broker_works_and_does_no_harm_then() -> None:
    meddler = Meddler()
    refused: list[str] = []

    async def scene() -> None:
        server = Server(SMALL, [Admin()])
        await server.start()
        meddler.server = server
        for turn in range(30):
            if turn < 20:
                cron._read.cache_clear()  # so that there is something to allocate between two verbs
            async with Talk(server) as client:
                client.say(wire.CAN_DO, "f")
                client.say(wire.SUBMIT_JOB, "f", "u", payload="x")
                client.say(wire.GRAB_JOB)
                for number in range(100):
                    client.say(wire.SUBMIT_JOB, "f", "", payload="x")
                    at = (str(number % 60), str(number // 60), "", "", "")
                    client.say(wire.SUBMIT_JOB_SCHED, "f", "too long" * 9, *at, payload="x")
                client.writer.write(b"status\n" * 10)
                gc.collect()
                for _ in range(20):
                    Loose(meddler, refused)
                gc.set_threshold(gc.get_count()[0] + 60 + 20 * turn, 1000, 1000)
                with contextlib.suppress(ConnectionError):
                    await client.reader.read(100)
                gc.set_threshold(700, 10, 10)
        meddler.server = None
        for session in list(server.sessions.values()):
            session.abort()
        for handle, *_ in server.broker.scan_jobs(0, 1000)[1]:
            server.broker.cancel_job(handle)
        await nothing_is_left(server)
        server.stop()
        await server.wait_closed()

    before = gc.get_threshold()
    try:
        play(scene())
    finally:
        gc.set_threshold(*before)
    assert meddler.calls >= 30
    assert {text.partition(":")[0] for text in refused} == {"the broker is at work"}
