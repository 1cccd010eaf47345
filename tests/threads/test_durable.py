"""Durable jobs whose clients other threads read from."""

from __future__ import annotations

import threading
import time

import pytest

from tests.support import wire
from tests.support.durable import Obedient, serving
from tests.support.wire import ClosedError, Connection

CLIENTS = 3


@pytest.mark.parametrize("moment", range(10))
def test_what_was_acknowledged_while_the_server_stopped_is_in_the_store(moment: int) -> None:
    store = Obedient()
    handles: list[list[bytes]] = [[] for _ in range(CLIENTS)]

    def play(at: int, client: Connection) -> None:
        try:
            while True:
                handles[at].append(client.call(wire.SUBMIT_JOB_BG, "f", "", payload="x").body)
        except (ClosedError, OSError):
            client.close()

    with serving(store, io_threads=4, io_shuffle=0.003) as served:
        threads = [threading.Thread(target=play, args=(at, served.connect())) for at in range(CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(0.01 * moment)
        served.stop()
        for thread in threads:
            thread.join()
    told = {int(handle.rpartition(b":")[2]) for those in handles for handle in those}
    assert told <= set(store.numbers())
