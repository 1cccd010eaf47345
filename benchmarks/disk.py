"""What the disk does by itself: how often a second it makes a small transaction durable."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

PROBE_SECONDS = 0.15


def commits(folder: Path, seconds: float = PROBE_SECONDS) -> float:
    """Return how many transactions per second SQLite commits there, one after the other, a row of 64 bytes in each.

    With a write-ahead log and synchronous=FULL: one fdatasync for each of them. The file is gone afterwards.
    """
    place = folder / "probe.db"
    try:
        with closing(sqlite3.connect(place, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute("CREATE TABLE probe (row BLOB)")
            done, began = 0, time.perf_counter()
            while time.perf_counter() < began + seconds:
                database.execute("INSERT INTO probe VALUES (?)", (b"x" * 64,))
                done += 1
            return done / (time.perf_counter() - began)
    finally:
        for file in folder.glob("probe.db*"):
            file.unlink()
