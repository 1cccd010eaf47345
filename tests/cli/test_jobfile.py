"""Jobs as lines of JSON: every byte comes back, and every mistake is named."""

from __future__ import annotations

import json
import os

import pytest

from gearfast.cli.jobfile import MAX_NUMBER, LineError, first_line, line_of, read_first_line, read_line
from tests.support.memory_store import AWKWARD, EVERY_BYTE, job


@pytest.mark.parametrize("prefix", [b"H:host", EVERY_BYTE[1:40], "größe:1".encode()])
def test_a_job_comes_back_from_its_line(prefix: bytes) -> None:
    for one in AWKWARD:
        line = line_of(one, prefix)
        assert line.count(b"\n") == 1
        assert read_line(line) == (prefix, one)


def test_prefix_comes_back_from_the_first_line() -> None:
    for prefix in ("H:host", "größe", os.fsdecode(b"H:\xff")):
        assert read_first_line(first_line(prefix)) == prefix
    assert read_first_line(line_of(job(1), b"H:a")) is None


def test_text_stands_there_as_text() -> None:
    line = line_of(job(7, "größe".encode(), payload=b'{"id": 1}'), b"H:a")
    assert json.loads(line) == {
        "handle": "H:a:7", "function": "größe", "unique": "", "priority": "normal", "due": 0.0, "attempts": 0,
        "payload": '{"id": 1}', "more": "",
    }  # fmt: skip
    assert "größe".encode() in line


def test_a_line_made_by_hand_needs_only_a_function() -> None:
    assert read_line(b'{"function": "f"}') == (b"", job(0, payload=b""))
    assert read_line(b'{"function": "f", "due": 5, "attempts": 2.0}').job == job(0, payload=b"", due=5.0, attempts=2)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "the line is not a whole JSON object"),
        ('{"function": "f", "payl', "the line is not a whole JSON object"),
        ('{"function": "f"} x', "the line is not a whole JSON object"),
        ("[" * 100_000, "the line is not a whole JSON object"),
        ("[1]", "the line is not a JSON object"),
        ("null", "the line is not a JSON object"),
        ("{}", "the function is missing"),
        ('{"functoin": "f"}', "a job has no 'functoin'"),
        ('{"function": 5}', "'function' is neither text nor {\"base64\": ...}"),
        ('{"function": {"base64": "x"}}', "'function' is neither text nor {\"base64\": ...}"),
        ('{"function": {"base64": 1}}', "'function' is neither text nor {\"base64\": ...}"),
        ('{"function": {"base64": "eA==", "x": 1}}', "'function' is neither text nor {\"base64\": ...}"),
        ('{"function": "\\ud800"}', "'function' is neither text nor {\"base64\": ...}"),
        ('{"function": "f\\u0000"}', "the function has a NUL or more than 8191 bytes"),
        ('{"function": "%s"}' % ("x" * 8192), "the function has a NUL or more than 8191 bytes"),
        ('{"function": "f", "unique": "%s"}' % ("x" * 65), "the unique has a NUL or more than 64 bytes"),
        ('{"function": "f", "priority": "urgent"}', "the priority is not one of high, normal, low"),
        ('{"function": "f", "priority": ["low"]}', "the priority is not one of high, normal, low"),
        ('{"function": "f", "due": -1}', "'due' is not a number from 0 to 9007199254740992"),
        ('{"function": "f", "due": NaN}', "'due' is not a number from 0 to 9007199254740992"),
        ('{"function": "f", "due": 1e999}', "'due' is not a number from 0 to 9007199254740992"),
        ('{"function": "f", "due": "now"}', "'due' is not a number from 0 to 9007199254740992"),
        ('{"function": "f", "due": true}', "'due' is not a number from 0 to 9007199254740992"),
        ('{"function": "f", "attempts": 1.5}', "'attempts' is not a whole number"),
        ('{"function": "f", "attempts": 2147483648}', "'attempts' is not a number from 0 to 2147483647"),
        ('{"function": "f", "attempts": %s}' % ("9" * 5000), "the line is not a whole JSON object"),
        ('{"function": "f", "handle": "7"}', "the handle is not PREFIX:NUMBER, with a number from 1 to "
         f"{MAX_NUMBER - 1}"),
        ('{"function": "f", "handle": "H:a:0"}', "the handle is not PREFIX:NUMBER, with a number from 1 to "
         f"{MAX_NUMBER - 1}"),
        (f'{{"function": "f", "handle": "H:a:{MAX_NUMBER}"}}', "the handle is not PREFIX:NUMBER, with a number from "
         f"1 to {MAX_NUMBER - 1}"),
    ],
)  # fmt: skip
def test_a_bad_line_is_refused_with_its_reason(line: str, reason: str) -> None:
    with pytest.raises(LineError) as refusal:
        read_line(line.encode())
    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"format": "csv"}', "'csv' is not the format gearfast-jobs"),
        ('{"format": "gearfast-jobs"}', "version None of the format is not known: this gearfast reads 1"),
        ('{"format": "gearfast-jobs", "version": 2}', "version 2 of the format is not known: this gearfast reads 1"),
    ],
)
def test_another_format_is_refused(line: str, reason: str) -> None:
    with pytest.raises(LineError) as refusal:
        read_first_line(line.encode())
    assert str(refusal.value) == reason
