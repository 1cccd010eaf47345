"""What a plugin is: a part of the server that lives and ends with it."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gearfast.server import Server


class Plugin(Protocol):
    """Started before the server accepts its first peer, stopped after it has let go of the last one."""

    async def start(self, server: "Server") -> None:
        """Take up work. Raise ListenError or ConfigError to refuse the start with one line."""

    async def stop(self) -> None:
        """Give everything back."""
