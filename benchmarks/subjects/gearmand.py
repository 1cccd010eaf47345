"""Stock gearmand: Debian's, or any other build of it."""

from __future__ import annotations

import shutil

from benchmarks.machine import first_line
from benchmarks.subjects.subject import BACKLOG, HOST, PEERS, MissingError, Subject


class Gearmand(Subject):
    """gearmand, with its defaults: four threads for input and output, every sleeper woken."""

    label = "gearmand"

    def find(self) -> str:
        """Return the program asked for, else the one fetched for the tests, else the installed one."""
        found = shutil.which(self.asked or str(PEERS / "gearmand")) or (not self.asked and shutil.which("gearmand"))
        if found:
            return found
        if self.asked:
            raise MissingError(f"there is no program {self.asked}")
        raise MissingError("not installed: apt install gearman-job-server (or fetch it privately: sh tests/peers.sh)")

    def command(self, program: str, port: int | str) -> list[str]:
        """Return it with no file of the machine written."""
        files = ["--log-file=none", f"--pid-file={self.log.with_suffix('.pid')}"]
        threads = [f"--threads={self.threads}"] if self.threads else []
        return [program, f"--listen={HOST}", f"--port={port}", f"--backlog={BACKLOG}", *files, *threads]

    def refusal(self, program: str) -> str:
        """It takes any number."""
        return ""

    def version(self, program: str) -> str:
        """Return "gearmand 1.1.20+ds" and the like."""
        return first_line(program, "--version").partition(" - ")[0]
