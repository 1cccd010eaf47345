"""The end of a turn of the event loop, and the one timer (house rule: one send per peer and turn)."""

import asyncio
from collections.abc import Callable

from typing_extensions import disjoint_base

from gearfast.broker.broker import Aftermath
from gearfast.config import Config
from gearfast.server.lookout import Lookout
from gearfast.server.memory import Memory
from gearfast.server.outlet import Outlet
from gearfast.server.session import Service

@disjoint_base
class Member(Outlet):
    """Whoever may have something to send when a turn is over."""

@disjoint_base
class Turn(Aftermath):
    """One per server: collects who has something to send, and arms the timer for what is due.

    Of ``settings`` it takes the sizes and times that one peer, and one turn, may cost.
    """

    def __new__(cls, service: Service, loop: asyncio.AbstractEventLoop, settings: Config) -> Turn:
        """Raises RuntimeError if the broker belongs to another thread."""
    @property
    def service(self) -> Service:
        """What the sessions share."""
    @property
    def memory(self) -> Memory:
        """How much of it the process has, and who gives way."""
    @property
    def lookout(self) -> Lookout:
        """Who is often read from, and when to look at that."""
    def over(self) -> None:
        """End the turn: each member that became ready sends once, as far as time allows. Called by the loop.

        Raises RuntimeError while a peer is served, as `answer_fenced` does: a plugin cannot end the turn it is in.
        """
    def when_idle(self, idle: Callable[[], None]) -> None:
        """Call this once, as soon as no job is left; with ``broker.draining``, none that has to be waited for."""
    def tick(self) -> None:
        """Let the broker do what is due by now. Called by the loop's timer."""
    def answer_fenced(self) -> None:
        """Tell who waited that the store has written, at once."""
    def rest(self) -> None:
        """Take back what forgotten peers had, and tell who must know. Called by the loop."""
    def spend_reserve(self) -> None:
        """Spend the memory that is kept for when there is none left, and look soon whether there is some again."""
    def hear_stations(self) -> None:
        """Be called by other threads. Raises OSError where the system has nothing for it."""
    def called(self) -> None:
        """Do what another thread found to be done here. Called by the loop."""
    def share_with(self, threads: int) -> None:
        """There are so many others."""
    def close(self) -> None:
        """Stop the timer, and let go of who is waited for."""
