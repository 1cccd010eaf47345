"""Brings batches to the store, one at a time, and draws conclusions from how that went."""

import asyncio
import logging
import math
from collections.abc import Callable

from gearfast.config import MIB, Config
from gearfast.errors import StoreError, StoreLostError
from gearfast.ground.clock import monotonic
from gearfast.store.batches import Batches
from gearfast.store.contract import CEILING, Store, StoredJob, room_of
from gearfast.store.lone import Loner
from gearfast.store.plan import Kind, Plan, Planned

log = logging.getLogger("gearfast")

PATIENCE = 4
"""The part of ``store_timeout`` that one write may take, unless such ones took long before: if it is one job that makes
the store hang, two such attempts find that out before the others have waited too long."""
RATE = 16 * MIB
"""Bytes for which a job that is written by itself may take another second."""
MAX_PATIENCE = 0.8
"""The part of ``store_timeout`` that it may take even so: the others wait meanwhile, and are not to be refused."""
DOUBTS = 4
"""Failures one after the other that are no single job's fault."""
HASTE = 16
"""Failures one after the other between which the pause does not grow: they may still be some jobs' fault."""


class Attempts:
    """Between the batches and the store: how long a write may take, who is refused, and when."""

    def __init__(self, store: Store, batches: Batches, config: Config, refuse: Callable[..., None]) -> None:
        """``refuse`` tells who waits for these jobs that they are not kept, and why; with True behind it, that a change
        of theirs is not kept yet.
        """
        self.store = store
        self.batches = batches
        self.config = config
        self.refuse = refuse
        self.plan = Plan(batches, config)
        self.known: dict[str, str] = {}
        """All metadata that the store was ever told."""
        self.patience = dict.fromkeys(Kind, config.store_timeout / PATIENCE)
        """Seconds that the next write of a kind may take."""
        self.slow = dict.fromkeys(Kind, False)
        """Whether the last one did not answer in time."""
        self.failures = 0
        """One after the other."""
        self.away_since = 0.0
        self.takes_nothing = False
        """Not even what has no jobs in it."""
        self.anew = False
        """It has lost everything, and does not have all of it again."""
        self.reason = "it has not answered"
        self.last_success = 0.0

    async def write(self, planned: Planned, most: float = float("inf")) -> None:
        """Write it, for at most ``most`` seconds. When it failed, wait a little, if the store may be unavailable."""
        began = monotonic()
        try:
            async with asyncio.timeout(min(self.patience_with(planned), most)):
                if not await self.has_room(planned):
                    self.give_up(planned)
                    return
                await self.store.write(planned.batch)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                self.batches.rolled_back()
                raise
            if isinstance(error, StoreLostError):
                await self.begin_anew(error)
            else:
                self.failed(planned, error, monotonic() - began)
            if self.failures > 2:
                await asyncio.sleep(min(self.pause(), most))
        else:
            self.succeeded(planned, monotonic() - began)

    def patience_with(self, planned: Planned) -> float:
        """Return the seconds that it may take; what is known to be at fault itself may not keep the others longer."""
        timeout = self.config.store_timeout
        told = planned.loner is not None and planned.loner.told
        patience = timeout / PATIENCE if told else self.patience[planned.kind]
        if len(planned.batch.adds) != 1:
            return patience
        return max(patience, min(patience + size_of(planned.batch.adds[0]) / RATE, timeout * MAX_PATIENCE))

    def pause(self) -> float:
        """Return the seconds to wait after a failure: longer and longer when it cannot be some jobs' fault."""
        first, most = self.config.store_retry
        return min(first * 2.0 ** min(max(0, self.failures - HASTE), 30), most)

    # --- is there room for it? ---

    async def has_room(self, planned: Planned) -> bool:
        """Ask the store about a job that is a batch by itself; refuse it at once when there is no room for it."""
        job = planned.batch.adds[0] if len(planned.batch.adds) == 1 and not planned.batch.removes else None
        if job is None or size_of(job) < self.config.store_batch_bytes or self.batches.is_promised(job.number):
            return True
        room, size = await room_of(self.store), size_of(job)
        if room is None or size <= room:
            return True
        cure = "make room there, or submit it later"
        self.refuse([job.number], f"The store has room for {room} bytes now, and this job has {size}: {cure}")
        return False

    def give_up(self, planned: Planned) -> None:
        """It is not written, and waits no longer: its jobs have been refused."""
        self.batches.written()
        if planned.loner is not None:
            self.plan.drop(planned.loner)

    # --- how it went ---

    def succeeded(self, planned: Planned, took: float) -> None:
        """It is durable."""
        self.plan.taken(planned, took)
        self.last_success = monotonic()
        timeout = self.config.store_timeout
        self.patience[planned.kind] = max(timeout / PATIENCE, min(timeout, took * PATIENCE))
        self.slow[planned.kind] = False
        if planned.batch.metadata:
            self.metadata_is_stored(dict(planned.batch.metadata))
        # A store that is full still forgets: that is no sign that it takes anything.
        waits = self.batches.keeping or self.plan.lone.jobs
        if planned.keeps or planned.batch.metadata or (self.takes_nothing and not waits):
            self.failures = 0
            self.takes_nothing = False
            self.plan.lone.others_were_taken()
            self.back()
        if self.anew and not self.batches.promised:
            self.anew = False
            log.error("All jobs are in the store again")

    def failed(self, planned: Planned, error: BaseException, took: float) -> None:
        """Find out what it is that the store does not take, or that it takes nothing."""
        slow = isinstance(error, TimeoutError)
        if not slow:
            self.reason = str(error).rstrip(".") or repr(error)
        elif not self.away_since:  # else what it has said itself tells more
            self.reason = f"it did not answer for {self.config.store_timeout:g} s"
        self.takes_nothing |= not planned.keeps
        self.plan.failed(planned, self.reason, took, slow=slow)
        if planned.loner is not None and planned.loner.told:  # that says nothing about the others
            return
        self.failures += 1
        soft = slow and self.patience[planned.kind] < self.config.store_timeout
        if slow:
            self.be_patient(planned)
        if self.failures >= DOUBTS or not (soft or self.batches.waits):
            self.away(error)

    def be_patient(self, planned: Planned) -> None:
        """It did not answer in time: the next one may take longer, if no part of this one would take less."""
        kind, parts = planned.kind, len(planned.batch.adds) + len(planned.batch.removes)
        if parts == 1 or self.slow[kind]:
            self.patience[kind] = min(self.patience[kind] * 2, self.config.store_timeout)
        self.slow[kind] = True

    def away(self, error: BaseException | None = None) -> None:
        """Say once that the store is unavailable."""
        if self.away_since:
            return
        self.away_since = monotonic()
        unexpected = error is not None and not isinstance(error, (StoreError, TimeoutError, OSError))
        log.error(
            "The store is unavailable: %s. Submits wait up to %g s and are then refused; gearfast keeps trying",
            self.reason,
            self.config.store_timeout,
            exc_info=error if unexpected else None,
        )

    def back(self) -> None:
        """Say that it is back, if it was away."""
        if self.away_since:
            log.error("The store is available again after %.1f s", monotonic() - self.away_since)
            self.away_since = 0.0

    # --- metadata, and a store that begins anew ---

    def metadata_is_stored(self, metadata: dict[str, str]) -> None:
        """Use the numbers that the store knows to be in use; half of them before it is asked for more."""
        self.known |= metadata
        if CEILING in metadata:
            ceiling = int(metadata[CEILING])
            self.batches.reserve(max(ceiling - (self.config.store_numbers + 1) // 2, 0), ceiling)

    async def begin_anew(self, lost: StoreLostError) -> None:
        """Give the store all jobs and metadata again. Until it is known which those are, nobody is told anything."""
        self.batches.rolled_back()
        self.failures += 1
        self.reason = str(lost)
        self.plan.metadata = self.known | self.plan.metadata
        self.batches.doubt(True)
        while self.batches.promise():
            await asyncio.sleep(0)
        self.anew = True
        count = self.batches.promised
        log.error("%s. The store begins anew, and the %d jobs that it had are written to it again", lost, count)

    # --- who has waited too long ---

    def refuse_overdue(self) -> None:
        """Give an answer to those who have waited for the store for too long."""
        now = monotonic()
        before = now - self.config.store_timeout
        numbers, changes, told = self.batches.overdue(before)
        lone = self.plan.lone
        for number, size in changes:
            if number in lone.jobs:
                self.batches.count_out(lone.jobs[number].again)
                lone.jobs[number].again = size
            else:
                lone.add(Loner(number=number, size=size, stored=True, reason=self.reason), now)
        if numbers:
            self.away()
            self.refuse(numbers, self.excuse(self.reason))
        if told:
            self.away()
            self.refuse(told, self.excuse(self.reason), True)
        for loner in lone.overdue(before):
            if not loner.told:
                self.away()
            stays = self.batches.is_promised(loner.number)
            self.refuse([loner.number], self.excuse(loner.reason), stays)
            if stays:
                self.batches.wait_no_more(loner.number)
                loner.since = math.inf
            else:
                self.plan.drop(loner)

    def excuse(self, reason: str) -> str:
        """Return what they are told."""
        return f"The job could not be stored within {self.config.store_timeout:g} s: {reason}"


def size_of(job: StoredJob) -> int:
    """Return the bytes of a job that count against what a store takes."""
    return len(job.function) + len(job.unique) + len(job.payload)
