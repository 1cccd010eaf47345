"""Names and ids in lines of an answer: whatever is in them, they forge no line."""

import re
from typing import Final

CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")


def shown(name: bytes) -> bytes:
    r"""Return a name as it stands in a line: what would end the line, or move a terminal's cursor, as ``\x0a``."""
    return CONTROL.sub(lambda found: b"\\x%02x" % found[0][0], name)
