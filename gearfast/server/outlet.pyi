"""The way out of a session."""

from typing_extensions import disjoint_base

@disjoint_base
class Outlet:
    """The way out of a session; transports are outlets."""

    def abort(self) -> None:
        """Close the connection at once."""
