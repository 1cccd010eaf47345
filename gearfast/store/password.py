"""Passwords: read from where they are kept, and left out of what is shown."""

import os
import re
import stat
from typing import Final

from gearfast.errors import ConfigError

LONGEST: Final = 64 * 1024
"""Bytes of a file with a password: a longer one was mistaken for one, and a device may never end."""
NAMED: Final = re.compile(r"(pass(?:word|wd)?|pwd)(\s*=\s*)('(?:\\.|[^'\\])*'?|[^\s&]*)", re.IGNORECASE)
"""A password behind its name, in a URL's query, in parameters of libpq, in a word of a config file."""
IN_ADDRESS: Final = (
    re.compile(r"(//[^/@:]*):.*@"),
    re.compile(r"^((?!sqlite:)[^:/@]*:[^/@:=\s]*):.*@", re.IGNORECASE),  # the slashes forgotten
    re.compile(r"^((?!sqlite:|postgres(?:ql)?:)[^:/@]*):(?!//).*@", re.IGNORECASE),  # or the scheme
)
"""A password between user and host."""
NO_PORT: Final = re.compile(r"(//[^/@:?\[\]]+):(?!\d*(?:[/?]|$))[^/@?,]*(?=[/?]|$)")
"""What stands in a port's place and is none: perhaps a password, with the host forgotten."""


def without_password(text: str) -> str:
    """Return a store's URL, or a word, as it may be shown: rather too much left out than too little."""
    for pattern in IN_ADDRESS:
        text = pattern.sub(r"\1:***@", text)
    return NAMED.sub(r"\1\2***", NO_PORT.sub(r"\1:***", text))


def from_file(path: str, option: str) -> tuple[str, str]:
    """Return the password that a file holds, less its last line end, and a warning when others can read the file.

    The warning may be empty; ``option`` names the file in messages. Raises ConfigError when there is no password to
    be had.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(LONGEST + 1)
            status = os.fstat(file.fileno())
    except OSError as error:
        raise ConfigError(
            f"{option}: {path} cannot be read ({error.strerror}): name a file with the password"
        ) from None
    except ValueError:  # a NUL in the path
        raise ConfigError(f"{option}: {path!r} is not a path") from None
    password = content.removesuffix(b"\n").removesuffix(b"\r")
    if not password:
        raise ConfigError(f"{option}: {path} is empty: write the password into it")
    if len(content) > LONGEST or b"\0" in password:
        raise ConfigError(f"{option}: {path} holds no password: it is too long, or has a NUL in it")
    warning = f"{path} contains a password, and others can read it: chmod go= {path}" if is_open(status) else ""
    return os.fsdecode(password), warning


def is_open(status: os.stat_result) -> bool:
    """Say whether others than the owner may read a file; for a file of root's a group may be meant to."""
    others = stat.S_IROTH if status.st_uid == 0 else stat.S_IROTH | stat.S_IRGRP
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & others)
