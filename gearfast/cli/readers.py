"""Readers of the values of options: each turns a text into a value, and raises ValueError for what is none.

One with an attribute ``allowed`` says by it what it takes.
"""

import re
import socket
from collections.abc import Callable
from typing import Literal

from gearfast.cli import machine
from gearfast.config import DAY, INT, MIN_MEMORY, MOST_IO_THREADS
from gearfast.config import SIZE as MAX_SIZE

SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def integer(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of decimal integers between ``low`` and ``high``; it raises ValueError for all else."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]+", text) or not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return read


def unsigned(bits: int) -> Callable[[str], int]:
    """Return a reader of integers of so many bits; stock lets ``-1`` wrap round to the highest one."""
    read_signed = integer(1 - (1 << bits), (1 << bits) - 1)
    return lambda text: read_signed(text) % (1 << bits)


int32 = integer(-(1 << 31), (1 << 31) - 1)
milliseconds = integer(1, 60_000)
natural = integer(0, INT)


def wakeup(text: str) -> int:
    """Read ``--worker-wakeup``: how many sleepers one job wakes; 0 for ``all``."""
    return 0 if text == "all" else unsigned(32)(text)


def seconds(text: str) -> float:
    """Read a time in seconds, with or without a fraction: above 0, and at most a day."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", text) or not 0 < float(text) <= DAY:
        raise ValueError(text)
    return float(text)


class OneOf:
    """A reader that takes these words and raises ValueError for all else."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.allowed = f"one of {', '.join(words)}"

    def __call__(self, text: str) -> str:
        if text not in self.words:
            raise ValueError(text)
        return text


class AutoOr:
    """A reader that takes ``auto`` or an integer in a range, and raises ValueError for all else."""

    def __init__(self, low: int, high: int) -> None:
        self.number = integer(low, high)
        self.allowed = f"auto, or a number from {low} to {high}"

    def __call__(self, text: str) -> int | Literal["auto"]:
        return "auto" if text == "auto" else self.number(text)


io_threads = AutoOr(1, MOST_IO_THREADS)


def size(text: str) -> int:
    """Read a size in bytes, with an optional K, M or G (1024 each); below 4 GiB, the most a packet's header can say."""
    value = size_of(text, "KMG")
    if not 1 <= value < 1 << 32:
        raise ValueError(text)
    return value


def size_of(text: str, units: str) -> int:
    """Read a number of bytes with an optional unit. Raises ValueError."""
    match = re.fullmatch(rf"([0-9]{{1,15}})([{units}]?)", text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * SIZE_UNITS[match[2]]


def memory_size(text: str) -> int:
    """Read a size of memory: bytes with an optional K, M, G or T, or a percentage of what the process may have."""
    match = re.fullmatch(r"([0-9]{1,3})%", text)
    value = size_of(text, "KMGT") if match is None else machine.memory() * int(match[1]) // 100
    if (match is not None and not 1 <= int(match[1]) <= 100) or not (value == 0 or MIN_MEMORY <= value <= MAX_SIZE):
        raise ValueError(text)
    return value


def port_of(text: str) -> int | None:
    """Return the TCP port of a number or a service's name; None for what is neither."""
    if re.fullmatch("[+-]?[0-9]+", text):
        return int(text) if 0 <= int(text) <= 65535 else None
    try:
        return socket.getservbyname(text, "tcp")
    except (OSError, UnicodeError, ValueError):
        return None
