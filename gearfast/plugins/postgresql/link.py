"""The connection to PostgreSQL, and the lock that it holds."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import asyncpg  # type: ignore[import-untyped]

from gearfast.errors import StoreError
from gearfast.plugins.postgresql.url import address_of
from gearfast.store.contract import StoreSettings

log = logging.getLogger("gearfast")

Connection: TypeAlias = Any  # asyncpg says nothing about types

FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, ValueError)
"""What asyncpg raises when something is wrong, with the connection or with what is sent over it."""
LOCK_WAIT: Final = 1.0
"""Seconds a server before us may take to let go of the table: it was killed a moment ago, and its commit goes on."""
LOCK_PAUSE: Final = 0.02
"""Seconds between two tries to get the lock."""

READING: Final = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""One state of everything, whatever a server writes meanwhile."""
SESSION: Final = {
    "enable_seqscan": "off",  # a plan made while the table was empty must not read all of it later
    "jit": "off",
    "statement_timeout": "0",
    "idle_session_timeout": "0",  # the lock must be ours in quiet hours too
    "idle_in_transaction_session_timeout": "0",
    "tcp_keepalives_idle": "30",  # with the machine of the server gone, its lock is to go soon
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


class Link:
    """One connection at a time, made when it is needed, which holds the lock of a table while it lives."""

    def __init__(self, settings: StoreSettings) -> None:
        """Read the settings; connects to nothing. Raises ConfigError when the URL cannot be used."""
        address = address_of(settings.url, settings.password_beside)
        self.place = address.place
        self.arguments = address.arguments
        self.timeout = settings.timeout
        self.full = settings.durability == "full"
        self.connection: Connection | None = None
        self.reading = False
        """It only reads: it needs no lock, and may change nothing."""
        # By this we know a connection of ours that is still there at the other end.
        self.token = f"gearfast {secrets.token_hex(12)}"
        self.arguments.setdefault("server_settings", {})["application_name"] = self.token

    @contextlib.contextmanager
    def reasons(self) -> Iterator[None]:
        """Give up the connection when the block fails, and raise StoreError with one line when it was the database."""
        try:
            yield
        except FAILURES as error:
            self.drop()
            raise StoreError(f"{self.place}: {one_line(error)}") from error
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Forget the connection. Waits for nothing: the other end may hang."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.terminate()

    async def connected(self, table: str) -> Connection:
        """Return the connection, a new one when it has ended; it holds the lock of the (quoted) table."""
        if self.connection is None or self.connection.is_closed():
            connection = await self.connect()
            if self.reading:
                await connection.execute(READING)
            else:
                await self.lock(table, self.timeout)
        return self.connection

    async def connect(self) -> Connection:
        """Return a new connection, without the lock. Raises StoreError."""
        self.drop()
        try:
            self.connection = await asyncpg.connect(**self.arguments, timeout=self.timeout)
            async with asyncio.timeout(self.timeout):
                await self.prepare()
        except FAILURES as error:
            reason = one_line(error)
            raise StoreError(
                f"{self.place} cannot be used: {reason}; start it, or correct what --store says"
            ) from error
        return self.connection

    async def prepare(self) -> None:
        """Make the session what a queue needs, and what the durability asks for."""
        assert self.connection is not None
        wanted = dict(SESSION)
        if not self.full:
            wanted["synchronous_commit"] = "off"
        elif await self.connection.fetchval("SELECT current_setting('synchronous_commit')") == "off":
            wanted["synchronous_commit"] = "on"  # what else it may be waits for the disk too
        await self.connection.fetch(  # an older server does not know all of them
            "SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS wanted (name, value)"
            " JOIN (SELECT name FROM pg_settings) AS known USING (name)",
            list(wanted),
            list(wanted.values()),
        )

    async def lock(self, table: str, seconds: float) -> None:
        """Take the (quoted) table for this connection. Raises StoreError when another server has it.

        A connection of ours may linger at the other end after the network failed, or after the database was frozen
        while it wrote; what it still does, it does before the lock is free. Such a one is told to end.
        """
        assert self.connection is not None
        take = "SELECT pg_try_advisory_lock((1734697330::bigint << 32) | $1::text::regclass::oid::bigint)"
        end_old = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = $1 AND pid <> pg_backend_pid()"
        )
        now = asyncio.get_running_loop().time
        limit = now() + seconds
        while True:
            async with asyncio.timeout(self.timeout):
                if await self.connection.fetchval(take, table):
                    return
                await self.connection.fetch(end_old, self.token)
            if now() > limit:
                raise StoreError(
                    f"{self.place}: another server uses the table {table}; stop that one, or name another table"
                )
            await asyncio.sleep(LOCK_PAUSE)

    async def warn(self) -> None:
        """Say when the database is set to lose what it promised to keep."""
        assert self.connection is not None
        for setting in ("fsync", "full_page_writes"):
            if await self.connection.fetchval("SELECT current_setting($1)", setting) == "off":
                log.warning("%s has %s=off: jobs can be lost when its machine fails; set it on", self.place, setting)

    async def close(self) -> None:
        """Let go of the lock and the connection, properly when the database answers in time."""
        connection, self.connection = self.connection, None
        if connection is None:
            return
        try:
            async with asyncio.timeout(self.timeout):
                if not connection.is_closed():
                    # The other end would let go of it only after we are gone, and the next server may be there already.
                    await connection.fetch("SELECT pg_advisory_unlock_all()")
                    await connection.close()
        except FAILURES as error:
            log.warning("%s: the connection did not close properly: %s", self.place, one_line(error))
        finally:
            connection.terminate()


def one_line(error: BaseException) -> str:
    """Return what an error says, in one line that is not too long."""
    said = " ".join(str(error).split())
    if isinstance(error, TimeoutError) and not said:
        said = "it did not answer in time"
    return said[:500] or type(error).__name__


def quoted(name: str) -> str:
    """Return the name of a table as SQL has it."""
    return '"' + name.replace('"', '""') + '"'
