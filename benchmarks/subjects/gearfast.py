"""gearfast: the server of this tree, or any other build of it."""

from __future__ import annotations

import shutil
import sys

from benchmarks.machine import first_line
from benchmarks.subjects.subject import BACKLOG, HOST, ROOT, MissingError, Subject


class Gearfast(Subject):
    """The project's own server, with its defaults."""

    label = "gearfast"

    def find(self) -> str:
        """Return the interpreter of this tree, or the program asked for."""
        if self.asked is not None:
            found = shutil.which(self.asked)
            if found is None:
                raise MissingError(f"there is no program {self.asked}")
            return found
        if not any((ROOT / "gearfast" / "broker").glob("broker.*.so")):
            raise MissingError("not built: make build")
        return sys.executable

    def command(self, program: str, port: int | str) -> list[str]:
        """Return it with no file of the machine read or written."""
        words = [program] if self.asked else [program, "-m", "gearfast"]
        files = ["--log-file=none", "--config-file=/dev/null", f"--pid-file={self.log.with_suffix('.pid')}"]
        return [*words, f"--listen={HOST}", f"--port={port}", f"--backlog={BACKLOG}", *files]

    def version(self, program: str) -> str:
        """Return "gearfast 0.1.0" and the like."""
        words = [program] if self.asked else [program, "-m", "gearfast"]
        return first_line(*words, "--version").partition(" - ")[0]
