"""The first peer after a restart: does the server know exactly the jobs that the store had?"""

from __future__ import annotations

import random
import socket

from tests.crash.chronicle import Chronicle
from tests.crash.peers import Peer, number_of


class Auditor(Peer):
    """Asks for all jobs, before anybody else comes."""

    def __init__(self, sock: socket.socket, chronicle: Chronicle, chance: random.Random) -> None:
        super().__init__(sock, chronicle, chance)
        self.done = False
        self.outgoing += b"show jobs\n"

    def digest(self) -> None:
        """Compare, when all is there."""
        if self.done or not (self.incoming == b".\n" or self.incoming.endswith(b"\n.\n")):
            return
        self.done = True
        shown = set[int]()
        for line in bytes(self.incoming).splitlines()[:-1]:
            handle, _, orphan, background = line.split(b"\t")
            shown.add(number_of(handle))
            if (orphan, background) != (b"0", b"1"):
                self.chronicle.complain("changed", f"after a restart: {line!r}")
        for number in self.chronicle.jobs.keys() - shown:
            self.chronicle.complain("lost", f"job {number} was in the store, and the server does not know it")
        for number in shown - self.chronicle.jobs.keys():
            self.chronicle.complain("strange", f"job {number} was not in the store, and the server knows it")
        self.chronicle.count["audits"] += 1
        self.chronicle.count["audited jobs"] += len(shown)
