"""The words of the log: stock gearmand's levels on the standard library's logger ``gearfast``.

Every module logs with ``logging.getLogger("gearfast")``; embedders configure that logger as they like, only the
command line calls ``logbook.open_log``.
"""

import logging
import unicodedata
from typing import Final

DEBUG: Final = logging.DEBUG
INFO: Final = logging.INFO
NOTICE: Final = 25
WARNING: Final = logging.WARNING
ERROR: Final = logging.ERROR
CRITICAL: Final = logging.CRITICAL
ALERT: Final = 60
FATAL: Final = 70

LEVELS: Final = {
    "FATAL": FATAL,
    "ALERT": ALERT,
    "CRITICAL": CRITICAL,
    "ERROR": ERROR,
    "WARNING": WARNING,
    "NOTICE": NOTICE,
    "INFO": INFO,
    "DEBUG": DEBUG,
}
"""The words of ``--verbose``, gravest first."""

WORDS: Final = {number: word for word, number in LEVELS.items()}

log = logging.getLogger("gearfast")

# The standard library has no names for these; without them an embedder's own formatter prints "Level 25".
for _word in ("NOTICE", "ALERT", "FATAL"):
    logging.addLevelName(LEVELS[_word], _word)


def word_of(level: int) -> str:
    """Return the word for a standard library level: the gravest that is not above it, DEBUG for what is lower."""
    return WORDS.get(level) or next((word for word, number in LEVELS.items() if number <= level), "DEBUG")


def level_name() -> str:
    """Return the word of the level that the server logs at now; the admin command ``verbose`` answers it."""
    return word_of(log.getEffectiveLevel())


def escaped(text: str) -> str:
    r"""Return the text as it may stand in one line: what is not printable becomes an escape such as ``\n``.

    Names come from peers. A line feed in one would begin a line of its own, an escape character would steer the
    terminal of whoever reads the log, and U+202E would turn the rest of the line round. Letters of any script and
    spaces stay. So do backslashes, which stand in the names of PHP's classes.
    """
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape", "surrogatepass").decode()
