"""What a person on a terminal is told, beside the log."""

import sys

from gearfast.cli.log.lines import Line
from gearfast.cli.log.scribe import Scribe
from gearfast.cli.log.sink import DescriptorSink
from gearfast.config import LOG_LAST_WRITES
from gearfast.logs import INFO


def say(line: str, patience: float = LOG_LAST_WRITES) -> None:
    """Print a line on standard error, if there still is one; if nobody reads it, go on after ``patience`` seconds."""
    if sys.stderr is None:
        return
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError):  # a program that calls `main` has put something else there
        print(line, file=sys.stderr, flush=True)
        return
    scribe = Scribe(DescriptorSink(descriptor))
    scribe.put(Line(INFO, f"{line}\n"))
    scribe.close(patience)
