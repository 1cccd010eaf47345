"""Passwords, left out of what is shown."""

import re
from typing import Final

NAMED: Final = re.compile(r"(pass(?:word|wd)?|pwd)(\s*=\s*)('(?:\\.|[^'\\])*'?|[^\s&]*)", re.IGNORECASE)
"""A password behind its name, in a URL's query, in parameters of libpq, in a word of a config file."""
IN_ADDRESS: Final = (
    re.compile(r"(//[^/@:]*):.*@"),
    re.compile(r"^((?!sqlite:)[^:/@]*:[^/@:=\s]*):.*@", re.IGNORECASE),  # the slashes forgotten
    re.compile(r"^((?!sqlite:|postgres(?:ql)?:)[^:/@]*):(?!//).*@", re.IGNORECASE),  # or the scheme
)
"""A password between user and host."""
NO_PORT: Final = re.compile(r"(//[^/@:?\[\]]+):(?!\d*(?:[/?]|$))[^/@?,]*(?=[/?]|$)")
"""What stands in a port's place and is none: perhaps a password, with the host forgotten."""


def without_password(text: str) -> str:
    """Return a store's URL, or a word, as it may be shown: rather too much left out than too little."""
    for pattern in IN_ADDRESS:
        text = pattern.sub(r"\1:***@", text)
    return NAMED.sub(r"\1\2***", NO_PORT.sub(r"\1:***", text))
