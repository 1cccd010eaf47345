"""Schedules in a store: which job came of one last is written no later than that job."""

from __future__ import annotations

from tests.support import wire
from tests.support.durable import serving
from tests.support.records import RUN, fields

BACKGROUND = wire.SUBMIT_JOB_BG


def test_the_last_job_of_a_schedule_is_known_to_the_store_as_soon_as_the_job_is_there() -> None:
    """Else a server that is killed then would let it run again beside that job."""
    with serving() as served, served.connect() as client:
        (schedule,) = client.call(BACKGROUND, "f;cron=0 0 1 1 *", "u", payload="x").args()
        client.send(b"run now %b\n" % schedule)
        assert client.recv_line() == b"OK\r\n"
        assert client.call(BACKGROUND, "other", "", payload="").name == "JOB_CREATED"  # so it is written
        runs = [
            {job.number: dict(fields(job.more)).get(RUN, bytes(8)) for job in batch.adds}
            for batch in served.store.written
        ]
        first = next(batch for batch in runs if 2 in batch)
        assert first[1] == (2).to_bytes(8, "little")
