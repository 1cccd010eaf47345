"""Plays a script against a server and writes down what was answered.

No step waits for time to pass. Answers to one connection come in the order of its requests, so an echo sent behind a
request marks the end of what the request caused there; once the speaker has its echo the server has executed the
request, and an echo on each other connection collects what it caused elsewhere. A connection which the server ends
is an answer too. When a connection has gone, the admin command `workers` tells when the server has noticed.
"""

from __future__ import annotations

import argparse
import time

from tests.differential.script import Script, Step
from tests.differential.transcript import Handles, render
from tests.support.wire import ClosedError, Connection

Exchange = tuple[str, ...]

SETTLE_SECONDS = 5.0


class Play:
    """One run of one script."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._handles = Handles()
        self._open: dict[str, Connection] = {}
        self._unfinished: set[str] = set()  # connections in the middle of a packet or a line: no echo fits there
        self._control = Connection(host, port)
        self._control.sync()

    def run(self, script: Script) -> dict[str, Exchange]:
        """The answers to each step that is an exchange."""
        try:
            answers = {script.exchange(index): self._step(step) for index, step in enumerate(script.steps)}
            return {name: answers[name] for name, _ in script.exchanges()}
        finally:
            for connection in [*self._open.values(), self._control]:
                connection.close()

    def _connection(self, name: str) -> Connection:
        if name not in self._open:
            self._open[name] = Connection(*self._address)
            self._open[name].sync()
        return self._open[name]

    def _step(self, step: Step) -> Exchange:
        data = b"".join(piece.pack(self._handles.real) for piece in step.pieces)
        connection = self._connection(step.who)
        lines: list[str] = []
        gone = False
        self._unfinished.discard(step.who)
        if step.action in ("close", "reset"):
            connection.reset() if step.action == "reset" else connection.close()
            gone = True
        elif step.action == "end":
            connection.send(data)
            connection.half_close()
            lines += self._render(step.who, connection.read_to_end())
            lines.append(f"{step.who}: closed")
            connection.close()
            gone = True
        elif step.action == "wait":
            packet = connection.recv_packet()
            connection.buffer = packet.magic + packet.type.to_bytes(4, "big") + len(packet.body).to_bytes(4, "big")
            connection.buffer += packet.body
        elif step.action == "part":
            connection.send(data)
            self._unfinished.add(step.who)
        elif step.action == "bytewise":
            for index in range(len(data)):
                connection.send(data[index : index + 1])
        else:
            connection.send(data)
        if gone:
            del self._open[step.who]
            self._settle()
        return (*lines, *self._collect(step.who))

    def _collect(self, speaker: str) -> list[str]:
        """The speaker's answers, then the others'; once more when a connection turned out to have ended."""
        lines: dict[str, list[str]] = {speaker: []}
        while True:
            ended = False
            for name in sorted(self._open.keys() - self._unfinished, key=lambda name: (name != speaker, name)):
                if not self._collect_one(name, lines.setdefault(name, [])):
                    ended = True
            if not ended:
                return [line for answers in lines.values() for line in answers]
            self._settle()

    def _collect_one(self, name: str, lines: list[str]) -> bool:
        connection = self._open[name]
        try:
            lines += self._render(name, connection.sync())
        except ClosedError as end:
            lines += self._render(name, end.received)
            lines.append(f"{name}: closed")
            connection.close()
            del self._open[name]
            return False
        except TimeoutError:
            lines += self._render(name, connection.buffer)
            lines.append(f"{name}: no answer")
            connection.close()
            del self._open[name]
            return False
        return True

    def _render(self, name: str, data: bytes) -> list[str]:
        return [f"{name}: {line}" for line in render(data, self._handles)]

    def _settle(self) -> None:
        """Until the server knows of no connection that has gone."""
        limit = time.monotonic() + SETTLE_SECONDS
        while len(self._control.table("workers")) > len(self._open) + 1:
            if time.monotonic() > limit:
                raise TimeoutError("the server does not notice that a connection has gone")
            time.sleep(0.001)


def play(script: Script, host: str, port: int) -> dict[str, Exchange]:
    """Play a script against a running server, which should be a fresh one."""
    return Play(host, port).run(script)


def main() -> None:
    """Play scripts against a server at hand and print what it answers: for a look, not for a test."""
    from tests.differential.scripts import SCRIPTS

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("address", help="host:port of a server started for this")
    parser.add_argument("names", nargs="+", help="names of scripts, or beginnings of them")
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    for script in SCRIPTS:
        if script.name.startswith(tuple(options.names)):
            for name, lines in play(script, host, int(port)).items():
                print(name, *lines, sep="\n    ")


if __name__ == "__main__":
    main()
