"""Jobs as lines of JSON: what ``gearfast store export`` writes and ``gearfast store import`` reads.

The first line says what the file is; each line behind it is one job. Bytes that are UTF-8 stand there as text, all
others as ``{"base64": "..."}``, so that every byte comes back.
"""

import base64
import json
import math
import re
from typing import NamedTuple

from gearfast.config import ARGUMENT_SIZE, UNIQUE_SIZE
from gearfast.store.contract import StoredJob
from gearfast.store.record import state_of

FORMAT = "gearfast-jobs"
VERSION = 1
PRIORITIES = ("high", "normal", "low")
FIELDS = {"handle", "function", "unique", "priority", "due", "attempts", "payload", "more"}

MAX_NUMBER = 1 << 62
"""Numbers of jobs end here in a file, so that as many again are left for the server to give out."""

MAX_ATTEMPTS = (1 << 31) - 1
LAST_SECOND = float(1 << 53)
"""Due times from here on are not exact any more."""


class LineError(ValueError):
    """A line is no job. The message says why."""


class Entry(NamedTuple):
    """A job as a file has it."""

    prefix: bytes
    """Of its handle; empty: the file gives it none, and its number is 0."""
    job: StoredJob


def first_line(prefix: str) -> bytes:
    """Return the line that stands above the jobs; the prefix is that of their handles."""
    head = {"format": FORMAT, "version": VERSION, "prefix": value_of(prefix.encode("utf-8", "surrogateescape"))}
    return json.dumps(head, ensure_ascii=False).encode() + b"\n"


def line_of(job: StoredJob, prefix: bytes) -> bytes:
    """Return a job as a line; one that gearmand has, and that has no number yet, gets no handle."""
    fields = {**fields_of(job, prefix), "payload": value_of(job.payload), "more": value_of(job.more)}
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def summary_of(job: StoredJob, prefix: bytes) -> bytes:
    """Return a job as a line that has its payload's size in the place of its payload, and says what it is."""
    fields = {**fields_of(job, prefix), "size": len(job.payload), "state": state_of(job.more)}
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def fields_of(job: StoredJob, prefix: bytes) -> dict[str, object]:
    """Return what both lines begin with."""
    return {
        "handle": value_of(b"%b:%d" % (prefix, job.number)) if job.number else "",
        "function": value_of(job.function),
        "unique": value_of(job.unique),
        "priority": PRIORITIES[job.priority],
        "due": job.due,
        "attempts": job.attempts,
    }


def value_of(text: bytes) -> str | dict[str, str]:
    """Return bytes as JSON has them."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(text).decode()}


# --- reading -----------------------------------------------------------------------------


def read_first_line(line: bytes) -> str | None:
    """Return the prefix that the first line names; None if it is a job already, as in a file made by hand.

    Raises LineError.
    """
    fields = object_of(line)
    if "format" not in fields:
        return None
    if fields["format"] != FORMAT:
        raise LineError(f"'{fields['format']}' is not the format {FORMAT}")
    if fields.get("version") != VERSION:
        raise LineError(f"version {fields.get('version')} of the format is not known: this gearfast reads {VERSION}")
    return bytes_of(fields, "prefix").decode("utf-8", "surrogateescape")


def read_line(line: bytes) -> Entry:
    """Return the job of a line. Raises LineError."""
    fields = object_of(line)
    for name in fields.keys() - FIELDS:
        raise LineError(f"a job has no '{name}'")
    if "function" not in fields:
        raise LineError("the function is missing")
    function, unique = bytes_of(fields, "function"), bytes_of(fields, "unique")
    for name, value, most in (("function", function, ARGUMENT_SIZE - 1), ("unique", unique, UNIQUE_SIZE)):
        if b"\0" in value or len(value) > most:
            raise LineError(f"the {name} has a NUL or more than {most} bytes")
    priority = fields.get("priority", "normal")
    if priority not in PRIORITIES:
        raise LineError(f"the priority is not one of {', '.join(PRIORITIES)}")
    prefix, number = prefix_and_number(bytes_of(fields, "handle"))
    job = StoredJob(
        number=number,
        function=function,
        unique=unique,
        priority=PRIORITIES.index(priority),
        due=float(figure(fields, "due", LAST_SECOND)),
        attempts=int(figure(fields, "attempts", MAX_ATTEMPTS)),
        payload=bytes_of(fields, "payload"),
        more=bytes_of(fields, "more"),
    )
    return Entry(prefix, job)


def object_of(line: bytes) -> dict[str, object]:
    """Return the JSON object that a line is."""
    try:
        found = json.loads(line.decode())
    except (ValueError, RecursionError):
        raise LineError("the line is not a whole JSON object") from None
    if not isinstance(found, dict):
        raise LineError("the line is not a JSON object")
    return found


def bytes_of(fields: dict[str, object], name: str) -> bytes:
    """Return a field's bytes; none where the field is missing."""
    value = fields.get(name, "")
    try:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict) and value.keys() == {"base64"}:
            return base64.b64decode(value["base64"], validate=True)
    except (ValueError, TypeError):
        pass
    raise LineError(f"'{name}' is neither text nor {{\"base64\": ...}}")


def figure(fields: dict[str, object], name: str, most: float) -> float:
    """Return a field's number; 0 where the field is missing."""
    value = fields.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise LineError(f"'{name}' is not a number from 0 to {most:.0f}")
    if name == "attempts" and not math.modf(value)[0] == 0:
        raise LineError("'attempts' is not a whole number")
    return value


def prefix_and_number(handle: bytes) -> tuple[bytes, int]:
    """Return the two parts of a handle; nothing and 0 for an empty one."""
    if not handle:
        return b"", 0
    match = re.fullmatch(rb"(.+):([0-9]{1,19})", handle, re.DOTALL)
    if match is None or not 0 < int(match[2]) < MAX_NUMBER:
        raise LineError(f"the handle is not PREFIX:NUMBER, with a number from 1 to {MAX_NUMBER - 1}")
    return match[1], int(match[2])
