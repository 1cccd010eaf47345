"""What the log says of those for whom there is no room: once of each address, however often it comes."""

import asyncio
import logging

from gearfast.config import LOG_DIFFERENT, LOG_REPEATS

log = logging.getLogger("gearfast")


class Refusals:
    """Says each address once in ``LOG_REPEATS`` seconds, up to LOG_DIFFERENT of them, and counts all others."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.named = set[bytes]()
        self.others = 0
        self.timer: asyncio.TimerHandle | None = None

    def note(self, address: bytes, reason: str) -> None:
        """There was no room for a connection from this address."""
        if address in self.named or len(self.named) >= LOG_DIFFERENT:
            self.others += 1
            return
        self.named.add(address)
        log.error("%s: one connection too many: %s", address.decode(), reason)
        if self.timer is None:
            self.timer = self.loop.call_later(LOG_REPEATS, self.tell)

    def tell(self) -> None:
        """Say how many were only counted, and begin anew."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.others:
            log.error("%d more connections too many within %.0f s", self.others, LOG_REPEATS)
        self.named.clear()
        self.others = 0
