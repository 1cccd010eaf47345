"""What was done, as JSON for programs: `--json` behind every command that does something."""

from __future__ import annotations

import json

import pytest

from gearfast import Server
from gearfast.plugins.answers import shown
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


def test_no_byte_that_a_terminal_obeys_is_left_and_no_letter_is_harmed() -> None:
    """Whatever stands before and behind it."""
    for byte in range(256):
        for before in (b"", b"\xc2", b"\xe2", b"\xf0\x9f", "é".encode()):
            found = shown(before + bytes((byte,)) + b"m")
            assert not any(letter < " " or "\x7f" <= letter <= "\x9f" for letter in found.decode("utf-8", "replace"))
            assert not any("\udc80" <= letter <= "\udc9f" for letter in found.decode("utf-8", "surrogateescape"))
            assert shown(found) == found
    for start in range(0xA0, 0x11000, 0x100):
        letters = "".join(chr(code) for code in range(start, start + 0x100) if not 0xD800 <= code < 0xE000)
        assert shown(letters.encode()) == letters.encode()


def test_an_error_that_repeats_what_was_written_has_one_line_and_no_control() -> None:
    async def scene(server: Server, client: Talk) -> None:
        for word in ("tz=\x9b2J", "tz=\x1b[2J", "retries=\x85", "\x9b=1", "\x9b"):
            (answer,) = await lines(client, f"policy f {word}")
            assert answer.startswith("ERR ")
            assert answer.isprintable(), word

    played(scene)
