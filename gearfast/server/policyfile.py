"""The file of ``--policy``: what holds for the jobs of functions, by patterns of their names.

[functions."mail.*"]
retries = 5
backoff = "exponential:1s..5m+jitter"
"""

import json
import tomllib
from pathlib import Path
from typing import Any, Final

from gearfast.errors import ConfigError
from gearfast.protocol import cron, parameters

LONGEST: Final = 255
"""Bytes of a pattern: it is held against the name of each function. A name by itself may be longer."""
MOST_STARS: Final = 16
"""In a pattern: what two of them have in common is sought in a time that grows with their product."""


def read_policy_file(path: str) -> dict[bytes, dict[str, str]]:
    """Return the values of each pattern, as submit parameters are written. Raises ConfigError, with line and key."""
    try:
        text = Path(path).read_bytes().decode()
        read = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:  # no file, no UTF-8, no TOML
        raise ConfigError(
            f"the policy file {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    functions = read.pop("functions", {})
    if read or not isinstance(functions, dict):
        wrong = next(iter(read), "functions")
        line = line_of(text, (wrong,))
        raise ConfigError(f'{path}, line {line}: {quoted(wrong)} does not belong there: write [functions."NAME"]')
    return {pattern.encode(): values_of(path, text, pattern, values) for pattern, values in functions.items()}


def values_of(path: str, text: str, pattern: str, values: Any) -> dict[str, str]:
    """Check the values of one pattern, and return them as texts."""
    if not isinstance(values, dict):
        line = line_of(text, ("functions", pattern))
        raise ConfigError(f"{path}, line {line}: {quoted(pattern)} is no table: write [functions.{quoted(pattern)}]")
    try:
        check(pattern.encode())
    except ValueError as error:
        line = line_of(text, ("functions", pattern))
        raise ConfigError(f"{path}, line {line}: {error}") from None
    found = {}
    for key, value in values.items():
        try:
            if isinstance(value, dict):
                whole = quoted(f"{pattern}.{key}")
                raise ValueError(f"a name with dots in it has quotation marks: write [functions.{whole}]")
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise ValueError("it has to be a text or a whole number, such as retries = 5")
            found[key] = str(value)
            check_value(key, found[key])
        except ValueError as error:
            line = line_of(text, ("functions", pattern, key))
            named = key if key.isidentifier() else quoted(key)
            raise ConfigError(f"{path}, line {line}, [functions.{quoted(pattern)}] {named}: {error}") from None
    return found


def check(pattern: bytes) -> None:
    """Raise ValueError for a pattern that is too long, or has too many stars; a name has neither limit."""
    if len(pattern) > LONGEST and (b"*" in pattern or b"?" in pattern or b"[" in pattern):
        raise ValueError(f"a pattern may have {LONGEST} bytes")
    if pattern.count(b"*") > MOST_STARS:
        raise ValueError(f"a pattern may have {MOST_STARS} stars")


def check_value(key: str, value: str) -> None:
    """Raise ValueError unless this can hold for all jobs of a function."""
    if ";" in key + value:
        raise ValueError("there is a semicolon in it: one key has one value")
    parameters.read(f"{key}={value}".encode("utf-8", "surrogateescape"), for_function=True)
    if key == "tz":
        cron.check("* * * * *", value)


def quoted(name: str) -> str:
    """Return a name as it may stand in the file, in one line."""
    return json.dumps(name, ensure_ascii=False)


def line_of(text: str, path: tuple[str, ...]) -> int:
    """Return the line in which a key is first set: the first up to which the file has it."""
    lines = text.split("\n")
    low, high = 0, len(lines)  # the lines up to low have it not, those up to high have it
    while high - low > 1:
        middle = (low + high) // 2
        count, found = middle, None
        while found is None and count < high:  # else it is in the middle of a value
            found = read_up_to(lines, count)
            count += found is None
        if found is None:
            high = middle
        elif has(found, path):
            high = count
        else:
            low = count
    return high


def read_up_to(lines: list[str], count: int) -> dict[str, Any] | None:
    """Return what stands in so many lines; None: they end in the middle of a value."""
    try:
        return tomllib.loads("\n".join([*lines[:count], ""]))
    except tomllib.TOMLDecodeError:
        return None


def has(read: Any, path: tuple[str, ...]) -> bool:
    """Say whether there is such a key."""
    for name in path:
        if not isinstance(read, dict) or name not in read:
            return False
        read = read[name]
    return True
