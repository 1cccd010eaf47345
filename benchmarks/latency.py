"""Latencies as counted buckets: 128 to a power of two, so that a value is known to 0.8 %.

Bucket b below 256 is b nanoseconds; above, each further 128 buckets span twice the time of the 128 before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.results import Latency

Counted = Sequence[tuple[int, int]]

# where a curve is drawn: ever nearer to 100 %
CURVE = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99, 99.999, 100.0)


def bucket_of(nanoseconds: int) -> int:
    """Return the bucket that a latency is counted in."""
    shift = max(nanoseconds.bit_length() - 8, 0)
    return shift * 128 + (nanoseconds >> shift)


def value_of(bucket: int) -> float:
    """Return the middle of a bucket, in nanoseconds."""
    if bucket < 256:
        return float(bucket)
    shift = bucket // 128 - 1
    return ((bucket - shift * 128) << shift) + ((1 << shift) - 1) / 2


def percentile(counted: Counted, percent: float) -> float:
    """Return the nanoseconds that so many percent of the latencies do not exceed; the nearest rank.

    Raises ValueError when there are none.
    """
    total = sum(count for _, count in counted)
    if not total:
        raise ValueError("there are no latencies")
    rank = max(1, -(-total * percent // 100))
    seen = 0
    for bucket, count in sorted(counted):
        seen += count
        if seen >= rank:
            return value_of(bucket)
    return value_of(max(counted)[0])


def together(several: Iterable[Counted]) -> list[tuple[int, int]]:
    """Return all of them as one."""
    sums: dict[int, int] = {}
    for counted in several:
        for bucket, count in counted:
            sums[bucket] = sums.get(bucket, 0) + count
    return sorted(sums.items())


def latency(counted: Counted) -> Latency | None:
    """Return what the report shows of them, in microseconds; None when there are none."""
    if not counted:
        return None
    at = {percent: percentile(counted, percent) / 1e3 for percent in (*CURVE,)}
    return Latency(at[50.0], at[99.0], at[99.9], at[100.0], sorted(at.items()))
