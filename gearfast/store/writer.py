"""Keeps background jobs in a store: one batch is written while the next one gathers.

What fails is tried again until it succeeds (writer.py). Meanwhile jobs go on being gathered, and whoever
waits longer than ``store_timeout`` for one of them is told that it was not kept. What the store has to
forget waits for as long as it takes.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from contextlib import suppress

from gearfast.broker.broker import Broker
from gearfast.config import Config, default_handle_prefix
from gearfast.errors import ConfigError, GearfastError, StoreError
from gearfast.ground.clock import monotonic
from gearfast.logs import NOTICE
from gearfast.store.attempts import Attempts
from gearfast.store.batches import Batches
from gearfast.store.contract import CEILING, PREFIX, Batch, Store, ceiling_of
from gearfast.store.plan import Planned

log = logging.getLogger("gearfast")

Refuse = Callable[[set[int], bytes], None]


class Writer:
    """Between the broker, which knows no store, and the store, which knows no broker."""

    def __init__(self, store: Store, broker: Broker, config: Config, refuse: Refuse) -> None:
        """``refuse`` tells who waits for these jobs that they are not kept."""
        self.store = store
        self.config = config
        self.batches = Batches(broker)
        self.outbox = broker.outbox
        self.refuse_waiting = refuse
        self.attempts = Attempts(store, self.batches, config, self.refuse)
        self.plan = self.attempts.plan
        self.replayed = 0
        self.task: asyncio.Task[None] | None = None
        self.clock: asyncio.TimerHandle | None = None  # looks for those who have waited too long
        self.alarm: asyncio.TimerHandle | None = None  # goes on with what failed by itself
        self.batch_done = asyncio.Event()
        self.ending = False

    # --- the start ---

    async def start(
        self, answer_fenced: Callable[[], None], take_metadata: Callable[[Mapping[str, str]], None]
    ) -> None:
        """Open the store, replay its jobs, and have the broker tell it what follows. Raises StoreError, ConfigError.

        ``answer_fenced`` tells who waited what the store has written by then; ``take_metadata`` gets what the store
        has besides jobs, before they come.
        """
        self.answer_fenced = answer_fenced
        self.loop = asyncio.get_running_loop()
        began = monotonic()
        try:
            metadata = await self.store.open()
            take_metadata(metadata)
            await self.replay(metadata)
        except GearfastError:
            await self.close_store()
            raise
        except Exception as error:
            await self.close_store()
            raise StoreError(f"it failed with {error!r}") from error
        except BaseException:  # it is told to stop
            await self.close_store()
            raise
        if self.replayed:
            log.log(NOTICE, "%d jobs replayed in %.1f s", self.replayed, monotonic() - began)

    async def replay(self, metadata: Mapping[str, str]) -> None:
        """Take the jobs of the store into the broker, and reserve numbers above all that were ever used."""
        last = ceiling_of(metadata)
        async for jobs in self.store.replay():
            bad = self.batches.restore(jobs)
            for number, reason in bad:
                log.error("job %d stays in the store and is not run: %s", number, reason)
            self.replayed += len(jobs) - len(bad)
            last = max(last, *(job.number for job in jobs))
        prefix = self.handle_prefix(metadata.get(PREFIX, ""))
        heavy = self.config.store_batch_bytes
        self.batches.open(prefix.encode("utf-8", "surrogateescape"), last, self.config.store_on_shutdown, heavy)
        ours = {PREFIX: prefix, CEILING: str(last + self.config.store_numbers)}
        await self.store.write(Batch([], [], ours))
        self.attempts.metadata_is_stored({**metadata, **ours})

    def handle_prefix(self, stored: str) -> str:
        """Return what handles begin with: the command line's, the store's, or this machine's."""
        asked = self.config.job_handle_prefix
        try:
            asked.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"--job-handle-prefix={asked!a} is not valid UTF-8, as a store needs it") from None
        if asked and stored and asked != stored:
            log.warning("Handles begin with %s from now on; those with %s are no longer known", asked, stored)
        return asked or stored or default_handle_prefix()

    # --- while the server runs ---

    def begin(self) -> None:
        """Write what has gathered. Called at the end of a turn that has something for the store, and no write runs."""
        if self.outbox.busy:
            raise RuntimeError("two batches cannot be written at the same time")
        self.task = self.loop.create_task(self.write_all())
        self.outbox.busy = True
        self.task.add_done_callback(self.ended)
        self.watch()

    def ended(self, task: asyncio.Task[None]) -> None:
        """Let the next turn begin again if something went wrong that nobody thought of."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.critical("A batch failed and is tried again: %r", error, exc_info=error)
        self.batches.rolled_back()
        self.outbox.busy = False
        self.wake_in(self.config.store_retry[1])

    async def write_all(self) -> None:
        """Write batch after batch until nothing is left that can be written now, or the server ends."""
        while not self.ending and (planned := await self.next()) is not None:
            await self.attempts.write(planned)
            while (removes := self.plan.overtook()) is not None:
                await self.attempts.write(removes)
            self.answer_fenced()  # what this leads to is written by the next round: this one is still busy
            self.batch_done.set()
        self.outbox.busy = False
        self.wake_in(self.plan.due() - monotonic())
        if self.batches.has_news:  # another thread has brought it since the last look, and did not see it begin
            self.wake()

    async def next(self) -> Planned | None:
        """Return what is written next, after a look, in slices, for what the store is to have again."""
        while self.batches.seek():
            await asyncio.sleep(0)
        return self.plan.next()

    def wake_in(self, seconds: float) -> None:
        """Go on then of itself, if nothing that came since has done that; infinity: never."""
        if self.alarm is not None:
            self.alarm.cancel()
        self.alarm = None if seconds == math.inf else self.loop.call_later(max(seconds, 0.001), self.wake)

    def wake(self) -> None:
        """Try again what failed by itself."""
        if not (self.outbox.busy or self.ending):
            self.begin()

    def watch(self) -> None:
        """See to it that nobody waits for too long."""
        if self.clock is None:
            self.clock = self.loop.call_later(self.config.store_timeout / 16, self.refuse_overdue)

    def refuse_overdue(self) -> None:
        """Give an answer to those who have waited too long."""
        self.clock = None
        self.attempts.refuse_overdue()
        if not self.plan.overtaken:  # else something has ended that is not forgotten yet
            self.answer_fenced()
        self.batch_done.set()
        if self.plan.waits or self.outbox.busy:
            self.watch()

    def refuse(self, numbers: list[int], text: str, stay: bool = False) -> None:
        """Tell who waits for these jobs that they are not kept; those that ``stay`` are kept as they were before.

        What has ended was done: who waits for it is told that it was accepted.
        """
        self.refuse_waiting(self.batches.unfinished(numbers), text.encode("utf-8", "replace"))
        if not stay:
            self.batches.unkeep(numbers)

    # --- metadata of others ---

    def remember(self, name: str, value: str) -> None:
        """Have the store know this at the next start; it is written with the next batch, or by itself."""
        self.plan.metadata[name] = value
        self.wake()

    # --- the end ---

    async def flush(self, is_waited_for: Callable[[int], bool]) -> None:
        """Return when all who wait now have been told that their jobs are stored, or that they are not.

        ``is_waited_for`` tells whether somebody waits for a job with this number, or a lower one.
        """
        self.attempts.last_success = monotonic()
        last = self.batches.last
        while is_waited_for(last):
            self.wake()
            self.watch()
            self.batch_done.clear()
            await self.batch_done.wait()

    def hold(self) -> None:
        """No job is for the store from now on, and nobody waits for it: the server takes its peers down."""
        for timer in (self.clock, self.alarm):
            if timer is not None:
                timer.cancel()
        if self.config.store_on_shutdown:
            self.batches.gather_all()
        self.batches.close()
        self.ending = True

    async def stop(self) -> None:
        """Write what is left, and close the store. Raises StoreError if jobs are lost that were acknowledged."""
        try:
            if self.task is not None:
                await self.end_task(self.task)
            await self.write_rest()
            self.say_what_is_left()
        finally:
            await self.close_store()

    async def close_store(self) -> None:
        """Close the store; one that hangs is left to itself."""
        limit = self.config.store_last_close
        if self.attempts.away_since:
            limit = min(max(self.time_left(), 1.0), limit)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.store.close(), limit)

    async def end_task(self, task: asyncio.Task[None]) -> None:
        """Let the present batch end, if it does so in time."""
        left = max(self.time_left(), 0.1) if self.attempts.away_since else self.config.store_timeout
        await asyncio.wait({task}, timeout=left)
        task.cancel()
        await asyncio.wait({task})

    async def write_rest(self) -> None:
        """The last batches, and that no number beyond the last one was used, until the store has been away too long."""
        self.plan.last_ones = True
        self.plan.metadata[CEILING] = str(self.batches.last)
        self.plan.lone.all_now(monotonic())
        while self.plan.waits and (left := self.time_left()) > 0:
            planned = await self.next()
            if planned is not None:
                await self.attempts.write(planned, left)
            elif self.attempts.away_since or self.batches.promised:  # it may be a moment's trouble only
                await asyncio.sleep(min(max(self.plan.due() - monotonic(), 0.001), left))
            else:  # what is left the store does not take, though it takes others, and nobody loses it
                return

    def time_left(self) -> float:
        """Return for how many seconds more it is tried: longer when jobs would be lost that were acknowledged."""
        most = self.config.store_last_writes if self.batches.promised else self.config.store_last_removes
        return self.attempts.last_success + most - monotonic()

    def say_what_is_left(self) -> None:
        """Log what could not be written, and is made up for later. Raises StoreError for what is lost."""
        if self.batches.promised:
            raise StoreError(f"The store is unavailable, and {self.lost()}: {self.attempts.reason}")
        if unforgotten := self.unforgotten():
            log.warning("%s, because the store did not delete it: %s", unforgotten, self.attempts.reason)

    def unwritten(self) -> str:
        """Return what the store would not have if the server ended now; empty: nothing is missing."""
        if self.config.store_on_shutdown and not self.ending:
            self.batches.gather_all()
        return "; ".join(filter(None, (self.lost() if self.batches.promised else "", self.unforgotten())))

    def lost(self) -> str:
        """Return how much is lost."""
        return f"{counted(self.batches.promised, 'acknowledged job')} could not be written to it"

    def unforgotten(self) -> str:
        """Return how much may be done once more; empty: nothing."""
        count = self.batches.removes + len(self.plan.lone.gone)
        return f"{counted(count, 'ended job')} may be run once more after the next start" if count else ""


def counted(number: int, noun: str) -> str:
    """Return so many of them, such as ``2 jobs``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
