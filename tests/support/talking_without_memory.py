"""A peer that gives its name, and is refused, when there is no memory for the one or the other."""

from __future__ import annotations

import asyncio
import logging

from gearfast import Server
from tests.support import wire
from tests.support.inside import Talk, played
from tests.support.short_memory import refuse

log = logging.getLogger("gearfast")
REFUSED = "UNKNOWN_OPTION: Server does not recognize given option"
CLOSED = "closed: MemoryError('no memory for an answer')"


class Listener(logging.Handler):
    """Keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """A line of the log."""
        self.lines.append(record.getMessage().partition(": ")[2])


async def told(talk: Talk) -> bytes:
    """All that a peer hears that gives its name, and asks for what there is not."""
    talk.writer.write(wire.request(wire.SET_CLIENT_ID, "me") + wire.request(wire.OPTION_REQ, "nonsense"))
    talk.writer.write_eof()
    return await talk.reader.read()


def main() -> None:
    """Each request for memory is refused in turn: the peer is closed, or has its answer, with or without its line."""
    listener = Listener()
    outcomes = []

    async def scene(server: Server, client: Talk) -> None:
        await client.call(wire.ECHO_REQ, payload="what is made once is made")
        which, reached = 0, True
        while reached:
            which += 1
            listener.lines.clear()
            async with Talk(server) as peer:
                while len(server.sessions) < 2:
                    await asyncio.sleep(0)
                refuse(which)
                answer = await told(peer)
                reached = refuse(0)
            outcomes.append((b"UNKNOWN_OPTION" in answer, tuple(listener.lines)))
            async with Talk(server) as peer:
                assert b"UNKNOWN_OPTION" in await told(peer)
            assert listener.lines[-1] == REFUSED, "the next line is written"

    log.addHandler(listener)
    log.propagate = False
    played(scene)
    assert set(outcomes) == {(False, (CLOSED,)), (True, ()), (True, (REFUSED,))}, outcomes


if __name__ == "__main__":
    main()
