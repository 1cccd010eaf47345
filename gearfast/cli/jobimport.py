"""Brings the jobs of a file into a store: the whole file is checked before the first of them is written."""

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import BinaryIO, Self

from gearfast.cli.jobfile import Entry, LineError, read_first_line, read_line
from gearfast.cli.progress import Progress
from gearfast.config import HANDLE_PREFIX_SIZE, MIB
from gearfast.errors import ConfigError, StoreError
from gearfast.store.contract import CEILING, PREFIX, Batch, Store, StoredJob, ceiling_of
from gearfast.store.record import run_of, state_of, with_run

BATCH_JOBS = 5000
"""Jobs written together: a commit costs as much for one."""

BATCH_BYTES = 16 * MIB
"""Bytes of payload from which on a batch takes no further job: what lies in memory is bounded."""

BREATH = 1000
"""Lines after which the event loop gets a turn, so that Ctrl-C ends this at once."""

NAMED = 20
"""Bad lines that are named one by one."""

LAST_NUMBER = (1 << 63) - 1

Complain = Callable[[str], None]


class Input:
    """A file of jobs that can be read more than once."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file = file
        self.name = name
        self.start = file.tell()

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: str) -> Iterator[Self]:
        """Open a file, or standard input for ``-``; what cannot be read twice is copied to disk first.

        Raises ConfigError when there is none.
        """
        with contextlib.ExitStack() as files:
            try:
                file: BinaryIO = sys.stdin.buffer if path == "-" else files.enter_context(open(path, "rb"))
                if not file.seekable():
                    copy = files.enter_context(tempfile.TemporaryFile())
                    shutil.copyfileobj(file, copy)
                    copy.seek(0)
                    file = copy
                source = cls(file, "standard input" if path == "-" else path)
            except OSError as error:
                raise ConfigError(f"{path} cannot be read ({error.strerror})") from None
            yield source

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield every line that is not empty, with its number from 1 on."""
        self.file.seek(self.start)
        for number, line in enumerate(self.file, 1):
            if line.strip():
                yield number, line


class Import:
    """One import: what is known of the store and of the file, and what became of each job."""

    def __init__(self, store: Store, metadata: Mapping[str, str], prefix: str) -> None:
        """Begin; ``prefix`` is that of handles, if neither store nor file have one."""
        self.store = store
        self.ceiling = ceiling_of(metadata)
        """No number above it was ever given out by the store's server."""
        self.noted_prefix = metadata.get(PREFIX, "")
        self.default_prefix = prefix
        self.file_prefix = ""
        self.top = self.ceiling
        """The highest number that is known of, in the store or in the file."""
        self.known: dict[int, int] = {}
        """What jobs are there already: their numbers, and a fingerprint of the rest."""
        self.schedules: set[tuple[bytes, bytes]] = set()
        """Functions and unique ids of schedules: of each there is one."""
        self.runs: dict[tuple[bytes, int], int] = {}
        """Prefixes and numbers of last runs of schedules in the file; and their numbers in the store, 0: none yet."""
        self.added = self.there = self.renumbered = self.bad = 0
        self.finished = False

    # --- the file ---

    async def survey(self, source: Input, complain: Complain | None) -> None:
        """Check every line.

        Raises ConfigError for the first that is bad; with ``complain`` it gets to hear of them instead.
        """
        with Progress("lines checked") as progress:
            for at, entry in enumerate(self.entries(source, complain)):
                if at % BREATH == 0:
                    await asyncio.sleep(0)
                self.top = max(self.top, entry.job.number)
                run = run_of(entry.job.more)
                if run:
                    self.runs[entry.prefix, run] = 0
                progress.add(1)
        if complain is not None and self.bad > NAMED:
            complain(f"{source.name}: {counted(self.bad - NAMED, 'more bad line')}")

    def entries(self, source: Input, complain: Complain | None) -> Iterator[Entry]:
        """Yield the jobs of the file."""
        self.bad = 0
        first = True
        for number, line in source.lines():
            try:
                if first:
                    first = False
                    prefix = read_first_line(line)
                    if prefix is not None:
                        self.file_prefix = checked_prefix(prefix)
                        continue
                entry = read_line(line)
                self.check_size(entry.job)
            except LineError as error:
                self.bad += 1
                text = f"{source.name}, line {number}: {error}"
                if complain is None:
                    raise ConfigError(f"{text}. Nothing was imported; --skip-bad leaves such lines out") from None
                if self.bad <= NAMED:
                    complain(text)
                continue
            yield entry

    def check_size(self, job: StoredJob) -> None:
        """Raise LineError if the store does not take jobs that large."""
        size = len(job.function) + len(job.unique) + len(job.payload)
        if size > self.store.largest:
            raise LineError(f"the job has {size:,} bytes, and this store takes {self.store.largest:,} at most")

    # --- the store ---

    async def write(self, source: Input, existing: AsyncIterator[StoredJob]) -> None:
        """Add the jobs of the file; ``existing`` are those that the store has."""
        async for job in existing:
            self.known[job.number] = fingerprint(job)
            self.is_known(job)
            self.top = max(self.top, job.number)
        adds: list[StoredJob] = []
        size = 0
        with Progress("jobs imported") as progress:
            for at, entry in enumerate(self.in_order(source)):
                if at % BREATH == 0:
                    await asyncio.sleep(0)
                placed = self.place(entry)
                if placed is None:
                    continue
                adds.append(placed)
                size += len(placed.payload)
                if len(adds) >= BATCH_JOBS or size >= BATCH_BYTES:
                    await self.flush(adds)
                    progress.add(len(adds))
                    adds, size = [], 0
            await self.flush(adds)
        self.finished = True

    def in_order(self, source: Input) -> Iterator[Entry]:
        """Yield the jobs of the file, and schedules that have had runs behind them: those runs have numbers by then."""
        for second in (False, True) if self.runs else (False,):
            for entry in self.entries(source, lambda _: None):
                if (run_of(entry.job.more) > 0) == second:
                    yield entry

    def place(self, entry: Entry) -> StoredJob | None:
        """Return the job under the number it is to have; None if it is there already.

        A number is kept when it is free: no job of the store has it, and no other ever had it, which is so above the
        ceiling, and when the handle is one of the store's own. Of two schedules with one function and unique id the
        first one stays.
        """
        placed = self.numbered(entry)
        own = entry.prefix, entry.job.number
        if own in self.runs:
            self.runs[own] = (placed or entry.job).number
        run = run_of(entry.job.more)
        if placed is None or not run:
            return placed
        # Of one that is in neither place the number may be given to another job, unless this server gave it out.
        of_ours = run if entry.prefix == self.prefix and run <= self.ceiling else 0
        return placed._replace(more=with_run(placed.more, self.runs[entry.prefix, run] or of_ours))

    def numbered(self, entry: Entry) -> StoredJob | None:
        """Return the job under its number, and else as it is; None if it is there already."""
        job = entry.job
        if self.is_known(job):
            self.there += 1
            return None
        if job.number:
            there = self.known.get(job.number)
            mark = fingerprint(job)
            if there == mark:
                self.there += 1
                return None
            if there is None and (job.number > self.ceiling or entry.prefix == self.prefix):
                self.known[job.number] = mark
                return job
            self.renumbered += 1
        if self.top == LAST_NUMBER:
            raise StoreError("there are no job numbers left in this store: export it, and import into a new one")
        self.top += 1
        return job._replace(number=self.top)

    def is_known(self, job: StoredJob) -> bool:
        """Say whether it is a schedule that is there; if it is one and was not, it is from now on."""
        if state_of(job.more) != "schedule":
            return False
        name = (job.function, job.unique)
        known = name in self.schedules
        self.schedules.add(name)
        return known

    async def flush(self, adds: list[StoredJob]) -> None:
        """Write a batch."""
        if not adds:
            return
        metadata = {CEILING: str(self.top)}
        if self.file_prefix and not self.noted_prefix:
            metadata[PREFIX] = self.file_prefix
        await self.store.write(Batch([], sorted(adds), metadata))
        self.added += len(adds)

    @property
    def prefix(self) -> bytes:
        """Of the store's handles."""
        return (self.noted_prefix or self.file_prefix or self.default_prefix).encode("utf-8", "surrogateescape")

    def summary(self) -> str:
        """Return what became of the jobs, in one line."""
        parts = [f"{counted(self.added, 'job')} imported"]
        parts += [f"{self.renumbered:,} of them renumbered"] * (self.renumbered > 0)
        parts += [f"{self.there:,} already there"] * (self.there > 0)
        parts += [f"{counted(self.bad, 'bad line')} left out"] * (self.bad > 0)
        return ", ".join(parts)


def counted(number: int, noun: str) -> str:
    """Return so many of them, such as ``2 jobs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def checked_prefix(prefix: str) -> str:
    """Return the prefix of a file. Raises LineError when handles could not begin so."""
    if len(prefix.encode("utf-8", "surrogateescape")) > HANDLE_PREFIX_SIZE:
        raise LineError(f"the prefix has more than {HANDLE_PREFIX_SIZE} bytes")
    return prefix


def fingerprint(job: StoredJob) -> int:
    """Return a number that two jobs share when they are the same but for their own numbers."""
    return hash(job[1:])
