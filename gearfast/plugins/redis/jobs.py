"""How jobs lie in Redis: a record each, in hashes of 1,024 numbers."""

import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from gearfast.store.contract import StoredJob
from gearfast.store.stock import Tally

BUCKET_BITS: Final = 10
"""A hash of a million jobs could be read in no order, and not without others waiting; one of 1,024 is sorted here."""
SLICE: Final = 256
"""Jobs that are packed at a time: some 0.2 ms of Python."""
SLICE_BYTES: Final = 1 << 20
"""And how much of them, before it is sent."""

RECORD: Final = struct.Struct("<BBIdIII")
"""Version, priority, attempts, due time, bytes of function, unique and more; these three follow, then the payload."""
VERSION: Final = 1
NUMBER: Final = re.compile(rb"0|[1-9][0-9]{0,18}")


def record_of(job: StoredJob) -> bytes:
    """Return what is kept of a job besides its number."""
    _, function, unique, priority, due, attempts, payload, more = job
    head = RECORD.pack(VERSION, priority, attempts, due, len(function), len(unique), len(more))
    return head + function + unique + more + payload


def jobs_from(numbers: Iterable[int], records: Iterable[bytes | None], tally: Tally) -> list[StoredJob]:
    """Return the jobs of records; one that cannot be read is reported. A replay is a million turns of this loop."""
    found = list[StoredJob]()
    new, unpack, head = tuple.__new__, RECORD.unpack_from, RECORD.size
    for number, record in zip(numbers, records, strict=True):
        if record is None or len(record) < head or record[0] != VERSION:
            tally.reject(number, "its record is damaged, or of a newer gearfast")
            continue
        # Each part's length becomes the place where the next part begins.
        _, priority, attempts, due, unique, more, payload = unpack(record)
        unique += head
        more += unique
        payload += more
        if payload > len(record):
            tally.reject(number, "its record is cut off")
            continue
        names = record[head:unique], record[unique:more]
        found.append(new(StoredJob, (number, *names, priority, due, attempts, record[payload:], record[more:payload])))
    return found


def numbers_from(names: list[bytes], tally: Tally) -> list[int]:
    """Return the numbers of a bucket's records in their order; what is no number is reported."""
    found = sorted(map(int, filter(NUMBER.fullmatch, names)))
    while found and found[-1] >= 2**63:
        found.pop()
    if len(found) < len(names):
        for name in set(names).difference(b"%d" % number for number in found):
            tally.reject(name, "this is not the number of a job")
    return found


def by_bucket(numbers: Iterable[int]) -> dict[int, list[int]]:
    """Sort numbers into their buckets."""
    found = defaultdict[int, list[int]](list)
    for number in numbers:
        found[number >> BUCKET_BITS].append(number)
    return found


def slices(jobs: Iterable[StoredJob]) -> Iterator[dict[int, bytes]]:
    """Yield the records of jobs by their number, as many at a time as are packed and sent at a time."""
    found = dict[int, bytes]()
    size = 0
    for job in jobs:
        record = record_of(job)
        found[job.number] = record
        size += len(record)
        if size > SLICE_BYTES or len(found) == SLICE:
            yield found
            found, size = {}, 0
    if found:
        yield found
