"""What a job has beyond the usual fields, in a store's record: it comes back as it was, or it is refused."""

from __future__ import annotations

import pytest

from gearfast import Broker
from gearfast.broker.outbox import Waits
from gearfast.store.batches import Batches
from gearfast.store.contract import StoredJob


def job(number: int, more: bytes, unique: bytes = b"") -> StoredJob:
    """A stored job."""
    return StoredJob(number, b"f", unique, 1, 0.0, 2, b"payload", more)


def size(value: int) -> bytes:
    """As version 2 writes it."""
    low, high = value & 0x7F, value >> 7
    return bytes((low | 0x80,)) + size(high) if high else bytes((low,))


def policy(text: bytes, reducer: bytes = b"") -> bytes:
    """A policy, and a reducer before it, in version 2."""
    return b"\2" + (b"\1" + size(len(reducer)) + reducer if reducer else b"") + b"\2" + size(len(text)) + text


def written_again(jobs: list[StoredJob]) -> tuple[list[tuple[int, str]], list[StoredJob]]:
    """What is refused at the start; and all others, as they are written when the store has lost them."""
    broker = Broker(b"H:here")
    batches = Batches(broker)
    bad = batches.restore(jobs)
    batches.open(b"H:here", 100, False)
    batches.doubt(True)
    while batches.promise():
        pass
    found: list[StoredJob] = []
    while batches.seek() or batches.count(Waits.ANEW):
        found += batches.collect(Waits.ANEW, 1000, 1 << 30, 0)[1]
        batches.written()
    assert broker.job_count == len(found)
    for each in found:
        broker.cancel_job(broker.handles.format(each.number))
    assert broker.held_bytes == 0
    return bad, found


@pytest.mark.parametrize("unique", [b"", b"u"])
@pytest.mark.parametrize(
    "more",
    [
        b"",
        b"\1\1\1r",
        b"\1\1\x40" + b"r" * 64,
        policy(b"p"),
        policy(b"retries=5;delay=20m", b"r"),
        *(policy(b"x" * length, b"r" * 64) for length in (127, 128, 16_383, 16_384, 100_000)),
    ],
)
def test_it_comes_back_as_it_was(more: bytes, unique: bytes) -> None:
    jobs = [job(number, more, unique and unique + b"%d" % number) for number in range(1, 6)]
    bad, found = written_again(jobs)
    assert bad == []
    assert sorted(found) == jobs


def test_jobs_with_many_policies_keep_each_its_own() -> None:
    jobs = [job(number, policy(b"p%d" % (number % 7)) if number % 3 else b"") for number in range(1, 100)]
    assert sorted(written_again(jobs)[1]) == jobs


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (b"\3", "was written in version 3 of the record, and this server reads up to 2"),
        (b"\xff\1\1r", "version 255"),
        (b"\0", "version 0"),
        (b"\1\2\1x", "it has a field 2, which a later version"),
        (b"\2\x09\1x", "it has a field 9, which a later version"),
        (b"\1\1", "cannot be read"),
        (b"\1\1\2r", "cannot be read"),
        (b"\2\2\x80", "cannot be read"),
        (b"\2\2\5four", "cannot be read"),
        (b"\2\2\xff\xff\xff\xff\xff\x01x", "cannot be read"),
        (b"\2\1\x41" + b"r" * 65, "its reducer has 65 bytes, and may have 64"),
    ],
)
def test_what_cannot_be_is_refused_and_the_others_are_not(more: bytes, said: str) -> None:
    bad, found = written_again([job(1, b""), job(2, more), job(3, policy(b"p"))])
    assert [number for number, _ in bad] == [2]
    assert said in bad[0][1]
    assert [each.number for each in sorted(found)] == [1, 3]
