"""Descriptors that have a path: ``/dev/stdout``, ``/dev/fd/N``, ``/proc/self/fd/N``, and links to such.

Such a path cannot always be opened: a socket has no name to be opened by, as under systemd or node, and a pipe may be
another user's. The descriptor behind it can be written to all the same.
"""

import fcntl
import os
import re
from contextlib import suppress
from typing import Final

MAX_LINKS: Final = 40
"""Links followed to find out where a path leads: as many as Linux follows."""


def descriptor_of(path: str) -> int | None:
    """Return the descriptor of this process that the path names; None for any other path."""
    for _ in range(MAX_LINKS):
        folder, name = os.path.split(path)
        # The folder may be a link too: /dev/fd is one. What the last link leads to is not asked: it may be a socket.
        with suppress(OSError):  # there is no working directory any more
            folder = os.path.realpath(folder)
        path = os.path.join(folder, name)
        if match := re.fullmatch(r"/(?:dev|proc/(\d+)(?:/task/\d+)?)/fd/(\d+)", path):
            ours = match[1] in (None, str(os.getpid()))
            return int(match[2]) if ours else None
        if not os.path.islink(path):
            return None
        path = os.path.join(folder, os.readlink(path))
    return None


def writable(descriptor: int) -> bool:
    """Whether a descriptor was opened for writing. Raises OSError when it is not open."""
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
