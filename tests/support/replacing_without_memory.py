"""Replacements for which there is no memory: the job stays as it was, and whoever submitted is told."""

from __future__ import annotations

from functools import partial

from gearfast import Broker, InProcessPeer
from gearfast.store.batches import Batches
from tests.support.brokering import functions, payloads, peer_for
from tests.support.short_memory import each_refusal

NOW = 1000.0
RETRIES = b"retries=5;backoff=fixed:50s"
NEW = b"n" * 100_000
GATHERED = 64
"""Jobs that fill what the outbox has room for."""


def figures(broker: Broker) -> tuple[object, ...]:
    """All that is to stay as it was."""
    jobs = sorted(row[0] for row in broker.scan_jobs(0, 1000)[1])
    shown = [(*found[:10], *found[11:]) for found in map(broker.show_job, jobs) if found is not None]
    return jobs, shown, functions(broker), broker.job_count, broker.held_bytes, broker.unkept, broker.wait(NOW, NOW)


def put(
    client: InProcessPeer, payload: bytes, unique: bytes, due: float, parameters: bytes = b"", name: bytes = b"f"
) -> bytes:
    """Submit a job in the background; its handle."""
    found = client.submit(name, payload, unique, background=True, due=due, parameters=parameters, now=NOW)
    assert found is not None
    return found


def replaced(state: str, due: float, *, stored: bool) -> int:
    """Replace a job that waits in this way, with each request refused in turn. Returns how many were."""
    refusals = 0
    for refused in each_refusal():
        broker = Broker(b"H:t")
        client, worker = InProcessPeer(broker), peer_for(broker, b"f")
        batches = Batches(broker)
        if stored:
            batches.open(b"H:t", 0, False)
        handle = put(client, b"old", b"u", 5000.0 if state == "delayed" else 0.0, RETRIES)
        if state == "retrying":
            worker.grab(NOW)
            worker.disconnect(NOW)
        for number in range(GATHERED - 1):
            put(client, b"x", b"%d" % number, 9000.0 if number < 16 else 0.0, name=b"g")
        before = figures(broker)
        replace = partial(put, client, NEW, b"u", due, b"duplicate=replace;timeout=3s;ttl=9s")
        failed = refused(replace)
        refusals += failed
        assert (figures(broker) == before) == failed, "it is as it was, or replaced"
        if failed:
            assert replace() == handle, "it can be replaced as ever"
        found = broker.show_job(handle)
        assert found is not None
        assert (found[0], found[4], found[6]) == ("delayed" if due else "queued", len(NEW), due)
        if stored:
            kept = {job.number: job.payload for job in batches.collect(0, 1000, 1 << 30, 1000)[1]}
            assert (kept[1], len(kept)) == (NEW, GATHERED)
            batches.written()
        broker.tick(NOW, 10_000.0)
        assert payloads(peer_for(broker, b"f", b"g")).count(NEW) == 1
    return refusals


def main() -> None:
    """Each way of waiting, before and after, with a store and without."""
    for state in ("queued", "delayed", "retrying"):
        for due in (0.0, 7000.0):
            for stored in (False, True):
                refusals = replaced(state, due, stored=stored)
                assert refusals >= 1 + stored + (due > 0 and state != "delayed"), (state, due, stored, refusals)


if __name__ == "__main__":
    main()
