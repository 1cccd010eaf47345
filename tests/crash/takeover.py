"""Kills while a server takes over the jobs that gearmand left: each is there exactly once, at every moment."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

from gearfast.store.contract import StoredJob
from tests.crash.nursery import Nursery
from tests.crash.place import SqlitePlace
from tests.crash.wanted import FAR
from tests.support.peers import HOST, free_port
from tests.support.wire import connect

STOCK = (
    "CREATE TABLE gearman_queue (unique_key TEXT, function_name TEXT, priority INTEGER, data BLOB,"
    " when_to_run INTEGER, PRIMARY KEY (unique_key, function_name))"
)
Row = tuple[str, str, object, bytes, int]
"""Unique, function, priority, payload, due time."""


class Tally:
    """A file of gearmand's, and the servers that take it over and are killed."""

    def __init__(self, folder: Path, nursery: Nursery, chance: random.Random, rows: int) -> None:
        self.place = SqlitePlace(folder)
        self.nursery = nursery
        self.chance = chance
        self.port = free_port()
        self.words = [f"--listen={HOST}", f"--port={self.port}", "--log-file=stderr", *self.place.words]
        self.bad = {number for number in range(rows) if chance.random() < 0.0005}
        self.rows = [self.row(number) for number in range(rows)]
        self.count = Counter[str]()
        with contextlib.closing(sqlite3.connect(self.place.file)) as connection, connection:
            connection.execute(STOCK)
            connection.executemany("INSERT INTO gearman_queue VALUES (?, ?, ?, ?, ?)", self.rows)

    def row(self, number: int) -> Row:
        """One of gearmand's rows; some have a priority that is none."""
        priority = 7 if number in self.bad else self.chance.randrange(3)
        due = int(time.time()) + FAR if self.chance.random() < 0.1 else 0
        function = self.chance.choice(("resize", "mail-out", "\xfcber setzen"))
        return f"unique-{number}", function, priority, b"payload of %d" % number, due

    def kill_once(self, longest: float) -> None:
        """Start a server and kill it within so many seconds; then look."""
        self.nursery.start(self.words, life=self.chance.uniform(0, longest))
        status = self.nursery.ended()
        assert status == -signal.SIGKILL, f"the server ended by itself, with {status}: {self.nursery.said()}"
        self.look()

    def look(self) -> None:
        """Every row of gearmand's is in one of the two tables, and in one only."""
        assert self.place.check() == "ok"
        with self.place.copied() as path, contextlib.closing(sqlite3.connect(path)) as connection:
            left = [bytes(row[0]) for row in connection.execute("SELECT data FROM gearman_queue")]
            ours = "SELECT count(*) FROM sqlite_master WHERE name = 'gearfast_gearman_queue'"
            taken: list[bytes] = []
            if connection.execute(ours).fetchone()[0]:
                taken = [row[0] for row in connection.execute("SELECT payload FROM gearfast_gearman_queue")]
        assert sorted(left + taken) == sorted(row[3] for row in self.rows)
        self.count["kills"] += 1
        self.count["kills between"] += bool(taken) and len(left) > len(self.bad)

    def finish(self) -> float:
        """Let a server come to the end of it; return how many seconds that took."""
        began = time.monotonic()
        self.nursery.start(self.words)
        connect(HOST, self.port, 60).close()
        took = time.monotonic() - began
        assert self.nursery.stop() == 0, self.nursery.said()
        stored, metadata = self.place.read()
        wanted = [row for number, row in enumerate(self.rows) if number not in self.bad]
        assert sorted(map(stock_row, stored)) == sorted(wanted)
        assert int(metadata["ceiling"]) >= max(job.number for job in stored)
        with contextlib.closing(sqlite3.connect(self.place.file)) as connection:
            left = {bytes(row[0]) for row in connection.execute("SELECT data FROM gearman_queue")}
        assert left == {self.rows[number][3] for number in self.bad}
        return took


def stock_row(job: StoredJob) -> Row:
    """What the job was in gearmand's table."""
    return job.unique.decode(), job.function.decode(), job.priority, job.payload, int(job.due)
