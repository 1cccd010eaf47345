"""Records as a server writes them of what is no job that waits: a dead letter, an ended job, a schedule."""

from __future__ import annotations

import time

from gearfast import Broker, InProcessPeer, Report
from gearfast.broker.outbox import Waits
from gearfast.broker.timetable import Timetable
from gearfast.store.batches import Batches
from gearfast.store.contract import StoredJob

FAR = 4_000_000_000.0
STATES = {1: "schedule", 2: "buried", 3: "ended", 4: "job", 5: "job"}
"""Of `one_of_each`, by number: the fourth has come of the schedule, the last one is plain."""


def gathered(batches: Batches) -> list[StoredJob]:
    """All that is to be written now."""
    found = batches.collect(Waits.FRESH, 1000, 1 << 30, 0)[1]
    batches.written()
    return found


def one_of_each() -> list[StoredJob]:
    """One record of each state."""
    broker = Broker(b"H:a")
    batches = Batches(broker)
    batches.open(b"H:a", 0, False)
    client, worker = InProcessPeer(broker), InProcessPeer(broker)
    now, wall = 1000.0, time.time()
    broker.tick(now, wall)
    for name, asked in {b"report": b"cron=0 3 1 1 *", b"mail": b"retries=0", b"pay": b"unique_ttl=24h"}.items():
        client.submit(name, b"payload", b"u", background=True, parameters=asked, due=FAR * (name == b"report"), now=now)
    for name, end in {b"mail": Report.FAIL, b"pay": Report.COMPLETE}.items():
        worker.can_do(name)
        job = worker.grab(now)
        assert job is not None
        worker.tell(job[0], end, b"", now)
    assert Timetable(broker).run(b"H:a:1", now)
    client.submit(b"plain", b"payload", b"", background=True, now=now)
    found = sorted(gathered(batches))
    assert [job.number for job in found] == list(STATES)
    return found
