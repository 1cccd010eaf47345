"""What a job costs, and that a spike is given back (Linux: read from /proc)."""

import gc
import sys
from pathlib import Path

import pytest

from gearfast.broker import Broker
from gearfast.inprocess import InProcessPeer
from gearfast.peer import Report

JOBS = 400_000
PAYLOAD = b"x" * 64
MIB = 1024 * 1024

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def resident() -> int:
    """Bytes of memory this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_queued_job_costs_less_than_100_bytes_beside_its_payload_and_a_drained_queue_nothing() -> None:
    broker = Broker(b"H:memory")
    client, worker = InProcessPeer(broker), InProcessPeer(broker)
    worker.can_do(b"f")
    gc.collect()
    before = resident()
    for _ in range(JOBS):
        client.submit(b"f", PAYLOAD, background=True)
    assert (resident() - before) / JOBS < len(PAYLOAD) + 120  # with what the allocator rounds up
    while job := worker.grab():
        worker.tell(job[0], Report.COMPLETE)
    assert broker.job_count == 0
    assert resident() - before < 20 * MIB
