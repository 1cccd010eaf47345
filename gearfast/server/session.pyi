"""One connection's talk with the server: requests in, packets and admin text out (protocol section 1)."""

from collections.abc import Callable, Iterator
from logging import Logger
from typing import final

from typing_extensions import disjoint_base

from gearfast.broker.broker import Broker
from gearfast.broker.peer import Peer
from gearfast.config import Config
from gearfast.server.notes import Notes
from gearfast.server.outlet import Outlet

@disjoint_base
class Service:
    """What all sessions of one server share: the broker, the limits, and who answers admin lines."""

    def __new__(
        cls,
        broker: Broker,
        config: Config,
        log: Logger,
        admin: Callable[[Session, bytes], bytes | Iterator[bytes] | None] | None = None,
    ) -> Service:
        """``admin`` answers one admin line, in one piece or in slices, or closes the connection; it never raises."""
    @property
    def broker(self) -> Broker:
        """Where jobs live."""
    @property
    def notes(self) -> Notes:
        """What is to be said in the log at the end of the turn."""
    @property
    def sessions(self) -> dict[int, Session]:
        """Every connection by its serial number, the oldest first."""
    write: Callable[[], None] | None
    """Has the store take what is gathered for it; called at the end of a turn."""
    date: Callable[[], None] | None
    """Gives dates to schedules that have none; called at the end of a turn."""
    @property
    def largest(self) -> int:
        """Bytes of a background job that the store takes."""
    def keep_in(self, largest: int, write: Callable[[], None]) -> None:
        """Background jobs go into a store that takes jobs of at most ``largest`` bytes."""
    @property
    def opened(self) -> int:
        """Connections so far; the serial number of the newest."""

@final
class Session(Peer):
    """One connection. It is fed by its transport; nothing of it is called from Python but what is listed here."""

    def __new__(cls, service: Service, outlet: Outlet, fd: int, address: bytes) -> Session: ...
    @property
    def serial(self) -> int:
        """Its number, counted from 1."""
    @property
    def fd(self) -> int:
        """The server's descriptor, as ``workers`` shows it."""
    @property
    def address(self) -> bytes:
        """The peer's address without port, or ``unix``."""
    @property
    def client_id(self) -> bytes:
        """What it gave by SET_CLIENT_ID; ``-`` at first."""
    def abort(self) -> None:
        """Close the connection at once; at the end of the turn, if it is being served."""
