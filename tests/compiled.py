"""Compiles `faces.pyx` beside the tests, once, with what the benchmarks are compiled with."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from benchmarks import build

SOURCE = Path(__file__).with_name("faces.pyx")


def faces() -> Any:
    """The compiled module."""
    made_from = [SOURCE, *build.declarations()]
    if build.stale(build.compiled(SOURCE), made_from):
        with build.alone():
            if build.stale(build.compiled(SOURCE), made_from):
                build.run([sys.executable, "-m", "benchmarks.build", str(SOURCE)])
    return importlib.import_module("tests.faces")
