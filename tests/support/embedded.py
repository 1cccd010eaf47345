"""A server process with any Config: `python -m tests.support.embedded '{"port": 1, "output_pause": 4096}'`.

It sets what the command line does not offer, and is an embedder's program in small.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import Iterator
from typing import Any

import uvloop

from gearfast import Config
from gearfast import Server as Gearfast
from gearfast.plugins.admin import Admin
from tests.support.peers import HOST, Server, free_port, start


class CountingAdmin(Admin):
    """It tells with ``made`` how many bytes of long answers it has made so far: what was done before that line."""

    made = 0

    async def start(self, server: Gearfast) -> None:
        await super().start(server)
        server.commands.add("made", lambda words, session: b"%d\n" % self.made)

    def table(self, *given: Any) -> Iterator[bytes]:
        return self.counted(super().table(*given))

    def each_worker(self) -> Iterator[bytes]:
        return self.counted(super().each_worker())

    def counted(self, answer: Iterator[bytes]) -> Iterator[bytes]:
        for part in answer:
            self.made += len(part)
            yield part


async def main(config: Config) -> None:
    """Serve until SIGTERM."""
    server = Gearfast(config, [CountingAdmin()])
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.start()
    print("listening", file=sys.stderr, flush=True)
    await server.wait_closed()


@contextlib.contextmanager
def start_embedded(*, ready: bool = True, **settings: object) -> Iterator[Server]:
    """Run this program with these settings until the block is left."""
    port = free_port()
    given = json.dumps({"listen": [HOST], "port": port, **settings})
    with start("embedded", [sys.executable, "-m", "tests.support.embedded", given], port, ready) as server:
        yield server


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    settings = json.loads(sys.argv[1])
    uvloop.run(main(Config(**{**settings, "listen": tuple(settings["listen"])})))
