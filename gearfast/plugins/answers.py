"""What answers to admin lines are made of: rows for people, or for programs with ``--json``; lines of errors."""

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from time import monotonic, time
from typing import TYPE_CHECKING, Final, TypeVar

from gearfast.server.commands import END, Answer, Answerer

if TYPE_CHECKING:
    from gearfast.server.session import Session

MAY_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f-\x9f]")
CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\udc80-\udc9f]")
"""What a terminal may obey: C0 and C1, those of UTF-8 and bytes that are none of its letters' (``surrogateescape``)."""
OK: Final = b"OK\r\n"
READ: Final = 70
"""Bytes of what was read that a line repeats; a handle has fewer."""
JSON: Final = b"--json"

Row = Mapping[str, bytes | str | int | float | bool | None]
"""Figures by their name. Bytes are names, ids and texts of peers; None is nothing to tell."""
Render = Callable[[Row], bytes]
T = TypeVar("T")


def shown(name: bytes) -> bytes:
    r"""Return a name as it stands in a line: what would end the line, or move a terminal's cursor, as ``\x0a``."""
    if MAY_CONTROL.search(name) is None:
        return name
    return CONTROL.sub(spelled, name.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def spelled(found: re.Match[str]) -> str:
    """Return a letter byte by byte."""
    return "".join(f"\\x{byte:02x}" for byte in found[0].encode("utf-8", "surrogateescape"))


def read(word: bytes) -> str:
    """Return what was read, as far as a line needs it."""
    return shown(word[:READ]).decode("ascii", "backslashreplace")


def error(code: str, text: str) -> bytes:
    """Return a line that says what was wrong, and what would be right."""
    return b"ERR %b %b\r\n" % (code.encode(), shown(text.encode("utf-8", "backslashreplace")))


def usage(form: str) -> bytes:
    """Return a line that says how the command is written."""
    return error("INVALID_ARGUMENTS", f"write: {form}")


def unknown(handle: bytes) -> bytes:
    """Say that there is no such job."""
    return error("UNKNOWN_JOB", f"there is no job {read(handle)}")


def moment(when: float) -> str:
    """Return a moment for people and programs: ISO 8601, in UTC."""
    try:
        naive = datetime.fromtimestamp(when, UTC).replace(tzinfo=None)  # aware, it looks up its zone each time
        return naive.isoformat(timespec="milliseconds") + "+00:00"
    except (OSError, OverflowError, ValueError):  # in a year that Python does not know
        return f"{when:.3f}"


def on_the_wall(when: float) -> float:
    """Return by the wall clock what was told by the one that only goes forward."""
    return when - monotonic() + time()


# --- rows ---


def columns(row: Row) -> bytes:
    """Return one line, its figures separated by tabs."""
    return b"\t".join(map(text, row.values())) + b"\n"


def fields(row: Row) -> bytes:
    """Return ``name: figure``, one a line."""
    return b"".join(b"%b: %b\n" % (name.encode(), text(figure)) for name, figure in row.items())


def as_json(row: Row) -> bytes:
    """Return one object, in one line; a byte that is no UTF-8 is what Python's ``surrogateescape`` makes of it."""
    plain = {
        name: figure.decode("utf-8", "surrogateescape") if isinstance(figure, bytes) else figure
        for name, figure in row.items()
    }
    return json.dumps(plain).encode() + b"\n"


def text(figure: bytes | str | float | None) -> bytes:
    """Return a figure for people. A dot alone would be the end of the answer."""
    if isinstance(figure, bytes):
        return rb"\x2e" if figure == b"." else shown(figure)
    if figure is None:
        return b""
    if isinstance(figure, bool):
        return b"yes" if figure else b"no"
    if isinstance(figure, str):
        return shown(figure.encode("utf-8", "surrogateescape"))
    return (f"{figure:.3f}" if isinstance(figure, float) else str(figure)).encode()


def for_programs(words: list[bytes], usual: Render) -> tuple[list[bytes], Render]:
    """Take ``--json`` off the end of the words: what is left, and how rows are told."""
    return (words[:-1], as_json) if words[-1] == JSON else (words, usual)


def scanned(scan: Callable[[int], tuple[int, list[T]]]) -> Iterator[T | None]:
    """Yield all rows of a scan, which takes a cursor and returns the next one; None between two slices."""
    cursor = 0
    while True:
        cursor, rows = scan(cursor)
        yield from rows
        if not cursor:
            return
        yield None


def told(rows: Iterable[Row | None], render: Render, most: int) -> Iterator[bytes]:
    """Yield rows, up to ``most`` at a time, and the end. None among them is a pause, in which others are served."""
    part: list[bytes] = []
    for row in rows:
        if row is not None:
            part.append(render(row))
        if row is None or len(part) >= most:
            yield b"".join(part)
            part.clear()
    yield b"".join(part) + END


# --- what was done ---


def action(act: Answerer) -> Answerer:
    """Have a command that does something tell of it as JSON, if ``--json`` stands behind it."""

    @functools.wraps(act)
    def acts(words: list[bytes], session: "Session") -> Answer:
        if words[-1] != JSON:
            return act(words, session)
        answer = act(words[:-1], session)
        return done(answer) if isinstance(answer, bytes) else map(done, answer or ())

    return acts


def done(line: bytes) -> bytes:
    """Return ``OK``, ``OK N`` or ``ERR CODE text`` as an object; a pause stays one."""
    word, _, rest = line.decode("utf-8", "surrogateescape").rstrip("\r\n").partition(" ")
    if not word:
        return line
    if word == "OK":
        return as_json({"ok": True, "count": int(rest)} if rest else {"ok": True}) + END
    code, _, why = rest.partition(" ")
    return as_json({"ok": False, "error": code, "text": why}) + END
