"""The store in Redis or Valkey.

All keys of a store begin with ``gearfast:{<prefix>}:``; the braces keep them on one node of a cluster::

    metadata         hash: name -> text
    buckets       set: the numbers of the buckets that may have jobs
    bucket:<n>    hash: number of a job -> its record, for the 1,024 numbers from n * 1,024 on
    owner         the connection that may write, and how many batches it has written

A batch is one MULTI/EXEC. Every connection puts its name into ``owner`` and watches that key, so EXEC does nothing for
one that was replaced: neither for a batch that lay in the socket of a frozen Redis, nor for a second server. And who
connects again sees there whether Redis has lost something: all of it, or what came after its last snapshot.
"""

import asyncio
import contextlib
import logging
import random
import re
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from redis import exceptions as refused

from gearfast.errors import StoreError, StoreLostError
from gearfast.ground.clock import monotonic
from gearfast.logs import NOTICE
from gearfast.plugins.redis.jobs import BUCKET_BITS, NUMBER, SLICE, by_bucket, jobs_from, numbers_from, slices
from gearfast.plugins.redis.link import Command, Link, connector, raise_first, reason_of
from gearfast.plugins.redis.stock import OURS, StockKeys, key_of, prefix_of
from gearfast.store.contract import CEILING, Batch, StoredJob, StoreSettings, ceiling_of
from gearfast.store.stock import Tally, staying

log = logging.getLogger("gearfast")

SPARE: Final = 1 << 20
LARGEST: Final = (512 << 20) - SPARE
"""Bytes of a job: Redis takes 512 MiB in one piece, and a record is a little more than names and payload."""
REMOVED_SLICE: Final = 1024
REPLY_BYTES: Final = 1 << 20
"""What an answer of a replay is to have about, so that others who use the Redis do not wait for it."""
ALONE_SECONDS: Final = 1.0
"""How long the connection of a server that was killed may still be listed."""
OTHER: Final = "{}: another server works on the same jobs: stop it, and restart this one"
GONE: Final = "{} has lost the jobs that were stored there"
OLDER: Final = "{} has lost the newest jobs that were stored there: it is back in an earlier state"
SYNC_SECONDS: Final = 10
"""How long WAITAOF waits; everysec is late by two at the most while the disk is well."""


def promise(durability: str, appendonly: str, appendfsync: str, waits: bool) -> tuple[int, str]:
    """Say what acknowledged jobs survive, by Redis' settings ("" is unknown), and at which level of the log."""
    if durability == "off":
        return NOTICE, "acknowledged jobs are as durable as its own settings make them (--durability=off)"
    if not appendonly:
        return logging.WARNING, (
            "its durability is not known (CONFIG is refused): make sure that appendonly is yes and "
            "appendfsync is always"
        )
    if appendonly == "no":
        return logging.WARNING, (
            "appendonly is no, and acknowledged jobs are lost when it ends: set appendonly yes and "
            "appendfsync always, or say --durability=off"
        )
    if durability == "normal" or appendfsync == "always":
        return NOTICE, f"acknowledged jobs are in its append-only file (appendfsync is {appendfsync or 'not known'})"
    if waits:
        return logging.WARNING, (
            "appendfsync is everysec, and each batch waits up to a second for the disk (WAITAOF): set appendfsync "
            "always to have them sooner"
        )
    return logging.WARNING, (
        f"appendfsync is {appendfsync or 'not known'}, and the last acknowledged jobs are lost when its machine fails: "
        "set appendfsync always, or say --durability=normal"
    )


class Redis:
    """Keeps jobs in Redis or Valkey."""

    def __init__(self, settings: StoreSettings) -> None:
        """Check the URL and the prefix. Raises ConfigError."""
        self.largest = LARGEST
        self._durability = settings.durability
        self._seconds = settings.timeout
        self._stock = prefix_of(settings.table)
        self._make, self._place, database = connector(settings)
        self._base = OURS + self._stock + b"}:"
        self._metadata, self._buckets, self._owner = (self._base + name for name in (b"metadata", b"buckets", b"owner"))
        self._name = f"gearfast:{quote(self._stock, safe='')}:{database}:"
        self._token = secrets.token_hex(8)
        self._connections = 0
        self._mark: bytes | None = None
        """What ``owner`` is for this connection; None: Redis was too full for it."""
        self._marks = set[bytes]()
        """What ``owner`` may be, as something was sent of which nothing was heard."""
        self._batches = 0
        self._lost = ""
        """What became of the jobs, until who writes has been told."""
        self._link: Link | None = None
        self._waits = False
        self._empty = set[int]()
        self._reading = False
        """Nothing is changed, and so nobody is to be kept off."""

    async def open(self) -> Mapping[str, str]:
        """Connect, say how durable this Redis is, take over gearmand's keys, and return the metadata."""
        async with self._guarded():
            await self._drop()
            link = await self._connect(opening=True)
            try:
                await self._look(link)
                metadata = await self._take_over(link, await self._read_metadata(link))
            except BaseException:
                await link.drop()
                raise
            self._link = link
            return metadata

    async def look(self) -> Mapping[str, str]:
        """Connect for reading only, and return the metadata; nobody is kept off. Raises StoreError."""
        self._reading = True
        async with self._guarded():
            return await self._read_metadata(await self._connected())

    async def _read_metadata(self, link: Link) -> dict[str, str]:
        [pairs] = await link.ask((b"HGETALL", self._metadata))
        words = [word.decode(errors="surrogateescape") for word in pairs]
        return dict(zip(words[::2], words[1::2], strict=True))

    async def left(self) -> AsyncIterator[list[StoredJob]]:
        """Yield the jobs of gearmand's keys, without numbers. Raises StoreError."""
        async with self._guarded():
            found = StockKeys(await self._connected(), self._stock, self._place)
            async for keys in found.slices():
                jobs, taken = await found.jobs(keys, 0)
                found.known.update(taken)
                yield [job._replace(number=0) for job in jobs]
            found.finish()

    async def replay(self) -> AsyncIterator[list[StoredJob]]:
        """Yield every job, by its number: bucket by bucket, the numbers, then as many records as are no burden."""
        tally = Tally(self._place)
        step = 64
        for bucket in await self._all_buckets():
            key = self._bucket(bucket)
            [names] = await self._ask((b"HKEYS", key))
            if not names:
                self._empty.add(bucket)
            numbers = numbers_from(names, tally)
            while numbers:
                part, numbers = numbers[:step], numbers[step:]
                [records] = await self._ask((b"HMGET", key, *part))
                size = sum(map(len, filter(None, records))) + 1
                step = max(1, min(2 * step, len(part) * REPLY_BYTES // size, 1 << BUCKET_BITS))
                if jobs := jobs_from(part, records, tally):
                    yield jobs
        tally.finish()

    async def write(self, batch: Batch) -> None:
        """Write the batch in one transaction; return when it is as durable as this Redis can make it.

        Raises StoreLostError when it has lost some of what was written before.
        """
        async with self._guarded():
            link = await self._connected()
            if self._lost:
                lost, self._lost = self._lost, ""
                raise StoreLostError(lost)
            try:
                await self._commit(link, batch)
            except refused.OutOfMemoryError:
                if batch.adds or batch.metadata:
                    raise
                await self._remove(link, batch.removes)

    async def room(self) -> int | None:
        """Return how much more this Redis may hold; None when it has no limit, or makes room by itself."""
        [answer] = await self._ask((b"INFO", "memory"), strict=False)
        if not isinstance(answer, bytes):
            return None
        lines = (line.partition(b":") for line in answer.splitlines())
        metadata = {name: value for name, _, value in lines}
        limit, policy = int(metadata.get(b"maxmemory", b"0")), metadata.get(b"maxmemory_policy", b"")
        if limit == 0 or policy != b"noeviction":
            return None
        return max(0, limit - int(metadata.get(b"used_memory", b"0")))

    async def close(self) -> None:
        """End the connection."""
        await self._drop()

    async def give_back(self) -> tuple[int, list[str]]:
        """Move the jobs into keys that gearmand 1.1.20 reads; return how many, and a line for each that it cannot."""
        given, left = 0, list[str]()
        async for jobs in self.replay():
            rows = dict[bytes, StoredJob]()
            for job in jobs:
                try:
                    if rows.setdefault(key_of(self._stock, job), job) is not job:
                        raise StoreError("another job has its function and unique id")
                except StoreError as error:
                    left.append(staying(job, error))
            if not rows:
                continue
            async with self._guarded():
                link = await self._connected()
                [_, *there] = await link.ask((b"WATCH", *rows), *((b"EXISTS", key) for key in rows))
                for key in [key for key, taken in zip(rows, there, strict=True) if taken]:
                    left.append(staying(rows.pop(key), "gearmand has a job with its function and unique id"))
                keys = [(b"HSET", key, "data", job.payload, "priority", job.priority) for key, job in rows.items()]
                await self._commit(link, Batch([job.number for job in rows.values()], [], {}), keys)
            given += len(rows)
        await self.write(Batch([], [], {}))  # forgets the buckets that are empty now
        return given, left

    # --- the connection ---

    @contextlib.asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """Make one line of what goes wrong, and keep no connection that is out of step, or may be."""
        try:
            yield
        except refused.OutOfMemoryError as error:
            # Every answer was read. Jobs may still be removed here; a new connection would have to write first.
            raise StoreError(f"{self._place}: {reason_of(error)}") from error
        except (refused.RedisError, OSError) as error:
            await self._drop()
            raise StoreError(f"{self._place}: {reason_of(error)}") from error
        except BaseException:
            await self._drop()
            raise

    async def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.drop()

    async def _connected(self) -> Link:
        if self._link is not None and self._link.ended():
            await self._drop()
        if self._link is None:
            self._link = await self._connect(opening=False)
        return self._link

    async def _ask(self, *commands: Command, strict: bool = True) -> list[Any]:
        async with self._guarded():
            return await (await self._connected()).ask(*commands, strict=strict)

    async def _connect(self, opening: bool) -> Link:
        link = Link(self._make, self._seconds)
        try:
            async with asyncio.timeout(self._seconds):
                await link.connect()
                if not self._reading:
                    await self._be_alone(link)
                    await self._own(link, opening)
        except BaseException:
            await link.drop()
            raise
        return link

    async def _be_alone(self, link: Link) -> None:
        """Give the connection our name, unless another one has it: it goes with its server, however that ends."""
        name = self._name + self._token
        limit = monotonic() + min(ALONE_SECONDS, self._seconds / 2)
        while True:
            [*_, found] = await link.ask((b"CLIENT", "SETNAME", name), (b"CLIENT", "LIST"), strict=False)
            if isinstance(found, Exception):
                log.warning("%s: CLIENT LIST is refused: make sure that no other server uses these jobs", self._place)
                return
            lines = found.decode(errors="replace").splitlines()
            clients = [dict(word.partition("=")[::2] for word in line.split()) for line in lines]
            others = [client for client in clients if client.get("name", "").startswith(self._name)]
            others = [client for client in others if client["name"] != name]
            if not others:
                return
            if monotonic() > limit:
                raise StoreError(
                    f"{self._place}: another gearfast server, at {others[0]['addr']}, uses the jobs of prefix "
                    f"{self._stock.decode(errors='replace')!r}: stop it, or give this one another prefix; if its "
                    f"machine has died, end its connection with CLIENT KILL ID {others[0]['id']}"
                )
            # Two that start at once see each other; the one that looks again first, with no name there, is the one.
            await link.ask((b"CLIENT", "SETNAME", ""))
            await asyncio.sleep(random.uniform(0.02, 0.1))

    async def _own(self, link: Link, opening: bool) -> None:
        """Let only this connection write from now on."""
        [_, owner] = await link.ask((b"WATCH", self._owner), (b"GET", self._owner))
        if not opening and owner is not None and owner.partition(b":")[0] != self._token.encode():
            raise StoreError(f"{self._place}: another gearfast server has used these jobs since: restart this one")
        if not opening and self._marks and owner not in self._marks:
            self._lost = (OLDER if owner else GONE).format(self._place)
        self._connections += 1
        self._mark = self._new_mark()
        again: list[Command] = [(b"WATCH", self._owner), (b"GET", self._owner)]
        try:
            [*_, mark] = await link.ask((b"MULTI",), (b"SET", self._owner, self._mark), (b"EXEC",), *again)
        except refused.OutOfMemoryError:  # a full one takes no key, but it must take removes, and those make room
            self._mark = None
            self._marks.clear()
            [*_, mark] = await link.ask((b"DEL", self._owner), *again)
        if mark != self._mark:
            raise StoreError(f"{self._place}: another server took these jobs at the same moment: try again")
        self._marks = {mark} if mark else set()

    def _new_mark(self) -> bytes:
        mark = b"%b:%d:%d" % (self._token.encode(), self._connections, self._batches)
        self._marks.add(mark)
        return mark

    async def _look(self, link: Link) -> None:
        """Say in the log how durable this Redis is, and whether it may throw jobs away."""
        names = ("appendonly", "appendfsync", "maxmemory-policy", "proto-max-bulk-len")
        asked: list[Command] = [(b"INFO", "persistence"), (b"WAITAOF", 0, 0, 0)]
        info, waited, *found = await link.ask(*asked, *((b"CONFIG", "GET", name) for name in names), strict=False)
        set_to = {pair[0].decode(): pair[1].decode() for pair in found if isinstance(pair, list) and pair}
        if isinstance(info, bytes) and (enabled := re.search(rb"aof_enabled:(\d)", info)):
            set_to.setdefault("appendonly", "yes" if enabled[1] == b"1" else "no")
        appendonly, appendfsync = set_to.get("appendonly", ""), set_to.get("appendfsync", "")
        can_wait = isinstance(waited, list) and appendfsync == "everysec" and appendonly == "yes"
        self._waits = can_wait and self._durability == "full"
        level, words = promise(self._durability, appendonly, appendfsync, can_wait)
        log.log(level, "%s: %s", self._place, words)
        policy = set_to.get("maxmemory-policy", "")
        if policy.startswith("allkeys"):  # the others only throw away what has a time to live, and no job has
            log.warning(
                "%s deletes jobs when it is full: set maxmemory-policy noeviction (it is %s)", self._place, policy
            )
        if set_to.get("proto-max-bulk-len", "").isdigit():
            self.largest = min(LARGEST, max(0, int(set_to["proto-max-bulk-len"]) - SPARE))

    # --- what is kept ---

    def _bucket(self, number: int) -> bytes:
        return b"%bbucket:%d" % (self._base, number)

    async def _all_buckets(self) -> list[int]:
        found = set[int]()
        cursor = b"0"
        while True:
            [[cursor, some]] = await self._ask((b"SSCAN", self._buckets, cursor, "COUNT", 1000))
            found.update(int(number) for number in some if NUMBER.fullmatch(number))
            if cursor == b"0":
                return sorted(found)

    def _removing(self, buckets: Mapping[int, list[int]]) -> list[Command]:
        return [(b"HDEL", self._bucket(bucket), *numbers) for bucket, numbers in buckets.items()]

    def _commands(
        self, batch: Batch, also: Sequence[Command], removed: set[int], mark: bytes
    ) -> Iterator[list[Command]]:
        """Yield a transaction in pieces; the last commands before EXEC ask which buckets of ``removed`` are left."""
        used = set[int]()
        piece: list[Command] = [(b"MULTI",)]
        if self._empty:
            piece.append((b"SREM", self._buckets, *self._empty))
        for at in range(0, len(batch.removes), REMOVED_SLICE):
            buckets = by_bucket(batch.removes[at : at + REMOVED_SLICE])
            removed.update(buckets)
            yield piece + self._removing(buckets)
            piece = []
        for records in slices(batch.adds):
            buckets = by_bucket(records)
            used.update(buckets)
            for bucket, numbers in buckets.items():
                pairs = (part for number in numbers for part in (number, records[number]))
                piece.append((b"HSET", self._bucket(bucket), *pairs))
            yield piece
            piece = []
        if batch.metadata:
            words = (word.encode(errors="surrogateescape") for pair in batch.metadata.items() for word in pair)
            piece.append((b"HSET", self._metadata, *words))
        if used:
            piece.append((b"SADD", self._buckets, *used))
        removed -= used
        piece.append((b"SET", self._owner, mark))
        wait: list[Command] = [(b"WAITAOF", 1, 0, SYNC_SECONDS * 1000)] if self._waits else []
        yield [*piece, *also, *((b"EXISTS", self._bucket(bucket)) for bucket in removed)]
        yield [(b"EXEC",), *wait, (b"WATCH", self._owner), (b"GET", self._owner)]

    async def _commit(self, link: Link, batch: Batch, also: Sequence[Command] = ()) -> None:
        """Write a batch and other commands in one transaction. Raises RedisError, OSError or StoreError."""
        count, removed = 0, set[int]()
        self._batches += 1
        mark = self._new_mark()
        for piece in self._commands(batch, also, removed, mark):
            count += await link.send(piece)
            if sum(map(len, piece)) >= SLICE:
                await asyncio.sleep(0)
        answers = await link.answers(count)
        raise_first(answers)
        [done, *synced, _, owner] = answers[-4 if self._waits else -3 :]
        if done is None:
            raise StoreError((OTHER if owner else GONE).format(self._place))
        raise_first(done)
        self._mark = mark
        self._marks = {mark}
        if synced and synced[0][0] < 1:
            raise StoreError(f"{self._place}: after {SYNC_SECONDS} s it is not on the disk (WAITAOF)")
        self._empty = {
            bucket for bucket, there in zip(removed, done[len(done) - len(removed) :], strict=True) if not there
        }
        if owner != self._mark:
            await self._drop()

    async def _remove(self, link: Link, numbers: Sequence[int]) -> None:
        """Remove jobs from a Redis that is full: it refuses even that in a transaction, but not outside of one."""
        [owner] = await link.ask((b"GET", self._owner))
        if owner != self._mark:
            raise StoreError(OTHER.format(self._place))
        for at in range(0, len(numbers), REMOVED_SLICE):
            await link.ask(*self._removing(by_bucket(numbers[at : at + REMOVED_SLICE])))

    # --- what gearmand left ---

    async def _take_over(self, link: Link, metadata: dict[str, str]) -> dict[str, str]:
        """Make gearmand's keys jobs of ours, some in a transaction; return the metadata as they are then."""
        found = StockKeys(link, self._stock, self._place)
        async for keys in found.slices():
            number = ceiling_of(metadata)
            await link.ask((b"WATCH", *keys))
            jobs, taken = await found.jobs(keys, number)
            raised = {CEILING: str(number + len(jobs))} if jobs else {}
            await self._commit(link, Batch([], jobs, raised), [(b"DEL", *taken)] if taken else [])
            found.tally.taken += len(jobs)
            metadata = metadata | raised
        found.finish()
        return metadata
