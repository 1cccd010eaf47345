"""A connection beyond the server's limits: it may send admin lines, and nothing else."""

from gearfast.server.session import Session

QUESTIONS: frozenset[int]
"""Packet types that are answered with an ERROR; the others just end the connection."""
CODE: bytes
REASON: bytes
"""What the ERROR says."""

def make_visitor(session: Session) -> None:
    """From now on the first packet of this session ends it; a question is answered with an ERROR."""
