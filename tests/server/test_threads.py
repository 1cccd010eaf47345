"""Several servers in several threads of one process: each with a loop of its own, and nothing of theirs in the way."""

from __future__ import annotations

import concurrent.futures
import random
import threading

import pytest

from gearfast import Server
from gearfast.plugins.admin import Admin
from tests.support import wire
from tests.support.durable import Obedient
from tests.support.inside import LOCAL, Talk, play

SERVERS = 4
JOBS = 300


async def work(server: Server, name: bytes, draw: random.Random) -> None:
    """Jobs of every size, submitted and done at one server; each comes back as it went, and to nobody else."""
    async with Talk(server) as client, Talk(server) as worker:
        worker.say(wire.CAN_DO, b"f")
        for number in range(JOBS):
            payload = (name + b"/%d/" % number) * draw.choice([1, 5, 40, 300, 5000])
            background = draw.random() < 0.3
            created = await client.call(
                wire.SUBMIT_JOB_BG if background else wire.SUBMIT_JOB, "f", b"%d" % number, payload=payload
            )
            job = await worker.call(wire.GRAB_JOB)
            handle, function, given = job.body.split(b"\0", 2)
            assert (handle, function, given) == (created.body, b"f", payload)
            worker.say(wire.WORK_COMPLETE, handle, payload=given[::-1])
            if not background:
                assert (await client.hear()).body == handle + b"\0" + payload[::-1]
        await worker.call(wire.ECHO_REQ, payload=b"")  # the last one is done
        client.writer.write(b"status\n")
        assert await client.reader.readuntil(b".\n") == b"f\t0\t0\t1\n.\n"


@pytest.mark.parametrize("stored", [False, True])
def test_servers_in_threads_have_nothing_in_common_but_the_process(stored: bool) -> None:
    together = threading.Barrier(SERVERS)

    async def scene(number: int) -> None:
        store = Obedient() if stored else None
        server = Server(LOCAL, [Admin()], store)
        await server.start()
        together.wait(10)
        await work(server, b"server %d" % number, random.Random(number))
        server.stop()
        await server.wait_closed()

    with concurrent.futures.ThreadPoolExecutor(SERVERS) as threads:
        for done in [threads.submit(lambda number: play(scene(number)), number) for number in range(SERVERS)]:
            done.result(60)
