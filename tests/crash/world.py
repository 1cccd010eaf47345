"""One store over many lives of its server."""

from __future__ import annotations

import contextlib
import random
import signal
import struct
import time
from collections import Counter

from gearfast.store.contract import StoredJob
from tests.crash.administrator import Administrator
from tests.crash.chronicle import Chronicle
from tests.crash.inspection import Inspection
from tests.crash.nursery import Nursery
from tests.crash.peers import Client, Worker
from tests.crash.place import Place
from tests.crash.stage import Stage
from tests.crash.wanted import ENDED, fields_of, state_in
from tests.crash.wishes import FUNCTIONS
from tests.support.peers import HOST, free_port

KILLED = -signal.SIGKILL


class World:
    """A place for jobs, and all that is known of it. `complaints` stays empty as long as nothing is wrong."""

    def __init__(
        self, place: Place, nursery: Nursery, chance: random.Random, *, most: int = 600, sabotage: str = ""
    ) -> None:
        self.place = place
        self.nursery = nursery
        self.chance = chance
        self.most = most
        self.sabotage = sabotage
        self.longest = 0.3
        self.large = 0.01
        self.start_takes = {False: 0.1, True: 0.4}
        """Seconds from the birth of a server to its first answer: without and with all its imports."""
        self.port = free_port()
        self.chronicle = Chronicle()
        self.words = [
            f"--listen={HOST}",
            f"--port={self.port}",
            "--log-file=stderr",
            "--verbose=WARNING",
            "--job-handle-prefix=H:crash",
        ]
        self.words += place.words

    @property
    def complaints(self) -> list[str]:
        """All that was wrong so far."""
        return self.chronicle.complaints

    @property
    def count(self) -> Counter[str]:
        """What happened so far."""
        return self.chronicle.count

    def fill(self, jobs: int) -> None:
        """Begin with so many jobs in the store, so that replay takes its time."""
        chance, now = self.chance, time.time()
        stored = []
        for number in range(1, jobs + 1):
            payload = struct.pack(">Q", next(self.chronicle.serials)) + b"x" * chance.randrange(100)
            due = float(int(now) + 100_000) if chance.random() < 0.1 else 0.0
            unique = b"%d" % number if chance.random() < 0.3 else b""
            priority = 1 if due else chance.randrange(3)
            stored.append(StoredJob(number, chance.choice(FUNCTIONS), unique, priority, due, 0, payload, b""))
        self.place.fill(stored, {"ceiling": str(jobs), "prefix": "H:crash"})
        Inspection(self.chronicle, "nothing").of(stored)
        self.count.clear()
        self.count["replayed at first"] = jobs

    # --- a life ---

    def live(self, *, early: bool = False, late: bool = False, real: bool = False, look: bool = True) -> bool:
        """Start a server and kill it: early, while it starts and replays; some time after that; late, while it stops.

        Return whether it served anybody.
        """
        moment = self.chance.random()
        began = time.monotonic()
        life = moment * self.start_takes[real] if early else None
        self.nursery.start(self.words, life=life, real=real, sabotage=self.sabotage)
        stage = Stage(self.port, self.chronicle, self.chance, self.nursery, self.most, self.large)
        stage.life = None if early else moment * self.longest
        stage.warning = self.chance.uniform(0.001, 0.03) if late else 0
        stage.play()
        status = self.nursery.ended()
        if late and status == 0:
            self.count["orderly stops"] += 1
        elif status != KILLED:
            self.chronicle.complain("died", f"the server ended by itself, with {status}: {self.nursery.said()}")
        if stage.served_at:
            self.start_takes[real] = stage.served_at - began
        self.count["kills"] += 1
        self.count["real starts"] += real
        self.count["killed while it stopped"] += late and status == KILLED
        self.count["killed before it served"] += not stage.served_at
        survives = self.place.after_kill(self.chance)
        sound = self.check(survives)
        if look or stage.served_at:
            self.look(survives, sound)
        return bool(stage.served_at)

    def check(self, survives: str = "everything") -> bool:
        """Is the store sound?"""
        found = self.place.check()
        self.count["integrity checks"] += 1
        if found != "ok" and survives == "nothing":
            self.count["files lost to a power cut"] += 1
        elif found != "ok":
            self.chronicle.complain("damaged", found)
        return found == "ok"

    def look(self, survives: str = "everything", sound: bool = True) -> None:
        """Is everything in the store that must be?"""
        if not sound:
            self.place.clear()
        stored, metadata = self.place.read()
        self.count["looks"] += 1
        self.count["jobs found"] += len(stored)
        Inspection(self.chronicle, survives).of(stored)
        if survives == "nothing":
            return
        ceiling = int(metadata.get("ceiling", "0"))
        if ceiling < self.chronicle.highest and survives == "oldest":
            self.count["numbers lost to a power cut"] += 1
            self.chronicle.highest = ceiling
        elif ceiling < self.chronicle.highest:
            self.chronicle.complain("reused", f"ceiling {ceiling}, but {self.chronicle.highest} was used")

    # --- the end ---

    def end(self) -> None:
        """Let careful workers do all that is left, stop in order, and see that nothing is."""
        self.nursery.start(self.words, sabotage=self.sabotage)
        stage = Stage(self.port, self.chronicle, self.chance, self.nursery, self.most)
        stage.careful = True
        stage.crowd = {Client: 0, Worker: 3, Administrator: 1}
        with contextlib.suppress(TimeoutError):
            stage.play(lambda: stage.served_at > 0 and not any(job.promised for job in self.chronicle.jobs.values()))
        left = [job.number for job in self.chronicle.jobs.values() if job.promised]
        if left:
            self.chronicle.complain("lost", f"jobs {left[:20]} are not handed out: {self.nursery.said()}")
        status = self.nursery.stop()
        if status != 0:
            self.chronicle.complain("died", f"an orderly stop ended with {status}: {self.nursery.said()}")
        stored, _ = self.place.read()
        # what was purged may not have been buried yet
        unsure = {job.number for job in self.chronicle.jobs.values() if job.cancelling}
        there = [job for job in stored if state_in(fields_of(job)) != ENDED and job.number not in unsure]
        if not left and there:
            self.chronicle.complain("returned", f"all had ended, and {there[:3]} is in the store")
        self.count["orderly stops"] += 1
        Inspection(self.chronicle).of(stored)
