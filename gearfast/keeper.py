"""Keeps background jobs in a store: one batch is written while the next one gathers.

A batch that fails is tried again until it succeeds. Meanwhile jobs go on being gathered, and whoever
waits longer than ``store_timeout`` for one of them is told that it was not kept. What the store has to
forget waits for as long as it takes.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress

from gearfast.config import Config, default_handle_prefix
from gearfast.errors import ConfigError, GearfastError, StoreError
from gearfast.ledger import Ledger
from gearfast.logs import NOTICE
from gearfast.plugins import CEILING, PREFIX, Batch, Store, ceiling_of
from gearfast.session import Service
from gearfast.turn import Turn

log = logging.getLogger("gearfast")

REMOVES_PER_ADD = 4
"""In a batch: a number costs so much less than a job."""
LEAST_REMOVES = 200
"""In a batch for a store that does not answer in time: one every 25 ms, when a submit waits 5 s."""


class Keeper:
    """Between the broker, which knows no store, and the store, which knows no broker."""

    def __init__(self, store: Store, service: Service, config: Config) -> None:
        self.store = store
        self.service = service
        self.config = config
        self.ledger = Ledger(service.broker)
        self.journal = service.broker.journal
        self.replayed = 0
        self.facts: dict[str, str] = {}
        self.most = config.store_batch
        self.most_removes = config.store_batch * REMOVES_PER_ADD
        self.task: asyncio.Task[None] | None = None
        self.clock: asyncio.TimerHandle | None = None
        self.away_since = 0.0
        self.eased = False  # the last batch had only jobs to be forgotten, for the store's sake
        self.reason = "it has not answered"
        self.delay = config.store_retry[0]
        self.settled = asyncio.Event()
        self.ending = False
        self.last_success = 0.0

    # --- the start ---

    async def start(self, turn: Turn) -> None:
        """Open the store, replay its jobs, and have the broker tell it what follows. Raises StoreError, ConfigError."""
        self.turn = turn
        self.loop = asyncio.get_running_loop()
        began = time.monotonic()
        try:
            facts = await self.store.open()
            try:
                await self.replay(facts)
            except BaseException:
                await self.store.close()
                raise
        except GearfastError:
            raise
        except Exception as error:
            raise StoreError(f"it failed with {error!r}") from error
        if self.replayed:
            log.log(NOTICE, "%d jobs replayed in %.1f s", self.replayed, time.monotonic() - began)

    async def replay(self, facts: Mapping[str, str]) -> None:
        """Take the jobs of the store into the broker, and reserve numbers above all that were ever used."""
        last = ceiling_of(facts)
        async for jobs in self.store.replay():
            bad = self.ledger.restore(jobs)
            for number, reason in bad:
                log.error("job %d stays in the store and is not run: %s", number, reason)
            self.replayed += len(jobs) - len(bad)
            last = max(last, *(job.number for job in jobs))
        prefix = self.handle_prefix(facts.get(PREFIX, ""))
        self.ledger.open(prefix.encode("utf-8", "surrogateescape"), last, self.config.store_on_shutdown)
        self.facts = {PREFIX: prefix, CEILING: str(last + self.config.store_numbers)}
        await self.store.write(Batch([], [], self.facts))
        self.facts_are_stored()
        self.service.keep_in(self.store.largest, self.begin)

    def handle_prefix(self, stored: str) -> str:
        """Return what handles begin with: the command line's, the store's, or this machine's."""
        asked = self.config.job_handle_prefix
        try:
            asked.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"--job-handle-prefix={asked!a} is no text in UTF-8: with a store it must be") from None
        if asked and stored and asked != stored:
            log.warning("Handles begin with %s from now on; those with %s are no longer known", asked, stored)
        return asked or stored or default_handle_prefix()

    def facts_are_stored(self) -> None:
        """Use the numbers that the store knows to be in use; half of them before it is asked for more."""
        if CEILING in self.facts:
            ceiling = int(self.facts[CEILING])
            self.ledger.reserve(max(ceiling - (self.config.store_numbers + 1) // 2, 0), ceiling)
        self.facts = {}

    # --- while the server runs ---

    def begin(self) -> None:
        """Write what has gathered. Called at the end of a turn that has something for the store, and no write runs."""
        if self.journal.busy:
            raise RuntimeError("two batches cannot be written at a time")
        self.journal.busy = True
        self.task = self.loop.create_task(self.write_all())
        self.task.add_done_callback(self.ended)
        if self.clock is None:
            self.clock = self.loop.call_later(self.config.store_timeout / 16, self.look)

    def ended(self, task: asyncio.Task[None]) -> None:
        """Let the next turn begin again if something went wrong that nobody thought of."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.critical("What was to be stored is tried again: %r", error, exc_info=error)
        self.ledger.failed()
        self.journal.busy = False

    async def write_all(self) -> None:
        """Write batch after batch until nothing is left, or the server ends."""
        while (self.ledger.waits or self.ledger.crowded) and not self.ending:
            if self.ledger.crowded:
                self.facts[CEILING] = str(self.ledger.last + self.config.store_numbers)
            await self.write_next()
            self.turn.settle()  # what this leads to is written by the next round: this one is still busy
            self.settled.set()
        self.journal.busy = False

    async def write_next(self) -> None:
        """Write one batch, or wait a little after a failure.

        While the store takes nothing, jobs to be forgotten go first and alone: a store that is full takes only them.
        """
        alone = self.away_since > 0 and self.ledger.removes_wait and not self.eased
        self.eased = alone
        removes, adds = self.ledger.collect(0 if alone else self.most, self.config.store_batch_bytes, self.most_removes)
        batch = Batch(removes, adds, {} if alone else self.facts)
        try:
            if removes or adds or batch.facts:
                async with asyncio.timeout(self.config.store_timeout):
                    await self.store.write(batch)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                self.ledger.failed()
                raise
            self.ledger.failed(bool(batch.facts))
            self.failed(error)
            if len(adds) > 1:
                self.most = 1  # it may be one of them that the store cannot take: the others shall not wait for it
            else:
                await self.pause()
        else:
            self.ledger.written()
            if alone:
                return
            self.ledger.retry(time.monotonic())
            self.facts_are_stored()
            if adds or removes or batch.facts:
                self.succeeded()

    def failed(self, error: BaseException) -> None:
        """Say once that the store is away, and remember why."""
        if isinstance(error, TimeoutError):
            self.most_removes = max(self.most_removes // 4, LEAST_REMOVES)
            self.reason = f"it did not answer for {self.config.store_timeout:g} s"
        else:
            self.reason = str(error).rstrip(".") or repr(error)
        if not self.away_since:
            self.away_since = time.monotonic()
            self.delay = self.config.store_retry[0]
            unexpected = not isinstance(error, (StoreError, TimeoutError, OSError))
            log.error(
                "The store is away: %s. Submits wait up to %g s and are then refused; it is tried again all the time",
                self.reason,
                self.config.store_timeout,
                exc_info=error if unexpected else None,
            )

    def succeeded(self) -> None:
        """Say that the store is back, if it was away."""
        self.most = min(self.most * 2, self.config.store_batch)
        self.most_removes = min(self.most_removes * 2, self.config.store_batch * REMOVES_PER_ADD)
        if self.away_since:
            log.error("The store is back after %.1f s", time.monotonic() - self.away_since)
            self.away_since = 0.0

    async def pause(self) -> None:
        """Wait before the next attempt, longer each time."""
        await asyncio.sleep(self.delay)
        self.delay = min(self.delay * 2, self.config.store_retry[1])

    def look(self) -> None:
        """Give an answer to those who have waited too long."""
        now = time.monotonic()
        self.clock = None
        numbers = self.ledger.overdue(now - self.config.store_timeout)
        if numbers:
            text = f"The job could not be stored within {self.config.store_timeout:g} s: {self.reason}"
            self.service.refuse_jobs(set(numbers), text.encode("utf-8", "replace"))
            self.ledger.unkeep(numbers)
        self.turn.settle()
        self.settled.set()
        if self.ledger.waits or self.journal.busy:
            self.clock = self.loop.call_later(self.config.store_timeout / 16, self.look)

    # --- the end ---

    async def flush(self) -> None:
        """Return when all that waits now is written, or was refused."""
        self.last_success = time.monotonic()
        newest = self.ledger.newest
        while self.ledger.settled <= newest and not self.config.store_on_shutdown:
            if not self.journal.busy:
                self.begin()
            self.settled.clear()
            await self.settled.wait()

    def hold(self) -> None:
        """No job is for the store from now on, and nobody waits for it: the server takes its peers down."""
        if self.clock is not None:
            self.clock.cancel()
        if self.config.store_on_shutdown:
            self.ledger.gather_all(time.monotonic())
        self.ledger.close()
        self.ending = True

    async def stop(self) -> None:
        """Write what is left, and close the store. Raises StoreError, with what is lost, if that cannot be done."""
        try:
            if self.task is not None:
                await asyncio.wait({self.task})  # it ends with its present batch
            await self.write_rest()
        finally:
            with suppress(TimeoutError):  # a disk that hangs
                await asyncio.wait_for(self.store.close(), self.config.store_last_close)

    async def write_rest(self) -> None:
        """The last batches, and that no number beyond the last one was used."""
        self.facts = {CEILING: str(self.ledger.last)}
        while self.ledger.waits or self.facts:
            await self.write_next()
            if not self.away_since:
                self.last_success = time.monotonic()
            elif time.monotonic() > self.last_success + self.config.store_last_writes:
                raise StoreError(f"The store is away, and not everything could be written to it: {self.reason}")
