"""The end of a server that lets work end first: what it waits for, and for how long."""

import asyncio
import logging
import time
from collections.abc import Callable

from gearfast.broker.broker import Broker
from gearfast.config import Config
from gearfast.ground.clock import monotonic
from gearfast.logs import NOTICE

log = logging.getLogger("gearfast")


class Drain:
    """Begun by ``Server.drain``: says now and then what is waited for, and ends that when it takes too long.

    With a store, what is in it can be left to the next server: only running jobs are waited for, and jobs that a client
    waits for. Without one, all jobs are (protocol section 3.10).
    """

    def __init__(self, broker: Broker, config: Config, stop: Callable[[], None]) -> None:
        self.broker = broker
        self.config = config
        self.stop = stop
        self.began = monotonic()
        self.loop = asyncio.get_running_loop()
        self.timers: list[asyncio.TimerHandle] = []
        self.say()
        if config.drain_timeout is not None:
            self.timers.append(self.loop.call_later(config.drain_timeout, self.give_up))

    def say(self) -> None:
        """Log what is waited for, and again after a while."""
        log.log(NOTICE, "Draining: %s", self.waited_for())
        self.timers[1:] = [self.loop.call_later(self.config.drain_log_interval, self.say)]

    def waited_for(self) -> str:
        """Return it as a person may read it."""
        broker = self.broker
        if broker.draining:
            waits = f"{broker.running} running jobs, and {broker.unkept} foreground jobs, are waited for"
            return f"{waits}; of {broker.job_count} in all the others stay in the store"
        text = f"{broker.job_count} jobs are waited for, {broker.running} of them running"
        if broker.delayed_count:
            soonest = broker.soonest
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(soonest)) if soonest < 1e11 else "the end of time"
            text += f", {broker.delayed_count} not due yet (the first at {when})"
        return text

    def give_up(self) -> None:
        """End the server: it has waited long enough."""
        log.warning("Draining took %g s and is given up: %s", self.config.drain_timeout, self.waited_for())
        self.end()
        self.stop()

    def end(self) -> None:
        """Wait for nothing any more."""
        for timer in self.timers:
            timer.cancel()
