"""Bytes of a peer's stream that are sent from where they lie: the peer gets all of them, each once and in order."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.support.compiled import faces


class Played:
    """A stream, and what the peer has to get in the end."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.stream: Any = faces().StreamFace()
        self.expected = bytearray()
        self.got = bytearray()
        self.counter = 0

    def some(self, most: int) -> bytes:
        """Bytes that are like no others nearby."""
        size = self.random.randrange(1, most)
        self.counter += size
        return bytes((self.counter + at) * 7 % 251 for at in range(size))

    def write(self, most: int = 300) -> None:
        more = self.some(most)
        self.stream.write(more)
        self.expected += more

    def late(self) -> None:
        """A large body is sent by itself; others write meanwhile, and what could not be sent comes after all."""
        body = self.some(3000)
        waiting = self.stream.waiting()
        end = self.stream.leave_out(len(body))
        self.expected += body
        self.stream.pin(True)
        fenced = self.random.random() < 0.3
        gone = self.random.choice((0, waiting // 2, waiting, waiting + len(body) // 3, waiting + len(body)))
        first = self.stream.send(min(gone, waiting)) if self.random.random() < 0.5 else None
        for _ in range(self.random.randrange(4)):
            self.write(2000)
        if fenced:
            self.stream.fence(True)
            fence = self.stream.place()
            self.write()
        self.stream.pin(False)
        self.got += self.stream.send(min(gone, waiting)) if first is None else first
        sent = max(0, gone - waiting)
        self.got += body[:sent]
        if sent < len(body):
            self.stream.put_in(end, body[sent:])
        if fenced:
            self.got += self.stream.send(1 << 30)
            assert len(self.got) == fence, "all that stands before the fence may be sent, and no more"
            self.stream.fence(False)


@pytest.mark.parametrize("seed", range(200))
def test_a_body_that_is_sent_by_itself(seed: int) -> None:
    played = Played(seed)
    for _ in range(30):
        draw = played.random.random()
        if draw < 0.4:
            played.write()
        elif draw < 0.7:
            played.late()
        else:
            played.got += played.stream.send(played.random.randrange(4000))
    played.got += played.stream.send(1 << 30)
    assert played.got == played.expected
    assert played.stream.waiting() == 0
