"""What the fields of settings may hold: written beside each of them, and checked when the settings are made.

    port: Annotated[int, Within(0, 65535), By("--port")] = 4730

The type is checked without further words, so a flag needs no more than ``ssl: bool = False``.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Protocol, Union, get_args, get_origin

from gearfast.errors import ConfigError

LONGEST: Final = 100
"""Characters of a wrong value that are shown."""
KINDS: Final = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a text",
    types.NoneType: "None",
}


class Rule(Protocol):
    """What is asked of a value beyond its type. As a text: what is allowed, behind the name of the type."""

    def allows(self, value: Any) -> bool:
        """Say whether a value of the right type may stand there."""


@dataclass(frozen=True, slots=True)
class By:
    """Which option of the command line sets the field."""

    option: str


@dataclass(frozen=True, slots=True)
class Within:
    """A number in a range, both ends included."""

    low: float
    high: float = math.inf

    def allows(self, value: float) -> bool:
        """Say whether it is in the range."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"of at least {self.low}" if math.isinf(self.high) else f"from {self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class Above:
    """A number above a limit, up to another one."""

    limit: float
    high: float

    def allows(self, value: float) -> bool:
        """Say whether it is."""
        return self.limit < value <= self.high

    def __str__(self) -> str:
        return f"above {self.limit} and at most {self.high}"


@dataclass(frozen=True, slots=True)
class Bytes:
    """A text that is not too long in UTF-8."""

    most: int

    def allows(self, value: str) -> bool:
        """Say whether it is short enough."""
        return len(value.encode("utf-8", "surrogateescape")) <= self.most

    def __str__(self) -> str:
        return f"of at most {self.most} bytes"


@dataclass(frozen=True, slots=True)
class Rising:
    """Numbers of which none is below the one before it."""

    def allows(self, value: tuple[float, ...]) -> bool:
        """Say whether they are in order."""
        return list(value) == sorted(value)

    def __str__(self) -> str:
        return "in rising order"


@dataclass(frozen=True, slots=True)
class Such:
    """What a function says yes to."""

    test: Callable[[Any], bool]
    words: str

    def allows(self, value: Any) -> bool:
        """Ask the function."""
        return self.test(value)

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True, slots=True)
class Each:
    """A rule for every part of a tuple."""

    rule: Rule

    def allows(self, value: tuple[Any, ...]) -> bool:
        """Say whether all of them keep to it."""
        return all(map(self.rule.allows, value))

    def __str__(self) -> str:
        return f"each of them {self.rule}"


def one_of(*words: str) -> Such:
    """Return the rule that a text is one of these."""
    return Such(lambda text: text in words, f"out of {', '.join(words)}")


def check(settings: Any) -> None:
    """Check every field of a dataclass. Raises ConfigError that names field, option, value, and what is allowed."""
    for name, (kind, rules, option) in _table(type(settings)).items():
        value = getattr(settings, name)
        if is_of(kind, value) and (value is None or all(rule.allows(value) for rule in rules)):
            continue
        place = f"{type(settings).__name__}.{name}"
        where = f"{option} ({place})" if option else place
        allowed = (", " if get_origin(kind) is tuple else " ").join([words_of(kind), *map(str, rules)])
        shown = repr(value) if _shows(settings, name) else f"of type {type(value).__name__}"
        shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
        hint = " without NUL" if "\0" in str(value) else ""
        if isinstance(value, str) and get_origin(kind) is tuple:
            hint = f", such as ({shown},)"  # for one address without a tuple around it, letter by letter to Python
        raise ConfigError(f"{where} is {shown}, and has to be {allowed}{hint}")


def is_of(kind: Any, value: object) -> bool:
    """Say whether the value has the type: a bool is no number here, and a text has no NUL, which no system takes."""
    if get_origin(kind) in (Union, types.UnionType):
        return any(is_of(part, value) for part in get_args(kind))
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in get_args(kind)
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        if not isinstance(value, tuple):
            return False
        if parts[1:] == (...,):
            return all(is_of(parts[0], part) for part in value)
        return len(parts) == len(value) and all(map(is_of, parts, value))
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is str and "\0" in str(value))


def words_of(kind: Any) -> str:
    """Return what a person calls the type."""
    parts = get_args(kind)
    if get_origin(kind) is tuple:
        count = "" if parts[1:] == (...,) else f"{len(parts)} "
        return f"a tuple of {count}{words_of(parts[0]).removeprefix('a ')}s"
    if parts:
        return " or ".join(words_of(part) for part in reversed(parts))
    return KINDS.get(kind, str(kind))


def _shows(settings: Any, name: str) -> bool:
    return next(field.repr for field in dataclasses.fields(settings) if field.name == name)


def _table(settings: type) -> dict[str, tuple[Any, list[Rule], str]]:
    """Return type, rules and option of every field."""
    found = dict[str, tuple[Any, list[Rule], str]]()
    for name, hint in typing.get_type_hints(settings, include_extras=True).items():
        kind, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        option = next((mark.option for mark in marks if isinstance(mark, By)), "")
        found[name] = kind, [mark for mark in marks if not isinstance(mark, By)], option
    return found
