"""Large payloads, which are copied and read without the lock."""

from __future__ import annotations

import random

import pytest

from gearfast.config import LARGE_BODY
from tests.support.compiled import faces


def test_a_large_payload_stays_as_long_as_it_is_read() -> None:
    """Though its job has ended, and others of the same size have come."""
    for size in (LARGE_BODY, 100_000, 5_000_000):
        payload = random.Random(size).randbytes(size)
        assert faces().read_when_it_has_ended(payload, 5) == payload


@pytest.mark.parametrize("unique", [b"", b"u", b"u" * 64])
@pytest.mark.parametrize("reducer", [b"", b"reducer"])
def test_a_job_takes_over_the_room_that_its_payload_is_in(unique: bytes, reducer: bytes) -> None:
    payload = random.Random(1).randbytes(LARGE_BODY + 3)
    assert faces().job_in_room(unique, reducer, payload) == (payload, True)
