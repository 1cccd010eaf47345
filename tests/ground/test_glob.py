"""Patterns of names, held against Python's `fnmatch`; and patterns that were made to take long."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from time import monotonic

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gearfast.ground.glob import matches

LETTERS = b"ab-z![]*?^\\&\n\x00\xff"
"""What has a meaning in a pattern here, or in one of Python's regular expressions; and some others."""

texts = st.binary(max_size=8) | st.lists(st.sampled_from([bytes([one]) for one in LETTERS]), max_size=12).map(b"".join)


@given(texts, texts)
@example(b"[]-a]", b"^")
@example(b"[!]", b"[!]")
@example(b"[a-b-c]", b"-")
@example(b"[z-a]", b"z")
@example(b"[!z-a]", b"\n")
@example(b"*[", b"[[")
@example(b"a*b*c", b"abcbc")
@settings(max_examples=3000, deadline=None)
def test_it_is_pythons(pattern: bytes, name: bytes) -> None:
    """By the letter, without the folding of case that `fnmatch.fnmatch` does on some systems."""
    assert matches(pattern, name) == fnmatchcase(name, pattern)


@given(texts)
def test_every_name_is_a_pattern_of_its_own_once_it_is_quoted(name: bytes) -> None:
    quoted = re.sub(rb"[*?[]", rb"[\g<0>]", name)
    assert matches(quoted, name)
    assert not matches(quoted, name + b"x")


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        (b"mail.*", [b"mail.", b"mail.high", b"mail.*", b"mail.a\nb"], [b"mail", b"Mail.high", b"xmail.high", b""]),
        (b"*", [b"", b"a", b"\x00\xff"], []),
        (b"", [b""], [b"a"]),
        (b"mail?", [b"mail1", b"mail?"], [b"mail", b"mail12"]),
        (b"mail[0-9ab]", [b"mail0", b"mail9", b"mailb"], [b"mailc", b"mail", b"mail00"]),
        (b"mail[!0-9]", [b"mailx", b"mail!"], [b"mail5", b"mail"]),
        (b"mail[]", [b"mail[]"], [b"mail", b"mail]"]),
        (b"mail[[]", [b"mail["], [b"mail[[]"]),
        (b"*.high", [b".high", b"a.high.high"], [b"a.high.", b"high"]),
    ],
)
def test_what_a_pattern_means(pattern: bytes, fits: list[bytes], does_not: list[bytes]) -> None:
    assert [name for name in fits if not matches(pattern, name)] == []
    assert [name for name in does_not if matches(pattern, name)] == []


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (b"a*" * 2000 + b"b", b"a" * 4000),
        (b"*a" * 2000 + b"b", b"a" * 4000),
        (b"*?" * 2000 + b"[!a]", b"a" * 4000),
        (b"*" * 4000 + b"b", b"a" * 4000),
        (b"*" + b"[" * 2000, b"[" * 4000),
        (b"*" + b"[a-b]" * 1000 + b"c", b"a" * 4000),
    ],
)
def test_a_hostile_pattern_takes_no_longer_than_its_size_times_the_names(pattern: bytes, name: bytes) -> None:
    """Where a regular expression would be at it for longer than anybody lives."""
    began = monotonic()
    for _ in range(3):
        matches(pattern, name)
    assert monotonic() - began < 2.0
