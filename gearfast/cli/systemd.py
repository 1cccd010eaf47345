"""What systemd and a service it starts tell each other: states, a sign of life, and sockets that are handed over.

sd_notify(3), sd_watchdog_enabled(3) and sd_listen_fds(3) say what the variables of the environment mean. Those that
are for this process alone are taken out, so that no child of it believes to be meant.
"""

import asyncio
import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final

from gearfast.config import NOTIFY_PATIENCE
from gearfast.errors import ConfigError
from gearfast.server.listener import is_listener

FIRST: Final = 3
"""The descriptor of the first socket; the others follow."""

Environment = MutableMapping[str, str]


def notify(state: str, patience: float = NOTIFY_PATIENCE) -> None:
    """Tell systemd a state, such as ``READY=1``, when it started this process and wants to know.

    Nothing is said when systemd takes nothing for ``patience`` seconds.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bus:
        bus.settimeout(patience)
        bus.connect(address)
        bus.send(state.encode())


class Watchdog:
    """Tells systemd that the event loop still turns; when it hangs, nothing is told, and systemd ends the process."""

    def __init__(self, interval: float) -> None:
        """Tell it every ``interval`` seconds."""
        self.interval = interval

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell it now, and by a timer of this loop from now on: no thread, which would go on when the loop does not."""
        notify("WATCHDOG=1", patience=0)
        loop.call_later(self.interval, self.start, loop)


def wanted_watchdog(environment: Environment) -> Watchdog | None:
    """Return the watchdog that is asked for, if one is, with half of systemd's patience as its interval.

    It has to be asked for before a fork: the variables name this process.
    """
    time, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
    if not is_number(time) or int(time) == 0 or (pid and pid != str(os.getpid())):
        return None
    return Watchdog(int(time) / 1e6 / 2)


def handed_sockets(environment: Environment) -> list[socket.socket]:
    """Return the listening sockets that this process was started with, as by a ``.socket`` unit; mostly none.

    Raises ConfigError for what cannot be listened on. It has to be asked for before a fork, and only once.
    """
    count, pid = environment.pop("LISTEN_FDS", ""), environment.pop("LISTEN_PID", "")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    if not count or pid != str(os.getpid()):
        return []
    if not is_number(count):
        raise ConfigError(f"LISTEN_FDS={count!r} in the environment is not a number of sockets")
    return [handed_socket(FIRST + at, names[at] if at < len(names) else "") for at in range(int(count))]


def handed_socket(descriptor: int, name: str) -> socket.socket:
    """Return the socket behind a descriptor: a stream that listens, over TCP or in a file."""
    called = f"the socket handed over as descriptor {descriptor}" + (f" ({name})" if name else "")
    try:
        os.set_inheritable(descriptor, False)
        handed = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ConfigError(f"{called} is not a socket ({error.strerror}), but LISTEN_FDS names it") from None
    if not is_listener(handed):
        raise ConfigError(f"{called} is not a listening stream socket: its unit needs ListenStream= and Accept=no")
    return handed


def is_number(text: str) -> bool:
    """Whether a text is a decimal number; `int` takes more than that."""
    return text.isascii() and text.isdigit()
