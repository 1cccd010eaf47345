"""Headless Chromium, told what to do over a pipe (the DevTools protocol: JSON, each message ended by a zero byte)."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ANSWER_SECONDS = 60.0
END_SECONDS = 10.0
QUIET = {"LIBGL_ALWAYS_SOFTWARE": "1", "DBUS_SESSION_BUS_ADDRESS": "disabled:"}


CUT = """[...document.querySelectorAll(".box")]
    .filter(box => box.scrollWidth > box.clientWidth).map(box => box.ariaLabel)"""


@dataclass
class Page:
    """What a page came to."""

    text: str
    scroll_width: int
    width: int
    cut: list[str]
    """boxes with more in them than is seen without scrolling sideways, by their labels"""
    asked_for: list[str]
    """addresses that it wanted, itself included"""
    complaints: list[str]
    """what was written to the console, and errors"""
    png: bytes = field(repr=False)


class Browser:
    """A running browser."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads = reads
        self._writes = writes
        self._kept = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []

    def open(self, address: str, width: int, height: int, *, dark: bool = False) -> Page:
        """Open a page in a window of that size and tell all about it."""
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._ask("Emulation.setDeviceMetricsOverride", size, session)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", {"features": [scheme]}, session)
        self._events.clear()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable", {}, session)
        self._ask("Page.navigate", {"url": address}, session)
        self._await("Page.loadEventFired")
        shot = self._ask("Page.captureScreenshot", {"format": "png"}, session)["data"]
        page = Page(
            text=self._find("document.body.textContent", session),
            scroll_width=self._find("document.documentElement.scrollWidth", session),
            width=self._find("document.documentElement.clientWidth", session),
            cut=json.loads(self._find(f"JSON.stringify({CUT})", session)),
            asked_for=[one["request"]["url"] for one in self._happened("Network.requestWillBeSent")],
            complaints=[
                json.dumps(one)
                for event in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
                for one in self._happened(event)
            ],
            png=base64.b64decode(shot),
        )
        self._ask("Target.closeTarget", {"targetId": target})
        return page

    def _happened(self, event: str) -> list[dict[str, Any]]:
        return [message["params"] for message in self._events if message["method"] == event]

    def _find(self, expression: str, session: str) -> Any:
        return self._ask("Runtime.evaluate", {"expression": expression}, session)["result"]["value"]

    def _await(self, event: str) -> None:
        while not self._happened(event):
            self._read()

    def _ask(self, method: str, params: dict[str, Any], session: str = "") -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        os.write(self._writes, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while True:
            answer = self._read()
            if answer and answer["id"] == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self) -> dict[str, Any] | None:
        """Return the next answer; an event is kept, and None returned."""
        limit = time.monotonic() + ANSWER_SECONDS
        while b"\0" not in self._kept:
            if not select.select([self._reads], [], [], max(limit - time.monotonic(), 0))[0]:
                raise TimeoutError(f"the browser said nothing for {ANSWER_SECONDS:.0f} s")
            more = os.read(self._reads, 1 << 20)
            if not more:
                raise ConnectionError("the browser has ended")
            self._kept += more
        line, _, self._kept = self._kept.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "id" in message:
            return message
        self._events.append(message)
        return None


@contextlib.contextmanager
def browser(program: Path) -> Iterator[Browser]:
    """Run the browser until the block is left. It reads its descriptor 3 and writes its descriptor 4."""
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as home:
        its_in, our_out = _pipe()
        our_in, its_out = _pipe()
        words = [str(program), "--headless", "--no-sandbox", "--remote-debugging-pipe", f"--user-data-dir={home}"]
        with open(Path(home) / "log", "wb") as log:
            moves = [(os.POSIX_SPAWN_DUP2, its_in, 3), (os.POSIX_SPAWN_DUP2, its_out, 4)]
            said = [(os.POSIX_SPAWN_DUP2, log.fileno(), number) for number in (1, 2)]
            # a group of its own, so that all of its processes can be ended
            environment = {**os.environ, **QUIET}
            pid = os.posix_spawn(words[0], words, environment, file_actions=[*said, *moves], setpgroup=0)
        os.close(its_in)
        os.close(its_out)
        try:
            yield Browser(our_in, our_out)
        finally:
            os.close(our_out)
            os.close(our_in)
            _end(pid)


def _pipe() -> tuple[int, int]:
    """Return a pipe with numbers above those that the browser wants for itself."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]


def _end(pid: int) -> None:
    """End the browser: it leaves when its pipe is closed, and is killed when it does not."""
    limit = time.monotonic() + END_SECONDS
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > limit:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            break
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
