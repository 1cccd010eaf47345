"""Names come from peers: whatever stands in one, a job is one line of the log."""

from __future__ import annotations

import pytest

from tests.support import wire
from tests.support.loglines import said
from tests.support.peers import start_gearfast

FORGED = "\n  FATAL 2026-01-01 00:00:00.000000 [  main ] all jobs are lost\n"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (FORGED.encode(), r"\n  FATAL 2026-01-01 00:00:00.000000 [  main ] all jobs are lost\n"),
        (b"\x1b]0;title\x07\x1b[2J\r", r"\x1b]0;title\x07\x1b[2J\r"),
        ("\u202e\u2028\x85".encode(), r"\u202e\u2028\x85"),
        (b"\xff\xfe\x80", r"\xff\xfe\x80"),
        ("größe/大きさ/размер".encode(), "größe/大きさ/размер"),
        (rb"App\Jobs\Mail", r"App\Jobs\Mail"),
    ],
)
def test_function_and_unique(name: bytes, written: str) -> None:
    with start_gearfast("--verbose=NOTICE", "--submit-parameters=no") as server:
        with server.connect() as client:
            client.call(wire.SUBMIT_JOB_BG, name, name, payload="")
            client.call(wire.SUBMIT_JOB_BG, "after", "", payload="")
        assert server.stop() == 0
        assert said(server) == [f"accepted,{written},{written},0", "accepted,after,,0"]
