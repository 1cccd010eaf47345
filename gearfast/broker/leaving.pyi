"""What is taken back from a peer that leaves, and from a worker that gives something up (protocol section 3.6)."""

from gearfast.broker.life import Life

class Leaving(Life):
    """The part of a broker that lets peers go; nothing of it is called from Python."""
