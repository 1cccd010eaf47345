"""Rules: what an operator says of functions by pattern, for all their jobs, and for what goes in and comes out."""

from typing import Literal, Self, final

from gearfast.broker.broker import Broker

@final
class Rulings:
    """Those of a broker. Its methods raise RuntimeError in another thread than the broker's, or while it is at work."""

    def __new__(cls, broker: Broker) -> Self: ...
    def set(self, rules: list[tuple[bytes, bytes, Literal["open", "paused", "drained"] | None, bytes]]) -> None:
        """Have these rules, the weakest first, instead of those that there were; functions that are made get them.

        A rule is ``(pattern, parameters, gate, reason)``: a pattern of names (`gearfast.ground.glob`), parameters as
        `gearfast.protocol.parameters.read` takes them for a function, perhaps none; None for a gate that it does not
        speak of. Functions that are there get them by `apply`.
        """

    def apply(self, start: int) -> int:
        """Have some functions follow the rules, and return the cursor to go on from; 0 begins and ends."""
