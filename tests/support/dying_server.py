"""A job server that dies of a large job: that others than ours do so is a result of the benchmarks, no failure."""

from __future__ import annotations

import os
import re
import sys

from tests.support.fake_server import FakeServer, Line

LARGE = 500_000
STATUS = 3


class Dying(FakeServer):
    """Right, until a large packet comes."""

    def hear(self, line: Line, request: bytes) -> None:
        """Die of it, or answer."""
        if len(request) > LARGE:
            os._exit(STATUS)
        super().hear(line, request)


if __name__ == "__main__":
    found = re.search(r"--port=(\d+)", " ".join(sys.argv))
    assert found is not None
    Dying(int(found[1])).accept()
