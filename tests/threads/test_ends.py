"""Ends of jobs whose clients and workers are at different threads; and that connections do move between these."""

from __future__ import annotations

import dataclasses

import pytest

from gearfast import Server
from tests.support import wire
from tests.support.inside import LOCAL, Talk, play
from tests.threads.ends import ends

JOBS = 20_000
ROUNDS = 3000


@pytest.mark.timeout(300)
def test_every_end_comes_once_and_in_its_order() -> None:
    assert ends(JOBS).jobs == JOBS


def test_connections_that_are_to_change_their_threads_do_so_all_the_time() -> None:
    """In as short a time as most tests take, and though they talk to the server in text, too."""

    async def scene() -> None:
        config = dataclasses.replace(LOCAL, io_threads=4, io_shuffle=0.003)
        async with Server(config) as server, Talk(server) as client, Talk(server) as worker:
            worker.say(wire.CAN_DO, b"f")
            for number in range(ROUNDS):
                handle = (await client.call(wire.SUBMIT_JOB, "f", "", payload=b"%d" % number)).body
                assert (await worker.call(wire.GRAB_JOB)).body == handle + b"\0f\0%d" % number
                worker.say(wire.WORK_COMPLETE, handle, payload=b"%d" % number)
                assert (await client.hear()).body == handle + b"\0%d" % number
            assert server.threads is not None
            assert server.threads.moved > 20
            assert sum(thread.station.reads for thread in server.threads.workers) > ROUNDS

    play(scene())
