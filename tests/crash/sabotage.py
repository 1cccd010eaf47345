"""Stores that are broken on purpose. A campaign that does not find out is worth nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping

from gearfast.store.contract import Batch, Store, StoredJob, StoreSettings
from tests.crash.wanted import DEAD, ENDED, fields_of, state_in
from tests.support.records import POLICY, RUN, STATE, field

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


class Replaying(Broken):
    """Changes what the next server gets."""

    async def replay(self) -> AsyncIterator[list[StoredJob]]:
        """Every job, changed."""
        async for jobs in self.store.replay():
            yield [self.changed(job) for job in jobs]

    def changed(self, job: StoredJob) -> StoredJob:
        """What it gets in place of this."""
        raise NotImplementedError


class Hasty(Replaying):
    """Forgets when jobs are due."""

    def changed(self, job: StoredJob) -> StoredJob:
        """At once."""
        return job._replace(due=0.0) if state_in(fields_of(job)) == 0 else job


class Unburying(Replaying):
    """Forgets that jobs are buried."""

    def changed(self, job: StoredJob) -> StoredJob:
        """One that has to be done."""
        more = fields_of(job)
        return with_fields(job, {**more, STATE: b""}) if state_in(more) == DEAD else job


class Miscounting(Broken):
    """Counts an attempt too many, of one job in fifty."""

    def spoilt(self, batch: Batch) -> Batch:
        """Some with an attempt more."""
        return batch._replace(adds=[job._replace(attempts=job.attempts + self.once()) for job in batch.adds])

    def once(self) -> bool:
        """Now and then."""
        return self.chance.random() < 0.02


class Stubborn(Broken):
    """Keeps what there was first, of jobs that were replaced."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.seen: set[int] = set()

    def spoilt(self, batch: Batch) -> Batch:
        """Without what is to replace something."""
        adds = [job for job in batch.adds if job.number not in self.seen]
        self.seen.update(job.number for job in adds if b"duplicate=" in fields_of(job).get(POLICY, b""))
        return batch._replace(adds=adds)


class Oblivious(Broken):
    """Forgets jobs that have ended, though their unique ids stay taken."""

    def spoilt(self, batch: Batch) -> Batch:
        """What is to be remembered is removed."""
        ended = [job.number for job in batch.adds if state_in(fields_of(job)) == ENDED]
        adds = [job for job in batch.adds if job.number not in ended]
        return batch._replace(removes=batch.removes + ended, adds=adds)


class Parentless(Broken):
    """Forgets which was the last job of a schedule."""

    def spoilt(self, batch: Batch) -> Batch:
        """None was."""
        return batch._replace(adds=[self.changed(job) for job in batch.adds])

    def changed(self, job: StoredJob) -> StoredJob:
        """It has not run yet."""
        more = fields_of(job)
        return with_fields(job, {**more, RUN: bytes(8)}) if RUN in more else job


def with_fields(job: StoredJob, more: Mapping[int, bytes]) -> StoredJob:
    """A job with these fields in its record, but for those that are empty."""
    return job._replace(more=b"\2" + b"".join(field(tag, value) for tag, value in more.items() if value))


KINDS: dict[str, type[Broken]] = {
    "early": Early,
    "forgetful": Forgetful,
    "hoarding": Hoarding,
    "uncounted": Uncounted,
    "careless": Careless,
    "hasty": Hasty,
    "unburying": Unburying,
    "miscounting": Miscounting,
    "stubborn": Stubborn,
    "oblivious": Oblivious,
    "parentless": Parentless,
}
"""By what `--sabotage` calls them."""


def breaking(make_store: MakeStore, kind: str) -> MakeStore:
    """Have every store broken that this function makes."""
    return lambda settings: KINDS[kind](make_store(settings))
