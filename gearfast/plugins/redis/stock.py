"""gearmand's keys in Redis, to and from jobs.

A key is ``<prefix>-<function>-<unique>``, its hash has ``data`` and ``priority``; gearmand 2.0 adds ``function`` and
``unique``. What gearmand before 1.1.16 left is a string, the payload.
"""

import logging
import re
from collections.abc import AsyncIterator, Sequence
from typing import Final

from gearfast.config import UNIQUE_SIZE
from gearfast.errors import ConfigError, StoreError
from gearfast.ground.clock import wall
from gearfast.plugins.redis.link import Link
from gearfast.store.contract import StoredJob
from gearfast.store.stock import NAMED, StockRow, Tally, job_of, row_of, shown

log = logging.getLogger("gearfast")

PREFIX: Final = "_gear_"
"""gearmand's own, if it is given none."""
OURS: Final = b"gearfast:{"
"""What our own keys begin with."""
FIELDS: Final = ("data", "priority", "function", "unique")

UUID: Final = re.compile(rb"(.*)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.DOTALL | re.IGNORECASE)
STOCK_KEYS: Final = 500
"""Keys that are looked at together, and moved in one transaction."""
LONGEST_FUNCTION: Final = 500
"""Bytes; a longer one gearmand cannot read out of its key again."""


def prefix_of(table: str) -> bytes:
    """Return the prefix of gearmand's keys. Raises ConfigError when gearmand would take our keys for its own."""
    prefix = (table or PREFIX).encode(errors="surrogateescape")
    if re.search(rb"[*?\[\]\\]", prefix):
        raise ConfigError(f"the prefix {table!r} of keys is a pattern to gearmand: choose one without * ? [ ] and \\")
    if OURS.startswith(prefix) or prefix.startswith(OURS):
        raise ConfigError(f"the prefix {table!r} of keys is kept for gearfast's own keys: choose another one")
    return prefix


async def fields_of(
    link: Link, keys: Sequence[bytes]
) -> AsyncIterator[tuple[bytes, Sequence[bytes | None] | StoreError]]:
    """Yield the keys that are there, with the values of FIELDS, or why they are no jobs. Raises RedisError."""
    kinds = dict(zip(keys, await link.ask(*((b"TYPE", key) for key in keys)), strict=True))
    hashes = [key for key, kind in kinds.items() if kind == b"hash"]
    strings = [key for key, kind in kinds.items() if kind == b"string"]
    sizes = await link.ask(*((b"HLEN", key) for key in hashes))
    fields = await link.ask(*((b"HMGET", key, *FIELDS) for key in hashes))
    for key, size, values in zip(hashes, sizes, fields, strict=True):
        foreign = size > sum(value is not None for value in values)
        yield key, StoreError("it has fields that gearmand does not write") if foreign else values
    for key, payload in zip(strings, await link.ask(*((b"GET", key) for key in strings)), strict=True):
        yield key, (payload, b"1", None, None)
    for key, kind in kinds.items():
        if kind not in (b"hash", b"string", b"none"):
            yield key, StoreError(f"it is a {kind.decode()}, and gearmand writes hashes")


def row_from(key: bytes, prefix: bytes, fields: Sequence[bytes | None]) -> tuple[StockRow, bool]:
    """Return gearmand's row of a key below the prefix, and whether there is no other way to read that key.

    The key of 1.1.20 is all there is to read function and unique from. A unique that is a UUID (clients make those up),
    empty or ``-`` shows where to split it, and the function may have hyphens. Else the first hyphen ends the function:
    gearmand 1.1.20 itself reads it so at its next start, hence those who use it have learned to do without hyphens in
    functions, but not in uniques. Raises StoreError when it is no job, or not of this gearmand.
    """
    data, priority, function, unique = fields
    rest = key[len(prefix) + 1 :]
    sure = True
    if function is not None or unique is not None:
        if rest != b"%b-%b" % (function or b"", unique or b""):
            raise StoreError("its key and its fields differ: it belongs to a gearmand with another prefix")
    elif b"-" not in rest:
        raise StoreError("its key does not name a function and a unique id")
    elif found := UUID.fullmatch(rest):
        function, unique = found.groups()
        sure = b"-" not in function
    elif rest.endswith(b"-"):
        function, unique = (rest[:-2], b"-") if rest.endswith(b"--") else (rest[:-1], b"")
        sure = b"-" not in function
    else:
        function, _, unique = rest.partition(b"-")
        sure = b"-" not in unique
    if unique is not None and len(unique) == UNIQUE_SIZE:
        unique = unique.removeprefix(b" ")  # 1.1.20 keeps 63 bytes, and fills up with a blank
    if data is None or priority not in (b"0", b"1", b"2"):
        raise StoreError("it has no payload, or no priority of 0, 1 or 2")
    return StockRow(unique, function, int(priority), data, 0), sure


def key_of(prefix: bytes, job: StoredJob) -> bytes:
    """Return the key under which gearmand 1.1.20 finds the job. Raises StoreError when it could not read it again."""
    row = row_of(job)
    if b"-" in prefix:
        raise StoreError("gearmand reads no keys whose prefix has a hyphen")
    if b"-" in job.function:
        raise StoreError("gearmand takes what is before the hyphen for the function")
    if not 0 < len(job.function) <= LONGEST_FUNCTION:
        raise StoreError(f"gearmand cannot read a function of {len(job.function)} bytes out of a key")
    if b"\0" in job.payload:
        raise StoreError("gearmand cuts the payload at its NUL byte")
    if job.due > wall():
        raise StoreError("it is delayed, and gearmand keeps no such jobs in Redis")
    return b"-".join((prefix, job.function, row.unique or b""))


class StockKeys:
    """All keys that gearmand left, and which jobs they are."""

    def __init__(self, link: Link, prefix: bytes, place: str) -> None:
        self.link = link
        self.prefix = prefix
        self.tally = Tally(f"{place}, keys {prefix.decode(errors='replace')}-*")
        self.known = set[bytes]()
        """Keys that stay where they are, and need no second look."""
        self.unsure = 0

    async def slices(self) -> AsyncIterator[list[bytes]]:
        """Yield the keys, some at a time. Raises RedisError."""
        cursor = b"0"
        while True:
            [[cursor, keys]] = await self.link.ask((b"SCAN", cursor, "MATCH", self.prefix + b"-*", "COUNT", STOCK_KEYS))
            fresh = sorted(set(keys) - self.known)
            for at in range(0, len(fresh), STOCK_KEYS):
                yield fresh[at : at + STOCK_KEYS]
            if cursor == b"0":
                return

    async def jobs(self, keys: Sequence[bytes], number: int) -> tuple[list[StoredJob], list[bytes]]:
        """Return the jobs of some keys, with the numbers after ``number``, and their keys; say why others are none."""
        jobs, taken = list[StoredJob](), list[bytes]()
        async for key, fields in fields_of(self.link, keys):
            try:
                if isinstance(fields, StoreError):
                    raise fields
                row, sure = row_from(key, self.prefix, fields)
                jobs.append(job_of(row, number + len(jobs) + 1))
            except StoreError as error:
                self.tally.reject(key, error)
                self.known.add(key)
                continue
            taken.append(key)
            self.unsure += not sure
            if not sure and self.unsure <= NAMED:
                log.warning("%s: the key %s is read as function %r", self.tally.place, shown(key), row.function)
        return jobs, taken

    def finish(self) -> None:
        """Say what has not been said one by one."""
        self.tally.finish()
        if self.unsure > NAMED:
            log.warning("%s: %d more keys could be read in several ways", self.tally.place, self.unsure - NAMED)
