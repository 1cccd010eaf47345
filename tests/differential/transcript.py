"""Answers as lines one can read and compare: handles, pids, descriptors and versions are masked."""

from __future__ import annotations

import hashlib
import re

from tests.support.wire import HEADER, RES, Packet

_HANDLE = re.compile(rb"(?:H:[^:\0\s]+|PRE):\d+")
_MASKS = [
    (re.compile(r"^OK \d+$"), "OK <pid>"),
    (re.compile(r"^OK v?\d+\.\d+[^ ]*$"), "OK <version>"),
    (re.compile(r"^\d+ (127\.0\.0\.1|::1?|-) "), r"<fd> \1 "),
]
_LONG = 300  # characters after which a body is abbreviated


class Handles:
    """Real handles and their symbols, in the order of appearance."""

    def __init__(self) -> None:
        self.real: dict[bytes, bytes] = {}
        self._symbols: dict[bytes, bytes] = {}

    def mask(self, data: bytes) -> bytes:
        """Replace every handle by its symbol; a new one gets the next."""
        return _HANDLE.sub(self._symbol, data)

    def _symbol(self, match: re.Match[bytes]) -> bytes:
        handle = match[0]
        if handle not in self._symbols:
            symbol = b"<h%d>" % (len(self._symbols) + 1)
            self._symbols[handle] = symbol
            self.real[symbol] = handle
        return self._symbols[handle]


def _readable(data: bytes) -> str:
    text = data.decode("latin-1").encode("unicode_escape").decode().replace("\\x00", "\\0")
    if len(text) <= _LONG:
        return text
    return f"{text[:40]}...({len(data)} bytes, {hashlib.sha256(data).hexdigest()[:12]})"


def _line(data: bytes) -> str:
    end = "\\r\\n" if data.endswith(b"\r\n") else "\\n" if data.endswith(b"\n") else ""
    body = _readable(data.rstrip(b"\r\n"))
    for pattern, mask in _MASKS:
        body = pattern.sub(mask, body)
    return f"'{body}{end}'"


def render(data: bytes, handles: Handles) -> list[str]:
    """The packets and lines in `data`; the lines of a table are sorted, their order is that of a hash."""
    lines: list[str] = []
    table: list[str] = []
    while data:
        if data.startswith(b"\0"):
            if len(data) < HEADER.size or len(data) < HEADER.size + HEADER.unpack_from(data)[2]:
                return [*lines, *table, f"part of a packet {_readable(data)}"]
            magic, type_, size = HEADER.unpack_from(data)
            packet = Packet(magic, type_, handles.mask(data[HEADER.size : HEADER.size + size]))
            name = packet.name if magic == RES else f"{magic!r} {packet.name}"
            lines += [*table, f"{name} {_readable(packet.body)}".rstrip()]
            table = []
            data = data[HEADER.size + size :]
            continue
        line, newline, data = data.partition(b"\n")
        shown = _line(handles.mask(line + newline))
        if shown == "'.\\n'":
            lines += [*sorted(table), shown]
            table = []
        elif line.startswith((b"OK", b"ERR")):
            lines += [*table, shown]
            table = []
        else:
            table.append(shown)
    return lines + table
