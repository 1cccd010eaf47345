"""An attacker: the process that plays one attack, made ready first and told when to strike."""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.trial import TooSlowError

ROOT = Path(__file__).resolve().parent.parent
END_SECONDS = 10.0


class Told(msgspec.Struct, frozen=True):
    """How an attack went."""

    took: float | None
    """seconds of what the attack itself waited for, if it is one that does"""
    cut: str
    """how the server made an end of it, if it did"""


@dataclass(frozen=True)
class Attacker:
    """One attack, prepared."""

    process: subprocess.Popen[bytes]

    def strike(self) -> None:
        """Have it begin."""
        self._say(b"strike\n")

    def told(self, seconds: float) -> Told | None:
        """Return how it went, or None if it is not over within ``seconds`` seconds. Raises ConnectionError."""
        line = heard(self.process, seconds)
        if line is None:
            return None
        if not line:
            raise ConnectionError("the process of the attack ended before the attack was over")
        return msgspec.json.decode(line, type=Told)

    def _say(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()


@contextlib.contextmanager
def attacker(attack: str, port: int, size: int, seconds: float) -> Iterator[Attacker]:
    """Have an attack prepared, within ``seconds`` seconds; its connections are gone when the block is left.

    Raises TooSlowError.
    """
    words = [sys.executable, "-m", "benchmarks.attacks", attack, str(port), str(size)]
    process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        line = heard(process, seconds)
        if line != b"ready\n":
            why = line.decode().strip() if line else f"in {seconds:g} s" if line is None else "its process ended"
            raise TooSlowError(f"the attack could not be prepared: {why}")
        yield Attacker(process)
    finally:
        process.kill()
        process.communicate(timeout=END_SECONDS)


def heard(process: subprocess.Popen[bytes], seconds: float) -> bytes | None:
    """Return the next line it says, b"" at its end, or None if there is none within ``seconds`` seconds."""
    assert process.stdout is not None
    return process.stdout.readline() if select.select([process.stdout], [], [], seconds)[0] else None
