"""The contract of stores: what one promises that keeps jobs beyond the life of a server."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, NamedTuple, Protocol, cast

from gearfast.config import DAY
from gearfast.errors import ConfigError, StoreError
from gearfast.ground.fields import Above, By, check, one_of

CEILING: Final = "ceiling"
"""Names the highest job number that may have been given out, in decimal."""
PREFIX: Final = "prefix"
"""Names what stands before ``:<number>`` in the handles."""


class StoredJob(NamedTuple):
    """A background job as it is kept; names and payload are any bytes."""

    number: int
    """Of its handle, below 2**63: the key. Never used twice."""
    function: bytes
    unique: bytes
    """Empty: none."""
    priority: int
    """0 high, 1 normal, 2 low."""
    due: float
    """Seconds since 1970 before which it does not run; 0: at once."""
    attempts: int
    """How often a worker was given it and lost it."""
    payload: bytes
    more: bytes
    """What else there is to a job, in a versioned form of the server's own (record.pyx); mostly empty."""


class Batch(NamedTuple):
    """What is to be written together: all of it or nothing."""

    removes: list[int]
    """Numbers of jobs to be forgotten, first; one that is not there is no error."""
    adds: list[StoredJob]
    """Jobs to keep, in the order of their numbers but for a few; one whose number is there already replaces it."""
    metadata: Mapping[str, str]
    """What the server wants to know again at its next start; adds to the metadata that are there."""


class Store(Protocol):
    """Keeps background jobs beyond the life of the server.

    Every method may raise StoreError (or anything else) with a reason for a person. After a ``write`` that failed or
    was cancelled nothing is known of its batch. What it had comes again in later ones, in smaller and smaller ones and
    in turn with others, until it is known what the store does not take; it is the store that then makes a new
    connection. Only one call runs at a time.

    A store may have more than these methods: see Roomy and Readable, and ``gearfast.errors.StoreLostError``.
    """

    largest: int
    """Bytes of function, unique and payload together that one job may have; a larger one is refused at once."""

    async def open(self) -> Mapping[str, str]:
        """Connect, make what is missing, take over what gearmand left, and return the metadata.

        Raise StoreError when the store cannot be used, or another server uses it.
        """

    def replay(self) -> AsyncIterator[list[StoredJob]]:
        """Yield every job, by its number, a few thousand at a time. What cannot be read is logged, and stays."""

    async def write(self, batch: Batch) -> None:
        """Return when the whole batch is durable.

        Raise StoreLostError, once, when all that was written before is gone (somebody dropped the tables, say), and the
        place is ready for it again: it is then written once more.
        """

    async def close(self) -> None:
        """Give everything back; nothing of what was written is lost."""


class Roomy(Protocol):
    """A store that knows how much it can take at the moment; others find that out when a write fails."""

    async def room(self) -> int | None:
        """Return how many bytes of function, unique and payload together one job may have now; None: it is not known.

        It is asked before a job is written that is a batch by itself, and a larger job is refused without being tried.
        """


class Readable(Protocol):
    """A store that can be looked into: ``gearfast store count``, ``list`` and ``export`` change nothing then."""

    async def look(self) -> Mapping[str, str]:
        """Connect for reading only, in the place of ``open``, and return the metadata; none when there is no store yet.

        Nothing is made, taken over or changed, and no server is kept from its work. ``replay`` and ``close`` follow.
        Raise StoreError when it cannot be read, or when a server that runs cannot let us.
        """

    def left(self) -> AsyncIterator[list[StoredJob]]:
        """Yield what gearmand has there, and ``open`` would take over. Such jobs have no number: it is 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Which store, and how it is to be used. A store is made by a function that takes these (``gearfast.stores``).

    Raises ConfigError for a value that cannot be.
    """

    url: Annotated[str, By("--store")] = field(repr=False)
    """What ``--store`` says, such as ``sqlite:/var/lib/gearfast/jobs.db``. There may be a password in it."""
    password: str = field(default="", repr=False)
    """What was given apart from the URL, which then may hold none; empty: nothing was."""
    table: str = ""
    """Of gearmand's jobs: a table, or the prefix of keys. The store's own names derive from it. Empty: gearmand's."""
    durability: Annotated[str, one_of("full", "normal", "off"), By("--durability")] = "full"
    """What a job that was acknowledged survives: ``full``, ``normal`` or ``off``."""
    timeout: Annotated[float, Above(0, DAY)] = 5.0
    """Seconds that making a connection may take."""

    def __post_init__(self) -> None:
        check(self)

    def password_beside(self, inside: str) -> str:
        """Return the password to use, ``inside`` being the URL's own. Raises ConfigError when there are two."""
        if inside and self.password:
            raise ConfigError(
                "the password stands in the store's address, and is given apart from it too (--store-password-file or "
                "GEARFAST_STORE_PASSWORD): leave one of them out"
            )
        return inside or self.password


async def room_of(store: Store) -> int | None:
    """Return what a store that is Roomy says, None when it is not. Raises what the store raises."""
    return await cast(Roomy, store).room() if hasattr(store, "room") else None


def ceiling_of(metadata: Mapping[str, str]) -> int:
    """Return the "ceiling" of a store's metadata, 0 when there is none. Raises StoreError when it is no number."""
    text = metadata.get(CEILING, "0")
    # Digits of other scripts are numbers to int(), and were not written by us.
    if not (text.isascii() and text.isdigit()):
        raise StoreError(f"the metadata of the store is damaged: {CEILING!r} is {text!r}, and should be a number")
    return int(text)
