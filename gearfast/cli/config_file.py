"""The config file: words as on the command line, in any number of lines (protocol section 5.2)."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from gearfast.cli.arguments import Arguments
from gearfast.cli.options import OPTIONS
from gearfast.errors import ConfigError
from gearfast.store.password import without_password

MAX_WARNINGS: Final = 10
"""Lines of a file that are complained of: one that is no config file at all has many."""
SECRET: Final = [name for name in OPTIONS if re.search("password|conninfo|store", name)]
"""Options in whose value there may be a password, and so in a word behind it."""
LONGEST: Final = 60
"""Characters of a word that are shown."""


class Word(str):
    """A word of the file."""

    line: int
    """Counted from 1."""
    remark: bool
    """It stands behind a ``#``. Options count there too, as the file knows no comments."""

    @classmethod
    def at(cls, text: str, line: int, remark: bool) -> Self:
        """Return a word that knows its place."""
        word = cls(text)
        word.line, word.remark = line, remark
        return word


def read(given: Arguments) -> tuple[Arguments, tuple[str, ...]]:
    """Read the file that the command line names, or stock's; return its options, and lines for standard error.

    Words that are no options are passed over, as in stock, and warned of: whoever wrote ``port=4731`` meant something.
    Raises ConfigError in stock's words.
    """
    path = given.text("config-file")
    try:
        text = Path(path).read_bytes().decode("utf-8", "surrogateescape")
    except (OSError, ValueError) as error:
        if not given.has("config-file"):
            return Arguments({}), ()
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"Could not open configuration file. ({path}: {reason})") from None
    words = list(words_of(text))
    found, strays = Arguments.read(words, shortened=True)
    for name in found.given:
        if OPTIONS[name].argv_only or OPTIONS[name].store_only:
            raise ConfigError(f"unrecognised option '--{name}'")
    return found, warnings(path, words, strays)


def words_of(text: str) -> Iterator[Word]:
    """Split the text at blanks and line ends, at nothing else: stock knows neither tabs nor quotes."""
    for number, line in enumerate(re.split("\r\n|\n|\r", text), 1):
        remark = False
        for part in filter(None, line.split(" ")):
            remark = remark or part.startswith("#")
            yield Word.at(part, number, remark)


def warnings(path: str, words: Sequence[Word], strays: Sequence[str]) -> tuple[str, ...]:
    """Return a line for each line of the file with words that do not do what they seem to."""
    stray = set(map(id, strays))
    found = dict[int, str]()
    option: Word | None = None
    for word in words:
        said = ""
        if word.startswith("--") and id(word) not in stray:
            option = word
        if id(word) in stray and not word.remark:
            said = passed_over(word, option)
        elif id(word) not in stray and word.remark and word.startswith("-"):
            said = f"{shown(word)} is read as an option, because this file has no comments: remove it"
        if said:
            found.setdefault(word.line, said)
    lines = [f"{path}, line {number}: {said}" for number, said in found.items()]
    more = len(lines) - MAX_WARNINGS
    return (*lines[:MAX_WARNINGS], *([f"{path}: {more} more lines like these"] if more > 0 else []))


def passed_over(word: Word, option: Word | None) -> str:
    """Say that a word is no option, and what may have been meant; ``option`` is the last one before it."""
    if word.startswith("-") and word != "-" and not word.startswith("--="):
        return f"{shown(word)} is ignored: it comes after '--', which ends the options"
    before = "" if option is None or option.line != word.line else option.partition("=")[0]
    if before and any(f"--{name}".startswith(before) for name in SECRET):
        return f"what follows the value of {before} is ignored: a value ends at a space, and quotes are part of it"
    name = word.partition("=")[0]
    meant = f": write --{shown(word)[1:-1]}" if name in OPTIONS else "; options begin with two dashes"
    return f"{shown(word)} is not an option and is ignored{meant}"


def shown(word: str) -> str:
    """Return a word between quotes: no password, nothing that moves a terminal's cursor, and not too much."""
    text = without_password(word)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return f"'{''.join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)}'"
