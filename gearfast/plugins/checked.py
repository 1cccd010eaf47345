"""Plugins and stores looked at when they are handed over: what is none is refused there, with what it lacks."""

from collections.abc import Iterable
from typing import Final, cast

from gearfast.errors import ConfigError
from gearfast.plugins import Plugin, Store

PLUGIN: Final = ("start", "stop")
"""The methods of a Plugin."""
STORE: Final = ("open", "replay", "write", "close")
"""The methods of a Store."""
SHOWN: Final = 80
"""Characters of somebody's object that a message shows."""


def plugins_of(given: object) -> list[Plugin]:
    """Return the plugins as a list. Raises ConfigError when it is no list, or one of them is no plugin."""
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes)):
        raise ConfigError(f"Server's plugins are {shown(given)}, and have to be a list: Server(config, [Admin()])")
    plugins = list(given)
    for place, plugin in enumerate(plugins):
        if lacks := missing(plugin, PLUGIN):
            raise ConfigError(
                f"plugins[{place}] is {shown(plugin)}, which is no plugin: {lacks} (gearfast.plugins.Plugin)"
            )
    return plugins


def store_of(given: object) -> Store | None:
    """Return the store, or None when there is none. Raises ConfigError when it is no store."""
    if given is None:
        return None
    lacks = missing(given, STORE)
    if not lacks and not isinstance(getattr(given, "largest", None), int):
        lacks = "it lacks the number 'largest'"
    if lacks:
        raise ConfigError(f"{shown(given)} is no store: {lacks} (gearfast.plugins.Store)")
    return cast(Store, given)


def missing(thing: object, methods: Iterable[str]) -> str:
    """Say what keeps the thing from having these methods; empty: it has them."""
    if isinstance(thing, type):
        return f"it is a class, write {thing.__name__}()"
    lacks = [name for name in methods if not callable(getattr(thing, name, None))]
    return f"it lacks {', '.join(lacks)}" if lacks else ""


def shown(thing: object) -> str:
    """Return somebody's object in one short line."""
    text = " ".join(repr(thing).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
