"""A connection beyond the server's limits: it may send admin lines, and nothing else."""

from gearfast.session import Session

def make_visitor(session: Session) -> None:
    """From now on the first packet of this session is refused with TOO_MANY_CONNECTIONS, and ends it."""
