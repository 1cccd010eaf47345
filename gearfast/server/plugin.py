"""The contract of plugins: what may be added to a server."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Protocol

from gearfast.errors import ConfigError
from gearfast.store.checked import missing, shown

if TYPE_CHECKING:
    from gearfast.server.server import Server

METHODS: Final = ("start", "stop")
"""Of a Plugin."""


class Plugin(Protocol):
    """Started before the server accepts its first peer, stopped after it has let go of the last one."""

    async def start(self, server: "Server") -> None:
        """Take up work. Raise ListenError or ConfigError to refuse the start with one line."""

    async def stop(self) -> None:
        """Give everything back."""


def plugins_of(given: object) -> list[Plugin]:
    """Return the plugins as a list. Raises ConfigError when it is no list, or one of them is no plugin."""
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes)):
        raise ConfigError(f"Server's plugins are {shown(given)}, and have to be a list: Server(config, [Admin()])")
    plugins = list(given)
    for place, plugin in enumerate(plugins):
        if lacks := missing(plugin, METHODS):
            raise ConfigError(
                f"plugins[{place}] is {shown(plugin)}, which is no plugin: {lacks} (gearfast.server.plugin.Plugin)"
            )
    return plugins
