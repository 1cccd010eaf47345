"""The file of ``--policy``: what holds for the jobs of functions, by patterns of their names.

[functions."mail.*"]
retries = 5
backoff = "exponential:1s..5m+jitter"
"""

import tomllib
from pathlib import Path
from typing import Any

from gearfast.errors import ConfigError
from gearfast.protocol import parameters


def read_policy_file(path: str) -> dict[bytes, dict[str, str]]:
    """Return the values of each pattern, as submit parameters are written. Raises ConfigError, with line and key."""
    try:
        text = Path(path).read_bytes().decode()
        read = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError) as error:
        raise ConfigError(
            f"the policy file {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    functions = read.pop("functions", {})
    if read or not isinstance(functions, dict):
        wrong = next(iter(read), "functions")
        raise ConfigError(f'{path}, line {line_of(text, (wrong,))}: {wrong!r} is no table [functions."NAME"]')
    return {pattern.encode(): values_of(path, text, pattern, values) for pattern, values in functions.items()}


def values_of(path: str, text: str, pattern: str, values: Any) -> dict[str, str]:
    """Check the values of one pattern, and return them as texts."""
    if not isinstance(values, dict):
        line = line_of(text, ("functions", pattern))
        raise ConfigError(f'{path}, line {line}: {pattern!r} has to be a table, [functions."{pattern}"]')
    found = {}
    for key, value in values.items():
        written = str(value)
        try:
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise ValueError(f"{key} has to be a text or a whole number, and is {value!r}")
            if ";" in written:
                raise ValueError(f"{key} has a semicolon in it: write one key a line")
            parameters.read(f"{key}={written}".encode(), for_function=True)
        except ValueError as error:
            line = line_of(text, ("functions", pattern, key))
            raise ConfigError(f'{path}, line {line}, [functions."{pattern}"] {key}: {error}') from None
        found[key] = written
    return found


def line_of(text: str, path: tuple[str, ...]) -> int:
    """Return the line in which a key is first set: the first from which on the file has it, read line by line."""
    lines = text.splitlines()
    for count in range(1, len(lines) + 1):
        try:
            found: Any = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:  # in the middle of a value
            continue
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if found is not None:
            return count
    return len(lines)
