"""Admin commands for policies: ``policy``, ``pause``, ``drain``, ``resume``, and ``show functions``."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from gearfast.config import DEAD_LETTER_BYTES, DEAD_LETTERS
from gearfast.plugins.answers import (
    OK,
    Row,
    action,
    columns,
    error,
    for_programs,
    read,
    scanned,
    shown,
    told,
    usage,
)
from gearfast.protocol import parameters
from gearfast.server.commands import Answer

if TYPE_CHECKING:
    from gearfast.server.server import Server
    from gearfast.server.session import Session

DEFAULTS: Final = {
    "delay": "none",
    "priority": "as submitted",
    "backoff": "none",
    "timeout": "as the worker says",
    "ttl": "none",
    "unique_ttl": "none",
    "duplicate": "keep",
    "graceful": "counted",
    "overlap": "skip",
    "catchup": "none",
    "dead_letter_max": str(DEAD_LETTERS),
    "dead_letter_bytes": str(DEAD_LETTER_BYTES),
}
FIGURES: Final = (
    "function, jobs, running, workers, queued high, normal and low, delayed, buried, bytes of those, schedules, "
    "paused or drained, reason"
)


FIGURE_NAMES: Final = (
    *("function", "jobs", "running", "workers", "high", "normal", "low", "delayed", "buried", "buried bytes"),
    *("schedules", "gate", "reason"),
)


class Policies:
    """Adds its commands to a server's."""

    def __init__(self, server: "Server") -> None:
        """Add them. Raises ConfigError when one is there already."""
        self.broker = server.broker
        self.policies = server.policies
        self.slice = server.config.answer_slice
        retries = server.config.job_retries
        self.defaults = {**DEFAULTS, "retries": "no end" if retries < 0 else f"{max(retries - 1, 0)}, for lost workers"}
        add = server.commands.add
        add("policy", self.policy, "[NAME [KEY=VALUE ...]]", "what holds for a function, and where it comes from")
        add(
            "pause",
            action(self.pause),
            "NAME [REASON ...]",
            "hands out no job of a function; NAME may have * in it",
        )
        add("drain", action(self.drain), "NAME [REASON ...]", "takes no more jobs for a function")
        add("resume", action(self.resume), "NAME", "ends a pause or a drain")
        add("show functions", self.show, "[NAME]", FIGURES)

    # --- policies ---

    def policy(self, words: list[bytes], session: "Session") -> Answer:
        """``policy``, ``policy NAME`` and ``policy NAME key=value ...``."""
        plain, render = for_programs(words, columns)
        if len(plain) == 1:
            return told(self.all(), render, self.slice)
        if len(plain) == 2:
            return told(self.one(plain[1]), render, self.slice)
        return action(self.change)(words, session)

    def change(self, words: list[bytes], session: "Session") -> Answer:
        """``policy NAME key=value ...``."""
        changes = {}
        for word in words[2:]:
            key, equals, value = word.decode("utf-8", "surrogateescape").partition("=")
            if not equals or ";" in word.decode("utf-8", "surrogateescape"):
                return error("INVALID_ARGUMENTS", f"'{read(word)}' is not key=value: write policy NAME retries=5")
            if key in changes:
                return error(
                    "INVALID_ARGUMENTS",
                    f"'{read(word)}' comes after another {read(word.partition(b'=')[0])}: say it once",
                )
            changes[key] = value
        try:
            self.policies.set(words[1], changes)
        except ValueError as mistake:
            return error("INVALID_PARAMETER", str(mistake))
        return self.when_done()

    def all(self) -> Iterator[Row]:
        """``pattern, key, value, origin``; a pause or a drain is a key, and its reason the value."""
        for origin, pattern, values in self.policies.each():
            for key, value in values.items():
                yield {"pattern": pattern, "key": key, "value": value, "origin": origin}
        for pattern, said in self.policies.said.items():
            if said.gate is not None:
                yield {"pattern": pattern, "key": said.gate, "value": said.reason, "origin": "admin"}

    def one(self, name: bytes) -> Iterator[Row]:
        """``key, value, origin``."""
        found = self.policies.values(name)
        keys = parameters.keys(for_function=True)
        for key in keys:
            if key in found:
                value, origin, pattern = found[key]
                yield {"key": key, "value": value, "origin": f"{origin} {read(pattern)}"}
            elif key in self.defaults:
                yield {"key": key, "value": self.defaults[key], "origin": "default"}

    def when_done(self) -> Iterator[bytes]:
        """Answer when all functions follow the rules."""
        while self.policies.busy:
            yield b""
        yield OK

    # --- pause and drain ---

    def pause(self, words: list[bytes], session: "Session") -> Answer:
        """``pause NAME [reason ...]``."""
        return self.close(words, "paused")

    def drain(self, words: list[bytes], session: "Session") -> Answer:
        """``drain NAME [reason ...]``."""
        return self.close(words, "drained")

    def close(self, words: list[bytes], gate: Literal["paused", "drained"]) -> Answer:
        """Let nothing out, or nothing in."""
        if len(words) < 2:
            return usage(f"{words[0].decode().lower()} NAME [REASON ...]")
        try:
            self.policies.close(words[1], gate, shown(b" ".join(words[2:])))
        except ValueError as mistake:
            return error("TOO_MUCH", str(mistake))
        return self.when_done()

    def resume(self, words: list[bytes], session: "Session") -> Answer:
        """``resume NAME``."""
        if len(words) != 2:
            return usage("resume NAME")
        try:
            opened = self.policies.open(words[1])
        except ValueError as mistake:
            return error("INVALID_ARGUMENTS", str(mistake))
        if not opened:
            return error(
                "NOT_PAUSED", f"no function {read(words[1])} is paused or drained: show functions tells which are"
            )
        return self.when_done()

    # --- functions ---

    def show(self, words: list[bytes], session: "Session") -> Answer:
        """``show functions [NAME]``."""
        words, render = for_programs(words, columns)
        if len(words) > 3:
            return usage("show functions [NAME]")
        return told(self.functions(words[2] if len(words) == 3 else None), render, self.slice)

    def functions(self, name: bytes | None) -> Iterator[Row | None]:
        """All figures of each."""
        for row in scanned(lambda cursor: self.broker.scan_figures(cursor, self.slice)):
            if row is None:
                yield None
            elif name is None or name == row[0]:
                yield dict(zip(FIGURE_NAMES, row, strict=True))
