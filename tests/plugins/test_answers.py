"""What was done, as JSON for programs: `--json` behind every command that does something."""

from __future__ import annotations

import json

import pytest

from gearfast import Server
from tests.plugins.test_jobs import lines, submitted
from tests.support.inside import Talk, played


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("run now H:x:1", {"ok": False, "error": "UNKNOWN_JOB", "text": "there is no job H:x:1"}),
        ("run now {}", {"ok": True}),
        ("move {} priority=high", {"ok": True}),
        ("move {} priority=x", {"ok": False, "error": "INVALID_PARAMETER"}),
        ("kick f", {"ok": True, "count": 0}),
        ("kick job {}", {"ok": False, "error": "UNKNOWN_JOB"}),
        ("purge f", {"ok": True, "count": 0}),
        ("delete job {}", {"ok": False, "error": "UNKNOWN_JOB"}),
        ("policy f retries=3", {"ok": True}),
        ("policy f retries", {"ok": False, "error": "INVALID_ARGUMENTS"}),
        ("pause f for a while", {"ok": True}),
        ("drain f", {"ok": True}),
        ("resume g", {"ok": False, "error": "NOT_PAUSED"}),
        ("cancel schedule {}", {"ok": False, "error": "UNKNOWN_SCHEDULE"}),
    ],
)
def test_what_was_done_is_told_to_programs(line: str, told: dict[str, object]) -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = await submitted(client, "f;delay=1h")
        (answer,) = await lines(client, f"{line.format(handle)} --json")
        found = json.loads(answer)
        assert {name: found[name] for name in told} == told
        assert ("text" in found) == (not told["ok"])

    played(scene)
