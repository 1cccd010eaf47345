"""What clients ask for: every kind of job that the protocol knows, by chance."""

from __future__ import annotations

import itertools
import random
import struct
import time

from tests.crash.wanted import FAR, SERIAL_SIZE, Submit

FUNCTIONS = [b"resize", b"mail-out", b"\xc3\xbcber setzen", b"raw\xff\x01\xfe", b"f" * 200]
LARGEST = 100_000
"""Bytes of a payload."""
NOISE = random.Random(1).randbytes(LARGEST)


class Wishes:
    """An endless row of submits."""

    def __init__(self, chance: random.Random, serials: itertools.count[int], large: float = 0.01) -> None:
        self.chance = chance
        self.serials = serials
        self.large = large

    def next(self) -> Submit:
        """What the next client wants."""
        kinds = [self.plain, self.dated, self.delayed, self.reduced, self.same, self.waited_for]
        kinds += (self.retried, self.once, self.replacing, self.schedule)
        return self.chance.choices(kinds, (60, 6, 5, 5, 4, 9, 7, 2, 1.5, 0.5))[0]()

    def plain(self) -> Submit:
        """At once."""
        function, priority = self.chance.choice(FUNCTIONS), self.chance.randrange(3)
        return Submit(function=function, unique=self.unique(), payload=self.payload(), priority=priority)

    def waited_for(self) -> Submit:
        """A client waits for it."""
        wish = self.plain()
        wish.foreground = True
        return wish

    def dated(self) -> Submit:
        """At a time, as the packet says it that is made for that."""
        wish = self.plain()
        wish.due = int(time.time()) + self.chance.choice((1, 1, 1, 2, FAR))
        wish.priority = 1
        return wish

    def delayed(self) -> Submit:
        """At a time, as parameters say it."""
        wish = self.plain()
        delay = self.chance.choice((0.05, 0.2, 0.7, 2, FAR))
        at = b"at=%.3f" % (time.time() + delay)
        wish.parameters = self.chance.choice((b"delay=%dms" % (delay * 1000), at))
        return wish

    def reduced(self) -> Submit:
        """With a reducer."""
        reducer = self.chance.choice((b"sum", b"r" * 64))
        function = self.chance.choice(FUNCTIONS)
        return Submit(function=function, unique=self.unique(), payload=self.payload(), reducer=reducer)

    def same(self) -> Submit:
        """The payload is the unique id."""
        function, payload = self.chance.choice(FUNCTIONS), b"same %d" % self.chance.randrange(20)
        return Submit(function=function, unique=b"-", payload=payload)

    # --- with parameters; all of one family of unique ids ask for the same kind ---

    def special(self, unique: bytes, parameters: bytes) -> Submit:
        """No two with the same payload."""
        function, priority = self.chance.choice(FUNCTIONS), self.chance.randrange(3)
        return Submit(function=function, unique=unique, payload=self.serial(), priority=priority, parameters=parameters)

    def retried(self) -> Submit:
        """With some tries, and waits between them."""
        chance = self.chance
        unique = chance.choice((b"", b"", b"try%d" % chance.randrange(20)))
        parameters = b"retries=%d" % chance.choice((0, 0, 1, 1, 2, 5))
        parameters += chance.choice((b"", b";backoff=fixed:50ms", b";backoff=fixed:1.5s"))
        if b"backoff" not in parameters and chance.random() < 0.5:
            parameters += b";backoff=exponential:100ms..1s+jitter"
        if chance.random() < 0.1:
            parameters = b"delay=%dms;" % chance.choice((100, FAR * 1000)) + parameters
        return self.special(unique, parameters)

    def once(self) -> Submit:
        """With a unique id that stays taken when it has ended."""
        ttl = self.chance.choice((b"300ms", b"2s", b"2s", b"5s", b"5s", b"1h"))
        return self.special(b"once%d" % self.chance.randrange(20), b"unique_ttl=" + ttl)

    def replacing(self) -> Submit:
        """In the place of the one before; most of them wait so long that there is one."""
        if self.chance.random() < 0.6:
            unique, far = b"far%d" % self.chance.randrange(10), FAR + self.chance.randrange(1000)
            return self.special(unique, b"duplicate=replace;delay=%ds" % far)
        parameters = self.chance.choice((b"duplicate=replace", b"duplicate=replace;delay=300ms"))
        return self.special(b"near%d" % self.chance.randrange(10), parameters)

    def schedule(self) -> Submit:
        """Jobs at a moment that nobody waits for."""
        unique = self.chance.choice((b"", b"plan1", b"plan2", b"plan3"))
        parameters = b"cron=0 0 1 %d *" % ((time.gmtime().tm_mon + 5) % 12 + 1)
        wish = self.special(unique, parameters + self.chance.choice((b"", b";retries=3;backoff=fixed:50ms")))
        wish.priority = 1
        return wish

    # --- parts of them ---

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
        return self.serial() + rest

    def serial(self) -> bytes:
        """Eight bytes that nobody else has."""
        return struct.pack(">Q", next(self.serials))
