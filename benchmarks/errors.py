"""What a run of the load can fail with."""


class WrongAnswer(Exception):  # noqa: N818
    """The server said something that it must not have said; the message tells the peer, what was due and what came."""


class Stalled(Exception):  # noqa: N818
    """Nothing came for `patience` seconds while answers were owed; the message tells who waits for what."""
