"""How the bytes of one session come in and go out, whatever they come through."""

from typing_extensions import disjoint_base

from gearfast.server.door import Door
from gearfast.server.session import Session
from gearfast.server.turn import Member

@disjoint_base
class Transport(Member):
    """How the bytes of one session come in and go out."""

    door: Door | None
    """What is told when its descriptor is given back."""

    @property
    def session(self) -> Session:
        """The session it feeds."""
