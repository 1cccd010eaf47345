"""What a line of the log looks like, for tests that look for one that is none."""

from __future__ import annotations

import re

from tests.support.peers import Server
from tests.support.processes import log_of

LINE = re.compile(
    r" *(FATAL|ALERT|CRITICAL|ERROR|WARNING|NOTICE|INFO|DEBUG) "
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \[  main \] (.*)"
)


def messages(text: str) -> list[str]:
    """What is said in each line; a line that is none of the log's is an error."""
    found = [(line, LINE.fullmatch(line)) for line in text.splitlines()]
    assert not [line for line, match in found if match is None]
    return [match[2] for _, match in found if match is not None]


def said(server: Server) -> list[str]:
    """What a server has said in its log, which goes to its standard error, but for what a terminal is told."""
    return messages("".join(line for line in log_of(server).splitlines(True) if " is listening on " not in line))
