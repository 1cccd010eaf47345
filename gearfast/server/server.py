"""The server: listeners, sessions, drain, and the lives of its plugins."""

import asyncio
import errno
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple, Self

from gearfast.broker.broker import Broker
from gearfast.broker.events import Kind
from gearfast.config import Config, default_handle_prefix
from gearfast.errors import ConfigError, ListenError, StoreError
from gearfast.logs import NOTICE
from gearfast.server.calendar import Calendar
from gearfast.server.commands import Commands
from gearfast.server.door import Door, origin_of, turn_away
from gearfast.server.drain import Drain
from gearfast.server.fenced import is_waited_for, refuse_jobs
from gearfast.server.listener import close_listener, handed_over, host_of, is_tcp, name_of, open_listeners
from gearfast.server.plain import SocketTransport
from gearfast.server.plugin import Event, Plugin, plugins_of
from gearfast.server.policies import Policies
from gearfast.server.refusals import Refusals
from gearfast.server.request import answer_requests
from gearfast.server.secure import TlsTransport
from gearfast.server.session import Service, Session
from gearfast.server.threads import Load, Threads
from gearfast.server.tls import server_context
from gearfast.server.transport import Transport
from gearfast.server.turn import Turn
from gearfast.server.visitor import make_visitor
from gearfast.store.checked import store_of
from gearfast.store.contract import Store
from gearfast.store.writer import Writer

log = logging.getLogger("gearfast")


class FunctionFigures(NamedTuple):
    """What ``status`` and ``prioritystatus`` tell of a function (protocol section 4)."""

    name: bytes
    jobs: int
    """Of every state: running, queued and delayed."""
    running: int
    workers: int
    high: int
    """Queued, of this priority."""
    normal: int
    low: int


class Server:
    """A Gearman job server on the running event loop.

    It installs no signal handlers and keeps nothing global: several may run in one process. All of it belongs to the
    thread of the loop that it is started on; from another one, RuntimeError is raised.
    """

    def __init__(
        self,
        config: Config | None = None,
        plugins: Sequence[Plugin] = (),
        store: Store | None = None,
        listeners: Sequence[socket.socket] = (),
    ) -> None:
        """Make it; nothing is opened yet. With ``listeners``, which listen already, no address of the config is bound.

        Raises ConfigError when an argument is not what it has to be.
        """
        if not isinstance(config, Config | None):
            raise ConfigError(f"{config!r} is not a Config: write Server(Config(port=4730))")
        self.config = config = config or Config()
        self.plugins = plugins_of(plugins)
        store = store_of(store)
        prefix = config.job_handle_prefix or default_handle_prefix()
        self.broker = Broker(
            prefix.encode("utf-8", "surrogateescape"),
            job_retries=config.job_retries,
            worker_wakeup=config.worker_wakeup,
            wakeup_grace=config.wakeup_grace,
            remembered_results=config.remembered_results,
            memory_step=config.memory_step,
            function_rest=config.function_rest,
        )
        self.commands = Commands()
        """Of the admin text, for plugins to add theirs."""
        self.service = Service(self.broker, config, log, self.commands.answer)
        answer_requests(self.service, config.timeout_unit, config.submit_parameters)
        self.writer = None if store is None else Writer(store, self.broker, config, partial(refuse_jobs, self.service))
        self.policies = Policies(self.broker, config.policy)
        """What holds for the jobs of functions, and who says so."""
        self.calendar = Calendar(self.broker)
        self.service.date = self.calendar.date_soon
        self.started: list[Plugin] = []
        self.handed = handed_over(listeners)
        self.listeners: list[socket.socket] = []
        self.context: ssl.SSLContext | None = None
        self.running = False
        self.thread = 0  # the loop's, once it is started
        self.replaying: asyncio.Task[None] | None = None
        self.writing: Writer | None = None  # once it has the jobs
        self.threads: Threads | None = None
        self.draining: Drain | None = None
        self.addresses: list[str] = []
        self.ending = asyncio.Event()

    # --- life ---

    async def start(self) -> None:
        """Replay what the store holds, start the plugins, bind and listen.

        Raises ListenError, ConfigError or StoreError (also when it is told to stop while the store still replays);
        nothing is left running then. Raises RuntimeError if it runs already.
        """
        self.check_thread()
        if self.running:
            raise RuntimeError("the server runs already: make another one with Server()")
        self.loop = asyncio.get_running_loop()
        self.thread = threading.get_ident()
        self.turn = Turn(self.service, self.loop, self.config)
        if self.config.max_memory > 0 and not self.turn.memory.can_measure():
            raise ConfigError("--max-memory (Config.max_memory) needs /proc, to see how much the process has")
        self.door = Door(self.config, self.service.sessions)
        self.refusals = Refusals(self.loop)
        if self.config.max_connections > self.door.first_kept:
            log.error(
                "--max-connections=%d is more than the file descriptors allow, about %d: raise --file-descriptors",
                self.config.max_connections,
                self.door.first_kept,
            )
        self.running = True
        self.service.notes.log_jobs(log.isEnabledFor(NOTICE))
        try:
            if self.config.ssl:
                self.context = server_context(self.config)
            if self.writer is not None:
                await self.replay(self.writer)
            else:
                self.policies.start({}, None)
            self.policies.followed = self.followed
            self.calendar.start(self.turn.rest)
            for plugin in self.plugins:
                await plugin.start(self)
                self.started.append(plugin)
            self.listeners = self.handed or open_listeners(self.config)
            self.threads = Threads(self.turn, self.config, self.loop)
            self.threads.start()
        except BaseException:
            self.listeners = self.listeners or self.handed
            await self.close()
            raise
        self.addresses = [name_of(listener) for listener in self.listeners]
        for listener in self.listeners:
            self.accept_from(listener)

    def followed(self) -> None:
        """Functions follow other policies now."""
        self.turn.rest()
        self.calendar.zones_changed()

    async def replay(self, writer: Writer) -> None:
        """Have the store's jobs; `stop` ends that too."""
        policies = partial(self.policies.start, keep=writer.remember)  # jobs that come from the store follow them
        self.replaying = asyncio.ensure_future(writer.start(self.turn.answer_fenced, policies))
        try:
            await self.replaying
        except asyncio.CancelledError:
            if not self.ending.is_set():
                raise
            raise StoreError("the server was told to stop before it had read all jobs") from None
        self.service.keep_in(writer.store.largest, writer.begin)
        self.writing = writer
        self.turn.over()  # some jobs may be due, though nobody has said anything yet

    def drain(self) -> None:
        """Accept nobody any more, serve who is there, and stop when no job has to be waited for (see ``Drain``)."""
        self.check_thread()
        self.stop_listening()
        if not self.running or (self.writer is not None and self.writing is None):
            self.stop()
        elif self.draining is None:
            self.broker.draining = self.writing is not None
            self.broker.winding_down = True
            self.draining = Drain(self.broker, self.config, self.stop)
            self.turn.when_idle(self.stop)

    def reload(self) -> None:
        """Read the policy file and the TLS files again: these for connections that come from now on.

        Files that cannot be used change nothing.
        """
        self.check_thread()
        self.policies.reload()
        if self.context is None:
            return
        try:
            self.context = server_context(self.config)
        except ListenError as error:
            log.error("The TLS files could not be read again, and the old ones stay in use: %s", error)
        else:
            log.log(NOTICE, "The TLS files were read again")

    @property
    def port(self) -> int:
        """The first TCP port on which it listens; 0: there is none. Of use with ``Config(port=0)``."""
        return next((listener.getsockname()[1] for listener in self.listeners if is_tcp(listener)), 0)

    def functions(self) -> list[FunctionFigures]:
        """Every function, with its figures. Of very many that takes a while: `Broker.scan_functions` has slices."""
        found: list[FunctionFigures] = []
        cursor, more = 0, True
        while more:
            cursor, rows = self.broker.scan_functions(cursor, 1000)
            found += [FunctionFigures(*row[:-1], *row[-1]) for row in rows]
            more = cursor != 0
        return found

    @property
    def replayed(self) -> int:
        """Jobs that came from the store at the start."""
        return 0 if self.writer is None else self.writer.replayed

    def stop(self) -> None:
        """End at once; what is in memory only is lost."""
        if self.running:
            self.turn.memory.spend_last_reserve()
        self.check_thread()
        if self.replaying is not None:
            self.replaying.cancel()
        self.ending.set()

    def spend_reserves(self) -> None:
        """Have all memory that is kept: for a loop that has none left to hear that it is to stop."""
        if self.running:
            self.turn.spend_reserve()
            self.turn.memory.spend_last_reserve()

    async def __aenter__(self) -> Self:
        """Start it. Raises what `start` raises."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it, and wait for its end."""
        await self.shutdown()

    async def serve_forever(self) -> None:
        """Start it, if that was not done, and wait for its end. Raises what `start` and `wait_closed` raise."""
        if not self.running:
            await self.start()
        await self.wait_closed()

    async def shutdown(self) -> None:
        """Stop it, and wait for its end. Raises what `wait_closed` raises."""
        self.stop()
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait for the end, then give everything back. Raises StoreError if something could not be written.

        A task that is cancelled while it waits here, as by Ctrl-C, ends the server in the same order.
        """
        try:
            await self.ending.wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Tell who waits for the store, close every connection, and stop the plugins and the store."""
        self.check_thread()
        self.stop_listening()
        if self.draining is not None:
            self.draining.end()
        if self.writing is not None:
            await self.writing.flush(partial(is_waited_for, self.service))
        if self.threads is not None:  # before the store: what they say yes to is kept
            self.threads.stop()
            self.turn.over()  # what they had yet to send
        if self.writing is not None:
            self.broker.closing = True
            self.writing.hold()
        for session in list(self.service.sessions.values()):
            session.abort()
        if self.running:
            self.running = False
            self.policies.followed = None
            self.calendar.stop()
            self.turn.close()
            self.refusals.tell()
        while self.started:
            await self.started.pop().stop()
        if self.writing is not None:
            try:
                await self.writing.stop()
            finally:
                self.writing = None

    def check_thread(self) -> None:
        """Raise RuntimeError in another thread than the loop's: that one might notice nothing, or be at work."""
        if self.thread not in (0, threading.get_ident()):
            raise RuntimeError("a server belongs to the thread of its loop: use loop.call_soon_threadsafe(server.stop)")

    def unwritten(self) -> str:
        """Return what the store would not have if the server ended now; empty: nothing is missing."""
        return "" if self.writing is None else self.writing.unwritten()

    # --- for the plugins ---

    @property
    def sessions(self) -> dict[int, Session]:
        """Every connection by its serial number, the oldest first."""
        return self.service.sessions

    def memory(self) -> dict[str, int]:
        """What the process has of it, in bytes (see ``Memory.figures``)."""
        return self.turn.memory.figures()

    def loads(self) -> list[Load]:
        """What each thread does that serves connections, the loop's first; none before it listens."""
        return [] if self.threads is None else self.threads.loads()

    def listen(self, callback: Callable[[list[Event], int], None], kinds: Iterable[Kind]) -> None:
        """Have this function told of events of these kinds, at the end of each turn of the loop that had some.

        It is called with a list of them, the oldest first, and with how many more there were, for which there was no
        room. It must not take long: the loop waits meanwhile. One that raises is told no more, and the log says so.
        """
        self.service.notes.listen(callback, kinds)

    # --- peers ---

    def accept_from(self, listener: socket.socket) -> None:
        """Take connections from this listener whenever there are some."""
        if listener in self.listeners:
            self.loop.add_reader(listener.fileno(), self.accept, listener)

    def stop_listening(self) -> None:
        """Close the listeners; connections stay."""
        for listener in self.listeners:
            self.loop.remove_reader(listener.fileno())
            close_listener(listener)
        self.listeners = []

    def accept(self, listener: socket.socket) -> None:
        """Take the connections that wait, a bounded number of them."""
        for _ in range(self.config.accept_burst):
            try:
                connection, address = listener.accept()
                self.welcome(connection, host_of(address[0]).encode() if is_tcp(listener) else b"unix")
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self.pause_accepting(listener, error)
                return
            except MemoryError:
                self.turn.spend_reserve()
                self.pause_accepting(listener, OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)))
                return

    def pause_accepting(self, listener: socket.socket, error: OSError) -> None:
        """Do not spin while there are no descriptors, or no memory; peers in the backlog are accepted later."""
        advice = " Raise --file-descriptors (or ulimit -n)." if error.errno in {errno.EMFILE, errno.ENFILE} else ""
        log.error("accept: %s; new peers wait.%s", error.strerror, advice)
        self.loop.call_later(self.config.accept_pause, self.accept_from, listener)  # first: it may fail
        self.loop.remove_reader(listener.fileno())

    def welcome(self, connection: socket.socket, address: bytes) -> None:
        """Start a session on a new connection, if there is room for it."""
        connection.setblocking(False)
        reason = self.door.full(address, connection.fileno())
        if not reason:
            self.door.entered(self.serve(connection, address))
            return
        self.refusals.note(address, reason)
        origin = origin_of(connection)
        if self.door.has_place(origin):
            visitor = self.serve(connection, address)
            make_visitor(visitor.session)
            self.door.visited(visitor, origin)
        else:
            turn_away(connection, in_plain=self.context is None or not is_tcp(connection))

    def serve(self, connection: socket.socket, address: bytes) -> Transport:
        """Give a session to a connection; whatever happens, its descriptor is the transport's from now on."""
        tcp = is_tcp(connection)
        if tcp:
            self.tune(connection)
        given = (self.turn, self.loop, connection.detach(), address, self.config.linger)
        if self.context is None or not tcp:
            return SocketTransport(*given)
        return TlsTransport(*given, self.context, self.config.ssl_handshake_timeout)

    def tune(self, connection: socket.socket) -> None:
        """No delay for small packets, and keepalive as configured (protocol section 1.6)."""
        wanted = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        idle = getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", None)
        for option, value in (
            (idle, self.config.keepalive_idle),
            (getattr(socket, "TCP_KEEPINTVL", None), self.config.keepalive_interval),
            (getattr(socket, "TCP_KEEPCNT", None), self.config.keepalive_count),
        ):
            if option is not None and value is not None:
                wanted.append((socket.IPPROTO_TCP, option, value))
        try:
            for level, option, value in wanted:
                connection.setsockopt(level, option, value)
        except OSError as error:  # the peer is gone already; its session will find out
            log.debug("setsockopt: %s", error.strerror)
