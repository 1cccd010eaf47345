"""Percentiles of counted latencies against numpy's of the values themselves, and the compiled buckets."""

from __future__ import annotations

import random

import numpy
import pytest

from benchmarks.latency import CURVE, bucket_of, latency, percentile, together, value_of
from tests.support.loading import compiled_buckets

pytestmark = pytest.mark.timeout(300)

SHAPES = ("even", "long tail", "few", "all the same", "two heaps")


def values(shape: str) -> list[int]:
    """Latencies in nanoseconds, of some distribution."""
    chance = random.Random(shape)
    if shape == "even":
        return [chance.randrange(1, 10_000_000) for _ in range(20_011)]
    if shape == "long tail":
        return [int(chance.lognormvariate(12, 2)) for _ in range(20_011)]
    if shape == "few":
        return [chance.randrange(1_000_000) for _ in range(7)]
    if shape == "all the same":
        return [123_456] * 1000
    return [chance.choice((50_000, 70_000_000)) + chance.randrange(20_000) for _ in range(10_000)]


def counted(of: list[int]) -> list[tuple[int, int]]:
    """The same as the load generator counts them."""
    buckets, counts = numpy.unique([bucket_of(value) for value in of], return_counts=True)
    return list(zip(buckets.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("percent", CURVE)
def test_a_percentile_lies_in_the_bucket_of_numpys(shape: str, percent: float) -> None:
    there = values(shape)
    due = int(numpy.percentile(there, percent, method="inverted_cdf"))
    assert bucket_of(int(percentile(counted(there), percent))) == bucket_of(due)


def test_a_bucket_tells_its_values_to_less_than_one_percent() -> None:
    chance = random.Random(1)
    for _ in range(20_000):
        value = chance.randrange(1 << chance.randrange(1, 50))
        assert abs(value_of(bucket_of(value)) - value) <= value * 0.008


def test_buckets_ascend_and_leave_no_gap() -> None:
    assert [bucket_of(value) for value in range(256)] == list(range(256))
    edges = [value for power in range(8, 40) for value in range(1 << power, 2 << power, 1 << (power - 7))]
    assert [bucket_of(edge) for edge in edges] == list(range(256, 256 + len(edges)))
    assert [bucket_of(edge - 1) for edge in edges] == list(range(255, 255 + len(edges)))


def test_compiled_buckets_are_the_same() -> None:
    compiled = compiled_buckets()
    chance = random.Random(2)
    edges = [max(0, (1 << power) + step) for power in range(64) for step in (-1, 0, 1)]
    for value in [*edges, *(chance.randrange(1 << chance.randrange(1, 64)) for _ in range(20_000)), 2**64 - 1]:
        assert compiled(value) == bucket_of(value)


def test_latencies_of_several_rounds_count_together() -> None:
    one, two = values("even"), values("long tail")
    assert together([counted(one), counted(two)]) == counted([*one, *two])
    assert together([]) == []


def test_what_the_report_shows_is_in_microseconds() -> None:
    shown = latency([(bucket_of(1_000_000), 99), (bucket_of(9_000_000), 1)])
    assert shown is not None
    figures = [shown.p50, shown.p99, shown.p999, shown.max]
    assert figures == pytest.approx([1000, 1000, 9000, 9000], rel=0.008)
    assert shown.curve == sorted(shown.curve)
    assert [percent for percent, _ in shown.curve] == list(CURVE)


def test_there_is_nothing_to_tell_of_nothing() -> None:
    assert latency([]) is None
    with pytest.raises(ValueError, match="there are no latencies"):
        percentile([], 50)
