"""gearfast: the server of this tree, or any other build of it."""

from __future__ import annotations

import shutil
import subprocess
import sys

from benchmarks.machine import first_line
from benchmarks.subjects.subject import BACKLOG, HOST, ROOT, START_SECONDS, MissingError, Subject


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
        files = ["--log-file=none", "--config-file=/dev/null", f"--pid-file={self.log.with_suffix('.pid')}"]
        place = [f"--listen={HOST}", f"--port={port}", f"--backlog={BACKLOG}"]
        return [*self._words(program), *place, *files, *self._threads()]

    def version(self, program: str) -> str:
        """Return "gearfast 0.1.0" and the like."""
        return first_line(*self._words(program), "--version").partition(" - ")[0]

    def refusal(self, program: str) -> str:
        """Ask it: a gearfast of one thread does not know the option."""
        if not self.threads:
            return ""
        words = [*self._words(program), "--check-args", "--config-file=/dev/null", *self._threads()]
        asked = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=START_SECONDS, check=False)
        said = (asked.stderr or asked.stdout).strip().partition("\n")[0] or f"it ended with status {asked.returncode}"
        return said.removeprefix(f"{self.program}: ") if asked.returncode else ""

    def _words(self, program: str) -> list[str]:
        return [program] if self.asked else [program, "-m", "gearfast"]

    def _threads(self) -> list[str]:
        return [f"--io-threads={self.threads}"] if self.threads else []
