"""A thread that reads and sends without the interpreter."""

from typing_extensions import disjoint_base

from gearfast.config import Config
from gearfast.server.plain import SocketTransport
from gearfast.server.session import Session
from gearfast.server.station import Station
from gearfast.server.turn import Turn

def lock_used() -> tuple[int, int, float]:
    """Return how often the lock of the process was taken, how often it was waited for, and mean seconds it was held."""

@disjoint_base
class IoThread(Station):
    """Reads from the connections that it is lent, and sends, by epoll; the rest of their life is the loop's."""

    def __new__(cls, turn: Turn, settings: Config) -> IoThread:
        """Raises OSError if the system does not give what it needs: elsewhere than on Linux, or without descriptors."""
    def run(self) -> None:
        """Work until `end`. To be called by a thread of its own."""
    def end(self) -> None:
        """Have `run` return soon."""
    def lend(self, member: SocketTransport) -> bool:
        """Have it read from this one from now on; return whether it does. Called by the loop's thread.

        Who has spoken text stays with that one, as only there it is understood.
        """
    def lend_session(self, session: Session) -> bool:
        """The same, by its session, whatever that has spoken."""
    def call_home(self, most: int) -> int:
        """Have the loop's thread read again from so many of its connections; return from how many it does."""
    @property
    def connections(self) -> int:
        """How many it reads from."""
    @property
    def reads(self) -> int:
        """How often it has read something."""
