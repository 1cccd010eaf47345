"""beanstalkd: another job queue, for the scenarios that its own protocol has words for."""

from __future__ import annotations

import shutil

from benchmarks.machine import first_line
from benchmarks.subjects.subject import HOST, PEERS, MissingError, Subject

MAX_BYTES = 2 * 1024 * 1024  # of a job; its own default ends below 64 KiB


class Beanstalkd(Subject):
    """beanstalkd, in memory, with jobs as large as the scenarios have them."""

    label = "beanstalkd"
    protocol = "beanstalk"

    def find(self) -> str:
        """Return the one fetched for the tests, else the installed one."""
        found = shutil.which(str(PEERS / "beanstalkd")) or shutil.which("beanstalkd")
        if found is None:
            raise MissingError("not installed: apt install beanstalkd (or fetch it privately: sh tests/peers.sh)")
        return found

    def command(self, program: str, port: int | str) -> list[str]:
        """Return it without a log of jobs, as the others have none."""
        return [program, "-l", HOST, "-p", str(port), "-z", str(MAX_BYTES)]

    def version(self, program: str) -> str:
        """Return "beanstalkd 1.12" and the like."""
        return first_line(program, "-v")
