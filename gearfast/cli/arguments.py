"""Reads the words of a command line, or of a config file, by the rules that stock gearmand has.

Not argparse: an option's value may begin with a dash, a name is abbreviated in the config file only, a value after
``=`` may not be empty, and every message is stock's, word for word (protocol section 5.1).
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Self

from gearfast.cli.options import LETTERS, OPTIONS, SHORTENED, Option, shown
from gearfast.errors import ConfigError


class Arguments:
    """The options that were given, each value as the text it was given as."""

    def __init__(self, given: Mapping[str, Sequence[str]]) -> None:
        self.given = given

    @classmethod
    def read(cls, words: Sequence[str], *, shortened: bool = False) -> tuple[Self, list[str]]:
        """Read words; return the options and the words that are none.

        ``shortened``: stock's long names may be, as in the config file. Raises ConfigError with stock's text for the
        first word that cannot be read.
        """
        found, rest = split(words, shortened)
        given: dict[str, list[str]] = {}
        for option, text in found:
            if option.name in given and not option.many:
                raise ConfigError(f"option '--{option.name}' cannot be specified more than once")
            check(option, text)
            given.setdefault(option.name, []).append(text)
        return cls(given), rest

    def over(self, other: "Arguments") -> "Arguments":
        """Return both together; where both have an option, these win."""
        return Arguments({**other.given, **self.given})

    def has(self, name: str) -> bool:
        """Say whether ``--name`` was given."""
        return name in self.given

    def texts(self, name: str) -> tuple[str, ...]:
        """Return every value given for ``--name``."""
        return tuple(self.given.get(name, ()))

    def text(self, name: str) -> str:
        """Return the value of ``--name``, or its default."""
        return self.given[name][0] if name in self.given else OPTIONS[name].default

    def number(self, name: str) -> int:
        """Return the value of ``--name``, or its default, read as its table row says."""
        value = OPTIONS[name].read(self.text(name))
        assert isinstance(value, int), f"--{name} is no number"
        return value


def check(option: Option, text: str) -> None:
    """Raise ConfigError unless ``text`` can be a value of ``option``."""
    try:
        if option.value:
            option.read(text)
    except ValueError:
        argument = f"the argument ('{text}')" if text else "the argument"
        allowed = getattr(option.read, "allowed", "")
        hint = f"--{option.name} takes {allowed}" if allowed else ""
        raise ConfigError(f"{argument} for option '--{option.name}' is invalid", hint) from None


def split(words: Sequence[str], shortened: bool) -> tuple[list[tuple[Option, str]], list[str]]:
    """Divide words into options with their values and all other words."""
    found: list[tuple[Option, str]] = []
    rest: list[str] = []
    queue = deque(words)
    while queue:
        word = queue.popleft()
        if word == "--":
            rest += queue
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if equals and not value:
                raise ConfigError(f"the argument for option '--{name}' should follow immediately after the equal sign")
            if name:
                found.append(long_option(word, queue, shortened))
            else:
                rest.append(word)
        elif word.startswith("-") and word != "-":
            found += short_options(word, queue)
        else:
            rest.append(word)
    return found, rest


def long_option(word: str, queue: deque[str], shortened: bool) -> tuple[Option, str]:
    """Read ``--name``, ``--name=value``, or ``--name`` with its value in the next word."""
    name, _, value = word[2:].partition("=")
    option = short_for(word, queue) if shortened else OPTIONS.get(name)
    if option is None:
        raise ConfigError(f"unrecognised option '{word}'", resembling(name))
    if option.value:
        return option, value or following(option, queue)
    if value:
        raise ConfigError(f"option '--{option.name}' does not take any arguments")
    return option, ""


def resembling(name: str) -> str:
    """Ask whether an option was meant whose name is nearly this one; empty: none is."""
    names = [option.name for option in shown()]
    name = name.lower()
    near = get_close_matches(name, names, 1, 0.7) or [known for known in names if name and known.startswith(name)]
    return f"did you mean --{near[0]}?" if near else ""


def short_for(word: str, queue: Sequence[str]) -> Option | None:
    """Return the option that ``--name`` or ``--name=value`` means where stock's names may be shortened; None: none.

    An exact name wins; else the name must be clear among stock's options. Ours make no name of stock's unclear, and
    are not shortened: what a file means today, it means when we have more of them. Raises ConfigError for a name that
    may mean several.
    """
    name, equals, _ = word[2:].partition("=")
    option = OPTIONS.get(name)
    meant = [stock for stock in SHORTENED if stock.startswith(name)]
    if option is not None and (name in SHORTENED or len(meant) != 1):
        return option
    if option is not None and (equals or not option.value or (queue and not queue[0].startswith("-"))):
        return option  # `--store` by itself is stock's --store-queue-on-shutdown; with a value it can only be ours
    if len(meant) > 1:
        *others, last = (f"'--{stock}'" for stock in meant)
        raise ConfigError(f"option '{word}' is ambiguous and matches {', '.join(others)}, and {last}")
    return OPTIONS[meant[0]] if meant else None


def short_options(word: str, queue: deque[str]) -> Iterator[tuple[Option, str]]:
    """Read ``-d``, ``-dR``, ``-p4730``, ``-p 4730``; the last of a bundle may take the value."""
    letters = word[1:]
    while letters:
        option = LETTERS.get(letters[0])
        if option is None:
            raise ConfigError(f"unrecognised option '{word}'")
        letters = letters[1:]
        if option.value:
            yield option, letters or following(option, queue)
            return
        yield option, ""


def following(option: Option, queue: deque[str]) -> str:
    """Take the next word as the option's value, whatever it looks like: stock does."""
    if not queue:
        raise ConfigError(f"the required argument for option '--{option.name}' is missing")
    return queue.popleft()
