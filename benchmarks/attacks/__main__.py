"""`python -m benchmarks.attacks NAME PORT SIZE`: plays one attack against a server of this machine, line by line.

It says `ready` when all is prepared, strikes at the next line it reads, says in JSON how that went, and holds its
connections until it reads another line, or its input ends.
"""

from __future__ import annotations

import json
import os
import sys

from benchmarks.attacks import ATTACKS, Attack
from benchmarks.attacks.door import Door
from benchmarks.processes import allow_open_files

POLITE = 10
"""less in a hurry than the victim, which plays on the same core: that must not wait for the attacker itself"""


def main(words: list[str]) -> int:
    """Play the attack; return 0, 1 when it could not be prepared, 2 for words that name none."""
    if len(words) != 3 or words[0] not in ATTACKS or not words[1].isdecimal() or not words[2].isdecimal():
        print(f"usage: python -m benchmarks.attacks NAME PORT SIZE, of {', '.join(ATTACKS)}", file=sys.stderr)
        return 2
    allow_open_files()
    with Door(int(words[1])) as door:
        return play(ATTACKS[words[0]](door, int(words[2])))


def play(attack: Attack) -> int:
    """Have it prepare, and strike when it is asked for; return 0, or 1 when it could not be prepared."""
    try:
        next(attack)
    except OSError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return 1
    print("ready", flush=True)
    if not sys.stdin.readline():
        return 0
    os.nice(POLITE)
    took: float | None = None
    cut = ""
    try:
        took = next(attack, None)
    except OSError as error:
        cut = f"{type(error).__name__}: {error}"
    print(json.dumps({"took": took, "cut": cut}), flush=True)
    sys.stdin.readline()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
