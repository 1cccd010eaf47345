"""The server as a process: its limits and user, life in the background, and its pid file.

Each step raises ConfigError, one line in stock's words, when the system does not allow what was asked.
"""

import encodings.idna  # noqa: F401 (looked up at the first getaddrinfo, when `become` may have put its file out of reach)
import os
import pwd
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from gearfast.cli.options import PID_FILE, PID_FILE_NAME
from gearfast.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Front:
    """The process that waits in front while this one starts in the background."""

    pipe: int
    """To write to when this one serves."""
    null: int
    """What takes the place of the terminal then."""


def open_null() -> int:
    """Open what swallows everything; a chroot may lack it."""
    try:
        return os.open(os.devnull, os.O_RDWR)
    except OSError as error:
        raise ConfigError(
            f"{os.devnull} is needed and cannot be opened ({error.strerror}): mknod -m 666 {os.devnull} c 1 3"
        ) from None


def fill_standard_descriptors() -> None:
    """Open /dev/null where standard input, output or error was closed before the start.

    Else a socket or a pipe would get one of these numbers, and end when ``release`` lets go of the terminal.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            open_null()  # it gets the lowest number that is free


def take_name(name: str) -> None:
    """Have the system call this process so, where it lets us (Linux): it is called after its interpreter otherwise."""
    with suppress(OSError), open("/proc/self/comm", "r+b", buffering=0) as file:
        file.write(name.encode())


def limit_files(limit: int) -> None:
    """Set how many files this process may have open; only root may go above the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        hard = max(hard, limit)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(
            "Failed to set limit for the number of file descriptors.  "
            f"Try running as root or giving a smaller value to -f. ({error})"
        ) from None


def find_user(user: str) -> pwd.struct_passwd:
    """Return what the system knows of a user."""
    try:
        return pwd.getpwnam(user)
    except (KeyError, ValueError):
        raise ConfigError(f"Could not find user : {user}") from None


def become(user: str) -> None:
    """Switch to a user, for good: no supplementary groups, then the user's group, then the user."""
    if os.geteuid() != 0:
        raise ConfigError("Must be root to switch users.")
    entry = find_user(user)
    try:
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    except OSError as error:
        raise ConfigError(f"Could not switch to user : {user} ({error.strerror})") from None


def detach() -> Front:
    """Go on in the background; return the process that waits in front.

    That process ends here: with 0 when ``release`` is called, else with the exit code of the one behind, whose
    standard error is still this terminal's until then. The working directory stays what it is.
    """
    null = open_null()
    reading, writing = os.pipe()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    child = os.fork()
    if child:
        os.close(writing)
        raise SystemExit(outcome(child, reading))
    os.close(reading)
    os.setsid()
    return Front(writing, null)


def outcome(child: int, reading: int) -> int:
    """Wait until the child serves or has ended; return the exit code that tells which."""
    try:
        with open(reading, "rb") as pipe:
            if pipe.read(1):
                return 0
        _, status = os.waitpid(child, 0)
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)
        return 128 + signal.SIGINT
    code = os.waitstatus_to_exitcode(status)
    # A child that was told to stop before it served ended well, but there is no server: that is no 0.
    return 128 - code if code < 0 else code or 1


def release(front: Front) -> None:
    """Let go of the terminal, and let the process that waits in front end with 0."""
    if sys.stderr is not None:
        sys.stderr.flush()
    for descriptor in (0, 1, 2):
        os.dup2(front.null, descriptor)
    os.close(front.null)
    with suppress(OSError):
        os.write(front.pipe, b"1")
    os.close(front.pipe)


@contextmanager
def pid_file(path: str) -> Iterator[None]:
    """Keep this process's id in a file; the file goes at the end, if it still is this process's.

    An existing file is replaced, whatever it says. In a directory (``--pid-file=/run/gearman/``) the file has stock's
    name. Stock's default path is written when possible, and left alone without a word when not.
    """
    if path.endswith("/") or os.path.isdir(path):
        path = os.path.join(path, PID_FILE_NAME)
    content = b"%d\n" % os.getpid()
    try:
        write_anew(path, content)
    except OSError as error:
        if path != PID_FILE:
            raise ConfigError(f"Could not open pid file for writing: {path} ({error.strerror})") from None
    try:
        yield
    finally:
        with suppress(OSError):
            with open(path, "rb") as file:
                ours = file.read(len(content) + 1) == content
            if ours:
                os.unlink(path)


def write_anew(path: str, content: bytes) -> None:
    """Write a new file of mode 0644 in place of what is there; never through a link that somebody laid."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    with open(descriptor, "wb") as file:
        file.write(content)
