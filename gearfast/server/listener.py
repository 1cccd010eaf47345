"""Addresses to listen on: resolved, bound, and given back."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable, Iterator

from gearfast.config import Config
from gearfast.errors import ConfigError, ListenError

UNIX = "unix:"

FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)

UNAVAILABLE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""A name may have an address that this machine does not."""


def open_listeners(config: Config) -> list[socket.socket]:
    """Bind every address of ``config.listen``; all addresses of the machine if it is empty.

    Raises ListenError; nothing stays bound then.
    """
    listeners: list[socket.socket] = []
    try:
        for address in config.listen or ("",):
            if address.startswith(UNIX):
                listeners.append(open_unix(address.removeprefix(UNIX), config.backlog))
            else:
                # a port of 0 is chosen once, and is then everybody's
                port = next((opened.getsockname()[1] for opened in listeners if is_tcp(opened)), config.port)
                listeners.extend(open_tcp(address, port, config.backlog))
    except BaseException:
        for listener in listeners:
            close_listener(listener)
        raise
    return listeners


def handed_over(given: object) -> list[socket.socket]:
    """Return somebody else's listeners, made not to block. Raises ConfigError when they are none."""
    listeners: list[socket.socket] = []
    for place, listener in enumerate(given if isinstance(given, Iterable) else [given]):
        if not isinstance(listener, socket.socket) or not is_listener(listener):
            raise ConfigError(f"listeners[{place}] is not a listening stream socket: {listener!r}")
        listener.setblocking(False)
        listeners.append(listener)
    return listeners


def is_listener(candidate: socket.socket) -> bool:
    """Whether a socket takes connections for streams, as far as the system tells."""
    if candidate.family not in FAMILIES or candidate.type != socket.SOCK_STREAM:
        return False
    with contextlib.suppress(OSError):
        return candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) != 0
    return True


class UnixListener(socket.socket):
    """A Unix socket whose file this process has made."""

    __slots__ = ("file",)

    def __init__(self) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self.file: tuple[int, int] | None = None
        """Device and inode: which file it is, whatever the path leads to later."""

    def make_file(self, path: str) -> None:
        """Bind the socket to a path. Raises OSError."""
        self.bind(path)
        self.file = identity(path)

    def remove_file(self) -> None:
        """Remove the file, if it is still the one that was made; another server may have made its own there.

        To be called while this socket still listens: until the file is gone, a server that wants the path finds it in
        use. Only who removes it without asking can come between the look and the removal.
        """
        path = self.getsockname()
        if self.file is not None and identity(path) == self.file:
            with contextlib.suppress(OSError):
                os.unlink(path)


def identity(path: str) -> tuple[int, int] | None:
    """Return device and inode of a socket's file; None when there is nothing."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_tcp(listener: socket.socket) -> bool:
    """Whether peers come over TCP, not through a Unix socket."""
    return listener.family != socket.AF_UNIX


def open_tcp(host: str, port: int, backlog: int) -> Iterator[socket.socket]:
    """Bind all addresses a name has, as stock does; one that this machine lacks is left out if another is there."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ListenError(
            f"cannot listen on '{host}': {error.strerror}; --listen takes a name, an address or unix:/path"
        ) from error
    bound = 0
    problem: OSError | None = None
    for family, kind, protocol, _, address in found:
        try:
            listener = socket.socket(family, kind, protocol)
        except OSError as error:
            problem = error
            continue
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if port == 0 and bound:
                address = (address[0], bound, *address[2:])
            listener.bind(address)
            listener.listen(backlog)
        except OSError as error:
            listener.close()
            if error.errno in UNAVAILABLE:
                problem = error
                continue
            raise ListenError(busy(str(address[0]), int(address[1]), error)) from error
        listener.setblocking(False)
        bound = listener.getsockname()[1]
        yield listener
    if not bound and problem is not None:
        raise ListenError(busy(host, port, problem)) from problem


def busy(host: str, port: int, error: OSError) -> str:
    """Return the line for a bind that failed."""
    hint = (
        f"; is another job server running there? Another port: --port={port + 1}"
        if error.errno == errno.EADDRINUSE
        else ""
    )
    return f"cannot listen on {host}:{port}: {error.strerror}{hint}"


def open_unix(path: str, backlog: int) -> socket.socket:
    """Bind a Unix socket; one that a dead server left behind is replaced."""
    if not path:
        raise ListenError("--listen=unix: needs the path of a socket: --listen=unix:/run/gearfast.sock")
    remove_stale(path)
    listener = UnixListener()
    try:
        listener.make_file(path)
        listener.listen(backlog)
    except OSError as error:
        listener.remove_file()
        listener.close()
        raise ListenError(f"cannot listen on unix:{path}: {error.strerror or error}") from error
    listener.setblocking(False)
    return listener


def remove_stale(path: str) -> None:
    """Remove a socket file that nobody listens on any more."""
    try:
        before = os.lstat(path)
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise ListenError(f"cannot listen on unix:{path}: the path exists and is not a socket")
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a server that hangs has a full backlog
        try:
            probe.connect(path)
        except BlockingIOError:
            pass
        except ConnectionRefusedError:
            with contextlib.suppress(OSError):  # then it stays, and the bind says so
                # Another server may have done the same since, and listen. A new file may get an old one's inode.
                now = os.lstat(path)
                if (now.st_dev, now.st_ino, now.st_ctime_ns) == (before.st_dev, before.st_ino, before.st_ctime_ns):
                    os.unlink(path)
            return
        except OSError:
            return
    raise ListenError(f"cannot listen on unix:{path}: another server is running there")


def close_listener(listener: socket.socket) -> None:
    """Stop listening, and remove the file of a Unix socket that was made here; one that was handed over stays."""
    if isinstance(listener, UnixListener):
        listener.remove_file()
    listener.close()


def host_of(address: str) -> str:
    """Return a peer's address; an IPv4 one as such where a socket of IPv6 serves both."""
    return address.removeprefix("::ffff:") if "." in address else address


def name_of(listener: socket.socket) -> str:
    """Return ``host:port``, ``[host]:port`` or ``unix:/path``."""
    name = listener.getsockname()
    if not is_tcp(listener):
        return f"{UNIX}{name}"
    return f"[{name[0]}]:{name[1]}" if listener.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"
