"""What clients ask for: every kind of job that the protocol knows, by chance."""

from __future__ import annotations

import itertools
import random
import struct
import time

from tests.crash.chronicle import SERIAL_SIZE, Submit

FUNCTIONS = [b"resize", b"mail-out", b"\xc3\xbcber setzen", b"raw\xff\x01\xfe", b"f" * 200]
LARGEST = 100_000
"""Bytes of a payload."""
NOISE = random.Random(1).randbytes(LARGEST)
FAR = 100_000
"""Seconds to when nobody waits for a job."""


class Wishes:
    """An endless row of submits."""

    def __init__(self, chance: random.Random, serials: itertools.count[int], large: float = 0.01) -> None:
        self.chance = chance
        self.serials = serials
        self.large = large

    def next(self) -> Submit:
        """What the next client wants."""
        chance = self.chance
        function = chance.choice(FUNCTIONS)
        kind = chance.random()
        if kind < 0.72:
            return Submit(function=function, unique=self.unique(), payload=self.payload(), priority=chance.randrange(3))
        if kind < 0.8:
            due = int(time.time()) + chance.choice((1, 1, 1, 2, FAR))
            return Submit(function=function, unique=self.unique(), payload=self.payload(), due=due)
        if kind < 0.86:
            reducer = chance.choice((b"sum", b"r" * 64))
            return Submit(function=function, unique=self.unique(), payload=self.payload(), reducer=reducer)
        if kind < 0.9:  # the payload is the unique id
            return Submit(function=function, unique=b"-", payload=b"same %d" % chance.randrange(20))
        priority = chance.randrange(3)
        return Submit(
            function=function, unique=self.unique(), payload=self.payload(), priority=priority, foreground=True
        )

    def unique(self) -> bytes:
        """None at all, one of a few, or one that nobody else has."""
        kind = self.chance.random()
        if kind < 0.6:
            return b""
        if kind < 0.8:
            return b"u%d" % self.chance.randrange(20)
        return self.chance.randbytes(64).replace(b"\0", b"0")

    def payload(self) -> bytes:
        """Any bytes, mostly few of them. From 8 on no two are the same."""
        kind = self.chance.random()
        if kind < 0.1:
            return self.chance.randbytes(self.chance.randrange(SERIAL_SIZE))
        size = SERIAL_SIZE + int(self.chance.expovariate(1 / 150))
        if kind > 1 - self.large:
            size = self.chance.randrange(SERIAL_SIZE, LARGEST)
        start = self.chance.randrange(LARGEST)
        rest = NOISE[start : start + size - SERIAL_SIZE]
        return struct.pack(">Q", next(self.serials)) + rest
