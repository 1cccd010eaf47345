"""Submit parameters: durations, moments and words behind a function's name (protocol section 12)."""

from typing import final

@final
class ParameterTexts:
    """Those that were read lately; nothing of it is called from Python."""

def keys() -> dict[str, str]:
    """Return the keys that there are, each with what its value may be, in words."""
