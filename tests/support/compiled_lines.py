"""Which lines of the compiled rooms are run: a plugin of coverage.py.

Cython's own (Cython.Coverage) looks for the file of every call anew, which takes longer than to run it, and does not
know an inline function of a `.pxd`: it is compiled into each room that uses it, so its lines stand in several C files.
"""

from __future__ import annotations

import functools
import gc
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverage.plugin import CoveragePlugin, FileReporter, FileTracer

if TYPE_CHECKING:
    from coverage.plugin_support import Plugins
    from coverage.types import TConfigurable

ROOT = Path(__file__).resolve().parents[2]
# the comment above each statement in a C file, and the call that tells a tracer of a line
STEP = re.compile(r'^ */\* "(?P<file>[^"]+)":\d+$|__Pyx_TraceLine\((?P<line>\d+),', re.MULTILINE)


@functools.cache
def traced() -> dict[Path, set[int]]:
    """The lines that a tracer can be told of, by source file: of what the C files are made of."""
    found = defaultdict[Path, set[int]](set)
    for generated in (ROOT / "gearfast").rglob("*.c"):
        source = ""
        for step in STEP.finditer(generated.read_text(encoding="utf-8")):
            source = step["file"] or source
            if step["line"]:
                found[ROOT / source].add(int(step["line"]))
    return found


class Traced(FileTracer):
    """A source file, as Cython's frames name it."""

    def __init__(self, filename: str) -> None:
        self.filename = filename

    def source_filename(self) -> str:
        """Where it is."""
        return self.filename


class Reported(FileReporter):
    """What of a source file should have been run."""

    def __init__(self, filename: str, leave_out: list[str]) -> None:
        super().__init__(filename)
        self.leave_out = re.compile("|".join(f"(?:{pattern})" for pattern in leave_out) or "(?!)")

    def lines(self) -> set[int]:
        """The lines that a tracer can be told of, and should be."""
        return traced()[Path(self.filename)] - self.excluded_lines()

    def excluded_lines(self) -> set[int]:
        """Those that match a pattern of `exclude_also`."""
        return {number for number, line in enumerate(self.source().splitlines(), 1) if self.leave_out.search(line)}


class CompiledLines(CoveragePlugin):
    """The plugin."""

    leave_out: list[str]

    def configure(self, config: TConfigurable) -> None:
        """Read what is to be left out."""
        patterns = [config.get_option(f"report:{name}") for name in ("exclude_lines", "exclude_also")]
        self.leave_out = [str(pattern) for listed in patterns if isinstance(listed, list) for pattern in listed]

    def file_tracer(self, filename: str) -> FileTracer | None:
        """Take the files of Cython."""
        return Traced(filename) if filename.endswith((".pyx", ".pxd")) else None

    def file_reporter(self, filename: str) -> FileReporter:
        """Say what should have been run."""
        return Reported(filename, self.leave_out)


def coverage_init(register: Plugins, _options: dict[str, Any]) -> None:
    """Where coverage.py begins, in each process.

    A tracer allocates where the broker does not, so the collector would come in the midst of its verbs: it stays away.
    """
    gc.disable()
    plugin = CompiledLines()
    register.add_configurer(plugin)
    register.add_file_tracer(plugin)
