"""Where peers play with one server until it dies."""

from __future__ import annotations

import random
import selectors
import socket
import time
from collections.abc import Callable

from tests.crash.administrator import Administrator
from tests.crash.auditor import Auditor
from tests.crash.chronicle import Chronicle
from tests.crash.nursery import Nursery
from tests.crash.peers import Client, Peer, Worker
from tests.crash.wanted import Job
from tests.crash.wishes import FUNCTIONS, Wishes
from tests.support.peers import HOST

LONGEST = 60.0
"""Seconds after which a life that was to be short is an error."""


class Stage:
    """The peers of one life."""

    def __init__(
        self, port: int, chronicle: Chronicle, chance: random.Random, nursery: Nursery, most: int, large: float = 0.01
    ) -> None:
        self.port = port
        self.chronicle = chronicle
        self.chance = chance
        self.nursery = nursery
        self.most = most
        self.wishes = Wishes(chance, chronicle.serials, large)
        self.selector = selectors.DefaultSelector()
        self.selector.register(nursery.ends, selectors.EVENT_READ, None)
        self.peers: list[Peer] = []
        self.calm = False
        self.count_again = 0.0
        self.auditor: Auditor | None = None
        self.served_at = 0.0
        self.life: float | None = None
        self.warning = 0.0
        self.careful = False
        self.may_refuse = False
        self.served = FUNCTIONS
        self.crowd: dict[type[Peer], int] = {Client: 4, Worker: 3, Administrator: 1}

    def connect(self) -> socket.socket | None:
        """A connection, or None when nobody listens."""
        sock = socket.socket()
        try:
            sock.connect((HOST, self.port))
        except (ConnectionRefusedError, ConnectionResetError):
            sock.close()
            return None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        return sock

    def enter(self, peer: Peer) -> None:
        """One more."""
        self.peers.append(peer)
        self.selector.register(peer.sock, selectors.EVENT_READ, peer)
        peer.flush()

    def leave(self, peer: Peer) -> None:
        """One less. What it had heard by then, it has heard."""
        self.peers.remove(peer)
        self.selector.unregister(peer.sock)
        peer.sock.close()
        peer.gone()

    def dead(self) -> bool:
        """Whether the server has ended."""
        return any(key.data is None for key, _ in self.selector.select(0))

    def recruit(self) -> None:
        """Send whoever is missing in."""
        for kind, number in self.crowd.items():
            for _ in range(number - sum(isinstance(peer, kind) for peer in self.peers)):
                sock = self.connect()
                if sock is None:
                    return
                self.enter(self.cast(kind, sock))

    def cast(self, kind: type[Peer], sock: socket.socket) -> Peer:
        """A peer of this kind."""
        chance = self.chance
        if kind is Client:
            return Client(sock, self.chronicle, chance, self.wishes, chance.choice((1, 1, 5, 50)), self.may_refuse)
        if kind is Administrator:
            return Administrator(sock, self.chronicle, chance, self.may_cancel, self.careful)
        functions = chance.sample(self.served, chance.randrange(2, len(self.served) + 1))
        return Worker(sock, self.chronicle, chance, FUNCTIONS if self.careful else functions, self.careful)

    def may_cancel(self, job: Job) -> bool:
        """What nobody will wait for; and any job, as long as there are always others."""
        return job.is_far() if self.calm or self.careful else True

    def audit(self) -> bool:
        """Have the jobs counted, as the first of all; return whether that is over."""
        if self.auditor is None:
            sock = self.connect()
            if sock is not None:
                self.auditor = Auditor(sock, self.chronicle, self.chance)
                self.enter(self.auditor)
        if self.auditor is None:
            time.sleep(0.001)
            return False
        return self.auditor.done

    def play(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Until the server is dead, and everything it said has been heard; or until it is enough."""
        self.run(enough)
        for peer in list(self.peers):
            while peer.open and not enough():
                peer.read()
        self.close()

    def close(self) -> None:
        """Everybody leaves."""
        for peer in list(self.peers):
            self.leave(peer)
        self.selector.close()

    def run(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Until the server is dead, or it is enough; the peers stay where they are."""
        limit = time.monotonic() + LONGEST
        while not self.dead() and not enough():
            if time.monotonic() > limit:
                self.give_up()
                return
            if self.audit():
                self.serve()
                self.recruit()
            if self.peers:
                self.turn()

    def give_up(self) -> None:
        """The server hangs: have it say where, and let that be its end."""
        told = self.nursery.abort()
        peers = [type(peer).__name__ for peer in self.peers]
        self.chronicle.complain("hung", f"nothing more happens to {peers}, answers begun: {self.served_at > 0}: {told}")

    def serve(self) -> None:
        """The server serves; if it has not been given a time to live, it is now."""
        if not self.served_at:
            self.served_at = time.monotonic()
            if self.life is not None:
                self.nursery.kill(self.life, self.warning)

    def turn(self) -> None:
        """Read and write once."""
        for key, _ in self.selector.select(0.01):
            if key.data is not None:
                key.data.read()
        self.look_around()
        for peer in list(self.peers):
            if peer.open:
                peer.act(self.calm)
                peer.flush()
        self.see_off()

    def see_off(self) -> None:
        """Who has left, or was left by the server, which it does to nobody before it dies."""
        for peer in [peer for peer in self.peers if not peer.open]:
            if not peer.leaving and time.monotonic() < self.nursery.ends_at:
                self.chronicle.complain("closed", f"the server closed a connection: {self.nursery.said()}")
            self.leave(peer)

    def look_around(self) -> None:
        """Count now and then how much is under way, and be calm when that is enough."""
        now = time.monotonic()
        if now > self.count_again:
            self.calm = sum(job.is_queued for job in self.chronicle.jobs.values()) > self.most
            self.count_again = now + max(0.01, 20 * (time.monotonic() - now))
