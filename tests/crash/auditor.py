"""The first peer after a restart: does the server know exactly the jobs that the store had?"""

from __future__ import annotations

import random
import socket

from tests.crash.chronicle import Chronicle
from tests.crash.peers import Peer, number_of
from tests.crash.wanted import ALIVE, DEAD, SCHEDULED

LINES = (b"show jobs", b"buried 10000", b"show schedules")
COLUMNS = (0, 1, 1)
"""Where the handle stands in the rows of each."""
STATES = (ALIVE, DEAD, SCHEDULED)
"""And what these jobs are."""


class Auditor(Peer):
    """Asks for all jobs, before anybody else comes."""

    def __init__(self, sock: socket.socket, chronicle: Chronicle, chance: random.Random) -> None:
        super().__init__(sock, chronicle, chance)
        self.done = False
        self.tables: list[list[list[bytes]]] = []
        self.outgoing += LINES[0] + b"\n"

    def digest(self) -> None:
        """Compare, when all is there."""
        if self.done or not (self.incoming == b".\n" or self.incoming.endswith(b"\n.\n")):
            return
        self.tables.append([line.split(b"\t") for line in bytes(self.incoming).splitlines()[:-1]])
        self.incoming.clear()
        if len(self.tables) < len(LINES):
            self.outgoing += LINES[len(self.tables)] + b"\n"
            self.flush()
            return
        self.done = True
        for row in self.tables[0]:
            if row[2:4] != [b"0", b"1"]:
                self.chronicle.complain("changed", f"after a restart: {row!r}")
        for state, column, table in zip(STATES, COLUMNS, self.tables, strict=True):
            self.compare(state, {number_of(row[column]) for row in table})
        self.chronicle.count["audits"] += 1
        self.chronicle.count["audited jobs"] += sum(map(len, self.tables))

    def compare(self, state: int, shown: set[int]) -> None:
        """These are all that it has of a kind."""
        known = {number for number, job in self.chronicle.jobs.items() if job.state == state}
        for number in known - shown:
            self.chronicle.complain("lost", f"job {number} was in the store, and the server does not know it")
        for number in shown - known:
            job = self.chronicle.jobs.get(number)
            if job is not None and job.state == DEAD:
                self.chronicle.complain("unburied", f"job {number} was buried in the store, and is not in the server")
            else:
                self.chronicle.complain("strange", f"job {number} was not in the store, and the server knows it")
