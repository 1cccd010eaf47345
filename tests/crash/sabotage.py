"""Stores that are broken on purpose. A campaign that does not find out is worth nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping

from gearfast.store.contract import Batch, Store, StoredJob, StoreSettings

MakeStore = Callable[[StoreSettings], Store]


class Broken:
    """A store on another one; it does what is written there, with one mistake in it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.largest = store.largest
        self.chance = random.Random()

    async def open(self) -> Mapping[str, str]:
        """As the good one."""
        return await self.store.open()

    def replay(self) -> AsyncIterator[list[StoredJob]]:
        """As the good one."""
        return self.store.replay()

    async def write(self, batch: Batch) -> None:
        """Write it, broken."""
        await self.store.write(self.spoilt(batch))

    def spoilt(self, batch: Batch) -> Batch:
        """What is written in place of this."""
        return batch

    async def close(self) -> None:
        """As the good one."""
        await self.store.close()


class Early(Broken):
    """Says that it is durable before it is written."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.last: asyncio.Future[None] | None = None

    async def write(self, batch: Batch) -> None:
        """Return at once; write later."""
        self.last = asyncio.ensure_future(self.later(batch, self.last))

    async def later(self, batch: Batch, last: asyncio.Future[None] | None) -> None:
        """Write behind what came before."""
        if last is not None:
            await last
        await self.store.write(batch)

    async def close(self) -> None:
        """Write what is left."""
        if self.last is not None:
            await self.last
        await self.store.close()


class Forgetful(Broken):
    """Drops the new jobs of one batch in twenty."""

    def spoilt(self, batch: Batch) -> Batch:
        """Now and then without its jobs."""
        return batch._replace(adds=[]) if self.chance.random() < 0.05 else batch


class Hoarding(Broken):
    """Does not remove what one batch in twenty asks it to."""

    def spoilt(self, batch: Batch) -> Batch:
        """Now and then without its removals."""
        return batch._replace(removes=[]) if self.chance.random() < 0.05 else batch


class Uncounted(Broken):
    """Keeps no metadata: numbers are used again."""

    def spoilt(self, batch: Batch) -> Batch:
        """Without the metadata."""
        return batch._replace(metadata={})


class Careless(Broken):
    """Keeps one job in fifty a little differently."""

    def spoilt(self, batch: Batch) -> Batch:
        """Some with another payload, priority or unique id, or twice."""
        return batch._replace(adds=[self.changed(job) for job in batch.adds])

    def changed(self, job: StoredJob) -> StoredJob:
        """Perhaps another one."""
        if self.chance.random() > 0.02:
            return job
        return self.chance.choice(
            (
                job._replace(payload=job.payload + b"\0"),
                job._replace(priority=(job.priority + 1) % 3),
                job._replace(unique=job.unique[:-1] if job.unique else b"x"),
                job._replace(due=job.due + 1),
                job._replace(attempts=job.attempts + 100),
            )
        )


KINDS: dict[str, type[Broken]] = {
    "early": Early,
    "forgetful": Forgetful,
    "hoarding": Hoarding,
    "uncounted": Uncounted,
    "careless": Careless,
}
"""By what `--sabotage` calls them."""


def breaking(make_store: MakeStore, kind: str) -> MakeStore:
    """Have every store broken that this function makes."""
    return lambda settings: KINDS[kind](make_store(settings))
