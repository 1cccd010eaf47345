"""The program ``gearfast``: a command line becomes a running server, or a look into the store of one.

Exit codes: 0 after SIGTERM, SIGINT or a drain, for ``--help``, ``--version`` and a good ``--check-args``, and when
``gearfast store`` has done its work; 130 when that was interrupted; 1, with one line on standard error, for everything
else.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import uvloop

from gearfast import logs
from gearfast.cli import command, daemon, options, queues, store_command, systemd
from gearfast.cli.command import Command, Wish
from gearfast.cli.log import logbook
from gearfast.cli.log.descriptor import descriptor_of
from gearfast.cli.log.terminal import say
from gearfast.config import VERSION
from gearfast.errors import ConfigError, GearfastError, StoreError
from gearfast.plugins.admin import Admin
from gearfast.plugins.stores import make_store
from gearfast.server.server import Server
from gearfast.server.tls import server_context
from gearfast.store.contract import Store
from gearfast.store.password import without_password

log = logging.getLogger("gearfast")


@dataclass(frozen=True, slots=True)
class Origin:
    """Who started this process, and what they gave it."""

    name: str
    """What the program was called by."""
    sockets: list[socket.socket]
    """Handed over by systemd, to be listened on."""
    watchdog: systemd.Watchdog | None
    """What systemd wants to be told."""
    front: daemon.Front | None = None
    """The process that waits in front, with ``--daemon``."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the program with the words behind its name (default: ``sys.argv``); return its exit code."""
    name = program_name()
    try:
        daemon.fill_standard_descriptors()
        return obey(sys.argv[1:] if words is None else words, name)
    except GearfastError as error:
        say(f"{name}: {error}")
        if isinstance(error, ConfigError) and error.hint:
            say(f"{name}: {error.hint}")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def obey(words: Sequence[str], name: str) -> int:
    """Do what the words ask for; return the exit code."""
    code = 0
    try:
        if words[:1] == ["store"]:
            code = look_into_store(words[1:], name)
        else:
            start(command.read(words, os.environ), name)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # `gearfast --help | head`: the reader has seen enough
        os.dup2(daemon.open_null(), 1)
        return 0
    return code


def start(asked: Command, name: str) -> None:
    """Do what a command line asks for."""
    if asked.wish is Wish.HELP:
        print(options.help_text())
    elif asked.wish is Wish.VERSION:
        print(f"\n{name} {VERSION} - a drop-in Gearman job server")
    elif asked.wish is Wish.SERVE:
        run(asked, name)
    else:
        inspect(asked, name)


def inspect(asked: Command, name: str) -> None:
    """Say what a start would be refused or warned for; nothing is opened but the files that options name."""
    warn(asked.warnings, name)
    if asked.user:
        daemon.find_user(asked.user)
    if asked.store is not None:
        make_store(asked.store)
    if asked.config.ssl:
        server_context(asked.config)
    if sys.stdout is not None and sys.stdout.isatty():  # silent otherwise, as stock
        print(f"{name}: no errors found; {found_good(asked)}")


def found_good(asked: Command) -> str:
    """Return what a start would do, in one line."""
    config = asked.config
    addresses = ", ".join(config.listen) or "every address"
    kept = "in memory only" if asked.store is None else f"in {without_password(asked.store.url)}"
    return (
        f"it would listen on {addresses}, port {config.port}{', with TLS' if config.ssl else ''}, and keep jobs {kept}"
    )


def warn(warnings: Sequence[str], name: str) -> None:
    """Say what is ignored, and why."""
    for warning in warnings:
        say(f"{name}: {warning}")


def look_into_store(words: Sequence[str], name: str) -> int:
    """Do what the words behind ``gearfast store`` ask for; return the exit code."""
    if (word := store_command.wants_help(words)) is not None:
        print(options.store_help_text(word))
        return 0
    errand = store_command.read(words, os.environ)
    warn(errand.warnings, name)
    try:
        return store_command.run(errand, make_store(errand.settings), name)
    except KeyboardInterrupt:
        say(f"{name}: interrupted")
        return 128 + signal.SIGINT


def program_name() -> str:
    """Return the name this program was called by, for messages."""
    name = os.path.basename(sys.argv[0])
    return "gearfast" if name in {"", "-c", "-m", "__main__.py"} else name


def run(asked: Command, name: str) -> None:
    """Set the process up in stock's order (protocol section 5.4), and serve until told to stop."""
    # What is handed over names this process, and not one that it may become by a fork.
    sockets, watchdog = systemd.handed_sockets(os.environ), systemd.wanted_watchdog(os.environ)
    warn(asked.warnings, name)
    # Before another user might not be allowed to read the program's own files, and where its errors are still seen.
    store = None if asked.store is None else make_store(asked.store)
    if asked.file_descriptors is not None:
        daemon.limit_files(asked.file_descriptors)
    if asked.user:
        daemon.become(asked.user)
    refuse_closed_log(asked)
    front = daemon.detach() if asked.daemon else None
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    log_file = open_log(asked, name)
    log.info("Starting up with pid %d, verbose is set to %s", os.getpid(), logs.level_name())
    try:
        with store_named(asked), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(asked, store, Origin(name, sockets, watchdog, front)))
        log.info("Shutdown complete")
    except GearfastError as error:
        # On a terminal main says it; a log file has to be told too, most of all when there is no terminal.
        if log_file != "stderr":
            log.log(logs.FATAL, "%s", error)
        raise
    except Exception as error:
        if log_file == "none" and not asked.syslog:  # so that it is told to somebody
            raise
        log.log(logs.FATAL, "%r", error, exc_info=True)
        raise GearfastError(f"ended by an error of its own: {error!r} (the log has more)") from error
    finally:
        logbook.close_log()


def refuse_closed_log(asked: Command) -> None:
    """Refuse a log on a descriptor that is not open, before one of our own gets its number."""
    descriptor = descriptor_of(asked.log_file)
    try:
        if descriptor is not None:
            os.fstat(descriptor)
    except OSError as error:
        raise ConfigError(f'Could not open log file "{asked.log_file}" ({error.strerror})') from None


def open_log(asked: Command, name: str) -> str:
    """Open the log and return where it goes: standard error if stock's default file cannot be written, as by most."""
    try:
        logbook.open_log(asked.log_file, asked.log_level, to_syslog=asked.syslog)
        return asked.log_file
    except OSError as error:
        complaint = f'Could not open log file "{asked.log_file}"'
        if asked.log_file != options.LOG_FILE:
            raise ConfigError(f"{complaint} ({error.strerror})") from None
        say(f"{name}: {complaint}, switching to stderr. ({error.strerror})")
        logbook.open_log("stderr", asked.log_level, to_syslog=asked.syslog)
        return "stderr"


@contextmanager
def store_named(asked: Command) -> Iterator[None]:
    """Put the store's name before what it complains of."""
    try:
        yield
    except StoreError as error:
        raise StoreError(queues.complaint("" if asked.store is None else asked.store.url, error)) from error


async def serve(asked: Command, store: Store | None, origin: Origin) -> None:
    """Make the server, hear the signals, and serve."""
    loop = asyncio.get_running_loop()
    server = Server(asked.config, [Admin()], store, origin.sockets)
    loop.set_exception_handler(partial(log_failure, server))
    with signals_heard(loop, server) as hurry:
        try:
            await serve_until(hurry, server, asked, origin)
        except HurryError:
            end_at_once(server, origin.name)


async def serve_until(hurry: asyncio.Event, server: Server, asked: Command, origin: Origin) -> None:
    """Run the server; when it listens, write the pid file and tell whoever waits. Raises HurryError.

    The pid file comes after the bind, not before it as in stock: a start that fails because a server is running
    already must not take that server's pid file away.
    """
    if origin.watchdog is not None:
        origin.watchdog.start(asyncio.get_running_loop())
    try:
        await unless(hurry, server.start())
    except StoreError:
        if server.ending.is_set():  # it was told to stop while it read the store, and did
            return
        raise
    if origin.sockets:
        log.log(logs.NOTICE, "It was started with sockets that listen already: --listen and --port are not used")
    for address in server.addresses:
        log.info("Listening on %s", address)
    try:
        with daemon.pid_file(asked.pid_file):
            tell_of_start(f"{origin.name} {VERSION} {greeting(asked, server)}", origin)
            await unless(hurry, server.wait_closed())
    except ConfigError:
        server.stop()
        await server.wait_closed()
        raise


class HurryError(Exception):
    """The process was told to stop a second time."""


async def unless(hurry: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do the work. Raises what it raises, and HurryError as soon as there is a hurry: it is left as it is then."""
    task = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(hurry.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        raise HurryError
    waiting.cancel()
    await task


def end_at_once(server: Server, name: str) -> NoReturn:
    """End the process: a second signal says that nothing is to be waited for, be it a disk that hangs."""
    missing = server.unwritten()
    line = f"was told a second time to stop, and ended at once{f': {missing}' if missing else ''}"
    if not logbook.interject(f"{name} {line}"):
        log.log(logs.FATAL, "It %s", line)
        say(f"{name} {line}")
    logbook.close_log()
    os._exit(1)


def tell_of_start(line: str, origin: Origin) -> None:
    """Tell whoever waits that the server serves: a person on a terminal, the process in front, systemd."""
    if origin.front is None:
        if not logbook.interject(line):
            say(line, patience=0)
    else:
        logbook.flush_log()  # what stands behind standard error changes now
        daemon.release(origin.front)
    systemd.notify("READY=1")


def greeting(asked: Command, server: Server) -> str:
    """Return what a terminal is told when the server serves."""
    jobs = ""
    if asked.store is not None:
        count = "1 job" if server.replayed == 1 else f"{server.replayed:,} jobs"
        jobs = f", with {count} from {without_password(asked.store.url)}"
    return f"is listening on {', '.join(server.addresses)}{jobs}. {hint(asked, server.addresses)}"


@contextmanager
def signals_heard(loop: asyncio.AbstractEventLoop, server: Server) -> Iterator[asyncio.Event]:
    """Give stock's meaning to signals (protocol section 5.6). Yields the event that it was told to stop twice.

    Afterwards they are ignored: one that comes when all is done must not make of a good end a death by a signal, as it
    would if the loop had the handlers, and took them with it.
    """
    hurry = asyncio.Event()
    told = 0

    def stop() -> None:
        nonlocal told
        told += 1
        if told > 1:
            hurry.set()
        systemd.notify("STOPPING=1")
        server.stop()

    def drain() -> None:
        # Not STOPPING: systemd would then count the drain against its stop timeout.
        systemd.notify("STATUS=draining")
        server.drain()

    def reload() -> None:
        logbook.reopen()
        server.reload()

    meanings: dict[int, Callable[[], None]]
    meanings = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGUSR1: drain, signal.SIGHUP: reload}
    for number in meanings:
        signal.signal(number, lambda number, _: loop.call_soon_threadsafe(meanings[number]))
    try:
        yield hurry
    finally:
        for number in meanings:
            signal.signal(number, signal.SIG_IGN)


def hint(asked: Command, addresses: Sequence[str]) -> str:
    """Return what to try next on the terminal: gearadmin, told where to go unless it finds the way by itself."""
    tcp = [address for address in addresses if not address.startswith("unix:")]
    if not tcp or asked.config.ssl:
        return "Ctrl-C stops it."
    host, _, port = tcp[0].rpartition(":")
    host = "" if host.strip("[]") in {"0.0.0.0", "::", "127.0.0.1", "::1"} else f" --host={host}"
    port = "" if port == "4730" else f" --port={port}"
    return f"Look at it with: gearadmin{host}{port} --status. Ctrl-C stops it."


def log_failure(server: Server, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what a callback of the loop let through: in the background, standard error is nobody's.

    The server's own let nothing through; the loop's may lack the memory to hear of a signal.
    """
    if isinstance(context.get("exception"), MemoryError):
        server.spend_reserves()
    log.critical("%s", context.get("message"), exc_info=context.get("exception"))
