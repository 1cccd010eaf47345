"""The little language of the scripts: who says which bytes.

A script is a name and a list of steps, each spoken by one connection. Handles are written `<h1>`, `<h2>` ... in the
order in which the server gives them out, in requests as well as in recorded answers; `<now+3>` is a Unix time.
Every step is one exchange: its bytes, and what all open connections were answered because of them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.support import wire
from tests.support.wire import REQ

H1, H2, H3 = "<h1>", "<h2>", "<h3>"

Text = str | bytes

_NOW = re.compile(rb"<now([+-]\d+)>")
_HANDLE = re.compile(rb"<h\d+>")


def _bytes(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def fill(text: bytes, handles: Mapping[bytes, bytes]) -> bytes:
    """Put the real handles and times in place."""
    text = _HANDLE.sub(lambda match: handles.get(match[0], match[0]), text)
    return _NOW.sub(lambda match: b"%d" % (int(time.time()) + int(match[1])), text)


@dataclass(frozen=True)
class Piece:
    """Bytes to send: a packet (whose size follows from the filled-in body) or, without a type, bytes as they are."""

    body: bytes
    type: int | None = None
    magic: bytes = REQ
    size: int | None = None

    def pack(self, handles: Mapping[bytes, bytes]) -> bytes:
        """The bytes on the wire."""
        body = fill(self.body, handles)
        return body if self.type is None else wire.raw(self.magic, self.type, body, self.size)


@dataclass(frozen=True)
class Step:
    """What one connection does, and (where it matters) what gearfast must answer."""

    who: str
    pieces: tuple[Piece, ...] = ()
    action: str = "send"  # send, part, bytewise, close, reset, end, wait
    expected: tuple[str, ...] | None = None

    def __add__(self, other: Step) -> Step:
        """Two of the same connection in one segment."""
        return replace(self, pieces=self.pieces + other.pieces)

    def expect(self, *lines: str) -> Step:
        """State gearfast's answers; needed where they are meant to differ from stock's."""
        return replace(self, expected=lines)

    def bytewise(self) -> Step:
        """Send every byte by itself."""
        return replace(self, action="bytewise")


@dataclass(frozen=True)
class Peer:
    """A connection to be; it is opened by its first step."""

    name: str

    def __call__(self, type_: int, *args: Text, payload: Text | None = None) -> Step:
        """Send a packet."""
        parts = [_bytes(arg) for arg in args]
        if payload is not None:
            parts.append(_bytes(payload))
        return Step(self.name, (Piece(b"\0".join(parts), type_),))

    def lies(self, type_: int, body: Text = b"", magic: bytes = REQ, size: int | None = None) -> Step:
        """Send a packet with any magic and any size."""
        return Step(self.name, (Piece(_bytes(body), type_, magic, size),))

    def raw(self, data: Text) -> Step:
        """Send bytes as they are."""
        return Step(self.name, (Piece(_bytes(data)),))

    def text(self, line: Text, end: bytes = b"\n") -> Step:
        """Send a line of text."""
        return self.raw(_bytes(line) + end)

    def part(self, data: Text) -> Step:
        """Send the beginning of something: no answer is due, so this is no exchange by itself."""
        return Step(self.name, (Piece(_bytes(data)),), action="part")

    def close(self) -> Step:
        """Leave."""
        return Step(self.name, action="close")

    def reset(self) -> Step:
        """Leave with a RST."""
        return Step(self.name, action="reset")

    def ends(self, data: Text = b"") -> Step:
        """Send bytes, shut the sending side down, and read to the end."""
        return Step(self.name, (Piece(_bytes(data)),), action="end")

    def waits(self) -> Step:
        """Wait for something that comes by itself."""
        return Step(self.name, action="wait")


@dataclass(frozen=True)
class Script:
    """A named play. Options are given to both servers; `gearfast_only` scripts would crash stock or race in it."""

    name: str
    steps: tuple[Step, ...]
    options: tuple[str, ...] = ()
    gearfast_options: tuple[str, ...] = ()
    gearfast_only: bool = False

    def exchange(self, index: int) -> str:
        """The name of one exchange, counted from 1."""
        return f"{self.name}.{index + 1}"

    def exchanges(self) -> list[tuple[str, Step]]:
        """The steps which are exchanges: all but those that send only a part of something."""
        return [(self.exchange(index), step) for index, step in enumerate(self.steps) if step.action != "part"]


@dataclass
class Collection:
    """The scripts of one file."""

    scripts: list[Script] = field(default_factory=list)

    def __call__(
        self,
        name: str,
        *steps: Step,
        options: tuple[str, ...] = (),
        gearfast_options: tuple[str, ...] = (),
        gearfast_only: bool = False,
    ) -> None:
        """Add a script."""
        self.scripts.append(Script(name, steps, options, gearfast_options, gearfast_only))


# Who usually does what: clients a and b, workers w and v, an onlooker o.
a, b, w, v, o = Peer("a"), Peer("b"), Peer("w"), Peer("v"), Peer("o")
