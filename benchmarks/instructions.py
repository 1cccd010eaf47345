"""The committed counts: instructions per operation, for each way of building that is known.

Counts are exact for one binary, so they are kept by all that makes the binary: compiler, Python and its compiler
flags, Cython, C library, processor. What is not known cannot be compared; it is said, and kept in build/bench/.
"""

from __future__ import annotations

import platform
import re
import sys
import sysconfig
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

import gearfast.broker.broker

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = ROOT / "benchmarks" / "instructions.json"
FOUND = ROOT / "build" / "bench" / "instructions.json"
GROWTH = 0.05
"""A count may grow by this share of the recorded one."""
RECORD = "python -m benchmarks micro --record"

Counts = dict[str, float]
Known = dict[str, Counts]


def key() -> str:
    """Name what made the compiled rooms, as they themselves say, and what runs them."""
    binary = Path(gearfast.broker.broker.__file__).read_bytes()
    clang = re.search(rb"clang version (\d[\d.]*)", binary)
    gcc = re.search(rb"GCC: \([^)]*\) (\d[\d.]*)", binary)
    cython = re.search(rb"_cython_(\d+(?:_\d+)+)", binary)
    compiler = f"clang {clang[1].decode()}" if clang else f"gcc {gcc[1].decode()}" if gcc else "unknown compiler"
    flags = zlib.crc32(str(sysconfig.get_config_var("CFLAGS")).encode())
    return ", ".join(
        [
            compiler,
            f"{platform.python_implementation()} {platform.python_version()} (CFLAGS {flags:08x})",
            "Cython " + (cython[1].decode().replace("_", ".") if cython else "unknown"),
            " ".join(platform.libc_ver()).strip() or sys.platform,
            machine(),
        ]
    )


def machine() -> str:
    """Name the processor's kind, with the newest instructions that the C library chooses its functions by."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        flags = []
    newest = next((name for name in ("avx2", "avx") if name in flags), "")
    return f"{platform.machine()} {newest}".strip()


def read(path: Path) -> Known:
    """Return what is known; nothing if there is no such file. Raises msgspec.DecodeError, OSError."""
    return msgspec.json.decode(path.read_bytes(), type=Known) if path.exists() else {}


def write(path: Path, known: Known) -> None:
    """Write a file that `git diff` shows line by line."""
    rounded = {name: {room: round(figure, 1) for room, figure in counts.items()} for name, counts in known.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(rounded), indent=1) + b"\n")


@dataclass(frozen=True)
class Change:
    """One benchmark, now and as it was recorded; None: it was not there."""

    name: str
    now: float | None
    before: float | None

    @property
    def share(self) -> float | None:
        """By how much it grew: 0.05 are five per cent; below 0 it shrank."""
        return self.now / self.before - 1 if self.now is not None and self.before else None

    @property
    def complaint(self) -> str:
        """Return what is wrong, and what to do about it; "" if nothing is."""
        if self.before is None:
            return f"{self.name}: not recorded yet, {self.now:.1f} instructions. Record it: {RECORD}"
        if self.now is None:
            return f"{self.name}: recorded with {self.before:.1f} instructions, and gone. Record anew: {RECORD}"
        if self.now > self.before * (1 + GROWTH):
            return (
                f"{self.name}: {self.now:.1f} instructions instead of {self.before:.1f} ({self.share:+.1%}, allowed "
                f"are {GROWTH:+.0%}). Find out why; if it must be so, say why in the commit and record it: {RECORD}"
            )
        return ""


def compare(now: Mapping[str, float], before: Mapping[str, float]) -> list[Change]:
    """Hold counts against the recorded ones, in the order of `now`; what is gone comes last."""
    names = [*now, *(name for name in before if name not in now)]
    return [Change(name, now.get(name), before.get(name)) for name in names]


def unknown(name: str) -> str:
    """Say that there is nothing to compare with."""
    return f"not known for {name}: recorded now in {FOUND.relative_to(ROOT)}; nothing to compare"
