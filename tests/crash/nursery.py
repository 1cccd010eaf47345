"""Starts servers that have imported everything before they are born, and kills them at the moment that was chosen.

A server takes 0.2 s of imports to start; a campaign of thousands has no time for that. This process imports once and
forks; the child then runs the command line as ever. `python -m tests.crash.nursery` obeys one line of JSON at a time.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any
from unittest import mock

from tests.support.peers import END_SECONDS, PROJECT

NAME = "gearfast"


class Nursery:
    """The process, seen from the campaign. One server at a time."""

    def __init__(self, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        path = os.pathsep.join([str(PROJECT), *os.environ.get("PYTHONPATH", "").split()])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery", str(log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # what is in a buffer of ours makes nothing readable
            env={**os.environ, "PYTHONPATH": path, "PYTHONFAULTHANDLER": "1", **(environment or {})},
        )
        self.pid = 0
        self.ends_at = math.inf

    def start(self, words: Sequence[str], *, life: float | None = None, real: bool = False, sabotage: str = "") -> None:
        """Have a server started. With `life` it is killed after so many seconds; `real`: with all its imports."""
        order = {"words": list(words), "life": life, "end": int(signal.SIGKILL), "real": real, "sabotage": sabotage}
        self.ends_at = math.inf if life is None else time.monotonic() + life
        self.pid = self.ask(order)["pid"]

    def kill(self, after: float, warning: float = 0) -> None:
        """Kill a server that was given no life, in so many seconds; with a warning, so many before it is stopped."""
        self.ends_at = time.monotonic() + after
        self.tell({"life": after, "warning": warning, "end": int(signal.SIGKILL)})

    def abort(self) -> str:
        """End a server that hangs; return where that was."""
        before = self.log.stat().st_size
        os.kill(self.pid, signal.SIGABRT)
        if self.ends_at == math.inf:
            self.kill(1)
        select.select([self.ends], [], [], END_SECONDS)
        return self.log.read_text(errors="replace")[before:]

    def stop(self) -> int:
        """End such a server in order, and wait; return what `ended` does."""
        self.tell({"life": 0, "end": int(signal.SIGTERM)})
        return self.ended()

    def ended(self) -> int:
        """Wait until the server has ended: its exit code, or a signal's number below zero."""
        self.pid = 0
        status: int = self.answer()["status"]
        return status

    def said(self) -> str:
        """The end of what the servers have said."""
        return self.log.read_text(errors="replace")[-700:]

    @property
    def ends(self) -> IO[bytes]:
        """Becomes readable when the server has ended."""
        assert self.process.stdout is not None
        return self.process.stdout

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Give an order, return the answer."""
        self.tell(order)
        return self.answer()

    def tell(self, order: dict[str, Any]) -> None:
        """Give an order."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """The next answer. Raises RuntimeError when there is none."""
        line = self.ends.readline()
        if not line:
            raise RuntimeError(f"the nursery has ended: {self.said()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it, and whatever it has started."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.ends.close()


def die_with_parent() -> None:
    """So that no server is left when a campaign is interrupted (Linux only; elsewhere its end has to do)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def bear(order: dict[str, Any], log: str) -> int:
    """Start a server, return its process id."""
    command = [sys.executable, "-m", "gearfast", *order["words"]]
    if order["real"]:
        with open(log, "ab") as out:
            # Nobody waits for this object: the process is waited for by its id.
            pid = os.posix_spawn(
                command[0],
                command,
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
                    (os.POSIX_SPAWN_DUP2, out.fileno(), 2),
                ],
            )
        return pid
    pid = os.fork()
    if pid == 0:
        live(order, log)
    return pid


def live(order: dict[str, Any], log: str) -> None:
    """The server's life, in the child: the real command line, with the store broken if that is wanted."""
    from gearfast.cli import program
    from gearfast.plugins.stores import make_store
    from tests.crash import sabotage

    code = 1
    try:
        die_with_parent()
        with open(os.devnull, "rb") as nothing, open(log, "ab") as out:
            os.dup2(nothing.fileno(), 0)
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        sys.argv = [NAME]
        if order["sabotage"]:
            mock.patch.object(program, "make_store", sabotage.breaking(make_store, order["sabotage"])).start()
        code = program.main(order["words"])
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def main(log: str) -> None:
    """Obey until nobody gives orders any more."""
    import gearfast.cli.program
    import gearfast.plugins.stores  # noqa: F401

    die_with_parent()
    for line in sys.stdin:
        order = json.loads(line)
        pid = bear(order, log)
        print(json.dumps({"pid": pid}), flush=True)
        if order["life"] is None:
            order = json.loads(sys.stdin.readline() or '{"life": 0, "end": 9}')
        time.sleep(order["life"])
        if order.get("warning"):
            os.kill(pid, signal.SIGTERM)
            time.sleep(order["warning"])
        os.kill(pid, order["end"])  # it is not waited for yet, so the id is its own
        print(json.dumps({"status": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
