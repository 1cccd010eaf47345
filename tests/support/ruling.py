"""Rules for the functions of a broker, in one line."""

from __future__ import annotations

from typing import Literal

from gearfast import Broker
from gearfast.broker.rulings import Rulings

Gate = Literal["open", "paused", "drained"]
Rule = tuple[bytes, bytes, Gate | None, bytes]


def ruled(pattern: bytes, text: bytes = b"", gate: Gate | None = None, reason: bytes = b"") -> Rule:
    """A rule that speaks of what is given."""
    return pattern, text, gate, reason


def rule(broker: Broker, *rules: Rule) -> Rulings:
    """Have these rules instead of those that there were, and all functions follow them."""
    rulings = Rulings(broker)
    rulings.set(list(rules))
    cursor = rulings.apply(0)
    while cursor:
        cursor = rulings.apply(cursor)
    return rulings


class Rules:
    """Those of a broker, which lives no longer."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.rulings = rule(broker)

    def say(self, *rules: Rule) -> None:
        """Have these instead of those that there were."""
        self.rulings = rule(self.broker, *rules)

    def pause(self, *patterns: bytes) -> None:
        """Have these paused, and nothing else."""
        self.say(*(ruled(pattern, gate="paused", reason=b"closed") for pattern in patterns))

    def resume(self) -> None:
        """Have nothing paused."""
        self.say()
