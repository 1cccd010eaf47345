"""Instructions per operation, counted by `valgrind --tool=callgrind`: exact for one binary, whatever else runs.

One run for all benchmarks. Counting begins anew at the first mark of each and is written down at the second
(the two functions at the top of rooms.pyx), so neither the interpreter's start nor any preparation is in it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FETCHED = ROOT / "build" / "peers" / "bin" / "valgrind"
OPERATIONS = 2_000
PLAYS = 2
SECONDS = 100.0
TOTAL = re.compile(r"^totals: (\d+)", re.MULTILINE)
KEPT = ("LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")


class CannotCountError(Exception):
    """There is no valgrind, or it or the benchmarks failed; the message tells what was said."""


def find() -> Path:
    """Return the machine's valgrind, or that which tests/peers.sh has fetched. Raises CannotCountError."""
    there = shutil.which("valgrind")
    if there is not None:
        return Path(there)
    if FETCHED.exists():
        return FETCHED
    raise CannotCountError("valgrind is missing: sudo apt install valgrind, or sh tests/peers.sh")


def count(names: Sequence[str], valgrind: Path) -> dict[str, float]:
    """Return the instructions per operation of each benchmark. Raises CannotCountError."""
    return {name: total(dump) / OPERATIONS for name, dump in zip(names, dumps(names, valgrind), strict=True)}


def profile(name: str, valgrind: Path) -> dict[str, float]:
    """Return where a benchmark's instructions per operation are spent, by function. Raises CannotCountError."""
    (dump,) = dumps([name], valgrind)
    return {function: spent / OPERATIONS for function, spent in by_function(dump).most_common()}


def dumps(names: Sequence[str], valgrind: Path) -> list[str]:
    """Return what callgrind has written of each benchmark. Raises CannotCountError."""
    with tempfile.TemporaryDirectory(prefix="callgrind-") as folder:
        out = Path(folder) / "out"
        run(names, valgrind, out)
        try:
            return [out.with_name(f"out.{number * PLAYS}").read_text() for number in range(1, len(names) + 1)]
        except OSError as error:
            raise CannotCountError(
                f"callgrind has written too few dumps: are rooms.pyx's marks there? {error}"
            ) from error


def run(names: Sequence[str], valgrind: Path, out: Path) -> None:
    """Play the benchmarks inside valgrind, with as little of this process's environment as will do."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PYTHONHASHSEED": "0"}
    command = [
        *(str(valgrind), "--tool=callgrind", f"--callgrind-out-file={out}"),
        *("--compress-strings=no", "--compress-pos=no"),
        *("--zero-before=gearfast_count_from_here", "--dump-before=gearfast_count_to_here"),
        *(sys.executable, "-m", "benchmarks.counted", str(OPERATIONS), *names),
    ]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotCountError(f"valgrind: {error}") from error
    if done.returncode:
        raise CannotCountError(f"valgrind ended with status {done.returncode}:\n{done.stdout}{done.stderr}".strip())


def total(dump: str) -> int:
    """Return the instructions of one dump. Raises CannotCountError."""
    found = TOTAL.search(dump)
    if found is None:
        raise CannotCountError("a dump of callgrind has no total")
    return int(found[1])


def by_function(dump: str) -> Counter[str]:
    """Return the instructions of each function itself, without those that it calls."""
    spent: Counter[str] = Counter()
    function, called = "", False
    for line in dump.splitlines():
        if line.startswith("fn="):
            function = line.removeprefix("fn=")
        elif line.startswith("calls="):
            called = True  # the next line is what the callee spent
        elif line[:1].isdigit():
            spent[function] += 0 if called else int(line.split()[1])
            called = False
    return spent
