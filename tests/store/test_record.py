"""What a job has beyond the usual fields, in a store's record: it comes back as it was, or it is refused."""

from __future__ import annotations

import itertools
import time

import pytest

from gearfast import Broker
from gearfast.broker.deadletters import DeadLetters
from gearfast.broker.outbox import Waits
from gearfast.store.batches import Batches
from gearfast.store.contract import StoredJob
from gearfast.store.record import tells_the_past_only
from tests.support.records import (
    DEAD,
    ERROR,
    FAILED,
    POLICY,
    REDUCER,
    STARTED,
    STATE,
    SUBMITTED,
    field,
    fields,
    moment,
    seconds,
)

MOMENTS = (SUBMITTED, STARTED, FAILED)
CLOSE = 0.05
"""Seconds: two clocks are read one after the other, on a machine that may be slow."""


def job(number: int, more: bytes, unique: bytes = b"") -> StoredJob:
    """A stored job."""
    return StoredJob(number, b"f", unique, 1, 0.0, 2, b"payload", more)


def policy(text: bytes, reducer: bytes = b"") -> bytes:
    """A policy, and a reducer before it, in version 2."""
    return b"\2" + (field(REDUCER, reducer) if reducer else b"") + field(POLICY, text)


def same(one: StoredJob, other: StoredJob) -> bool:
    """Whether they have the same fields, and moments that are close together; the time of a submit is checked apart."""
    mine, its = dict(fields(one.more)), dict(fields(other.more))
    mine.pop(SUBMITTED, None)
    its.pop(SUBMITTED, None)
    if one._replace(more=b"") != other._replace(more=b"") or mine.keys() != its.keys():
        return False
    return all(
        abs(seconds(value) - seconds(its[tag])) < CLOSE if tag in MOMENTS else value == its[tag]
        for tag, value in mine.items()
    )


def submitted(job: StoredJob) -> float:
    """When it was, in seconds since 1970."""
    return seconds(dict(fields(job.more))[SUBMITTED])


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
    assert broker.job_count + broker.dead == len(found)
    letters = DeadLetters(broker)
    for each in found:
        handle = broker.handles.format(each.number)
        assert letters.discard_job(handle) or broker.cancel_job(handle)
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
    """Records of versions that knew no times have been submitted when they are restored, for all that is known."""
    jobs = [job(number, more, unique and unique + b"%d" % number) for number in range(1, 6)]
    before = time.time()
    bad, found = written_again(jobs)
    assert bad == []
    assert all(map(same, sorted(found), jobs))
    assert len(found) == len(jobs)
    assert all(before - CLOSE < submitted(each) < time.time() + CLOSE for each in found)
    assert {each.more[:1] for each in found} == {b"\2"}


def test_jobs_with_many_policies_keep_each_its_own() -> None:
    jobs = [job(number, policy(b"p%d" % (number % 7)) if number % 3 else b"") for number in range(1, 100)]
    assert all(map(same, sorted(written_again(jobs)[1]), jobs))


def test_what_is_known_of_its_past_comes_back_in_every_combination() -> None:
    now = time.time()
    parts = [
        (SUBMITTED, moment(now - 5000)),
        (REDUCER, b"r"),
        (POLICY, b"retries=3"),
        (STARTED, moment(now - 4000.5)),
        (FAILED, moment(now - 0.25)),
        (ERROR, b"\0the mail server\n" * 200),
        (STATE, DEAD),
    ]
    chosen = [some for count in range(len(parts) + 1) for some in itertools.combinations(parts, count)]
    jobs = [job(at, b"\2" + b"".join(field(*part) for part in some)) for at, some in enumerate(chosen, 1)]
    bad, found = written_again(jobs)
    assert bad == []
    assert [each for each, other in zip(sorted(found), jobs, strict=True) if not same(each, other)] == []
    for each, some in zip(sorted(found), chosen, strict=True):
        assert submitted(each) == pytest.approx(now - 5000 if parts[0] in some else now, abs=1.0 + CLOSE)


def test_times_before_the_machine_was_started_are_kept() -> None:
    """By the monotonic clock they are below 0; and one from the end of all numbers does no harm."""
    more = b"\2" + field(SUBMITTED, moment(86400.0)) + field(FAILED, moment(86401.5))
    last = b"\2" + field(SUBMITTED, b"\xff" * 8) + field(FAILED, b"\xff" * 8)
    bad, found = written_again([job(1, more), job(2, last)])
    assert bad == []
    assert submitted(found[0]) == pytest.approx(86400.0, abs=CLOSE)
    assert same(found[0], job(1, more))
    assert submitted(found[1]) > 1e12


def test_of_an_error_the_beginning_is_kept() -> None:
    more = b"\2" + field(FAILED, moment(1e9)) + field(ERROR, b"e" * 5000)
    _, (found,) = written_again([job(1, more)])
    assert dict(fields(found.more))[ERROR] == b"e" * 4096


@pytest.mark.parametrize(
    ("more", "only"),
    [
        (b"", True),
        (b"\2" + field(SUBMITTED, moment(1e9)) + field(STARTED, moment(1e9)), True),
        (b"\2" + field(FAILED, moment(1e9)) + field(ERROR, b"e"), True),
        (b"\1\1\1r", False),
        (b"\2" + field(REDUCER, b"r"), False),
        (b"\2" + field(SUBMITTED, moment(1e9)) + field(POLICY, b"retries=3"), False),
        (b"\2" + field(STATE, DEAD), False),
        (b"\2" + field(9, b"x"), False),
        (b"\3", False),
    ],
)
def test_times_and_errors_can_be_left_out_and_nothing_else(more: bytes, only: bool) -> None:
    """By gearmand's own stores, which have no place for them."""
    assert tells_the_past_only(more) is only


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
        *((b"\2" + field(tag, b"seven**"), f"it has a field {tag}, which a later version") for tag in MOMENTS),
        *((b"\2" + field(tag, b"nine bytes"[:9]), f"it has a field {tag}, which a later version") for tag in MOMENTS),
        *((b"\2" + field(STATE, state), "it has a field 7, which a later version") for state in (b"", b"\0", b"\5\5")),
        *((b"\1" + field(tag, b"12345678"), f"it has a field {tag}, which a later version") for tag in (3, 4, 5, 6, 7)),
        (b"\2" + field(ERROR, b"e" * 300)[:-1], "cannot be read"),
        (b"\2" + field(SUBMITTED, moment(1e9))[:-1], "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_and_the_others_are_not(more: bytes, said: str) -> None:
    bad, found = written_again([job(1, b""), job(2, more), job(3, policy(b"p"))])
    assert [number for number, _ in bad] == [2]
    assert said in bad[0][1]
    assert [each.number for each in sorted(found)] == [1, 3]
