"""What is handed over as a store, or as something else with methods, is looked at there: what is none is refused."""

from collections.abc import Iterable
from typing import Final, cast

from gearfast.errors import ConfigError
from gearfast.store.contract import Store

STORE: Final = ("open", "replay", "write", "close")
"""The methods of a Store."""
SHOWN: Final = 80
"""Characters of somebody's object that a message shows."""


def store_of(given: object) -> Store | None:
    """Return the store, or None when there is none. Raises ConfigError when it is no store."""
    if given is None:
        return None
    lacks = missing(given, STORE)
    if not lacks and not isinstance(getattr(given, "largest", None), int):
        lacks = "it has no number 'largest'"
    if lacks:
        raise ConfigError(f"{shown(given)} is not a store: {lacks} (gearfast.Store)")
    return cast(Store, given)


def missing(thing: object, methods: Iterable[str]) -> str:
    """Say what keeps the thing from having these methods; empty: it has them."""
    if isinstance(thing, type):
        return f"it is a class: write {thing.__name__}()"
    lacks = [name for name in methods if not callable(getattr(thing, name, None))]
    return f"it has no {', no '.join(lacks)}" if lacks else ""


def shown(thing: object) -> str:
    """Return somebody's object in one short line."""
    text = " ".join(repr(thing).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
