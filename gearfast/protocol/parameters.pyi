"""Submit parameters: durations, moments and words behind a function's name (protocol section 12)."""

from typing import Any, final

@final
class ParameterTexts:
    """Those that were read lately; nothing of it is called from Python."""

def read(text: bytes, *, for_function: bool = False) -> dict[str, Any]:
    """Return what a text of submit parameters asks for, by its keys. Raises ValueError, which names the mistake.

    Durations and moments are in seconds, ``priority`` is a job's, ``backoff`` is (first, most, jitter): seconds, and 0
    for most if it does not grow. With ``for_function`` the text says what holds for all jobs of a function.
    """

def keys(*, for_function: bool = False) -> dict[str, str]:
    """Return the keys that there are, each with what its value may be, in words."""
