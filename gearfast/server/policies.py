"""Policies: what an operator says of functions, in a file and at run time, by patterns of their names.

What is said at run time is stronger than the file; of two patterns the one that says more of a name is stronger; and
what a job asks for itself is stronger than both (rulebook.pyx). What was said at run time is kept in the store.
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from gearfast.broker.broker import Broker
from gearfast.broker.rulings import Rulings
from gearfast.errors import ConfigError
from gearfast.ground.glob import matches
from gearfast.logs import NOTICE
from gearfast.protocol import parameters
from gearfast.server.policyfile import LONGEST, check, check_value, read_policy_file

log = logging.getLogger("gearfast")

RULES: Final = "rules"
"""Names what was said at run time in a store's metadata."""
MOST_BYTES: Final = 60_000
"""Of it, as it is kept: a change that would make more is refused."""
GATES: Final = (None, "open", "paused", "drained")
NOBODYS: Final = b"\0"
"""A byte that no name and no pattern has, so that only what is wild takes it."""
PAUSE: Final = 1.0
"""Seconds before functions are tried again for which there was no memory."""
WILD: Final = re.compile(rb"[*?]|\[!?+\]?+[^]]*\]")
"""What stands for other bytes in a pattern (gearfast/ground/glob.pyx)."""


@dataclass(slots=True)
class Said:
    """What was said of one pattern."""

    values: dict[str, str] = field(default_factory=dict)
    """By their keys, as submit parameters are written."""
    gate: Literal["open", "paused", "drained"] | None = None
    reason: bytes = b""


class Source(NamedTuple):
    """A value, and where it comes from."""

    value: str
    origin: Literal["file", "admin"]
    pattern: bytes


class Policies:
    """All of a server's."""

    def __init__(self, broker: Broker, path: str) -> None:
        """``path``: of the policy file; empty: there is none."""
        self.rulings = Rulings(broker)
        self.path = path
        self.file: dict[bytes, dict[str, str]] = {}
        self.said: dict[bytes, Said] = {}
        self.keep: Callable[[str, str], None] | None = None
        self.followed: Callable[[], None] | None = None  # called when functions follow: sleepers may have to be woken
        self.cursor: int | None = None  # how far the functions that are there have got the new rules; None: all have

    # --- the start, and the file once more ---

    def start(self, kept: Mapping[str, str], keep: Callable[[str, str], None] | None) -> None:
        """Read the file, and what was said before: ``kept`` is a store's metadata, ``keep`` changes one of them.

        Raises ConfigError for a file that cannot be used.
        """
        self.loop = asyncio.get_running_loop()
        self.keep = keep
        if self.path:
            self.file = read_policy_file(self.path)
        self.said = unpacked(kept.get(RULES, ""))
        self.rulings.set(self.rules())
        cursor = self.rulings.apply(0)
        while cursor:
            cursor = self.rulings.apply(cursor)

    def reload(self) -> None:
        """Read the file again; one that cannot be used changes nothing."""
        if not self.path:
            return
        try:
            self.file = read_policy_file(self.path)
        except ConfigError as error:
            log.error("The policies stay as they are: %s", error)
            return
        self.follow()
        log.log(NOTICE, "The policy file %s was read again", self.path)

    def rules(self) -> list[tuple[bytes, bytes, Literal["open", "paused", "drained"] | None, bytes]]:
        """Return all of them, the weakest first, as the broker takes them."""
        of_file = [(pattern, text_of(self.file[pattern]), None, b"") for pattern in sorted(self.file, key=strength)]
        return of_file + [
            (pattern, text_of(said.values), said.gate, said.reason)
            for pattern, said in sorted(self.said.items(), key=lambda item: strength(item[0]))
        ]

    def follow(self) -> None:
        """Have the functions that are there follow the rules, some at a time."""
        self.rulings.set(self.rules())
        busy = self.cursor is not None
        self.cursor = 0
        if not busy:
            self.step()

    def step(self) -> None:
        """Some more of them."""
        try:
            self.cursor = self.rulings.apply(self.cursor or 0) or None
        except MemoryError:
            log.error("There is no memory for the policies of some functions: they get them when there is")
            self.loop.call_later(PAUSE, self.step)
            return
        if self.cursor is not None:
            self.loop.call_soon(self.step)
        elif self.followed is not None:
            self.loop.call_soon(self.followed)

    @property
    def busy(self) -> bool:
        """Whether there are functions that do not follow the rules yet."""
        return self.cursor is not None

    # --- what is said at run time ---

    def set(self, pattern: bytes, changes: Mapping[str, str]) -> None:
        """Say these values of a pattern; an empty one takes back what was said. Raises ValueError, by its key."""
        keys = parameters.keys(for_function=True)
        for key, value in changes.items():
            if value or key not in keys:
                check_value(key, value)
        said = self.said.get(pattern, Said())
        values = {key: value for key, value in {**said.values, **changes}.items() if value}
        self.change({pattern: Said(values, said.gate, said.reason)})

    def close(self, pattern: bytes, gate: Literal["paused", "drained"], reason: bytes) -> None:
        """Let nothing out of the functions that fit, or nothing in, those that were opened one by one included."""
        check(pattern)
        changes = {each: Said(self.said[each].values) for each in self.gated(pattern)}
        changes[pattern] = Said(self.said.get(pattern, Said()).values, gate, reason)
        self.change(changes)

    def open(self, pattern: bytes) -> bool:
        """Take that back. Returns whether there was anything to be taken back. Raises ValueError for a bad pattern."""
        check(pattern)
        changes = {each: Said(self.said[each].values) for each in self.gated(pattern)}
        others = {each: said for each, said in self.said.items() if each not in changes}
        if gate_of(others, pattern) is not None:  # a wider pattern closes it
            changes[pattern] = Said(self.said.get(pattern, Said()).values, "open")
        if all(self.said.get(each) == said for each, said in changes.items()):
            return False
        self.change(changes)
        return True

    def gated(self, pattern: bytes) -> list[bytes]:
        """Return this pattern, and those that it holds, as far as something was said of their going in and out."""
        return [each for each, said in self.said.items() if said.gate and covers(pattern, each, is_wild(each))]

    def change(self, changes: Mapping[bytes, Said]) -> None:
        """Have these patterns say something else. Raises ValueError when all of it becomes too much to be kept."""
        for pattern in changes:
            check(pattern)
        said = {pattern: each for pattern, each in {**self.said, **changes}.items() if each.values or each.gate}
        packed_ = packed(said)
        if len(packed_) > MOST_BYTES:
            raise ValueError(f"all policies together may have {MOST_BYTES} bytes: use patterns, or the policy file")
        self.said = said
        self.follow()
        if self.keep is not None:
            self.keep(RULES, packed_)

    # --- what holds ---

    def values(self, name: bytes) -> dict[str, Source]:
        """Return what holds for a function, or all that fit a pattern, by key, and where it comes from."""
        found: dict[str, Source] = {}
        wild = is_wild(name)
        for origin, pattern, values in self.each():
            if covers(pattern, name, wild):
                found |= {key: Source(value, origin, pattern) for key, value in values.items()}
        return found

    def each(self) -> Iterator[tuple[Literal["file", "admin"], bytes, dict[str, str]]]:
        """Yield the values of all patterns, the weakest first."""
        for pattern in sorted(self.file, key=strength):
            yield "file", pattern, self.file[pattern]
        for pattern in sorted(self.said, key=strength):
            yield "admin", pattern, self.said[pattern].values


def strength(pattern: bytes) -> tuple[bool, int, int, bytes]:
    """Return a key that sorts patterns: one that says more of a name is stronger; a name by itself is strongest."""
    if not is_wild(pattern):
        return True, len(pattern), len(pattern), pattern
    return False, len(WILD.sub(b"", pattern)), len(pattern), pattern


def is_wild(pattern: bytes) -> bool:
    """Say whether it stands for other names than itself; a longer one cannot."""
    return len(pattern) <= LONGEST and bool(WILD.search(pattern))


def covers(pattern: bytes, other: bytes, wild: bool) -> bool:
    """Say whether all names that fit the other pattern, or the other name, if it is not ``wild``, fit this one."""
    if pattern == other or not wild:
        return pattern == other or matches(pattern, other)
    few = WILD.sub(lambda found: b"" if found[0] == b"*" else NOBODYS, other)
    run = NOBODYS * (pattern.count(b"?") + pattern.count(b"[") + 1)  # only a star takes all of it
    many = WILD.sub(lambda found: run if found[0] == b"*" else NOBODYS, other)
    return matches(pattern, few) and matches(pattern, many)


def gate_of(said: Mapping[bytes, Said], name: bytes) -> Said | None:
    """Return the strongest that speaks of the going in and out of a name, or a pattern, if it closes it."""
    wild = is_wild(name)
    fitting = [pattern for pattern, each in said.items() if each.gate and covers(pattern, name, wild)]
    found = said[max(fitting, key=strength)] if fitting else None
    return None if found is None or found.gate == "open" else found


def text_of(values: Mapping[str, str]) -> bytes:
    """Return values as submit parameters are written."""
    return ";".join(f"{key}={value}" for key, value in values.items()).encode("utf-8", "surrogateescape")


# --- as a store keeps it ---


def packed(said: Mapping[bytes, Said]) -> str:
    """Return it as a text."""
    rows = [
        (pattern.decode("latin-1"), each.values, each.gate, each.reason.decode("latin-1"))
        for pattern, each in said.items()
    ]
    return json.dumps(rows) if rows else ""


def unpacked(text: str) -> dict[bytes, Said]:
    """Return what was kept; what cannot be read, or is not known to this version, is left out and logged."""
    try:
        rows = json.loads(text or "[]")
        found = {
            pattern.encode("latin-1"): Said(dict(values), gate, reason.encode("latin-1"))
            for pattern, values, gate, reason in rows
        }
        if any(said.gate not in GATES for said in found.values()):
            raise ValueError("it says of a function what this version does not know")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        log.error("What was said of functions before cannot be read, and is forgotten: %s", error)
        return {}
    for pattern, said in found.items():
        for key, value in list(said.values.items()):
            try:
                check_value(key, value)
            except (ValueError, TypeError) as error:
                log.error("The policy of %s is kept without %s: %s", pattern, key, error)
                del said.values[key]
    return found
