"""Compiles what stands beside the tests, once, with what the benchmarks are compiled with."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from benchmarks import build

HERE = Path(__file__).parent
FACES = HERE / "faces.pyx"
FUZZ = HERE.parent / "fuzz"
HANDS = HERE.parent / "threads" / "hands.pyx"


def compiled(name: str, sources: list[Path], *made_from: Path) -> Any:
    """The module of this name, after all of them were compiled if one is out of date."""
    shared = [*made_from, *build.declarations()]

    def stale() -> bool:
        return any(build.stale(build.compiled(source), [source, *shared]) for source in sources)

    if stale():
        with build.alone():
            if stale():
                build.run([sys.executable, "-m", "benchmarks.build", *map(str, sources)])
    return importlib.import_module(name)


def faces() -> Any:
    """Python faces of structures that have none."""
    return compiled("tests.support.faces", [FACES])


def hands() -> Any:
    """Threads that count together."""
    return compiled("tests.threads.hands", [HANDS])


def fuzz() -> Any:
    """The stage that plays the fuzzer's inputs; its driver needs libFuzzer, and is not for here."""
    rooms = [path for path in sorted(FUZZ.glob("*.pyx")) if path.stem != "driver"]
    return compiled("tests.fuzz.stage", rooms, *FUZZ.glob("*.pxd"))
