"""One connection to Redis or Valkey: redis-py makes it, hiredis packs and parses what goes over it."""

import asyncio
import functools
import re
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

import hiredis
from redis import exceptions as refused
from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gearfast.errors import ConfigError
from gearfast.store.contract import StoreSettings

Command = tuple[bytes | str | int, ...]

pack: Final[Callable[[Command], bytes]] = hiredis.pack_command  # type: ignore[assignment]  # says: one word only

SCHEMES: Final = {"redis": "redis", "rediss": "rediss", "unix": "unix", "valkey": "redis", "valkeys": "rediss"}
PORT: Final = 6379
TURN: Final = 256
"""Answers that are read before the event loop goes on."""

ADVICE: Final[tuple[tuple[type[Exception] | str, str], ...]] = (
    (refused.AuthenticationError, "name the user and the password in the URL: redis://user:password@host"),
    (refused.NoPermissionError, "its user needs the commands of hashes, sets, strings and transactions, and SCAN"),
    (refused.OutOfMemoryError, "it is full: raise its maxmemory, or make room"),
    ("MISCONF", "it cannot save: look at its log and its disk"),
    (refused.ReadOnlyError, "it is a replica: name the primary in the URL"),
    (refused.BusyLoadingError, "it is still loading its data: wait"),
    (refused.MovedError, "it is part of a cluster: name the node that has these keys in the URL"),
    (refused.MasterDownError, "it has lost its primary: name another one in the URL"),
    (TimeoutError, "it, or the network, may hang"),
)


def reason_of(error: BaseException) -> str:
    """Say in one line what Redis, or the way to it, said, and what to do."""
    text = " ".join(str(error).split()) or "no answer in time"
    for kind, advice in ADVICE:
        if text.startswith(kind) if isinstance(kind, str) else isinstance(error, kind):
            return f"{text} ({advice})"
    return text


def connector(settings: StoreSettings) -> tuple[Callable[[], Any], str, int]:
    """Return what makes a connection of redis-py's, the place for messages (no password), and the database's number.

    Query words: ``db``, and redis-py's ``ssl_...``. Raises ConfigError.
    """
    scheme, _, rest = settings.url.partition(":")
    try:
        parts = urlsplit(f"{SCHEMES[scheme.lower()]}:{rest}")
        if not has_port(parts):
            raise ValueError("its port is not a number up to 65535")
        known = parse_url(parts.geturl())
        if not rest.startswith("//") or (parts.scheme == "unix" and not parts.path):
            raise ValueError("there is no address in it")
        kind: Any = known.pop("connection_class", Connection)
        for word, _ in parse_qsl(parts.query, keep_blank_values=True):
            if word != "db" and not word.startswith("ssl_"):
                raise ValueError(f"{word!r} is not an option of the URL")
        if parts.scheme != "unix" and not re.fullmatch(r"/?|/\d+", parts.path):
            raise ValueError(f"the database is a number, and not {parts.path[1:]!r}")
        known["password"] = settings.password_beside(known.get("password") or "")
        database = int(known.get("db", 0))
        make = functools.partial(
            kind,
            **known,
            protocol=2,
            socket_timeout=None,
            socket_connect_timeout=settings.timeout,
            retry=Retry(NoBackoff(), 0),  # what may be written again, only the server knows
        )
        make()
    except KeyError:
        raise ConfigError(f"{scheme!r} is not a scheme of Redis: use redis, rediss, valkey, valkeys or unix") from None
    except (ValueError, TypeError, refused.RedisError) as error:
        raise ConfigError(f"the URL of the Redis cannot be used, {error}: redis://user:password@host:6379/0") from None
    where = parts.path if parts.scheme == "unix" else f"{host_of(parts.netloc)}:{known.get('port', PORT)}"
    return make, f"{scheme}://{where}" + (f"/{database}" if parts.scheme != "unix" else ""), database


def has_port(parts: SplitResult) -> bool:
    """Say whether there is a port, or none is named; what stands there may be a password, with its ``@`` forgotten."""
    try:
        return parts.port is None or parts.port >= 0
    except ValueError:
        return False


def host_of(netloc: str) -> str:
    """Return the host as it was typed, with the brackets of an IPv6 address: urlsplit's is in lower case."""
    place = netloc.rpartition("@")[2]
    return (place[: place.find("]") + 1] if place.startswith("[") else place.partition(":")[0]) or "localhost"


def raise_first(answers: Iterable[Any]) -> None:
    """Raise the first error among answers. Before EXEC's own comes the one that is its reason."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer


class Link:
    """One connection. Commands are sent in pieces, and answered in their order."""

    def __init__(self, make: Callable[[], Any], seconds: float) -> None:
        """``make`` makes a connection of redis-py's; ``seconds`` is how long ``ask`` waits for answers."""
        self._connection = make()
        self._seconds = seconds
        self._transport: Any = None

    async def connect(self) -> None:
        """Connect, authenticate, choose the database. Raises RedisError or OSError."""
        await self._connection.connect()
        self._transport = self._connection._writer.transport

    def ended(self) -> bool:
        """Whether the other side has gone away."""
        reader = self._connection._reader
        return reader is None or bool(reader.at_eof()) or bool(self._transport.is_closing())

    async def send(self, commands: Iterable[Command]) -> int:
        """Send commands, no faster than they are taken; return how many. Raises RedisError, OSError or TypeError."""
        packed = [pack(command) for command in commands]
        await self._connection.send_packed_command(packed, check_health=False)
        return len(packed)

    async def answers(self, count: int) -> list[Any]:
        """Read the answers to so many commands; what Redis refused is among them as an exception."""
        found = list[Any]()
        while len(found) < count:
            try:
                found.append(await self._connection.read_response(disconnect_on_error=False))
            except refused.ResponseError as error:
                found.append(error)
            if len(found) % TURN == 0:
                await asyncio.sleep(0)
        return found

    async def ask(self, *commands: Command, strict: bool = True) -> list[Any]:
        """Send commands together and return the answers. Raises what Redis refused, unless not ``strict``."""
        async with asyncio.timeout(self._seconds):
            found = await self.answers(await self.send(commands))
        if strict:
            raise_first(found)
        return found

    async def drop(self) -> None:
        """End the connection. The other side may be frozen: it is not waited for, and what is unsent is forgotten."""
        if self._transport is not None:
            self._transport.abort()
        await self._connection.disconnect(nowait=True)
