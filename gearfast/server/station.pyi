"""A thread that reads from sockets, as others see it."""

from typing_extensions import disjoint_base

@disjoint_base
class Station:
    """A thread without the interpreter that reads from sockets."""
