"""The exceptions gearfast raises.

What a *peer* is told travels as an ERROR packet (protocol section 1.4) and is no
exception at all; these are for the person who starts or embeds the server.
"""


class GearfastError(Exception):
    """Base of every exception that gearfast raises on purpose."""


class ConfigError(GearfastError):
    """An option, a config file or an environment variable cannot be used.

    The message is one line that says what is wrong and what would be right. Where that line is gearmand's own, word for
    word, ``hint`` may say more; else it is empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ListenError(GearfastError):
    """An address could not be bound, or a TLS file could not be used."""


class StoreError(GearfastError):
    """A store of durable jobs cannot be used, or could not do what it was asked.

    The message is one line that says what is wrong, for the log and for the client that waits for an acknowledgement.
    """


class StoreLostError(StoreError):
    """What a store of durable jobs had is gone, and it begins anew: it is to be given every job once more.

    The message is the beginning of a line of the log: what happened, such as ``the file was deleted``.
    """


class ProtocolError(GearfastError):
    """The peer's byte stream cannot be followed any further.

    The connection is closed; nothing else is affected. ``code`` is the ERROR code that
    the peer is told first, or empty when it is told nothing (protocol section 1.4).
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code
