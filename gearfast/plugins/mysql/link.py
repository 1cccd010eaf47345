"""A connection to MySQL or MariaDB that is made again by itself, and keeps other servers off the same jobs."""

import asyncio
import contextlib
import hashlib
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

import asyncmy
from asyncmy.errors import MySQLError

from gearfast.errors import StoreError
from gearfast.plugins.mysql.url import Address

log = logging.getLogger("gearfast")

Result = TypeVar("Result")

PATIENCE: Final = 2.0
"""Seconds a server that has just ended may take to let go of the jobs, when the timeout leaves as many."""
LOST: Final = {0, 1053, 1927, 2006, 2013, 2055, 4031}
"""Error numbers that say no more than that the connection is gone: ended, killed, or idle for too long."""

# Names and payloads are any bytes, so no text may be converted. A value that does not fit is an error, a table without
# transactions is no substitute for one that has them, and a backslash escapes. The lock on the jobs is the
# connection's: it should not be ended for having nothing to do (24 days are the most that every platform takes).
SET_UP: Final = (
    b"SET NAMES binary;"
    b"SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO',"
    b" autocommit = 1, sql_notes = 0, wait_timeout = 2147483;"
    b"SELECT @@max_allowed_packet"
)
READING: Final = (
    b"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
)
"""One state of everything, whatever a server writes meanwhile."""


class Link:
    """One connection at a time, which alone may touch the jobs of a table.

    Two named locks of the server's belong to it. One is the table's: whoever has it may write. The other one has a
    name that only this object knows: the connection that holds it is ours, also when we have given it up and the server
    has not noticed yet. So an old connection, which may still be busy with a write that we have given up, is out of
    the way before the next write begins, and can never come after it.
    """

    def __init__(self, address: Address, table: str, timeout: float) -> None:
        """``timeout`` is in seconds, for making a connection."""
        self.reading = False
        """It only reads: it needs no lock, and may change nothing."""
        self.address = address
        self.table = table
        self.packet = 1 << 20
        """The server's ``max_allowed_packet``, bytes: no statement and no row may be larger."""
        self._timeout = timeout
        self._connection: Any = None
        self._prepared = dict[bytes, Any]()
        name = hashlib.blake2b(f"{address.database}.{table}".lower().encode(), digest_size=16).hexdigest()
        self._lock = b"'gearfast.%b'" % name.encode()
        self._own = b"'gearfast.%b'" % uuid.uuid4().hex.encode()

    async def do(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Have something done over the connection, which is made when there is none. Raises StoreError.

        When a connection that was there before turns out to be dead, ``work`` is done again, from its start: it must
        not matter how much of it was done already. After any failure there is no connection, and so no transaction.
        """
        while True:
            fresh = self._connection is None
            try:
                if fresh:
                    await self._connect()
                return await work()
            except BaseException as error:
                self.drop()
                if isinstance(error, MySQLError):
                    if not fresh and error.args[:1] and error.args[0] in LOST:
                        continue
                    raise self._refusal(error) from error
                raise

    def drop(self) -> None:
        """Give the connection up at once: a server that hangs is not waited for."""
        connection, self._connection = self._connection, None
        self._prepared.clear()
        if connection is not None:
            # What waits to be sent must not be sent: close() alone would go on with that for as long as it takes.
            transport = getattr(connection, "_transport", None)
            if transport is not None:
                transport.abort()
            connection.close()

    async def close(self) -> None:
        """Say good-bye and end the connection. A server that does not answer is waited for no longer than allowed."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(MySQLError, OSError, TimeoutError):
                async with asyncio.timeout(self._timeout):
                    # The server has let go of the locks when this is answered, so the next server need not wait.
                    await self.run(b"SELECT RELEASE_LOCK(%b), RELEASE_LOCK(%b)" % (self._lock, self._own))
                    await connection.ensure_closed()
            self.drop()

    async def run(self, statements: bytes) -> list[Any]:
        """Execute statements, separated by ``;``, in one round trip; return the rows of the last one."""
        cursor = self._cursor()
        await cursor.execute(statements)
        while await cursor.nextset():
            pass
        return list(await cursor.fetchall() or ())

    async def each(self, statements: bytes) -> AsyncIterator[int]:
        """Execute statements likewise; yield how many rows each one changed, until one fails."""
        cursor = self._cursor()
        await cursor.execute(statements)
        yield cursor.rowcount
        while await cursor.nextset():
            yield cursor.rowcount

    async def prepare(self, statement: bytes) -> Any:
        """Return a statement of asyncmy's with ``?`` for what it is given each time, up to the size of a packet."""
        found = self._prepared.get(statement)
        if found is None:
            assert self._connection is not None, "only from within do()"
            found = self._prepared[statement] = await self._connection.prepare(statement)
        return found

    def _cursor(self) -> Any:
        assert self._connection is not None, "only from within do()"
        return self._connection.cursor()

    async def _connect(self) -> None:
        there = self.address
        try:
            async with asyncio.timeout(self._timeout):
                self._connection = await asyncmy.connect(
                    host=there.host, port=there.port, unix_socket=there.socket or None, ssl=there.tls or None,
                    user=there.user or None, password=there.password, database=there.database,
                    connect_timeout=self._timeout, autocommit=None, use_unicode=False, program_name="gearfast",
                )  # fmt: skip
                ((self.packet,),) = await self.run(SET_UP)
                if self.reading:
                    await self.run(READING)
                else:
                    await self._take_locks()
        except TimeoutError as error:
            raise StoreError(f"MySQL at {there} did not answer within {self._timeout:g} s") from error
        except RuntimeError as error:  # so the driver says that the connection ended while it was being made
            raise StoreError(f"MySQL at {there} ended the connection as soon as it was made: {error}") from error

    async def _take_locks(self) -> None:
        names = self._own, self._lock
        ((old, holder),) = await self.run(b"SELECT IS_USED_LOCK(%b), IS_USED_LOCK(%b)" % names)
        if old is not None:
            log.debug("MySQL at %s: ending connection %d, which we gave up", self.address, old)
            with contextlib.suppress(MySQLError):  # it has gone by itself meanwhile, or may not be killed: wait for it
                await self.run(b"KILL %d" % old)
        wait = min(PATIENCE, self._timeout / 4)
        for name in names:
            ((taken,),) = await self.run(b"SELECT GET_LOCK(%b, %.3f)" % (name, wait))
            if taken != 1:
                break
        else:
            return
        if old is not None and old == holder:
            raise StoreError(f"MySQL at {self.address} has not yet ended connection {old}, which we gave up")
        ((holder,),) = await self.run(b"SELECT IS_USED_LOCK(%b)" % self._lock)
        raise StoreError(
            f"another server uses the jobs of table {self.table} at {self.address}: stop it, or name another table "
            f"(if its host is gone, end what is left of it with KILL {holder or 'and the id from SHOW PROCESSLIST'})"
        )

    def _refusal(self, error: MySQLError) -> StoreError:
        """Say in one line what the server said, and what helps where we know."""
        number, said = (*error.args, "", "")[:2]
        text = " ".join(str(said or error).split())
        advice = {
            1044: "; GRANT ALL ON the database TO that user",
            1045: "; check the user and the password that the store is given",
            1049: f"; CREATE DATABASE `{self.address.database}` first, or name another one",
            1114: "; it needs more room",
            1153: "; raise max_allowed_packet on the server",
        }.get(number, "")
        return StoreError(f"MySQL at {self.address}: {text} ({number}){advice}")
