"""What a server says of its threads by itself (the admin line `show threads`), and what became of it meanwhile.

Lines are a name and columns. Nothing is presumed of them but that: the text is kept as it came.
"""

from __future__ import annotations

import socket
import time

from benchmarks.results import Results

LINE = b"show threads\n"
SECONDS = 2.0
LONGEST = 1 << 20


def ask(port: int, line: bytes = LINE, seconds: float = SECONDS) -> str:
    """Return what the server on that port of loopback answers, or "" where it says nothing."""
    got = b""
    limit = time.monotonic() + seconds
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as peer:
            peer.sendall(line)
            while not _whole(got) and len(got) < LONGEST and time.monotonic() < limit:
                more = peer.recv(65536)
                if not more:
                    break
                got += more
    except OSError:
        pass  # what came until then is told
    return got.decode("utf-8", "replace")


def _whole(got: bytes) -> bool:
    """Tell whether an answer is over: after a line with a dot, or after the only line of a refusal."""
    return got.endswith(b"\n") and (got.startswith((b"ERR", b"OK")) or got.splitlines()[-1] == b".")


def figures(text: str) -> dict[str, list[str]]:
    """Return the columns of each line by its name; nothing for a refusal."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split("\t") if "\t" in line else line.split()
        if not words or words == ["."] or words[0].startswith("ERR"):
            continue
        name, again = words[0], 2
        while name in found:
            name, again = f"{words[0]} {again}", again + 1
        found[name] = [word.strip() for word in words[1:]]
    return found


def grown(before: str, after: str) -> dict[str, list[str]]:
    """Return by how much each column grew that is a number; what is none, or was not there, as it is in the end."""
    first = figures(before)
    found = {}
    for name, columns in figures(after).items():
        start = first.get(name, [])
        found[name] = [
            _difference(start[at], column) if at < len(start) else column for at, column in enumerate(columns)
        ]
    return found


def _difference(before: str, after: str) -> str:
    try:
        return str(int(after) - int(before))
    except ValueError:
        pass
    try:
        return f"{float(after) - float(before):g}"
    except ValueError:
        return after


def lines(results: Results) -> list[str]:
    """Write what became of the figures in the last round of each server that has any."""
    found = []
    for row in results.rows:
        for measured in row.measured:
            texts = measured.rounds[-1].told if measured.rounds else []
            named = grown(texts[0], texts[-1]) if texts else {}
            said = "; ".join(" ".join([name, *columns]) for name, columns in named.items())
            if said:
                found.append(f"{row.name}, {measured.subject}: {said}")
    return found
