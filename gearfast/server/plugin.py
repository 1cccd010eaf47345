"""The contract of plugins: what may be added to a server."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from gearfast.broker.events import Kind
from gearfast.errors import ConfigError
from gearfast.store.checked import missing, shown

if TYPE_CHECKING:
    from gearfast.server.server import Server

VERSION: Final = 1
"""Of this contract: raised when something is added. A plugin that needs what came with one says ``needs = 2``, say."""
METHODS: Final = ("start", "stop")
"""Of a Plugin."""


class Event(NamedTuple):
    """Something that happened to a job, or to a worker (see ``Kind``)."""

    kind: Kind
    number: int
    """Of the job's handle (``server.broker.handles.format``); 0 for WOKEN."""
    function: bytes
    """Its first 255 bytes."""
    unique: bytes
    priority: int
    """0 high, 1 normal, 2 low."""
    attempts: int
    """How often a worker had it and lost it, so far."""
    background: bool


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
            raise ConfigError(f"plugins[{place}] is {shown(plugin)}, which is not a plugin: {lacks} (gearfast.Plugin)")
        if (needs := getattr(plugin, "needs", VERSION)) > VERSION:
            raise ConfigError(
                f"plugins[{place}] is {shown(plugin)} and needs version {needs} of the plugins' contract, and this "
                f"gearfast has {VERSION}: take a newer gearfast, or an older plugin"
            )
    return plugins
