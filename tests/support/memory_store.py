"""A store that keeps its jobs in memory, jobs to put into it, and ``gearfast store`` done with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

from gearfast.cli import store_command
from gearfast.cli.jobfile import MAX_NUMBER
from gearfast.errors import StoreError
from gearfast.store.contract import Batch, StoredJob

EVERY_BYTE = bytes(range(256))


def job(number: int, function: bytes = b"f", **more: object) -> StoredJob:
    """A job with nothing special about it but what is said."""
    plain = StoredJob(number, function, b"", 1, 0.0, 0, b"payload %d" % number, b"")
    return plain._replace(**more)  # type: ignore[arg-type]


class Plain:
    """A store that keeps its jobs here, and can do no more than every store can."""

    largest = 1 << 30
    path = ""

    def __init__(self, jobs: Iterable[StoredJob] = (), **metadata: str) -> None:
        self.jobs = {job.number: job for job in jobs}
        self.metadata = metadata
        self.batches: list[Batch] = []
        self.gearmands: list[StoredJob] = []
        self.opened = self.closed = self.looked = 0
        self.fail_open: Exception | None = None
        self.fail_write_after = 1 << 30

    async def open(self) -> Mapping[str, str]:
        self.opened += 1
        if self.fail_open is not None:
            raise self.fail_open
        return self.metadata

    async def replay(self) -> AsyncIterator[list[StoredJob]]:
        jobs = [self.jobs[number] for number in sorted(self.jobs)]
        for at in range(0, len(jobs), 3):
            yield jobs[at : at + 3]

    async def write(self, batch: Batch) -> None:
        if len(self.batches) >= self.fail_write_after:
            raise StoreError("the disk is full")
        await asyncio.sleep(0)
        self.batches.append(batch)
        self.jobs.update((job.number, job) for job in batch.adds)
        self.metadata.update(batch.metadata)

    async def close(self) -> None:
        self.closed += 1


class Memory(Plain):
    """One that can also be looked into."""

    async def look(self) -> Mapping[str, str]:
        self.looked += 1
        return await self.open()

    async def left(self) -> AsyncIterator[list[StoredJob]]:
        yield [job._replace(number=0) for job in self.gearmands]


class GivingBack(Memory):
    """A store that can give its jobs back to gearmand."""

    refused: tuple[str, ...] = ()

    async def give_back(self) -> tuple[int, list[str]]:
        count = len(self.jobs) - len(self.refused)
        self.jobs.clear()
        return count, list(self.refused)


def errand(line: str) -> store_command.Errand:
    """Read the words behind ``gearfast store``, of a store that is no file."""
    words = line.split()
    if "--store" not in line:
        words.append("--store=memory:")
    if "--config-file" not in line:
        words.append("--config-file=/dev/null")
    return store_command.read(words)


def do(line: str, store: Plain) -> int:
    """Run ``gearfast store ...`` on a store that is closed again, whatever happens."""
    try:
        return store_command.run(errand(line), store, "gearfast")
    finally:
        assert store.opened == store.closed or store.fail_open is not None


def file_of(path: Path, *lines: str | bytes) -> Path:
    """A file of lines."""
    path.write_bytes(
        b"".join((line.encode() if isinstance(line, str) else line).rstrip(b"\n") + b"\n" for line in lines)
    )
    return path


AWKWARD = [
    job(1, payload=b""),
    job(2, EVERY_BYTE[1:], unique=EVERY_BYTE[1:64], payload=EVERY_BYTE, more=EVERY_BYTE, priority=0),
    job(3, payload='Grüße \u2028 \U0001f600 "\\ \r\n\0'.encode(), more=b"\x01", attempts=(1 << 31) - 1),
    job(4, payload=b"\xed\xa0\x80", due=1.1e9 + 1e-7, priority=2),
    job(MAX_NUMBER - 1, payload=b'{"base64": "eA=="}', due=2.0**53),
    *(job(10 + byte, payload=bytes([byte])) for byte in range(256)),
]
"""Jobs with every byte value in every field, alone and together."""
