"""Makes the inputs that the fuzzer begins with: `python -m tests.fuzz.seeds` writes them into corpus/.

They are the differential tests' scripts, in cells, and scenes of a few hundred cells in which players do what makes
sense. What the fuzzer has found lies in corpus/ beside them, and is not made here.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.differential.script import Script, Step
from tests.differential.scripts import SCRIPTS
from tests.fuzz.sanitized import CORPUS
from tests.support.compiled import fuzz

Op: Any = fuzz().OpName

MAX_BYTES = 2500
"""Of a script; longer ones are about limits that FILL and SUBMIT meet in a cell or two."""
TOGETHER = 3
"""Scripts in one input."""
SCENES = 40
GRAVES = 8

NOW = re.compile(rb"<now([+-]\d+)>")
START = 4_000_000_000
"""What the wall clock of every play says at first."""


def cell(op: int, player: int = 0, a: int = 0, b: int = 0, c: int = 0) -> bytes:
    """Return one step."""
    return bytes((op | player << 5, a, b, c))


FIRST = bytes(4)
EVERYBODY = b"".join(cell(Op.LEAVE, player) for player in range(6)) + b"".join(
    cell(Op.COME, player) for player in range(6)
)
"""Leaves, and comes again."""


def said(player: int, data: bytes) -> bytes:
    """Return the steps in which a player says just these bytes."""
    parts = [data[at : at + 252] for at in range(0, len(data), 252)]
    return b"".join(cell(Op.BYTES, player, len(part)) + part.ljust((len(part) + 3) // 4 * 4, b"\0") for part in parts)


def step_of(step: Step, player: int) -> bytes:
    """Return the cells of one step of a script."""
    handles = {b"<h%d>" % number: b"H:fuzz:%d" % number for number in range(1, 100)}
    timed = [NOW.sub(lambda found: b"%d" % (START + int(found[1])), piece.body) for piece in step.pieces]
    pieces = [replace(piece, body=body) for piece, body in zip(step.pieces, timed, strict=True)]
    data = said(player, b"".join(piece.pack(handles) for piece in pieces))
    if step.action in ("close", "end"):
        return data + cell(Op.LEAVE, player)
    if step.action == "reset":
        return data + cell(Op.LEAVE, player, 1)
    if step.action == "wait":
        return data + cell(Op.TIME, player, 4)
    if step.action == "bytewise":
        return cell(Op.PIECES, player, 1) + data + cell(Op.TURN, player, 3) * 9 + cell(Op.PIECES, player)
    return data


def cells_of(script: Script) -> bytes:
    """Return a script as an input."""
    names = {name: player % 6 for player, name in enumerate(dict.fromkeys(step.who for step in script.steps))}
    return b"".join(step_of(step, names[step.who]) for step in script.steps)


def scene(chance: random.Random) -> bytes:
    """Return a play of two workers and some clients, most of whom know what they do."""
    workers = (Op.CAN_DO, Op.WORK, Op.WORK, Op.GRAB, Op.SLEEP, Op.REPORT, Op.REPORT, Op.LITTLE)
    clients = (Op.SUBMIT, Op.SUBMIT, Op.SUBMIT, Op.STATUS, Op.ECHO, Op.LINE, Op.READ, Op.PIECES)
    happens = (Op.TIME, Op.TURN, Op.LEAVE, Op.COME, Op.NETWORK, Op.LOOKS, Op.BUSY, Op.HANG_UP, Op.STORE, Op.DRAIN)
    steps = [bytes((0, chance.randrange(256), chance.randrange(256), chance.randrange(16)))]
    steps += [cell(Op.CAN_DO, player, 0, name) for player in (0, 1) for name in range(3)]
    for _ in range(chance.randrange(50, 150)):
        player = chance.randrange(6)
        ops = happens if chance.random() < 0.1 else workers if player < 2 else clients
        steps.append(cell(chance.choice(ops), player, *chance.randbytes(3)))
    return b"".join(steps)


def graves(chance: random.Random) -> bytes:
    """Return a play of jobs with few tries, workers who fail, and administrators who look at what is buried."""
    background = (1, 3, 5, 7, 10, 13, 14)
    kick, show = range(16, 20), range(44, 53)
    steps = [bytes((0, chance.randrange(256), chance.randrange(256), chance.randrange(16)))]
    for _ in range(chance.randrange(20, 60)):
        steps += [cell(Op.CAN_DO, player, 0, name) for player in (0, 1) for name in range(3)]
        for _ in range(chance.randrange(1, 4)):
            how = chance.choice(background) | chance.randrange(2) << 6
            name = chance.randrange(224, 256) & ~4 | chance.randrange(2)
            steps.append(cell(Op.SUBMIT, chance.randrange(2, 6), how, name, chance.randrange(80)))
        worker = chance.randrange(2)
        steps += [cell(Op.GRAB, worker, c=chance.randrange(10)), cell(Op.TURN, worker, 3)]
        steps.append(cell(Op.WORK, worker, chance.choice((0, 1, 1)), 0, 1))
        steps.append(cell(Op.REPORT, worker, chance.choice((4, 5)), chance.randrange(64), chance.randrange(10)))
        steps.append(cell(Op.LINE, chance.randrange(6), chance.choice([*kick, *show]), *chance.randbytes(2)))
        if chance.random() < 0.2:
            steps.append(cell(chance.choice((Op.TIME, Op.LEAVE, Op.COME)), worker, chance.randrange(8)))
    return b"".join(steps)


def seeds() -> Iterator[tuple[str, bytes]]:
    """Yield every seed with its name."""
    short = [script for script in SCRIPTS if len(cells_of(script)) <= MAX_BYTES]
    for at in range(0, len(short), TOGETHER):
        scripts = short[at : at + TOGETHER]
        yield scripts[0].name, FIRST + EVERYBODY.join(map(cells_of, scripts))
    chance = random.Random(4730)
    for number in range(SCENES):
        yield f"scene-{number}", scene(chance)
    for number in range(GRAVES):
        yield f"graves-{number}", graves(chance)


def main() -> None:
    """Write them."""
    CORPUS.mkdir(exist_ok=True)
    for name, cells in seeds():
        (CORPUS / name).write_bytes(cells)


if __name__ == "__main__":
    main()
